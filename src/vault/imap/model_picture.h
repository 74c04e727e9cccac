/* vault/imap/model_picture.h: what a session was told, held against the truth: the half of model.h that listens.
 *
 * `say` sends a command and keeps its whole reply unread; the caller may then change the truth by what the reply's codes
 * say (find_code), for its lines tell of the change already; `hear_all` looks at every line: it brings the session's
 * picture up to date, and calls `wrong` on whatever may not be said now. `command` is both. The first wrong thing ends
 * the run: from then on m->failed is set, and nothing is looked at any more.
 *
 * A mailbox's messages are an array in the order of UIDs; those that are gone stay in the truth as not alive. */
#pragma once
#include "vault/imap/model.h"

#define BOXES 3
#define MOST_SESSIONS 8
#define KEPT_LINES 60 /* of the conversation, for who has to find out */

extern const char *const box_names[BOXES];

/* ---- flags, as bits ---- */

#define FLAGS 7
#define DELETED 8u
unsigned parse_flags(struct str list); /* without parentheses */
void write_flags(struct buf *out, unsigned flags);

/* ---- the truth, and pictures of it ---- */

struct message {
    uint32_t uid;
    size_t letter; /* in the truth: which one it is (model_letters.h) */
    unsigned flags;
    bool alive, knows_flags; /* alive: in the truth; knows_flags: in a picture */
    bool marked;             /* while one reply is looked at */
    uint64_t recent;         /* in the truth: the selection that was told \Recent; 0: none yet */
};

struct messages {
    struct message *v;
    size_t n, room;
};

/* The UID is higher than all before. The result, like find_uid's, is good until the next is added. */
struct message *add_message(struct messages *all, uint32_t uid, unsigned flags);
void copy_messages(struct messages *to, const struct messages *from);
struct message *find_uid(const struct messages *all, uint32_t uid); /* NULL: there is none */

struct box {
    struct messages messages; /* also those that are gone, which stay known */
    uint64_t uid_validity;    /* 0: nobody was told yet */
    uint32_t uid_next;
    size_t alive;
};

/* All that were ever put into a mailbox; first: for each message id with a subject, the letter that begins the thread it
 * leads to. model_letters.c's own. */
struct letters {
    struct letter_known *v;
    size_t *first;
    size_t n, room, first_n, first_room;
};

/* What a client kept of a mailbox when it left it. */
struct kept {
    struct messages messages;
    uint64_t uid_validity, modseq; /* modseq 0: nothing kept */
};

struct picture {
    bool open, selected, read_only, idle, condstore, qresync;
    size_t box;
    struct messages messages;
    unsigned named_flags; /* by FLAGS, since it selected */
    uint64_t selection;   /* each SELECT's own number */
    uint64_t highest;     /* the highest modseq that was told */
    struct kept kept[BOXES];
    unsigned tag;
};

/* Which untagged replies may come with what runs now. */
enum { MAY_EXPUNGE = 1, SELECTING = 2, MUST_ANSWER_FLAGS = 4 };

struct model {
    const struct model_wire *wire;
    uint64_t random, step;
    struct box boxes[BOXES];
    struct picture sessions[MOST_SESSIONS];
    size_t session_count;
    uint64_t selections;
    struct letters letters;
    struct buf reply;
    char lines[KEPT_LINES][256];
    size_t line_count;
    char *trouble;
    bool failed;
    /* of the command that runs */
    unsigned may;
    struct str code;  /* of the tagged reply, without brackets */
    struct str found; /* numbers of SEARCH */
};

uint64_t below(struct model *m, uint64_t n);   /* a random number */
struct box *box_of(struct model *m, size_t s); /* the one that it selected last */

/* ---- sets of UIDs in replies ---- */

struct set_walk {
    struct str rest;
    uint64_t next, last;
};

struct set_walk walk_set(struct str set);
bool next_uid(struct set_walk *w, uint32_t *uid);

/* ---- talking ---- */

/* Ends the run, with the lines said last. */
__attribute__((format(printf, 2, 3))) void wrong(struct model *m, const char *format, ...);
void note_line(struct model *m, size_t s, const char *who, struct str text);

enum outcome { OUT_OK, OUT_NO, OUT_BAD, OUT_NONE };

/* `may`: MAY_EXPUNGE and the others. */
__attribute__((format(printf, 4, 5))) void say(struct model *m, size_t s, unsigned may,
                                               const char *format, ...);
/* The rest of a response code that begins with `name` ("[COPYUID "), wherever in the reply. */
bool find_code(struct model *m, struct str name, struct str *code);
/* Looks at every line that is there; with a tag, for its reply too (OUT_NONE: it did not come). */
enum outcome hear(struct model *m, size_t s, struct str tag);
/* The same for the command said last, whose reply must be there. BAD is wrong. */
enum outcome hear_all(struct model *m, size_t s);
#define command(m, s, ...) (say(m, s, __VA_ARGS__), hear_all(m, s))

/* ---- flags that are told (model_flags.c) ---- */

/* A keyword is named by FLAGS before a message has it; PERMANENTFLAGS are among those named; \Recent is told of a
 * message by one selection alone (RFC 3501 §2.3.2). Lists without parentheses. */
void told_named_flags(struct model *m, size_t s, struct str list);
void told_permanent_flags(struct model *m, size_t s, struct str list);
void told_flag_list(struct model *m, size_t s, struct message *real, struct str list);

/* ---- a picture that is whole ---- */

/* It is the truth, but for flags that the session was never told. */
void check_whole(struct model *m, size_t s);
/* The session's client remembers it, for a SELECT with QRESYNC. */
void keep(struct model *m, size_t s);
