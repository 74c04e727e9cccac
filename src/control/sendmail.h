/* control/sendmail.h: posthorn sendmail, also under the names sendmail, mailq and newaliases. */
#pragma once
#include "control/operator.h"

/* argv[0] is the program's name. What it returns is the exit status, of sysexits.h. */
int sendmail_main(struct operator* op, int argc, char **argv);
