/* POP3 and IMAP up to the sign-on. All of it is in conversations/; their own words:
 *
 *   service: imap             which protocol; POP3 if nothing is said
 *   set: errors 3             a setting: errors, plaintext-auth, certificate, scram, binding (of TLS)
 *   client: 127.0.0.1         the peer; 192.0.2.1 if nothing is said
 *   vault: begin AUTH_BUSY    what the vault answers from now on to signon_begin, or to: step STORE
 *   tls:                      TLS from the first byte; later: the core wants a handshake, and it succeeds
 *   attach: STAT\r\n          the core wants the hand-over, and this input goes along
 *   attach-utf8:              likewise, in UTF8 mode
 *   tag: a1                   … and the command that is to be answered has this tag
 *   bye: TIMEOUT              the last words: the client was silent, the vault did not take it, …
 *   gone:                     the client goes away
 *   V: begin PLAIN *          what the vault was asked next */
#include "gate/signon/core.h"

#include "base/arena.h"
#include "base/log.h"
#include "gate/signon/standin.h"
#include "rpc/calls.h"
#include "testing/conversation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct signon_settings settings;
static const struct core_ops *ops;
static struct bindings bindings;
static struct core *core;
static struct buf out, left; /* left: of the input, when the core wanted to be attached */
static char client[64];
static size_t account_read;

static void begin(void)
{
    ops = &pop3_core;
    settings = (struct signon_settings){
        .hostname = S("mail.acompany.test"), .errors = 20, .has_certificate = true, .scram = true};
    bindings = (struct bindings){0};
    standin_reset();
    account_read = 0;
    out = buf_make(1 << 20);
    left = buf_make(1 << 20);
    snprintf(client, sizeof(client), "192.0.2.1");
}

static void session_open(bool tls)
{
    if (core)
        return;
    core = ops->make(&settings, str_from_c(client), &out);
    if (tls)
        core_secured(core, &bindings);
    ops->greet(core);
}

static void take_out(struct buf *replies)
{
    buf_add(replies, buf_str(&out));
    buf_clear(&out);
}

static void feed(struct str *in, struct buf *replies)
{
    session_open(false);
    if (core->want == CORE_INPUT)
        ops->feed(core, in);
    if (core->want == CORE_TLS) /* thrown away, as conn_start_tls() does */
        *in = STR_NONE;
    if (core->want == CORE_ATTACH) {
        buf_add(&left, *in);
        *in = STR_NONE;
    }
    take_out(replies);
}

static bool is_closed(void)
{
    return core && core->want == CORE_CLOSE;
}

static enum err error_named(struct str name)
{
    for (enum err e = OK; e < ERR_COUNT; e++)
        if (str_same(name, str_from_c(err_row(e)->name)))
            return e;
    return OK;
}

static bool do_set(struct str value)
{
    struct str name = value;
    uint64_t v = 0;

    take_until(&value, ' ', &name);
    parse_u64(value, &v);
    if (str_same(name, S("errors")))
        settings.errors = (unsigned)v;
    else if (str_same(name, S("plaintext-auth")))
        settings.allow_plaintext_auth = v;
    else if (str_same(name, S("certificate")))
        settings.has_certificate = v;
    else if (str_same(name, S("scram")))
        settings.scram = v;
    else if (str_same(name, S("binding")))
        bindings.exporter_size = v ? sizeof(bindings.exporter) : 0;
    else
        return false;
    return true;
}

static bool do_attach(struct str expected, uint32_t expected_modes)
{
    struct buf bytes = buf_make(10000);
    struct handle session;
    struct str tag;
    uint32_t modes = 0;
    bool right;

    if (core->want != CORE_ATTACH)
        return false;
    session = core_take_session(core);
    ops->describe(core, &modes, &tag);
    standin_keep_handle();
    add_unescaped(&bytes, expected);
    right = session.hi && modes == expected_modes && str_same(buf_str(&bytes), buf_str(&left));
    if (!right)
        fprintf(stderr, "attached with \"%.*s\", modes %u\n", STR_ARG(buf_str(&left)), modes);
    buf_free(&bytes);
    return right;
}

static bool do_tls(void)
{
    if (!core) {
        session_open(true);
        return true;
    }
    if (core->want != CORE_TLS)
        return false;
    core_secured(core, &bindings);
    return true;
}

static bool do_service(struct str value)
{
    ops = str_same(value, S("imap")) ? &imap_core : &pop3_core;
    return !core;
}

static bool do_tag(struct str value)
{
    struct str tag;
    uint32_t modes;

    ops->describe(core, &modes, &tag);
    return str_same(tag, value);
}

static bool do_v(struct str value)
{
    struct str rest = str_from(standin_account(), account_read), line = STR_NONE;
    bool fits = take_until(&rest, '\n', &line) && glob_match(value, line);

    account_read += line.n + 1;
    if (!fits)
        fprintf(stderr, "the vault was asked \"%.*s\"\n", STR_ARG(line));
    return fits;
}

static bool do_vault(struct str value)
{
    struct str call;

    if (!take_until(&value, ' ', &call))
        return false;
    (str_same(call, S("begin")) ? standin_begin_answers : standin_step_answers)(error_named(value));
    return true;
}

static bool own_word(struct str word, struct str value, struct buf *replies)
{
    bool known = true;

    if (str_same(word, S("set")))
        return do_set(value);
    if (str_same(word, S("vault")))
        return do_vault(value);
    if (str_same(word, S("V")))
        return do_v(value);
    if (str_same(word, S("service")))
        return do_service(value);
    if (str_same(word, S("tag")))
        return do_tag(value);
    if (str_same(word, S("client")))
        snprintf(client, sizeof(client), "%.*s", STR_ARG(value));
    else if (str_same(word, S("tls")))
        known = do_tls();
    else if (str_same(word, S("attach")))
        known = do_attach(value, 0);
    else if (str_same(word, S("attach-utf8")))
        known = do_attach(value, MODE_UTF8);
    else if (str_same(word, S("bye")))
        ops->say_bye(&out, error_named(value));
    else if (str_same(word, S("gone")))
        core_free(core), core = NULL;
    else
        return false;
    take_out(replies);
    return known;
}

static bool end(void)
{
    bool idle;

    core_free(core);
    core = NULL;
    idle = standin_is_idle() && !out.full;
    buf_free(&out);
    buf_free(&left);
    return idle;
}

static void test_conversations(void **state)
{
    const struct conversation_core all = {begin, feed, is_closed, own_word, end};

    assert_int_equal(conversations_run(*state, &all), 0);
}

int main(int argc, char **argv)
{
    static char here[] = ".";
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_conversations, argc > 1 ? argv[1] : here)};

    log_start("signon-test", LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
