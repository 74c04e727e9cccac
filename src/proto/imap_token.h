/* proto/imap_token.h: what IMAP's commands are made of (RFC 9051 §9, RFC 3501 §9). One function per ABNF rule, moving
 * along a struct str.
 *
 * True: *in has moved past what was read. False: nothing changed, but that p->why may say what was wrong.
 * Results point into the input, or into p->arena where something had to be taken out (a backslash). Pure. */
#pragma once
#include "base/arena.h"
#include "base/str.h"

struct buf;

/* What a parser carries along. */
struct imap_parse {
    struct arena *arena;
    bool
        utf8_names; /* IMAP4rev2 or UTF8=ACCEPT is enabled: mailbox names are UTF-8, else modified UTF-7 */
    /* How it failed. why: for the text of the answer; the first reason stands. code: NULL, and the answer is BAD; or
     * the grammar is kept but this can never work, and the answer is NO [code]: "CANNOT", "BADCHARSET", "LIMIT",
     * "UNKNOWN-CTE" … */
    const char *why;
    const char *code;
    struct str given; /* the mailbox name that was read last, as the client spelled it, in UTF-8 */
};

struct imap_parse imap_parse_make(struct arena *arena, bool utf8_names);
/* Both return false, so that a parser can end with them. */
bool imap_bad(struct imap_parse *p, const char *why);
bool imap_no(struct imap_parse *p, const char *code, const char *why);

/* Characters. */
bool is_imap_atom_char(char c);    /* ATOM-CHAR */
bool is_imap_astring_char(char c); /* ATOM-CHAR and "]" */

/* tag = 1*<any ASTRING-CHAR except "+"> */
bool take_imap_tag(struct str *in, struct str *out);
bool take_imap_sp(struct str *in); /* exactly one space (§9, note 2) */
bool take_imap_atom(struct str *in, struct str *out);
/* The word, and then no further ATOM-CHAR: "NOT" is not in "NOTE". Case does not matter. */
bool take_imap_word(struct str *in, struct str word);
/* One out of a table, which ends in {NULL, 0}. */
struct imap_word {
    const char *word;
    unsigned value;
};
bool take_imap_word_of(struct str *in, const struct imap_word *words, unsigned *value);

/* string = quoted / literal. Quoted strings may hold UTF-8 (RFC 9051 §4.3), whatever was enabled: who writes it means
 * it. Neither holds a NUL. RFC 6855's obsolete *"…" is taken as well. */
bool take_imap_string(struct imap_parse *p, struct str *in, struct str *out);
/* literal8 = "~{" number64 ["+"] "}" CRLF *OCTET: may hold NULs; an inline one. */
bool take_imap_literal8(struct imap_parse *p, struct str *in, struct str *out);
bool take_imap_astring(struct imap_parse *p, struct str *in, struct str *out);
bool take_imap_nstring(struct imap_parse *p, struct str *in, struct str *out); /* NIL: out->p is NULL */
/* list-mailbox = 1*list-char / string: as written, not yet a name. */
bool take_imap_list_mailbox(struct imap_parse *p, struct str *in, struct str *out);
bool take_imap_nil(struct str *in);

/* The data of a message, which went past the text: the mark that the reader left (imap_reader.h). */
struct imap_bulk {
    uint32_t index; /* imap_literal.index */
    uint64_t size;
    bool is_literal8;
};
bool take_imap_bulk(struct str *in, struct imap_bulk *out);
void imap_bulk_write(struct buf *out, const struct imap_bulk *bulk); /* the reader's side of it */

bool take_imap_number(struct str *in, uint32_t *out);
bool take_imap_nz_number(struct str *in, uint32_t *out);
/* number64 and mod-sequence-value: 63 bits (RFC 9051 §9; RFC 7162 §3.1). valzer may be 0, value not. */
bool take_imap_number64(struct str *in, uint64_t *out);
bool take_imap_nz_number64(struct str *in, uint64_t *out);

/* Flags (RFC 9051 §2.3.2). System flags are bits, as the store keeps them in bits 0 to 7; keywords are names. */
enum {
    IMAP_SEEN = 1,
    IMAP_ANSWERED = 2,
    IMAP_FLAGGED = 4,
    IMAP_DELETED = 8,
    IMAP_DRAFT = 16,
    IMAP_RECENT =
        32, /* only written (RFC 3501): a session's own mark, which nobody can set and the store never holds */
};
#define IMAP_SYSTEM_FLAGS 31
#define IMAP_KEYWORD_MAX 100  /* bytes of one: room for every label that people think of */
#define IMAP_KEYWORDS_MAX 128 /* in one list of a command */

struct imap_flags {
    uint32_t system;            /* IMAP_SEEN … */
    const struct str *keywords; /* each once, as first written; compare without case */
    size_t keyword_count;
};

/* flag: one system flag (*system) or keyword (*keyword; .p NULL otherwise). "\Recent" is read and means nothing: some
 * clients send back what FETCH showed them. Another "\name" is NO [CANNOT]. */
bool take_imap_flag(struct imap_parse *p, struct str *in, uint32_t *system, struct str *keyword);
/* flag-list = "(" [flag *(SP flag)] ")" */
bool take_imap_flag_list(struct imap_parse *p, struct str *in, struct imap_flags *out);
/* STORE's other form: flag *(SP flag), and nothing else, to the end of the command. */
bool take_imap_flags(struct imap_parse *p, struct str *in, struct imap_flags *out);

/* date = date-text / DQUOTE date-text DQUOTE: days since 1970-01-01. */
bool take_imap_date(struct str *in, int32_t *days);
/* date-time: milliseconds since 1970, UTC, and minutes east of it. A second 60 counts as 59. */
bool take_imap_date_time(struct str *in, int64_t *ms, int *zone_minutes);

/* base64, up to a space or the end, "=" alone for none (initial-resp): decoded into the arena. */
bool take_imap_base64(struct imap_parse *p, struct str *in, struct str *out);

/* take *(SP take), at most `max` of them, gathered in the arena: more is NO [LIMIT]. A space that nothing follows, or
 * another one, is not taken. */
typedef bool imap_take_fn(struct imap_parse *p, struct str *in, struct str *out);
bool take_imap_several(struct imap_parse *p, struct str *in, imap_take_fn *take, size_t max,
                       const struct str **out, size_t *count);

#define IMAP_CHARSET_MAX 40 /* IANA's own bound (RFC 2978 §2.3) */
/* charset = atom / quoted, and in rev1 any astring. What cannot be the name of one, printable ASCII, 1 to 40, is NO
 * [BADCHARSET] as one that is not known (RFC 9051 §6.4.4). */
bool take_imap_charset(struct imap_parse *p, struct str *in, struct str *out);
