/* The AUTHORIZATION state (RFC 1939 §4) with CAPA (RFC 2449), STLS (RFC 2595), AUTH (RFC 5034) and UTF8 (RFC 6856).
 * APOP is left out on purpose: it would need the password itself kept.
 *
 * Inside the state there are three things a line can be: a command, the answer to a challenge (while an exchange is
 * under way), or nobody's any more (once the core wants something else than input). */
#include "gate/signon/core.h"

#include "base/arena.h"
#include "base/codec.h"
#include "base/scoped.h"
#include "proto/lines.h"
#include "proto/pop3_capa.h"
#include "proto/sasl_line.h"
#include "proto/sasl_mechanisms.h"

/* RFC 2449 §4 has 255 octets; names and passwords in UTF-8 may be longer (RFC 6856 §2.2). An answer to a challenge
 * is a line of SASL. */
#define COMMAND_LINE_MAX 1024
#define NAME_MAX_BYTES 512
#define IDLE_MS (10 * 60 * 1000) /* RFC 1939 §3; then the connection closes without a word */

struct pop3 {
    struct core core; /* the first member */
    struct lines lines;
    bool utf8, has_name;
    size_t name_size;
    char name[NAME_MAX_BYTES]; /* of USER, if has_name */
};

/* ---- replies ---- */

static void say(struct pop3 *p, const char *text)
{
    buf_add_c(p->core.out, text);
    buf_add(p->core.out, S("\r\n"));
}

/* RFC 3206 §4: [AUTH] is about the name and the password, and a client may ask its user for others. What has nothing to
 * do with them has no code. */
static void say_error(struct buf *out, enum err e)
{
    const struct err_row *row = err_row(e);

    buf_printf(out, *row->pop3 ? "-ERR [%s] %s\r\n" : "-ERR %s%s\r\n", row->pop3, row->text);
}

static void mistake(struct pop3 *p, const char *text)
{
    if (!core_one_too_many(&p->core))
        say(p, text);
}

static void mistake_error(struct pop3 *p, enum err e)
{
    if (!core_one_too_many(&p->core))
        say_error(p->core.out, e);
}

/* ---- what is offered ---- */

static void cmd_capa(struct pop3 *p, struct str args)
{
    const struct core *c = &p->core;
    struct pop3_offer offer = {
        .stls = core_offers_tls(c), .passwords = core_offers_passwords(c), .scram = c->settings->scram};

    (void)args;
    say(p, "+OK");
    pop3_capa_write(p->core.out, &offer);
}

/* ---- STLS, UTF8, QUIT ---- */

static void cmd_stls(struct pop3 *p, struct str args)
{
    (void)args;
    if (p->core.tls)
        mistake(p, "-ERR TLS is active already");
    else if (!core_offers_tls(&p->core))
        mistake(p, "-ERR TLS is not to be had here");
    else if (p->utf8) /* RFC 6856 §2.1 */
        mistake(p, "-ERR say STLS before UTF8");
    else {
        say(p, "+OK begin TLS");
        p->has_name = false;
        p->core.want = CORE_TLS;
    }
}

static void cmd_utf8(struct pop3 *p, struct str args)
{
    (void)args;
    p->utf8 = true;
    say(p, "+OK");
}

static void cmd_quit(struct pop3 *p, struct str args)
{
    (void)args;
    say(p, "+OK bye");
    p->core.want = CORE_CLOSE;
}

/* ---- signing on ---- */

/* The name is only noted: whether there is such an account is nobody's business (RFC 1939 §13). */
static void cmd_user(struct pop3 *p, struct str name)
{
    p->has_name = false;
    if (!core_offers_passwords(&p->core))
        mistake_error(p, ERR_TLS_NEEDED);
    else if (name.n > sizeof(p->name))
        mistake(p, "-ERR this name is too long");
    else {
        memcpy(p->name, name.p, name.n);
        p->name_size = name.n;
        p->has_name = true;
        say(p, "+OK");
    }
}

/* PASS is PLAIN (RFC 4616) by another name. Its argument is the rest of the line, blanks and all (RFC 1939 §7). */
static void cmd_pass(struct pop3 *p, struct str password)
{
    enum err e;

    if (!p->has_name) {
        mistake(p, "-ERR say USER first");
        return;
    }
    p->has_name = false; /* "immediately after a successful USER" */
    e = core_sign_on(&p->core, (struct str){p->name, p->name_size}, password);
    if (e)
        mistake_error(p, e);
}

static void after_step(struct pop3 *p, enum err e, struct str challenge)
{
    if (e) {
        mistake_error(p, e);
    } else if (p->core.want == CORE_INPUT) {
        buf_add(p->core.out, S("+ "));
        base64_encode(p->core.out, challenge);
        buf_add(p->core.out, S("\r\n"));
    }
}

/* RFC 5034 §4: "*" gives up; what is no base 64 ends it as well. False: that is what it was. */
static bool is_answer(struct pop3 *p, enum sasl_line what)
{
    if (what == SASL_BYTES)
        return true;
    core_give_up(&p->core);
    if (what == SASL_CANCEL)
        mistake_error(p, ERR_AUTH_CANCELLED);
    else
        mistake(p, "-ERR this is no base 64");
    return false;
}

static void take_answer(struct pop3 *p, struct str line)
{
    scoped(core_wipe) struct buf said = buf_make(SASL_LINE_MAX);
    struct str challenge = STR_NONE;
    enum err e;

    if (!is_answer(p, sasl_answer(&said, line)))
        return;
    e = core_step(&p->core, buf_str(&said), &challenge);
    after_step(p, e, challenge);
}

static void begin_exchange(struct pop3 *p, struct str mechanism, struct str initial)
{
    scoped(core_wipe) struct buf said = buf_make(SASL_LINE_MAX);
    struct str challenge = STR_NONE;
    enum err e;

    if (initial.n && !is_answer(p, sasl_initial(&said, initial)))
        return;
    e = core_begin(&p->core, mechanism, buf_str(&said), &challenge);
    after_step(p, e, challenge);
}

/* AUTH mechanism [initial-response] (RFC 5034 §4). */
static void cmd_auth(struct pop3 *p, struct str args)
{
    struct sasl_offer offer = {.scram = p->core.settings->scram};
    struct str word = args, initial = args, mechanism;

    if (!take_until(&initial, ' ', &word))
        initial = STR_NONE;
    mechanism = sasl_offered(&offer, word);
    if (!mechanism.n)
        mistake_error(p, ERR_NO_MECHANISM);
    else if (!core_offers_passwords(&p->core))
        mistake_error(p, ERR_TLS_NEEDED);
    else
        begin_exchange(p, mechanism, initial);
}

/* ---- lines ---- */

enum argument { NONE, WHOLE, LATER }; /* LATER: a command of the TRANSACTION state */

static const struct command {
    const char *name;
    enum argument argument;
    void (*run)(struct pop3 *p, struct str args);
} commands[] = {
    {"USER", WHOLE, cmd_user}, /* RFC 1939 §7 */
    {"PASS", WHOLE, cmd_pass}, /* RFC 1939 §7 */
    {"QUIT", NONE, cmd_quit},  /* RFC 1939 §4 */
    {"CAPA", NONE, cmd_capa},  /* RFC 2449 §5 */
    {"STLS", NONE, cmd_stls},  /* RFC 2595 §4 */
    {"AUTH", WHOLE, cmd_auth}, /* RFC 5034 §4 */
    {"UTF8", NONE, cmd_utf8},  /* RFC 6856 §2.1 */
    {"STAT", LATER, NULL},     {"LIST", LATER, NULL}, {"RETR", LATER, NULL}, {"DELE", LATER, NULL},
    {"NOOP", LATER, NULL},     {"RSET", LATER, NULL}, {"TOP", LATER, NULL},  {"UIDL", LATER, NULL},
};

static const struct command *command_find(struct str name)
{
    for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
        if (str_same_nocase(name, str_from_c(commands[i].name)))
            return &commands[i];
    return NULL;
}

static void run_command(struct pop3 *p, struct str line)
{
    struct str name = line, args = line;
    const struct command *c;

    if (!take_until(&args, ' ', &name))
        args = STR_NONE;
    c = command_find(name);
    if (!c)
        mistake(p, "-ERR there is no such command");
    else if (c->argument == LATER)
        mistake(p, "-ERR sign on first");
    else if ((c->argument == NONE) != (str_trim(args).n == 0))
        mistake(p, c->argument == NONE ? "-ERR this command takes no argument"
                                       : "-ERR an argument is missing");
    else
        c->run(p, args);
}

static void line_too_long(struct pop3 *p)
{
    core_give_up(&p->core);
    p->has_name = false;
    mistake(p, "-ERR this line is too long");
}

static void run_line(struct pop3 *p, struct str line)
{
    if (p->core.exchange.under_way)
        take_answer(p, line);
    else if (line.n + 2 > COMMAND_LINE_MAX)
        line_too_long(p);
    else
        run_command(p, line);
}

/* ---- as a core ---- */

static void feed(struct core *c, struct str *in)
{
    struct pop3 *p = (struct pop3 *)c;
    enum line_result r;
    struct str line;

    while (core_may_go_on(c) && (r = take_line(&p->lines, in, &line)) != LINE_NONE) {
        if (r == LINE_TOO_LONG)
            line_too_long(p);
        else
            run_line(p, line);
        arena_reset(c->cx.arena);
    }
}

static struct core *make(const struct signon_settings *settings, struct str client, struct buf *out)
{
    struct pop3 *p = must_alloc(sizeof(*p));

    core_init(&p->core, &pop3_core, settings, client, out);
    p->lines = lines_make(SASL_LINE_MAX, LINE_END_LF);
    return &p->core;
}

static void pop3_free(struct core *c)
{
    struct pop3 *p = (struct pop3 *)c;

    explicit_bzero(p->name, sizeof(p->name));
    lines_free(&p->lines);
}

/* Without angle brackets, which would offer APOP (RFC 1939 §7). */
static void greet(struct core *c)
{
    buf_printf(c->out, "+OK %.*s POP3 ready\r\n", STR_ARG(c->settings->hostname));
}

static void forget_input(struct core *c)
{
    lines_forget(&((struct pop3 *)c)->lines);
}

static void describe(const struct core *c, uint32_t *modes, struct str *tag)
{
    *modes = ((const struct pop3 *)c)->utf8 ? MODE_UTF8 : 0;
    *tag = STR_NONE;
}

/* RFC 1939 §3: who is silent hears nothing. */
static void say_bye(struct buf *out, enum err e)
{
    if (e != ERR_TIMEOUT && e != ERR_STOPPING)
        say_error(out, e);
}

const struct core_ops pop3_core = {
    .name = "pop3",
    .protocol = PROTOCOL_POP3,
    .idle_ms = IDLE_MS,
    .make = make,
    .greet = greet,
    .feed = feed,
    .forget_input = forget_input,
    .describe = describe,
    .say_bye = say_bye,
    .free = pop3_free,
};
