/* proto/imap_reader.h: IMAP commands, whole, from bytes cut anywhere (RFC 9051 §2.2.1, §4.3; RFC 7888).
 *
 *     struct imap_reader r = imap_reader_make(&imap_limits_signed_on);
 *     while ((e = imap_read(&r, &in)) != IMAP_MORE)
 *         switch (e) {
 *         case IMAP_LITERAL:   … imap_literal_inline(&r, out), _bulk(&r, out) or imap_refuse(&r, "BAD …") …
 *         case IMAP_DATA:      … r.data is a piece of the bulk literal r.literal …
 *         case IMAP_DATA_END:  … that literal is whole …
 *         case IMAP_COMMAND:   … parse_imap_command(r.text, &c), run it …
 *         case IMAP_REFUSED:   … answer "<r.tag> <r.why>", or "* <r.why>" if r.tag is empty …
 *         case IMAP_HANG_UP:   … "* BYE <r.why>", and close …
 *         }
 *
 * A command is one line, or several with a literal after each but the last. Short literals (*inline*) stay in the
 * text where they stood, as "{5}\r\nhello", so that parsers see one struct str. The data of messages (*bulk*) is handed
 * on in pieces as it arrives, and in the text stands a mark, which take_imap_bulk() reads (imap_token.h): a NUL, which
 * cannot stand there otherwise.
 *
 * A command that lies whole in the input is not copied, and nothing is kept between commands: an idle reader holds no
 * memory but itself. A line ends in CRLF and nothing else; a line with a NUL, a bare CR or a bare LF is refused whole,
 * for another reader of the same bytes may have seen two. One thread at a time. */
#pragma once
#include "base/buf.h"

/* What the reader bears. RFC 9051 §4 asks for lines of 8,192 octets at least; 64 KiB are sets of 6,000 UIDs. */
struct imap_limits {
    size_t line;     /* one line of a command; it has one more line for each literal */
    size_t text;     /* all of a command but its bulk literals: what is kept of it while it comes */
    size_t literal;  /* all inline literals of one command together */
    size_t literals; /* how many literals, of either kind, in one command */
    uint64_t
        nonsync; /* a larger "{n+}" is refused and skipped: 4096 where LITERAL- is announced (RFC 7888 §5) */
    uint64_t skip; /* … and one larger than this ends the connection rather than be read for nothing */
};

#define IMAP_LINE_MAX (64 * 1024)
#define IMAP_RAW_MAX 12288 /* a line that is no command: RFC 4954 §4's bound for SASL, and DONE */

#define IMAP_TAG_MAX 64          /* a longer tag of a command that is refused is not repeated */
#define IMAP_LITERAL_SPEC_MAX 26 /* "~{", 20 digits, "+}", CRLF */

extern const struct imap_limits imap_limits_signed_off; /* before sign-on: 8 KiB in all, few literals */
extern const struct imap_limits imap_limits_signed_on;

enum imap_event {
    IMAP_MORE, /* *in is used up */
    IMAP_LITERAL, /* r.literal was announced: one of the three must be called before the next imap_read() */
    IMAP_DATA, /* r.data: a piece of the bulk literal r.literal, not empty, valid as long as the input */
    IMAP_DATA_END, /* all of r.literal has come (at once, if its size is 0) */
    IMAP_COMMAND,  /* r.text: a whole command without its last CRLF; valid until the next imap_read() */
    IMAP_REFUSED, /* the command was not taken, and all of it is over; r.why is the whole answer behind the tag */
    IMAP_HANG_UP, /* it goes on too long to be skipped. Every further call says the same */
};

struct imap_literal {
    uint32_t index; /* of the bulk literals of this command, from 0. Set by imap_literal_bulk() */
    uint64_t size;
    bool is_literal8; /* "~{n}" (RFC 9051 §9 literal8): may hold NULs */
    bool sync;        /* the client waits for our "+" */
};

struct imap_reader {
    struct imap_literal literal; /* with IMAP_LITERAL, IMAP_DATA, IMAP_DATA_END */
    struct str data;             /* with IMAP_DATA */
    struct str
        text; /* with IMAP_COMMAND; with IMAP_LITERAL, the command before the literal's "{" or "~" */
    struct str tag;  /* with IMAP_REFUSED; empty if none was seen. Valid until the next imap_read() */
    const char *why; /* with IMAP_REFUSED and IMAP_HANG_UP */

    const struct imap_limits *limits; /* private, from here on */
    struct buf gathered;              /* the command so far, if it did not come whole; or a raw line */
    size_t line_at;                   /* where in gathered its last line begins */
    size_t inline_bytes, literal_count;
    uint32_t bulk_count;
    uint64_t left; /* bytes of the literal that are still to come */
    unsigned char state;
    bool cr;    /* the last byte of the line so far is a CR */
    bool given; /* gathered was the last result */
    unsigned char tail_size, tag_size;
    char tail[IMAP_LITERAL_SPEC_MAX]; /* the end of a line that is skipped */
    char tag_bytes[IMAP_TAG_MAX];
};

struct imap_reader imap_reader_make(const struct imap_limits *limits); /* takes no memory yet */
void imap_reader_free(struct imap_reader *r);
void imap_reader_limit(struct imap_reader *r, const struct imap_limits *limits); /* between commands */

enum imap_event imap_read(struct imap_reader *r, struct str *in);

/* After IMAP_LITERAL. If the client waits, "+ OK" CRLF is appended to `out`. An inline literal beyond the limits is
 * refused instead, with BAD [TOOBIG] (RFC 7888 §5): the caller need not know them. */
void imap_literal_inline(struct imap_reader *r, struct buf *out);
void imap_literal_bulk(struct imap_reader *r, struct buf *out);
/* After IMAP_LITERAL, IMAP_DATA or IMAP_DATA_END: this command will not do. `why` is the whole answer behind the tag
 * ("NO [TOOBIG] the message is larger than this server takes") and must live until it is given back with
 * IMAP_REFUSED: at once if the client waits for a "+" (RFC 9051 §4.3: it sends no literal then), else when what it
 * sends anyway has been skipped. */
void imap_refuse(struct imap_reader *r, const char *why);

/* One line that is no command: an answer to a "+" of AUTHENTICATE, or IDLE's "DONE". The caller knows when one is due,
 * and calls this in place of imap_read(). */
enum imap_raw {
    IMAP_RAW_MORE,    /* *in is used up */
    IMAP_RAW_LINE,    /* *line is without its CRLF, valid until the next call */
    IMAP_RAW_TOO_LONG /* one line beyond IMAP_RAW_MAX was skipped: it is no answer */
};
enum imap_raw imap_read_raw(struct imap_reader *r, struct str *in, struct str *line);

/* Nothing of a next command has come: all that did is in the caller's hands, and the session may be passed on. */
bool imap_reader_is_between(const struct imap_reader *r);
/* Forgets the beginning of one: what came before STARTTLS must not be read after it (RFC 9051 §6.2.1). */
void imap_reader_forget(struct imap_reader *r);
