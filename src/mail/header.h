/* mail/header.h: the header fields of a message (RFC 5322 §2.2), found without copying.
 *
 *     for (struct str rest = message; take_header_field(&rest, &f);)
 *         …
 *
 * Tolerant, for mail is often broken: a line end may be LF alone, a line that is no field (no colon, a bad name,
 * the "From " line of an mbox) is given as a field without a name. The header ends at the first empty line and
 * nowhere else, so that every reader of a broken message divides it at the same place.
 * Pure: no I/O, no allocation except by appending to a buf. Time is linear in what is read. */
#pragma once
#include "base/buf.h"

struct header_field {
    struct str
        name; /* as written, without white space before the colon; empty if the line is no field */
    struct str
        body; /* what follows the colon, raw: folds and white space kept, the last line end not */
    struct str whole; /* all of it, from the name to the last line end */
};

/* The next field of a header block, or of a message. False: the header has ended; *in then starts at the empty
 * line, or is used up. */
bool take_header_field(struct str *in, struct header_field *out);

/* How many bytes the header takes, the empty line included: where the body begins. A message without an empty line
 * is all header. */
size_t header_length(struct str message);

/* The first field of that name, in any case. */
bool find_header_field(struct str header, struct str name, struct header_field *out);
size_t count_header_fields(struct str header, struct str name);

/* Several at once: of each name the first field's body (.p NULL: there is none) and how many there are. */
struct header_found {
    struct str body;
    size_t count;
};
void find_header_fields(struct str header, const struct str *names, size_t count,
                        struct header_found *out);

/* Appends a field's body on one line: line ends taken out (RFC 5322 §2.2.3), white space trimmed at both ends;
 * NUL and bare CR become spaces. */
void header_unfold(struct buf *out, struct str body);
