/* gate/smtp/session.h: what the files of the SMTP server share; nobody else includes it.
 *
 * server.c     the states, the feed, the loop over commands
 * reply.c      replies, from their texts or from the rows of errors.def
 * commands.c   the table of commands, and the short ones
 * extensions.c what EHLO announces
 * params.c     the arguments of MAIL, RCPT and BDAT, as pure parsers
 * envelope.c   MAIL and RCPT: noted, and asked of the vault together
 * body.c       DATA and BDAT
 * cmd_auth.c   AUTH */
#pragma once
#include "gate/signon/exchange.h"
#include "gate/smtp/server.h"
#include "mail/address.h"
#include "proto/lines.h"
#include "rpc/calls.h"

/* RFC 5321 §4.5.3.1.4 says 512; each extension adds its own: SIZE 26, BODY 17, SMTPUTF8 10, RET 9, ENVID 108,
 * AUTH 500; NOTIFY 28, ORCPT 508. And international addresses are longer. */
#define COMMAND_LINE_MAX 512
#define MAIL_LINE_MAX 2048

/* One bit each, so that a row of the table of commands can name several. server.c has the picture. */
enum smtp_state {
    STATE_START = 1,
    STATE_READY = 2,
    STATE_MAIL = 4,
    STATE_RCPT = 8,
    STATE_CHUNKS = 16,
    STATE_IN_DATA = 32,
    STATE_IN_CHUNK = 64,
    STATE_IN_AUTH = 128,
    STATE_DELIVERING = 256,
    STATE_ENDED = 512,
};

struct envelope; /* envelope.c */
struct body;     /* body.c */

struct smtp {
    const struct smtp_settings *settings;
    struct buf *out;
    struct cx cx; /* its arena lasts for one smtp_feed(), and until the answer that it ends with */
    struct lines lines;
    enum smtp_role role;
    enum smtp_state state;
    enum smtp_want want;
    bool esmtp; /* EHLO, not HELO */
    bool tls;
    bool signed_on;
    bool stopping;
    bool pause; /* smtp_feed() returns before the next command, so that the reply gets away */
    uint64_t steps, moved;  /* lines and bodies taken, for smtp_has_moved() */
    unsigned errors;        /* mistakes of the peer */
    unsigned idle_commands; /* that led nowhere, since the last message that went through */
    unsigned refusals;      /* recipients refused, since the last message that went through */
    char *helo;             /* what EHLO or HELO said; NULL before */
    char *tls_text;         /* "TLSv1.3 TLS_AES_256_GCM_SHA384"; NULL without TLS */
    struct handle session;
    struct envelope *envelope; /* from MAIL to the end of the transaction */
    struct body *body;         /* from DATA or the first BDAT to the end of the message */
    struct awaited *
        awaited; /* with SMTP_ANSWER, once it was asked for; in STATE_DELIVERING of the message, else … */
    bool holds;               /* a command waits for the envelope's answer … */
    struct str held;          /* … this one, which may be an empty line; in the arena */
    struct exchange exchange; /* under way in STATE_IN_AUTH */
    uint64_t chunk_left;      /* of BDAT, in STATE_IN_CHUNK */
    bool chunk_last;
    enum smtp_state chunk_from; /* the state that BDAT was said in */
    char client[64];
};

/* ---- server.c ---- */

void set_state(struct smtp *s, enum smtp_state state);
/* A transaction is over or given up: RSET, EHLO, an end of data, a disconnect. */
void transaction_end(struct smtp *s, bool tell_vault);
/* Nobody is signed on any more. */
void signoff(struct smtp *s);

/* ---- reply.c ---- */

/* One line, or with '-' behind the code one of several. enhanced NULL: none (RFC 2034 §4 leaves it out of the
 * greeting, EHLO and 3xx). A 421 ends the session. */
void reply(struct smtp *s, int code, const char *enhanced, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void reply_more(struct smtp *s, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void reply_error(struct smtp *s, enum err e); /* what the row says */
/* The peer made a mistake: the reply, or 421 if it was one too many. */
void mistake(struct smtp *s, int code, const char *enhanced, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* As mistake(), where a row says it. */
void mistake_error(struct smtp *s, enum err e);

/* ---- commands.c ---- */

enum {
    ENDS_PIPELINE = 1,  /* RFC 2920 §3.1: the reply goes out before the next command is read */
    JOINS_ENVELOPE = 2, /* waits with those before it; all others are answered after the envelope is */
    NO_ARGUMENT = 4,
    MAY_BE_UTF8 = 8,    /* RFC 6531 §3.3, §3.7.4 */
    CHUNK_FOLLOWS = 16, /* RFC 3030 §2 */
    LEADS_NOWHERE = 32, /* nothing comes of it: a session has no need of many */
};

#define ANY_STATE (STATE_START | STATE_READY | STATE_MAIL | STATE_RCPT | STATE_CHUNKS)

struct smtp_command {
    const char *name;
    unsigned states, flags;
    size_t line_max;
    /* OK: it has replied. An error: the loop replies, counts and logs. */
    enum err (*run)(struct smtp *s, struct str args);
};

const struct smtp_command *find_command(struct str name);       /* NULL: there is none */
void wrong_order(struct smtp *s, const struct smtp_command *c); /* the 503 that fits the state */

/* ---- extensions.c ---- */

bool offers_starttls(const struct smtp *s);
bool has_auth(const struct smtp *s);    /* the role knows AUTH at all */
bool offers_auth(const struct smtp *s); /* and here and now it may be used */
void reply_ehlo(struct smtp *s);

/* ---- envelope.c ---- */

struct envelope {
    struct arena *arena;
    struct path reverse_path;
    struct mail_params params;
    struct body_id transaction; /* 0: the vault has not heard of it */
    bool mail_answered;
    struct rcpt *rcpts; /* those accepted, then those noted */
    size_t accepted, noted, capacity;
    size_t refused;
};

enum err cmd_mail(struct smtp *s, struct str args);
enum err cmd_rcpt(struct smtp *s, struct str args);
bool envelope_waits(const struct smtp *s); /* something is noted and not answered */
/* The vault is asked, and all that is noted is replied to, in order: at once, in this thread … */
void answer_envelope(struct smtp *s);
/* … or when its answer has come. */
enum err ask_envelope(struct smtp *s, struct watch_id who);
void envelope_answered(struct smtp *s, enum err e, struct str answer);
void envelope_came_late(struct cx *cx, enum err e, struct str answer); /* the session has ended */
void envelope_free(struct envelope *e);

/* ---- body.c ---- */

enum err cmd_data(struct smtp *s, struct str args);
enum err cmd_bdat(struct smtp *s, struct str args);
void feed_data(struct smtp *s, struct str *in);
void feed_chunk(struct smtp *s, struct str *in);
enum err ask_delivery(struct smtp *s, struct watch_id who);
void delivery_answered(struct smtp *s, enum err e, struct str answer);
void body_free(struct body *b);
uint64_t body_octets(const struct body *b); /* that have come; NULL: none */

/* ---- cmd_auth.c ---- */

enum err cmd_auth(struct smtp *s, struct str args);
void feed_auth_line(struct smtp *s, struct str line);
void auth_line_too_long(struct smtp *s);
void signon_give_up(struct smtp *s);                          /* the peer has gone, or said "*" */
void write_mechanisms(const struct smtp *s, struct buf *out); /* " PLAIN LOGIN": those offered */

/* ---- for the log ---- */

const char *path_text(struct smtp *s, const struct path *p); /* "<fred@acompany.test>", in the arena */
