/* mail/report_text.h: the sentences of a report (mail/report.h), which includes this and nobody else needs to. Pure. */
#pragma once
#include "mail/report.h"

/* The first part's text, in CRLF. */
void report_text_write(struct buf *out, const struct report *r);
/* "Not delivered to tom@b.test: Lunch on Friday", UTF-8. */
void report_subject_write(struct buf *out, const struct report *r);

/* Appends text without controls: what is no UTF-8, or (ascii) beyond ASCII, becomes "?"; CR is left out, and each
 * line end becomes CRLF and `indent`. Lines longer than a line may be are broken. */
void report_clean_write(struct buf *out, struct str text, const char *indent, bool ascii);
