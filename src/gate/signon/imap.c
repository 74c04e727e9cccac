/* The not authenticated state of IMAP (RFC 9051 §3.1, §6.1, §6.2; RFC 3501), with ID (RFC 2971), SASL-IR (RFC 4959) and
 * STARTTLS. The vault answers the command that signed on, and all later ones.
 *
 * Inside the state a line is a command, or the answer to a challenge while an exchange is under way. */
#include "gate/signon/core.h"

#include "base/arena.h"
#include "base/codec.h"
#include "base/log.h"
#include "base/scoped.h"
#include "proto/imap_args.h"
#include "proto/imap_capability.h"
#include "proto/imap_reader.h"
#include "proto/imap_write.h"
#include "proto/sasl_line.h"
#include "proto/sasl_mechanisms.h"

/* RFC 9051 §5.4 asks for 30 minutes after sign-on only. Clients speak at once, strangers should not hold a place. */
#define IDLE_MS (3 * 60 * 1000)
#define TAG_MAX sizeof(((struct imap_reader *)NULL)->tag_bytes)

struct imap {
    struct core core; /* the first member */
    struct imap_reader reader;
    bool id_logged;
    unsigned char tag_size;
    char tag[TAG_MAX]; /* of the command at hand, until it is answered */
};

static struct str tag_of(const struct imap *i)
{
    return (struct str){i->tag, i->tag_size};
}

/* ---- answers ---- */

static void ok(struct imap *i, const char *text)
{
    imap_tagged(i->core.out, tag_of(i), "OK", STR_NONE, str_from_c(text), false);
}

/* Of a command that has no tag we know, the answer has none either. */
static void answer(struct imap *i, const char *cond, const char *code, const char *text)
{
    if (i->tag_size)
        imap_tagged(i->core.out, tag_of(i), cond, str_from_c(code), str_from_c(text), false);
    else
        imap_untagged(i->core.out, cond, str_from_c(code), str_from_c(text), false);
}

static void mistake(struct imap *i, const char *cond, const char *code, const char *text)
{
    if (!core_one_too_many(&i->core))
        answer(i, cond, code, text);
}

static void bad(struct imap *i, const char *text)
{
    mistake(i, "BAD", NULL, text);
}

static void no(struct imap *i, enum err e)
{
    mistake(i, "NO", err_row(e)->imap, err_row(e)->text);
}

static void did_not_parse(struct imap *i, const struct imap_parse *p)
{
    mistake(i, p->code ? "NO" : "BAD", p->code,
            p->why ? p->why : "the arguments are not as they should be");
}

/* ---- what is offered ---- */

static struct imap_offer offer_of(const struct core *c)
{
    return (struct imap_offer){.starttls = core_offers_tls(c),
                               .passwords = core_offers_passwords(c),
                               .scram = c->settings->scram,
                               .binding = bindings_any(&c->bindings)};
}

static void cmd_capability(struct imap *i, struct str args)
{
    struct imap_offer offer = offer_of(&i->core);

    (void)args;
    buf_add(i->core.out, S("* "));
    imap_capability_write(i->core.out, &offer);
    buf_add(i->core.out, S("\r\n"));
    ok(i, "that is what there is before sign-on");
}

/* ---- NOOP, LOGOUT, STARTTLS ---- */

static void cmd_noop(struct imap *i, struct str args)
{
    (void)args;
    ok(i, "nothing done");
}

static void cmd_logout(struct imap *i, struct str args)
{
    (void)args;
    imap_untagged(i->core.out, "BYE", STR_NONE, S("bye"), false);
    ok(i, "logged out");
    i->core.want = CORE_CLOSE;
}

static void cmd_starttls(struct imap *i, struct str args)
{
    (void)args;
    if (i->core.tls) {
        bad(i, "TLS is active already");
    } else if (!core_offers_tls(&i->core)) {
        mistake(i, "NO", NULL, "TLS is not to be had here");
    } else {
        ok(i, "begin TLS");
        i->core.want = CORE_TLS;
    }
}

/* ---- ID ---- */

/* One line for each connection, however often it is said, and of limited length (log_value()). */
static void log_id(struct imap *i, const struct imap_id *id)
{
    scoped(buf_free) struct buf text = buf_make(4096);

    for (size_t n = 0; n < id->count; n++)
        buf_printf(&text, "%s%.*s=%.*s", n ? " " : "", STR_ARG(id->pairs[n].field),
                   STR_ARG(id->pairs[n].value));
    if (!i->id_logged && id->count)
        log_line(LOG_INFO, "client", "address=%s service=imap id=%s", i->core.client,
                 log_value(buf_str(&text)));
    i->id_logged = true;
}

/* RFC 2971. We give our name and not our version: it is for statistics, not for who looks for an old one. */
static void cmd_id(struct imap *i, struct str args)
{
    struct imap_parse p = imap_parse_make(i->core.cx.arena, true);
    struct imap_id id;

    if (!parse_imap_id(&p, args, &id)) {
        did_not_parse(i, &p);
        return;
    }
    log_id(i, &id);
    buf_add(i->core.out, S("* ID (\"name\" \"Posthorn\")\r\n"));
    ok(i, "pleased to meet you");
}

/* ---- signing on ---- */

static void cmd_login(struct imap *i, struct str args)
{
    struct imap_parse p = imap_parse_make(i->core.cx.arena, true);
    struct imap_login login;
    enum err e = ERR_TLS_NEEDED;

    if (!parse_imap_login(&p, args, &login)) {
        did_not_parse(i, &p);
        return;
    }
    if (core_offers_passwords(&i->core))
        e = core_sign_on(&i->core, login.userid, login.password);
    if (e)
        no(i, e);
}

static void after_step(struct imap *i, enum err e, struct str challenge)
{
    if (e) {
        no(i, e);
    } else if (i->core.want == CORE_INPUT) {
        buf_add(i->core.out, S("+ "));
        base64_encode(i->core.out, challenge);
        buf_add(i->core.out, S("\r\n"));
    }
}

/* RFC 9051 §6.2.2: "*" gives up, and what is no base 64 does so too; both are BAD. */
static void take_answer(struct imap *i, struct str line)
{
    scoped(core_wipe) struct buf said = buf_make(SASL_LINE_MAX);
    struct str challenge = STR_NONE;
    enum err e;

    switch (sasl_answer(&said, line)) {
    case SASL_BYTES:
        e = core_step(&i->core, buf_str(&said), &challenge);
        after_step(i, e, challenge);
        break;
    case SASL_CANCEL:
        core_give_up(&i->core);
        bad(i, err_row(ERR_AUTH_CANCELLED)->text);
        break;
    case SASL_BAD:
        core_give_up(&i->core);
        bad(i, "this is no base 64");
        break;
    }
}

static void cmd_authenticate(struct imap *i, struct str args)
{
    struct sasl_offer offer = {.scram = i->core.settings->scram,
                               .binding = bindings_any(&i->core.bindings)};
    struct imap_parse p = imap_parse_make(i->core.cx.arena, true);
    struct imap_authenticate a;
    struct str mechanism, challenge = STR_NONE;
    enum err e;

    if (!parse_imap_authenticate(&p, args, &a)) {
        did_not_parse(i, &p);
        return;
    }
    mechanism = sasl_offered(&offer, a.mechanism);
    if (!mechanism.n)
        e = ERR_NO_MECHANISM;
    else if (!core_offers_passwords(&i->core))
        e = ERR_TLS_NEEDED;
    else if (a.has_initial && !a.initial.n) /* no mechanism of ours has an empty one (RFC 4959 §3) */
        e = ERR_AUTH_FAILED;
    else
        e = core_begin(&i->core, mechanism, a.initial, &challenge);
    if (a.initial.n) /* it may have been a password; decoded, so in the arena */
        explicit_bzero((char *)(uintptr_t)a.initial.p, a.initial.n);
    after_step(i, e, challenge);
}

/* ---- commands ---- */

static const struct command {
    const char *name;
    bool has_args;
    void (*run)(struct imap *i, struct str args);
} commands[] = {
    {"CAPABILITY", false, cmd_capability},    /* RFC 9051 §6.1.1 */
    {"NOOP", false, cmd_noop},                /* RFC 9051 §6.1.2 */
    {"LOGOUT", false, cmd_logout},            /* RFC 9051 §6.1.3 */
    {"STARTTLS", false, cmd_starttls},        /* RFC 9051 §6.2.1 */
    {"AUTHENTICATE", true, cmd_authenticate}, /* RFC 9051 §6.2.2, RFC 4959 */
    {"LOGIN", true, cmd_login},               /* RFC 9051 §6.2.3 */
    {"ID", true, cmd_id},                     /* RFC 2971 §3.1 */
};

static const struct command *command_find(struct str name)
{
    for (size_t n = 0; n < sizeof(commands) / sizeof(*commands); n++)
        if (str_same_nocase(name, str_from_c(commands[n].name)))
            return &commands[n];
    return NULL;
}

static void keep_tag(struct imap *i, struct str tag)
{
    tag = str_upto(tag, TAG_MAX);
    memcpy(i->tag, tag.p ? tag.p : "", tag.n);
    i->tag_size = (unsigned char)tag.n;
}

static void run_command(struct imap *i, struct str text)
{
    struct imap_parse p = imap_parse_make(i->core.cx.arena, true);
    const struct command *found;
    struct imap_command c;
    bool well_formed = parse_imap_command(text, &c);

    keep_tag(i, c.tag);
    found = well_formed && !c.uid ? command_find(c.name) : NULL;
    if (!well_formed)
        bad(i, "a command is a tag, a space and a name");
    else if (!found) /* ENABLE among them (RFC 5161 §3.1) */
        bad(i, "there is no such command before sign-on");
    else if (!found->has_args && !parse_imap_no_args(&p, c.args))
        did_not_parse(i, &p);
    else
        found->run(i, c.args);
}

/* A password is not invited where none is taken. */
static void take_literal(struct imap *i)
{
    struct imap_command c;

    if (!core_offers_passwords(&i->core) && parse_imap_command(i->reader.text, &c) &&
        str_same_nocase(c.name, S("LOGIN")))
        imap_refuse(&i->reader, "NO [PRIVACYREQUIRED] start TLS first");
    else
        imap_literal_inline(&i->reader, i->core.out);
}

/* `why` is the whole answer behind the tag. */
static void refused(struct imap *i)
{
    if (core_one_too_many(&i->core))
        return;
    buf_add(i->core.out, i->reader.tag.n ? i->reader.tag : S("*"));
    buf_printf(i->core.out, " %s\r\n", i->reader.why);
}

static void hang_up(struct imap *i)
{
    imap_untagged(i->core.out, "BYE", STR_NONE, str_from_c(i->reader.why), false);
    i->core.want = CORE_CLOSE;
}

/* False: the input is used up. */
static bool read_command(struct imap *i, struct str *in)
{
    switch (imap_read(&i->reader, in)) {
    case IMAP_MORE:
        return false;
    case IMAP_LITERAL:
        take_literal(i);
        break;
    case IMAP_COMMAND:
        run_command(i, i->reader.text);
        break;
    case IMAP_REFUSED:
        refused(i);
        break;
    case IMAP_HANG_UP:
        hang_up(i);
        break;
    case IMAP_DATA: /* of bulk literals, which there are none of */
    case IMAP_DATA_END:
        break;
    }
    return true;
}

static bool read_answer(struct imap *i, struct str *in)
{
    struct str line;

    switch (imap_read_raw(&i->reader, in, &line)) {
    case IMAP_RAW_MORE:
        return false;
    case IMAP_RAW_LINE:
        take_answer(i, line);
        break;
    case IMAP_RAW_TOO_LONG:
        core_give_up(&i->core);
        bad(i, "this line is too long");
        break;
    }
    return true;
}

/* ---- as a core ---- */

static void feed(struct core *c, struct str *in)
{
    struct imap *i = (struct imap *)c;

    while (core_may_go_on(c) && (c->exchange.under_way ? read_answer(i, in) : read_command(i, in)))
        arena_reset(c->cx.arena);
}

static struct core *make(const struct signon_settings *settings, struct str client, struct buf *out)
{
    struct imap *i = must_alloc(sizeof(*i));

    core_init(&i->core, &imap_core, settings, client, out);
    i->reader = imap_reader_make(&imap_limits_signed_off);
    return &i->core;
}

static void imap_free(struct core *c)
{
    imap_reader_free(&((struct imap *)c)->reader);
}

/* RFC 9051 §7.1: with the capabilities, which spares clients to ask for them. */
static void greet(struct core *c)
{
    struct imap_offer offer = offer_of(c);

    buf_add(c->out, S("* OK ["));
    imap_capability_write(c->out, &offer);
    buf_printf(c->out, "] %.*s IMAP ready\r\n", STR_ARG(c->settings->hostname));
}

static void forget_input(struct core *c)
{
    imap_reader_forget(&((struct imap *)c)->reader);
}

static void describe(const struct core *c, uint32_t *modes, struct str *tag)
{
    *modes = 0;
    *tag = tag_of((const struct imap *)c);
}

static void say_bye(struct buf *out, enum err e)
{
    imap_untagged(out, "BYE", str_from_c(err_row(e)->imap), str_from_c(err_row(e)->text), false);
}

const struct core_ops imap_core = {
    .name = "imap",
    .protocol = PROTOCOL_IMAP,
    .binds = true,
    .idle_ms = IDLE_MS,
    .make = make,
    .greet = greet,
    .feed = feed,
    .forget_input = forget_input,
    .describe = describe,
    .say_bye = say_bye,
    .free = imap_free,
};
