/* Conversations with the SMTP server: each file in conversations/ is one session (testing/conversation.h says how they
 * are held). Its own words:
 *
 *   service: mx            mx, submission, local; the default is mx
 *   client: 192.0.2.1      the default
 *   set: errors 3          a setting: message-size, recipients, errors, plaintext-auth, certificate, scram, binding, budget
 *   vault: rcpt x@* answers NO_SUCH_USER         see standin.h
 *   R: 250                 the next reply, of however many lines
 *   tls:                   the server wants a handshake, and it succeeds
 *   timeout: · stop:       the driver says so
 *   gone:                  the client goes away
 *   V: rcpt <*>            what the vault was asked next; lines "body" and "received" may be left out, others not */
#include "gate/smtp/server.h"
#include "gate/smtp/local.h"
#include "gate/smtp/standin.h"

#include "base/arena.h"
#include "base/log.h"
#include "testing/conversation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static struct {
    struct smtp_settings settings;
    enum smtp_role role;
    struct str client;
    struct smtp *s;
    struct buf out;
    size_t account; /* how much of the vault's account was expected */
    bool checks_account;
} run;

/* ---- the core, as its driver sees it ---- */

static void take_out(struct buf *replies)
{
    buf_add(replies, buf_str(&run.out));
    buf_clear(&run.out);
}

static void begin(void)
{
    standin_reset();
    smtp_set_body_budget((size_t)64 * 1024 * 1024);
    memset(&run, 0, sizeof(run));
    run.settings = (struct smtp_settings){.hostname = S("mail.acompany.test"),
                                          .message_size = 10 * 1024 * 1024,
                                          .recipients = 1000,
                                          .errors = 20,
                                          .idle_commands = 1000,
                                          .has_certificate = true,
                                          .scram = true,
                                          .local_domain = S("acompany.test")};
    run.client = S("192.0.2.1");
    run.out = buf_make((size_t)1 << 20);
}

static void open_session(void)
{
    run.s = smtp_new(&run.settings, run.role, run.client, &run.out);
}

static void greet(void)
{
    struct cx cx = {.arena = NULL};
    struct handle session;
    enum err e = run.role == SMTP_LOCAL ? local_begin(&cx, -1, &session) : OK;

    if (!e && run.role == SMTP_LOCAL)
        smtp_identify(run.s, &session);
    if (e)
        smtp_refuse(run.s, e);
    else
        smtp_greet(run.s);
}

static void feed(struct str *in, struct buf *replies)
{
    if (!run.s) {
        open_session();
        greet();
    }
    smtp_feed(run.s, in);
    while (smtp_wants(run.s) == SMTP_ANSWER)
        smtp_await(run.s, (struct watch_id){0});
    take_out(replies);
}

static bool is_closed(void)
{
    return smtp_wants(run.s) != SMTP_INPUT;
}

/* ---- what the vault was asked ---- */

static bool may_be_left_out(struct str line)
{
    return str_starts(line, S("body ")) || str_starts(line, S("received "));
}

static bool next_account_line(struct str *line)
{
    struct str rest = str_from(standin_account(), run.account);

    if (!take_until(&rest, '\n', line))
        return false;
    run.account = standin_account().n - rest.n;
    return true;
}

static bool do_v(struct str value, struct buf *replies)
{
    struct str line = S("nothing");

    (void)replies;
    run.checks_account = true;
    while (next_account_line(&line)) {
        if (glob_match(value, line))
            return true;
        if (!may_be_left_out(line))
            break;
    }
    fprintf(stderr, "the vault was asked: %.*s\n", STR_ARG(line));
    return false;
}

static bool end(void)
{
    bool ok = !run.out.full;
    struct str line;

    while (ok && run.checks_account && next_account_line(&line))
        ok = may_be_left_out(line);
    smtp_free(run.s);
    buf_free(&run.out);
    return ok && standin_is_idle();
}

/* ---- words ---- */

static bool do_set(struct str value, struct buf *replies)
{
    struct str name = value;
    uint64_t v = 0;

    (void)replies;
    if (!take_until(&value, ' ', &name) || !parse_u64(value, &v))
        return false;
    if (str_same(name, S("message-size")))
        run.settings.message_size = v;
    else if (str_same(name, S("recipients")))
        run.settings.recipients = (size_t)v;
    else if (str_same(name, S("errors")))
        run.settings.errors = (unsigned)v;
    else if (str_same(name, S("idle-commands")))
        run.settings.idle_commands = (unsigned)v;
    else if (str_same(name, S("plaintext-auth")))
        run.settings.allow_plaintext_auth = v;
    else if (str_same(name, S("certificate")))
        run.settings.has_certificate = v;
    else if (str_same(name, S("scram")))
        run.settings.scram = v;
    else if (str_same(name, S("budget")))
        smtp_set_body_budget((size_t)v);
    else
        return false;
    return true;
}

static bool do_service(struct str value, struct buf *replies)
{
    (void)replies;
    run.role = str_same(value, S("submission")) ? SMTP_SUBMISSION
               : str_same(value, S("local"))    ? SMTP_LOCAL
                                                : SMTP_MX;
    return true;
}

static bool do_client(struct str value, struct buf *replies)
{
    (void)replies;
    run.client = value;
    return true;
}

static bool do_vault(struct str value, struct buf *replies)
{
    (void)replies;
    return standin_rule(value);
}

static bool take_reply_line(struct str code, struct buf *replies, bool *more)
{
    struct str line;
    size_t at;

    if (!str_find(buf_str(replies), S("\r\n"), &at) || at < 4)
        return false;
    line = str_upto(buf_str(replies), at);
    *more = line.p[3] == '-';
    if (!str_same(str_upto(line, 3), code) || (!*more && line.p[3] != ' '))
        return false;
    buf_take(replies, at + 2);
    return true;
}

static bool do_r(struct str value, struct buf *replies)
{
    bool more = true;

    while (more)
        if (!take_reply_line(value, replies, &more))
            return false;
    return true;
}

static bool do_tls(struct str value, struct buf *replies)
{
    bool first = !run.s; /* before anything was said: TLS from the first byte */

    (void)value;
    if (first)
        open_session();
    else if (smtp_wants(run.s) != SMTP_TLS)
        return false;
    smtp_secured(run.s, S("TLSv1.3"), S("TLS_AES_256_GCM_SHA384"));
    if (first)
        smtp_greet(run.s);
    take_out(replies);
    return true;
}

static bool do_timeout(struct str value, struct buf *replies)
{
    (void)value;
    smtp_time_out(run.s);
    take_out(replies);
    return true;
}

static bool do_stop(struct str value, struct buf *replies)
{
    (void)value;
    smtp_stop(run.s);
    take_out(replies);
    return true;
}

static bool do_gone(struct str value, struct buf *replies)
{
    (void)value;
    (void)replies;
    smtp_free(run.s);
    run.s = NULL;
    return true;
}

static bool word(struct str name, struct str value, struct buf *replies)
{
    static const struct {
        struct str name;
        bool (*run)(struct str value, struct buf *replies);
    } words[] = {
        {S("set"), do_set},
        {S("service"), do_service},
        {S("client"), do_client},
        {S("vault"), do_vault},
        {S("R"), do_r},
        {S("tls"), do_tls},
        {S("timeout"), do_timeout},
        {S("stop"), do_stop},
        {S("V"), do_v},
        {S("gone"), do_gone},
    };

    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        if (str_same(name, words[i].name))
            return words[i].run(value, replies);
    return false;
}

/* ---- the tests ---- */

static void test_conversations(void **state)
{
    const struct conversation_core core = {begin, feed, is_closed, word, end};

    assert_int_equal(conversations_run(*state, &core), 0);
}

/* RFC 2920: what is pipelined is asked in one call, a hundred recipients at most. */
static void test_one_call_for_an_envelope(void **state)
{
    static const struct {
        size_t rcpts, calls;
    } rows[] = {{1, 1}, {99, 1}, {100, 1}, {101, 2}, {250, 3}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct buf said = buf_make(BUF_UNLIMITED), heard = buf_make(BUF_UNLIMITED);
        struct str in;

        begin();
        buf_add(&said, S("EHLO a.test\r\nMAIL FROM:<>\r\n"));
        for (size_t n = 0; n < rows[i].rcpts; n++)
            buf_add(&said, S("RCPT TO:<tom@acompany.test>\r\n"));
        buf_add(&said, S("DATA\r\n"));
        in = buf_str(&said);
        while (in.n)
            feed(&in, &heard);
        if (standin_envelope_calls() != rows[i].calls)
            fail_msg("%zu recipients: %zu calls", rows[i].rcpts, standin_envelope_calls());
        assert_true(end());
        buf_free(&said);
        buf_free(&heard);
    }
}

/* RFC 2920 §3.2 rules 5 and 6: these replies are on their way before the next command is looked at. */
static void test_replies_that_do_not_wait(void **state)
{
    static char too_long[4096];
    static const char *const rows[] = {"EHLO a", "HELO a", "NOOP", "VRFY a", "EXPN a",
                                       "HELP",   "TURN",   "",     "\x80",   too_long};

    (void)state;
    memset(too_long, 'x', sizeof(too_long) - 1);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct buf said = buf_make(5000), heard = buf_make(1000);
        struct str in;

        begin();
        buf_printf(&said, "%s\r\nRSET\r\n", rows[i]);
        in = buf_str(&said);
        feed(&in, &heard);
        if (!str_same(in, S("RSET\r\n")))
            fail_msg("%.20s: %zu bytes are left", rows[i], in.n);
        assert_true(end());
        buf_free(&said);
        buf_free(&heard);
    }
}

int main(int argc, char **argv)
{
    static char here[] = ".";
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_conversations, argc > 1 ? argv[1] : here),
        cmocka_unit_test(test_one_call_for_an_envelope),
        cmocka_unit_test(test_replies_that_do_not_wait),
    };

    log_start("smtp-server-test", LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
