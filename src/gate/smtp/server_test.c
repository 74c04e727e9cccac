/* Conversations: each file in conversations/ is one session with the SMTP server, held in one piece, byte by byte and
 * cut at random. The replies, and what the vault was asked, must be the same every time.
 *
 *   service: mx            mx, submission, local; the default is mx
 *   client: 192.0.2.1      the default
 *   set: errors 3          a setting: message-size, recipients, errors, plaintext-auth, certificate, scram, budget
 *   vault: rcpt x@* answers NO_SUCH_USER         see standin.h
 *   C: MAIL FROM:<>\r\n    bytes from the client, with C's escapes; lines that follow one another are one piece
 *   C*500: abc\r\n         the same 500 times
 *   S: 250 *               the next line of the replies; "*" stands for anything
 *   R: 250                 the next reply, of however many lines
 *   tls:                   the server wants a handshake, and it succeeds
 *   timeout: · stop:       the driver says so
 *   closed:                the server wants to close
 *   gone:                  the client goes away
 *   V: rcpt <*>            what the vault was asked next; lines "body" and "received" may be left out, others not */
#include "gate/smtp/server.h"
#include "gate/smtp/standin.h"

#include "base/arena.h"
#include "base/log.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define RANDOM_RUNS 6

enum cut { WHOLE, BYTES, RANDOM };

struct run {
    const char *file;
    size_t line;
    enum cut cut;
    unsigned seed;
    struct smtp_settings settings;
    enum smtp_role role;
    struct str client;
    struct smtp *s;
    struct buf out;     /* what the core appends to */
    struct buf replies; /* not yet expected */
    struct buf piece;   /* of C: lines, not yet fed */
    size_t account;     /* how much of the vault's account was expected */
    bool checks_account;
};

/* ---- feeding ---- */

static size_t cut_length(struct run *r, size_t left)
{
    size_t n = left;

    if (r->cut == BYTES)
        n = 1;
    if (r->cut == RANDOM) {
        r->seed = r->seed * 1103515245u + 12345u;
        n = 1 + (r->seed >> 16) % 40;
    }
    return n < left ? n : left;
}

/* As a driver does it: what is not taken comes again, with more behind it. */
static void feed(struct run *r)
{
    struct str rest = buf_str(&r->piece), in;

    while (rest.n && smtp_wants(r->s) == SMTP_INPUT) {
        size_t n = cut_length(r, rest.n);
        char *copy =
            must_alloc(n); /* of exactly that size, so that a sanitizer sees a read beyond it */

        memcpy(copy, rest.p, n);
        in = (struct str){copy, n};
        while (in.n && smtp_wants(r->s) == SMTP_INPUT) {
            smtp_feed(r->s, &in);
            buf_add(&r->replies, buf_str(&r->out));
            buf_clear(&r->out);
        }
        free(copy);
        rest = str_from(rest, n);
    }
    buf_clear(&r->piece);
}

static void session_begin(struct run *r)
{
    if (r->s)
        return;
    r->s = smtp_new(&r->settings, r->role, r->client, &r->out);
    smtp_greet(r->s);
    buf_add(&r->replies, buf_str(&r->out));
    buf_clear(&r->out);
}

static void settle(struct run *r)
{
    session_begin(r);
    feed(r);
    buf_add(&r->replies, buf_str(&r->out));
    buf_clear(&r->out);
}

/* ---- reading a line of the file ---- */

static void complain(const struct run *r, const char *what, struct str a, struct str b)
{
    static const char *const cuts[] = {"in one piece", "byte by byte", "cut at random"};

    fail_msg("%s:%zu (%s, seed %u): %s\n  expected %.*s\n  got      %.*s", r->file, r->line,
             cuts[r->cut], r->seed, what, STR_ARG(a), STR_ARG(b));
}

static int hex_digit(char c)
{
    return is_digit(c) ? c - '0' : to_lower(c) - 'a' + 10;
}

static void add_unescaped(struct buf *out, struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];

        if (c != '\\' || i + 1 == s.n) {
            buf_add_char(out, c);
            continue;
        }
        c = s.p[++i];
        if (c == 'x' && i + 2 < s.n) {
            buf_add_char(out, (char)(hex_digit(s.p[i + 1]) * 16 + hex_digit(s.p[i + 2])));
            i += 2;
        } else {
            buf_add_char(out, c == 'r'   ? '\r'
                              : c == 'n' ? '\n'
                              : c == 't' ? '\t'
                              : c == '0' ? '\0'
                                         : c);
        }
    }
}

static void do_set(struct run *r, struct str value)
{
    struct str name = value;
    uint64_t v = 0;

    if (!take_until(&value, ' ', &name) || !parse_u64(value, &v))
        complain(r, "set: NAME NUMBER", STR_NONE, value);
    if (str_same(name, S("message-size")))
        r->settings.message_size = v;
    else if (str_same(name, S("recipients")))
        r->settings.recipients = (size_t)v;
    else if (str_same(name, S("errors")))
        r->settings.errors = (unsigned)v;
    else if (str_same(name, S("plaintext-auth")))
        r->settings.allow_plaintext_auth = v;
    else if (str_same(name, S("certificate")))
        r->settings.has_certificate = v;
    else if (str_same(name, S("scram")))
        r->settings.scram = v;
    else if (str_same(name, S("budget")))
        smtp_set_body_budget((size_t)v);
    else
        complain(r, "no such setting", STR_NONE, name);
}

static void do_service(struct run *r, struct str value)
{
    r->role = str_same(value, S("submission")) ? SMTP_SUBMISSION
              : str_same(value, S("local"))    ? SMTP_LOCAL
                                               : SMTP_MX;
}

static void do_client(struct run *r, struct str value)
{
    r->client = value;
}

static void do_vault(struct run *r, struct str value)
{
    if (!standin_rule(value))
        complain(r, "this is no rule", STR_NONE, value);
}

static void do_c(struct run *r, struct str value)
{
    session_begin(r);
    if (r->piece.n == 0 && r->replies.n)
        complain(r, "a reply nobody expects", STR_NONE, buf_str(&r->replies));
    add_unescaped(&r->piece, value);
}

static struct str first_reply_line(struct run *r, struct str expected)
{
    struct str all;
    size_t at;

    settle(r);
    all = buf_str(&r->replies);
    if (!str_find(all, S("\r\n"), &at))
        complain(r, "no reply", expected, all);
    return str_upto(all, at);
}

static void do_s(struct run *r, struct str value)
{
    struct str line = first_reply_line(r, value);

    if (!glob_match(value, line))
        complain(r, "another reply", value, line);
    buf_take(&r->replies, line.n + 2);
}

static void do_r(struct run *r, struct str value)
{
    bool more = true;

    while (more) {
        struct str line = first_reply_line(r, value);

        if (line.n < 4 || !str_same(str_upto(line, 3), value) || (line.p[3] != '-' && line.p[3] != ' '))
            complain(r, "another reply", value, line);
        more = line.p[3] == '-';
        buf_take(&r->replies, line.n + 2);
    }
}

static void expect_want(struct run *r, enum smtp_want want)
{
    settle(r);
    if (smtp_wants(r->s) != want)
        complain(r, "the server wants something else", STR_NONE, STR_NONE);
}

static void do_tls(struct run *r, struct str value)
{
    (void)value;
    if (!r->s) { /* before anything was said: TLS from the first byte */
        r->s = smtp_new(&r->settings, r->role, r->client, &r->out);
        smtp_secured(r->s, S("TLSv1.3"), S("TLS_AES_256_GCM_SHA384"));
        smtp_greet(r->s);
        return;
    }
    expect_want(r, SMTP_TLS);
    smtp_secured(r->s, S("TLSv1.3"), S("TLS_AES_256_GCM_SHA384"));
}

static void do_closed(struct run *r, struct str value)
{
    (void)value;
    expect_want(r, SMTP_CLOSE);
}

static void do_timeout(struct run *r, struct str value)
{
    (void)value;
    settle(r);
    smtp_time_out(r->s);
}

static void do_stop(struct run *r, struct str value)
{
    (void)value;
    settle(r);
    smtp_stop(r->s);
}

static void do_gone(struct run *r, struct str value)
{
    (void)value;
    settle(r);
    smtp_free(r->s);
    r->s = NULL;
}

static bool may_be_left_out(struct str line)
{
    return str_starts(line, S("body ")) || str_starts(line, S("received "));
}

static bool next_account_line(struct run *r, struct str *line)
{
    struct str rest = str_from(standin_account(), r->account);

    if (!take_until(&rest, '\n', line))
        return false;
    r->account = standin_account().n - rest.n;
    return true;
}

static void do_v(struct run *r, struct str value)
{
    struct str line = STR_NONE;

    if (r->s)
        settle(r);
    r->checks_account = true;
    while (next_account_line(r, &line)) {
        if (glob_match(value, line))
            return;
        if (!may_be_left_out(line))
            break;
    }
    complain(r, "the vault was asked something else", value, line);
}

static const struct {
    struct str word;
    void (*run)(struct run *r, struct str value);
} words[] = {
    {S("set:"), do_set},       {S("service:"), do_service},
    {S("client:"), do_client}, {S("vault:"), do_vault},
    {S("C:"), do_c},           {S("S:"), do_s},
    {S("R:"), do_r},           {S("tls:"), do_tls},
    {S("closed:"), do_closed}, {S("timeout:"), do_timeout},
    {S("stop:"), do_stop},     {S("gone:"), do_gone},
    {S("V:"), do_v},
};

/* "C*500: text" */
static bool run_repeated(struct run *r, struct str line)
{
    uint64_t times;

    if (!take_text(&line, S("C*")) || !take_u64(&line, &times) || !take_text(&line, S(": ")))
        return false;
    while (times--)
        do_c(r, line);
    return true;
}

static void run_line(struct run *r, struct str line)
{
    if (line.n == 0 || line.p[0] == '#' || run_repeated(r, line))
        return;
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        if (take_text(&line, words[i].word)) {
            take_char(&line, ' ');
            words[i].run(r, line);
            return;
        }
    complain(r, "what does this line say?", STR_NONE, line);
}

/* ---- a whole file ---- */

static void run_begin(struct run *r)
{
    standin_reset();
    smtp_set_body_budget((size_t)64 * 1024 * 1024);
    r->settings = (struct smtp_settings){.hostname = S("mail.acompany.test"),
                                         .message_size = 10 * 1024 * 1024,
                                         .recipients = 1000,
                                         .errors = 20,
                                         .has_certificate = true,
                                         .scram = true};
    r->client = S("192.0.2.1");
    r->out = buf_make((size_t)1 << 20);
    r->replies = buf_make(BUF_UNLIMITED);
    r->piece = buf_make(BUF_UNLIMITED);
}

static void run_end(struct run *r)
{
    struct str line;

    if (r->s)
        settle(r);
    if (r->replies.n)
        complain(r, "a reply nobody expects", STR_NONE, buf_str(&r->replies));
    while (r->checks_account && next_account_line(r, &line))
        if (!may_be_left_out(line))
            complain(r, "the vault was asked more", STR_NONE, line);
    smtp_free(r->s);
    if (r->out.full || !standin_is_idle())
        complain(r, "something is left open", STR_NONE, STR_NONE);
    buf_free(&r->out);
    buf_free(&r->replies);
    buf_free(&r->piece);
}

static void run_file(const char *name, struct str text, enum cut cut, unsigned seed)
{
    struct run r = {.file = name, .cut = cut, .seed = seed};
    struct str line;

    run_begin(&r);
    while (take_until(&text, '\n', &line)) {
        r.line++;
        run_line(&r, line);
    }
    run_end(&r);
}

static struct buf read_file(const char *path)
{
    struct buf b = buf_make(BUF_UNLIMITED);
    FILE *f = fopen(path, "r");
    size_t n;

    assert_non_null(f);
    do {
        n = fread(buf_reserve(&b, 4096), 1, 4096, f);
        buf_grew(&b, n);
    } while (n);
    fclose(f);
    return b;
}

static void test_conversations(void **state)
{
    const char *folder = *state;
    struct dirent **files;
    int count = scandir(folder, &files, NULL, alphasort);
    size_t run = 0;

    for (int i = 0; i < count; i++) {
        char path[512];
        struct buf text;

        snprintf(path, sizeof(path), "%s/%s", folder, files[i]->d_name);
        if (str_ends_nocase(str_from_c(path), S(".txt"))) {
            text = read_file(path);
            run_file(files[i]->d_name, buf_str(&text), WHOLE, 0);
            run_file(files[i]->d_name, buf_str(&text), BYTES, 0);
            for (unsigned seed = 1; seed <= RANDOM_RUNS; seed++)
                run_file(files[i]->d_name, buf_str(&text), RANDOM, seed);
            buf_free(&text);
            run++;
        }
        free(files[i]);
    }
    free(files);
    assert_true(run > 10);
}

/* RFC 2920: what is pipelined is asked in one call, a hundred recipients at most. */
static void test_one_call_for_an_envelope(void **state)
{
    static const struct {
        size_t rcpts, calls;
    } rows[] = {{1, 1}, {99, 1}, {100, 1}, {101, 2}, {250, 3}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct run r = {.file = "pipelined envelope", .cut = WHOLE};

        run_begin(&r);
        session_begin(&r);
        buf_clear(&r.replies);
        do_c(&r, S("EHLO a.test\\r\\nMAIL FROM:<>\\r\\n"));
        for (size_t n = 0; n < rows[i].rcpts; n++)
            do_c(&r, S("RCPT TO:<tom@acompany.test>\\r\\n"));
        do_c(&r, S("DATA\\r\\n"));
        settle(&r);
        if (standin_envelope_calls() != rows[i].calls)
            fail_msg("%zu recipients: %zu calls", rows[i].rcpts, standin_envelope_calls());
        buf_clear(&r.replies);
        run_end(&r);
    }
}

int main(int argc, char **argv)
{
    static char here[] = ".";
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_conversations, argc > 1 ? argv[1] : here),
        cmocka_unit_test(test_one_call_for_an_envelope),
    };

    log_start("smtp-server-test", LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
