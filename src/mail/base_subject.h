/* mail/base_subject.h: the subject without "Re:", "Fwd:" and their kin (RFC 5256 §2.1). Pure. */
#pragma once
#include "base/buf.h"

/* Step 1: the body of a Subject field as UTF-8 on one line, encoded words decoded, any white space one space. Appends. */
void subject_text(struct buf *out, struct str field_body);
/* Steps 2 to 7, of such a text: a part of it. *is_reply: a subj-refwd, a "(fwd)" or a "[fwd: …]" was taken away, which is
 * what THREAD calls a reply or forward. */
struct str base_subject(struct str text, bool *is_reply);
