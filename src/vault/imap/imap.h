/* vault/imap/imap.h: what the files of IMAP after sign-on share; nobody else includes it. The way in is imap_session
 * (vault/session.h).
 *
 * session.c    opening, the feed, running a command step by step, the tagged reply
 * commands.c   THE table of commands
 * reply.c      what a command says
 * place.c      mailboxes by name: whose they are, and what one may do there
 * selected.c   the mailbox that is selected; sets of messages
 * notify.h     what is told unasked; news.c: FETCH responses among that
 * context.c    searches whose results are kept up to date
 * sync.c       what others changed: EXISTS, EXPUNGE, VANISHED, FETCH
 * response.c   pieces of responses that several commands write
 * cmd_….c      the commands, one file for each family
 *
 * A new command is one row of the table in commands.c, one cmd_….c with its handler, and conversations/….txt.
 *
 * How a handler reads:
 *
 *     enum err cmd_create(struct imap *i, const struct imap_command *c)
 *     {
 *         struct imap_create a;
 *
 *         if (!parse_imap_create(imap_parsing(i), c->args, &a))
 *             return reply_misread(i);                          // BAD, or NO [code]
 *         …
 *         return reply_no(i, "CANNOT", "not below INBOX");      // a NO of our own
 *         return fail(i->s->cx, ERR_OVER_QUOTA, "…");         // the row of errors.def: NO [OVERQUOTA] …
 *         return OK;                                           // "tag OK CREATE completed"
 *     }
 *
 * It writes untagged responses to i->s->out, and never the tagged one: the loop does, after what others changed was
 * told. A response code goes into reply_code(i). A handler that commits leaves the ticket in i->s->ticket and returns OK:
 * the reply is made when that is durable. One that has more to do than fits a step (SESSION_OUT of output, a few
 * milliseconds, something to be done after its commit is durable) goes on in steps: imap_go_on().
 *
 * Memory: *c, and all that was parsed, lives in i->arena until the command is over. cx.arena and what imap_view()
 * gives live for one step. */
#pragma once
#include "proto/imap_append.h"
#include "proto/imap_args.h"
#include "proto/imap_capability.h"
#include "proto/imap_reader.h"
#include "proto/imap_write.h"
#include "vault/session.h"

/* ---- the session ---- */

enum { AUTH = 1, SELECTED = 2 }; /* states, as sets (RFC 9051 §3) */

/*   COMMANDS ──► RUNNING ──► COMMANDS     a command that could not be done at once; `more` goes on with it
 *   COMMANDS ──► IDLING ──► COMMANDS      IDLE was answered with "+", and waits for DONE
 *   COMMANDS ──► COMPRESSING, SIGNING_OFF, LEAVING: what follows the last reply */
enum imap_phase { COMMANDS, RUNNING, IDLING, COMPRESSING, SIGNING_OFF, LEAVING };

/* A response code longer than this is an error of ours: COPYUID of a hundred thousand ranges fits. */
#define IMAP_CODE_MAX (1024 * 1024)

struct imap;
struct imap_row;
struct selected;
struct imap_uploads;
struct notify;
struct imap_news;

/* A command that takes several steps. */
struct imap_step {
    /* Called with an empty cx.arena, until it sets *done or fails, or calls imap_go_on() with another step. Stops when
     * imap_is_enough(). */
    enum err (*run)(struct imap *i, void *state, bool *done);
    void (*end)(
        void *
            state); /* once, when it is over, also if the connection is lost. NULL: state needs no end */
    void *state;    /* in i->arena, mostly */
    bool is_long;   /* run in the long lane: bodies are read, or everything is looked at */
};

/* The command that is being done. */
struct imap_running {
    const struct imap_row *row;
    struct imap_command command;
    struct imap_append_seen seen; /* of an APPEND or REPLACE whose literals are coming */
    struct imap_step step;        /* step.run NULL: none */
    bool finishing; /* the handler is through; what others changed is told, then the tagged reply */
    bool numbers;   /* it names messages by their numbers, be it a UID command (RFC 7162 §3.2.10.2) */
    enum imap_phase then; /* after that reply */
    const char *cond;     /* "OK", "NO", "BAD" */
    struct str text;      /* empty: "NAME completed" */
    struct buf code;      /* within the brackets */
    uint32_t lowest; /* it was cut short (RFC 9738): messages below this UID were left alone; 0: not */
    int64_t since, told;     /* monotonic: when it began, and when the client last heard of it */
    uint64_t progress, goal; /* for INPROGRESS (RFC 9585); goal 0: not known */
};

/* What a session keeps while it waits for its client. All else of a struct imap is there while there is something to do
 * (session.c). */
#define IMAP_KEPT                                                                                      \
    enum imap_phase phase;                                                                             \
    uint32_t enabled; /* IMAP_ENABLE_ bits */                                                          \
    unsigned mistakes;                                                                                 \
    bool compressed;                                                                                   \
    char *idle_tag;            /* IDLING: malloc, NUL at its end */                                    \
    struct selected *selected; /* NULL: none */                                                        \
    struct notify *notify;     /* NULL: nothing elsewhere was asked for */

struct imap_kept {
    IMAP_KEPT
};

struct imap {
    union {
        struct {
            IMAP_KEPT
        };
        struct imap_kept kept;
    };
    struct session *s;
    struct imap_reader reader;
    struct imap_parse parse; /* of the command that is being done */
    struct arena *arena;     /* the command's */
    size_t holds;            /* bytes that count as the account's until it is emptied: imap_hold() */
    struct view *view;       /* open for one step at most: imap_view() */
    struct message_reader *stored; /* on that view: imap_stored() */
    struct account_id stored_of;
    bool stored_much;
    int64_t turn_ends; /* monotonic: of this step */
    bool in_long_lane; /* this step, or, between steps, the next */
    bool tells_on;     /* IDLING, COMMANDS: there is more to tell unasked than one step could */
    struct imap_running run;
    struct imap_news *news; /* NULL: none are being told */
    struct imap_uploads
        *uploads; /* messages that come before their command is whole; cmd_append.c's own */
};

static inline bool imap_is_utf8(const struct imap *i)
{
    return i->enabled & (IMAP_ENABLE_REV2 | IMAP_ENABLE_UTF8);
}
static inline bool imap_is_rev2(const struct imap *i)
{
    return i->enabled & IMAP_ENABLE_REV2;
}
static inline bool imap_has_condstore(const struct imap *i)
{
    return i->enabled & IMAP_ENABLE_CONDSTORE;
}
static inline bool imap_has_qresync(const struct imap *i)
{
    return i->enabled & IMAP_ENABLE_QRESYNC;
}
static inline bool imap_is_uidonly(const struct imap *i)
{
    return i->enabled & IMAP_ENABLE_UIDONLY;
}

/* Durable state, as of this step. Closed when the step ends: what must hold for a whole command is its roster. */
enum err imap_view(struct imap *i, struct view **out);
/* For reading so many of an account's messages in that state. Closed likewise, or when another account's are asked for. */
enum err imap_stored(struct imap *i, struct account_id account, uint64_t messages,
                     struct message_reader **out);
/* For a command whose memory grows with the mailbox: it keeps, or is about to take, so much in all. That counts as the
 * account's (vault/share.h) until i->arena is emptied. ERR_TOO_MUCH, ERR_NO_MEMORY: share_take(). */
enum err imap_hold(struct imap *i, size_t bytes);
void imap_offers(const struct imap *i, struct imap_offer *out);

/* ---- the table (commands.c) ---- */

enum {
    /* The client may be thinking in message numbers: nobody is told that messages are gone (RFC 9051 §7.5.1). For a
     * row with HAS_UID that is so only without UID */
    NO_EXPUNGE = 1,
    HAS_UID = 2,     /* there is a UID form, and after ENABLE UIDONLY no other (RFC 9586 §3.3) */
    ONLY_UID = 4,    /* there is nothing else */
    NO_SYNC = 8,     /* nothing of what others changed is told */
    NO_NUMBERS = 16, /* without UID it has no message numbers either, and UIDONLY leaves it */
    TELLS = 32,      /* of the selected mailbox it is told, whatever NOTIFY chose (RFC 5465 §3.1) */
    SETS_VALUES =
        64 /* its literals are values of annotations, for whose size there is a reply (RFC 5464 §4.3) */
};

/* For a command whose literals are messages (APPEND, REPLACE): they come before the command is whole, in pieces. What
 * is kept of them hangs in i->uploads. All but `forget` return NULL, or the answer behind the tag ("NO [TOOBIG] …",
 * static or in i->arena): then the rest is skipped. */
struct imap_mail_ops {
    const char *(*begin)(struct imap *i, const struct imap_append_seen *seen,
                         const struct imap_literal *l);
    const char *(*data)(struct imap *i, struct str piece);
    const char *(*end)(struct imap *i);
    void (*forget)(struct imap *i); /* the command is over, or was refused, or the connection is lost */
};

struct imap_row {
    const char *name;
    unsigned states, flags;
    enum err (*run)(struct imap *i, const struct imap_command *c);
    const struct imap_mail_ops *mail; /* NULL: its literals are short, and part of its text */
};

const struct imap_row *imap_row_find(struct str name); /* NULL: there is none */

/* ---- saying (reply.c) ---- */

struct imap_parse *imap_parsing(struct imap *i); /* for a parser of proto/; made anew with each call */
enum err reply_misread(struct imap *i); /* what that parser found wrong: BAD why, or NO [code] why */
/* The tagged reply, if it is to be another than "OK NAME completed". They return OK. text is copied. */
enum err reply_ok(struct imap *i, const char *text);
enum err reply_no(struct imap *i, const char *code, const char *text); /* code NULL: none */
/* Of the messages that were meant some are gone, which the client has not been told yet (RFC 5530 §3): NO, but OK of a
 * command that was also cut short (RFC 9738 §3.1). */
enum err reply_gone(struct imap *i);
/* The mailbox was opened by EXAMINE, or with rights that only read. */
enum err reply_read_only(struct imap *i);
#define GONE_TEXT "some of these messages are gone"
enum err reply_bad(struct imap *i, const char *text);
enum err reply_bad_code(struct imap *i, const char *code, const char *text);
/* What stands in the brackets of the tagged reply: append to it. */
struct buf *reply_code(struct imap *i);
/* "* OK [code] text": at once. */
void imap_say(struct imap *i, const char *cond, const char *code, const char *text);
void imap_log_failure(struct imap *i, enum err e);

/* ---- switching on (cmd_session.c) ---- */

/* A command that needs CONDSTORE switches it on (RFC 7162 §3.1): with the first, the client is told where it stands. */
void imap_enable(struct imap *i, uint32_t bits);

/* ---- steps (session.c) ---- */

/* From a handler or a step: go on with this one. */
void imap_go_on(struct imap *i, const struct imap_step *step);
/* Goes on with a step that belongs to no command, as far as this turn allows: what it says of its outcome is nobody's
 * reply. True: it is over, and *step is empty. */
bool imap_run_aside(struct imap *i, struct imap_step *step);
bool imap_is_enough(const struct imap *i); /* the output, or the time of this step */
int64_t imap_clock_ms(void);               /* the clock that i->turn_ends goes by */
/* The same among messages that cost next to nothing each: now and then it looks at the clock. */
static inline bool imap_is_enough_among(const struct imap *i, unsigned *looks)
{
    return i->s->out.n >= SESSION_OUT || i->s->ticket.v || (++*looks % 32 == 0 && imap_is_enough(i));
}
/* How far it has come: the client is told now and then, if it takes long. */
void imap_progress(struct imap *i, uint64_t done, uint64_t goal);
