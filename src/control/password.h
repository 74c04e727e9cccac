/* control/password.h: getting a password from a person or a pipe; never from the command line, where others see it. */
#pragma once
#include "base/err.h"

/* from_stdin: the first line of standard input. Else asked for twice on the terminal without echo; where there is
 * none, *out is empty. It lives in `arena`. */
enum err password_read(struct cx *cx, bool from_stdin, struct str *out);
