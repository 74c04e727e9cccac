/* From the greeting to the first message: EHLO or HELO, STARTTLS, sign-on. */
#include "gate/smtp/client_private.h"

#include "base/codec.h"
#include "proto/sasl_line.h"

#define SIGN_ON_MAX 12288 /* a line of it: RFC 4954 §4.5 */

static bool is_good(const struct reply *r)
{
    return r->code / 100 == 2;
}

static void say(struct client *c, struct str verb, struct str argument, enum client_phase phase)
{
    buf_add(c->out, verb);
    buf_add(c->out, argument);
    buf_add(c->out, S("\r\n"));
    client_set_phase(c, phase);
}

void client_say_ehlo(struct client *c)
{
    say(c, S("EHLO "), c->settings->helo, EHLO);
}

/* ---- what is offered ---- */

/* "AUTH=PLAIN LOGIN" is how it was spelled before RFC 2554, and some still say both. */
static void read_mechanisms(struct client_offers *o, struct str list)
{
    struct str name;

    while (list.n) {
        if (!take_until(&list, ' ', &name)) {
            name = list;
            list = STR_NONE;
        }
        o->auth_plain |= str_same_nocase(name, S("PLAIN"));
        o->auth_login |= str_same_nocase(name, S("LOGIN"));
    }
}

/* RFC 9422 §3: limits that are not known, or make no sense, are passed over. */
static void read_limits(struct client_offers *o, struct str list)
{
    struct str limit;

    while (list.n) {
        if (!take_until(&list, ' ', &limit)) {
            limit = list;
            list = STR_NONE;
        }
        if (take_text_nocase(&limit, S("RCPTMAX=")))
            parse_u64(limit, &o->rcpt_max);
        else if (take_text_nocase(&limit, S("MAILMAX=")))
            parse_u64(limit, &o->mail_max);
    }
}

static void read_offer(struct client_offers *o, struct str line)
{
    static const struct {
        struct str keyword;
        size_t offset;
    } plain[] = {
        {S("STARTTLS"), offsetof(struct client_offers, starttls)},     /* RFC 3207 */
        {S("PIPELINING"), offsetof(struct client_offers, pipelining)}, /* RFC 2920 */
        {S("8BITMIME"), offsetof(struct client_offers, eightbitmime)}, /* RFC 6152 */
        {S("SMTPUTF8"), offsetof(struct client_offers, smtputf8)},     /* RFC 6531 */
        {S("DSN"), offsetof(struct client_offers, dsn)},               /* RFC 3461 */
        {S("SIZE"), offsetof(struct client_offers, size)},             /* RFC 1870 */
    };
    struct str keyword = line, rest = STR_NONE;
    size_t at;

    if (take_text_nocase(&line, S("AUTH ")) || take_text_nocase(&line, S("AUTH="))) {
        read_mechanisms(o, line);
        return;
    }
    if (str_find_char(line, ' ', &at)) {
        keyword = str_upto(line, at);
        rest = str_trim(str_from(line, at));
    }
    for (size_t i = 0; i < sizeof(plain) / sizeof(*plain); i++)
        if (str_same_nocase(keyword, plain[i].keyword))
            *(bool *)((char *)o + plain[i].offset) = true;
    if (str_same_nocase(keyword, S("SIZE")))
        parse_u64(rest, &o->size_limit);
    if (str_same_nocase(keyword, S("LIMITS")))
        read_limits(o, rest);
}

/* ehlo-ok-rsp: a domain and a greeting, then one keyword a line (RFC 5321 §4.1.1.1) */
struct client_offers parse_offers(struct str ehlo_text)
{
    struct client_offers o = {0};
    struct str line;
    bool more = take_until(&ehlo_text, '\n', &line);

    while (more) {
        more = take_until(&ehlo_text, '\n', &line);
        read_offer(&o, str_trim(more ? line : ehlo_text));
    }
    return o;
}

/* ---- sign-on (RFC 4954), at a smart host ---- */

static void cannot_sign_on(struct client *c, struct str why)
{
    client_give_up(c, client_words_own(c->arena, S("4.7.0"), why), OUTCOME_DEFERRED, false);
}

static void say_base64(struct client *c, struct str verb, struct str secret, enum client_phase phase)
{
    struct buf b = buf_make(SIGN_ON_MAX);

    base64_encode(&b, secret);
    if (b.full)
        cannot_sign_on(c, S("the name or the password of the relay is too long"));
    else
        say(c, verb, buf_str(&b), phase);
    explicit_bzero(b.p, b.n);
    buf_free(&b);
}

/* RFC 4616 §2: message = [authzid] NUL authcid NUL passwd */
static void say_plain(struct client *c)
{
    struct buf b = buf_make(SIGN_ON_MAX);

    buf_add_char(&b, '\0');
    buf_add(&b, c->settings->user);
    buf_add_char(&b, '\0');
    buf_add(&b, c->settings->password);
    say_base64(c, S("AUTH PLAIN "), buf_str(&b), AUTH_PLAIN);
    explicit_bzero(b.p, b.n);
    buf_free(&b);
}

static void sign_on(struct client *c)
{
    if (!c->settings->user.n)
        client_set_phase(c, READY);
    else if (!c->secured && !c->settings->is_loopback)
        cannot_sign_on(c, S("the relay offers no TLS, and the password is not sent without"));
    else if (c->offers.auth_plain)
        say_plain(c);
    else if (c->offers.auth_login)
        say(c, S("AUTH LOGIN"), STR_NONE, AUTH_LOGIN);
    else
        cannot_sign_on(c, S("the relay offers no sign-on that we know (PLAIN, LOGIN)"));
}

/* The mail can wait until somebody has corrected the password: it does not fail by that. */
static void sign_on_reply(struct client *c, const struct reply *r)
{
    bool goes_on = r->code == 334;

    if (c->phase == AUTH_LOGIN && goes_on)
        say_base64(c, STR_NONE, c->settings->user, AUTH_LOGIN_USER);
    else if (c->phase == AUTH_LOGIN_USER && goes_on)
        say_base64(c, STR_NONE, c->settings->password, AUTH_LOGIN_PASSWORD);
    else if ((c->phase == AUTH_PLAIN || c->phase == AUTH_LOGIN_PASSWORD) && r->code == 235)
        client_set_phase(c, READY);
    else
        client_give_up(c, client_words_of(c->arena, r), OUTCOME_DEFERRED, false);
}

/* ---- the greeting and the answer to it ---- */

static void ehlo_reply(struct client *c, const struct reply *r)
{
    if (is_good(r)) {
        c->offers = parse_offers(r->text);
        if (c->offers.starttls && c->settings->may_tls && !c->secured)
            say(c, S("STARTTLS"), STR_NONE, STARTTLS);
        else
            sign_on(c);
    } else if (r->code >= 500) {
        say(c, S("HELO "), c->settings->helo, HELO); /* RFC 5321 §3.2 */
    } else {
        client_give_up_on_reply(c, r, true);
    }
}

/* RFC 5321 §3.1: 554 in the greeting, or 5xx to HELO too. Final, if the other hosts of the domain say the same. */
static void is_unwelcome(struct client *c, const struct reply *r)
{
    client_give_up(c, client_words_of(c->arena, r), r->code >= 500 ? OUTCOME_FAILED : OUTCOME_DEFERRED,
                   true);
}

void client_greeting_reply(struct client *c, const struct reply *r)
{
    if (r->code / 100 == 3 && c->phase < AUTH_PLAIN)
        client_give_up_on_babble(c);
    else if (c->phase == GREETING && is_good(r))
        client_say_ehlo(c);
    else if (c->phase == EHLO)
        ehlo_reply(c, r);
    else if (c->phase == HELO && is_good(r))
        sign_on(c);
    else if (c->phase == STARTTLS && r->code == 220)
        client_set_phase(c, HANDSHAKE);
    else if (c->phase == STARTTLS)
        sign_on(c); /* RFC 3207 §4: it offered and does not want now; opportunistic means to go on */
    else if (c->phase >= AUTH_PLAIN)
        sign_on_reply(c, r);
    else
        is_unwelcome(c, r);
}
