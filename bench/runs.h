/* bench/runs.h: the commands. Each fills the report with its figures; a report with a failure in it is a
 * failed run, whatever the figures. */
#pragma once
#include "options.h"
#include "report.h"

void run_smtp(const struct options *o, struct report *report);
void run_pop3(const struct options *o, struct report *report);
void run_signon(const struct options *o, struct report *report);
void run_imap(const struct options *o, struct report *report);
void run_imap_signon(const struct options *o, struct report *report);
void run_idle(const struct options *o, struct report *report);
