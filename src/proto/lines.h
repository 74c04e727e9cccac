/* proto/lines.h: command lines, from bytes cut anywhere.
 *
 *     struct lines lines = lines_make(SMTP_LINE_MAX, LINE_END_CRLF);
 *     while ((r = take_line(&lines, &in, &line)) != LINE_NONE)
 *         …
 *
 * A line that lies whole in the input is not copied. One that was cut waits in a buf of the struct until the
 * rest comes. A line beyond the limit is skipped to its end and reported once, there: the answer to it stands in
 * its place among the others, and what the line said is never taken for commands.
 * No I/O. A struct belongs to one thread at a time. */
#pragma once
#include "base/buf.h"

/* What ends a line. SMTP takes CRLF alone (RFC 5321 §2.3.8: bare CR and LF are no line ends, and taking one for
 * it lets commands be smuggled); a bare CR or LF stays inside the line, where no command allows it.
 * LINE_END_LF also takes a bare LF, and strips a CR before it: for POP3, and for replies of servers that err. */
enum line_end { LINE_END_CRLF, LINE_END_LF };

struct lines {
    size_t limit; /* with its line end, as RFC 5321 §4.5.3.1.4 counts */
    enum line_end end;
    struct buf part; /* private: the beginning of a line whose rest has not come */
    bool given;      /* private: part was the last result */
    bool skipping;   /* private: inside a line beyond the limit */
    bool cr;         /* private: the last byte skipped was a CR */
};

enum line_result { LINE_NONE, LINE_TAKEN, LINE_TOO_LONG };

struct lines lines_make(size_t limit, enum line_end end);
void lines_free(struct lines *l);

/* LINE_TAKEN: *line is without its end, and lives until the next call or as long as the input.
 * LINE_TOO_LONG: one line was skipped. LINE_NONE: *in is used up. */
enum line_result take_line(struct lines *l, struct str *in, struct str *line);

/* The beginning of a line that waits for its rest: what a session passes on together with its unread input. */
struct str lines_waiting(const struct lines *l);
/* Forgets it: what came before STARTTLS or STLS must not be read after it (RFC 3207 §4.2, RFC 2595 §4). */
void lines_forget(struct lines *l);
