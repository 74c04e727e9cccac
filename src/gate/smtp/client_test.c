/* Conversations: each file in client_conversations/ is one session of the client with a server, the server's words
 * held in one piece, byte by byte and cut at random. What the client says must be the same every time.
 *
 *   set: user NAME PASSWORD · set: no-tls · set: loopback
 *   message: <from> [size=N] [8bit] [utf8] [ret=F] [envid=X]      the next one; <> is the null reverse-path
 *   rcpt: <to> [notify=N] [orcpt=T;A]                               of that message
 *   send:                   the driver hands it over, when the client is ready for it
 *   rest:                   once more, for those that were put off
 *   S: 220 mx ESMTP\r\n     bytes of the server, with C's escapes; lines that follow one another are one piece
 *   S*500: 250-X\r\n        the same 500 times
 *   C: EHLO *               the next line that the client says; "*" stands for anything
 *   body: text              a piece of the body · end: text   the last one
 *   want: input             input, tls, ready, body or close
 *   tls:                    the handshake succeeds
 *   lost: 4.4.2 text        the connection ends
 *   quit:
 *   result: 0 delivered 2.0.0 250 ok*     the recipient's outcome (none: undecided), status and words
 *   trouble: deferred next 4.3.2 421*     failed or deferred; next or stay; status and words
 *   timeout: 300            seconds, for what it waits for now */
#include "gate/smtp/client.h"

#include "base/arena.h"
#include "base/log.h"
#include "testing/conversation.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define RANDOM_RUNS 6
#define MOST_RCPTS 300

enum cut { WHOLE, BYTES, RANDOM };

struct run {
    const char *file;
    size_t line;
    enum cut cut;
    unsigned seed;
    struct arena *arena;
    struct client_settings settings;
    struct client *c;
    struct buf out, said, piece; /* of the client; not yet expected; of the server, not yet fed */
    struct client_message message;
    struct work_rcpt asked[MOST_RCPTS];
    struct client_rcpt rcpts[MOST_RCPTS];
};

static void complain(const struct run *r, const char *what, struct str expected, struct str got)
{
    static const char *const cuts[] = {"in one piece", "byte by byte", "cut at random"};

    fail_msg("%s:%zu (%s, seed %u): %s\n  expected %.*s\n  got      %.*s", r->file, r->line,
             cuts[r->cut], r->seed, what, STR_ARG(expected), STR_ARG(got));
}

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

static void settle(struct run *r)
{
    struct str rest = buf_str(&r->piece), in;

    if (!r->c)
        r->c = client_new(&r->settings, &r->out);
    while (rest.n) {
        size_t n = cut_length(r, rest.n);
        char *copy =
            must_alloc(n); /* of exactly that size, so that a sanitizer sees a read beyond it */

        memcpy(copy, rest.p, n);
        in = (struct str){copy, n};
        client_feed(r->c, &in);
        assert_int_equal(in.n, 0);
        free(copy);
        rest = str_from(rest, n);
    }
    buf_clear(&r->piece);
    buf_add(&r->said, buf_str(&r->out));
    buf_clear(&r->out);
}

/* ---- words ---- */

static struct str take_word(struct str *s)
{
    struct str word;

    if (!take_until(s, ' ', &word)) {
        word = *s;
        *s = STR_NONE;
    }
    return word;
}

static struct str unescaped(struct run *r, struct str s)
{
    struct buf b = buf_make(BUF_UNLIMITED);
    struct str result;

    add_unescaped(&b, s);
    result = str_copy(r->arena, buf_str(&b));
    buf_free(&b);
    return result;
}

static void do_set(struct run *r, struct str value)
{
    struct str word = take_word(&value);

    if (str_same(word, S("user"))) {
        r->settings.user = take_word(&value);
        r->settings.password = value;
    } else if (str_same(word, S("no-tls"))) {
        r->settings.may_tls = false;
    } else if (str_same(word, S("loopback"))) {
        r->settings.is_loopback = true;
    } else {
        complain(r, "no such setting", STR_NONE, word);
    }
}

/* "<local@domain>", with C's escapes */
static struct path path_of(struct run *r, struct str text)
{
    struct str s = unescaped(r, text);
    struct path p = {0};
    size_t at;

    take_char(&s, '<');
    s = str_upto(s, s.n - 1);
    if (s.n && !str_rfind_char(s, '@', &at))
        complain(r, "no address", STR_NONE, s);
    if (s.n)
        p = (struct path){str_upto(s, at), str_from(s, at + 1)};
    return p;
}

static void do_message(struct run *r, struct str value)
{
    r->message = (struct client_message){
        .arena = r->arena, .reverse_path = path_of(r, take_word(&value)), .rcpts = r->rcpts};
    while (value.n) {
        struct str word = take_word(&value);

        if (take_text(&word, S("size=")))
            parse_u64(word, &r->message.params.size);
        else if (take_text(&word, S("ret=")))
            r->message.params.ret = (uint32_t)word.p[0];
        else if (take_text(&word, S("envid=")))
            r->message.params.envid = word;
        else if (str_same(word, S("8bit")))
            r->message.has_8bit = true;
        else if (str_same(word, S("utf8")))
            r->message.needs_smtputf8 = true;
        else
            complain(r, "what is this of a message?", STR_NONE, word);
    }
}

static void do_rcpt(struct run *r, struct str value)
{
    size_t n = r->message.rcpt_count++;

    assert_true(n < MOST_RCPTS);
    r->asked[n] = (struct work_rcpt){.n = (uint32_t)n, .to = path_of(r, take_word(&value))};
    r->rcpts[n] = (struct client_rcpt){.asked = &r->asked[n]};
    while (value.n) {
        struct str word = take_word(&value);

        if (take_text(&word, S("notify=")))
            parse_u32(word, &r->asked[n].notify);
        else if (take_text(&word, S("orcpt=")))
            r->asked[n].orcpt = unescaped(r, word);
        else
            complain(r, "what is this of a recipient?", STR_NONE, word);
    }
}

static void do_rcpts(struct run *r, struct str value)
{
    uint64_t n = 0;

    parse_u64(value, &n);
    while (n--)
        do_rcpt(r, S("<tom@b.test>"));
}

static void expect_want(struct run *r, enum client_want want, const char *what)
{
    settle(r);
    if (client_wants(r->c) != want)
        complain(r, "the client wants something else", str_from_c(what), STR_NONE);
}

static void do_send(struct run *r, struct str value)
{
    (void)value;
    expect_want(r, CLIENT_READY, "ready");
    client_send(r->c, &r->message);
}

static void do_rest(struct run *r, struct str value)
{
    settle(r);
    if (!client_wants_rest(r->c))
        complain(r, "nobody was put off", STR_NONE, STR_NONE);
    do_send(r, value);
}

static void do_s(struct run *r, struct str value)
{
    if (r->c && r->piece.n == 0 && (settle(r), r->said.n))
        complain(r, "the client says what nobody expects", STR_NONE, buf_str(&r->said));
    add_unescaped(&r->piece, value);
}

static void do_c(struct run *r, struct str value)
{
    struct str line;
    size_t at;

    settle(r);
    if (!str_find(buf_str(&r->said), S("\r\n"), &at))
        complain(r, "the client says nothing", value, buf_str(&r->said));
    line = str_upto(buf_str(&r->said), at);
    if (!glob_match(value, line))
        complain(r, "the client says something else", value, line);
    buf_take(&r->said, at + 2);
}

static void do_c_times(struct run *r, struct str value)
{
    struct str number = take_word(&value);
    uint64_t n = 0;

    parse_u64(number, &n);
    while (n--)
        do_c(r, value);
}

static void do_body(struct run *r, struct str value)
{
    expect_want(r, CLIENT_BODY, "body");
    client_body(r->c, unescaped(r, value), false);
}

static void do_end(struct run *r, struct str value)
{
    expect_want(r, CLIENT_BODY, "body");
    client_body(r->c, unescaped(r, value), true);
}

static void do_want(struct run *r, struct str value)
{
    static const char *const names[] = {"input", "tls", "ready", "body", "close"};

    settle(r);
    if (!str_same(value, str_from_c(names[client_wants(r->c)])))
        complain(r, "the client wants something else", value, str_from_c(names[client_wants(r->c)]));
}

static void do_tls(struct run *r, struct str value)
{
    (void)value;
    expect_want(r, CLIENT_TLS, "tls");
    client_secured(r->c);
}

static void do_lost(struct run *r, struct str value)
{
    struct str status = take_word(&value);

    settle(r);
    client_lost(r->c, status, value);
}

static void do_quit(struct run *r, struct str value)
{
    (void)value;
    expect_want(r, CLIENT_READY, "ready");
    client_quit(r->c);
}

static const char *const outcomes[] = {"none", "delivered", "relayed", "failed", "deferred"};

static void expect_text(struct run *r, struct str expected, const struct buf *got)
{
    struct str pattern = unescaped(r, expected);

    if (!glob_match(pattern, buf_str(got)))
        complain(r, "it went otherwise", pattern, buf_str(got));
}

static void do_result(struct run *r, struct str value)
{
    struct buf b = buf_make(4096);
    uint64_t n = 0;
    const struct client_rcpt *to;

    settle(r);
    take_u64(&value, &n);
    take_char(&value, ' ');
    to = &r->rcpts[n];
    buf_add_c(&b, outcomes[to->outcome]);
    if (to->outcome)
        buf_printf(&b, " %.*s %.*s", STR_ARG(to->words.status), STR_ARG(to->words.reply));
    expect_text(r, value, &b);
    buf_free(&b);
}

static void do_trouble(struct run *r, struct str value)
{
    struct buf b = buf_make(4096);
    const struct client_trouble *t;

    settle(r);
    t = client_trouble(r->c);
    buf_printf(&b, "%s %s %.*s %.*s", outcomes[t->outcome], t->try_next ? "next" : "stay",
               STR_ARG(t->words.status), STR_ARG(t->words.reply));
    expect_text(r, value, &b);
    buf_free(&b);
}

static void do_timeout(struct run *r, struct str value)
{
    uint64_t seconds = 0;

    settle(r);
    parse_u64(value, &seconds);
    if (client_timeout_ms(r->c) != (int64_t)seconds * 1000)
        fail_msg("%s:%zu: waits %lld ms", r->file, r->line, (long long)client_timeout_ms(r->c));
}

static const struct {
    struct str word;
    void (*run)(struct run *r, struct str value);
} words[] = {
    {S("set:"), do_set},
    {S("message:"), do_message},
    {S("rcpt:"), do_rcpt},
    {S("rcpts:"), do_rcpts},
    {S("send:"), do_send},
    {S("rest:"), do_rest},
    {S("S:"), do_s},
    {S("C:"), do_c},
    {S("C*"), do_c_times},
    {S("body:"), do_body},
    {S("end:"), do_end},
    {S("want:"), do_want},
    {S("tls:"), do_tls},
    {S("lost:"), do_lost},
    {S("quit:"), do_quit},
    {S("result:"), do_result},
    {S("trouble:"), do_trouble},
    {S("timeout:"), do_timeout},
};

/* "S*500: text" */
static bool run_repeated(struct run *r, struct str line)
{
    uint64_t times;

    if (!take_text(&line, S("S*")) || !take_u64(&line, &times) || !take_text(&line, S(": ")))
        return false;
    while (times--)
        add_unescaped(&r->piece, line);
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

static void run_file(const char *name, struct str text, enum cut cut, unsigned seed)
{
    static struct run r;
    struct str line;

    r = (struct run){.file = name,
                     .cut = cut,
                     .seed = seed,
                     .arena = arena_new(0),
                     .settings = {.helo = S("mail.acompany.test"), .may_tls = true},
                     .out = buf_make((size_t)1 << 20),
                     .said = buf_make(BUF_UNLIMITED),
                     .piece = buf_make(BUF_UNLIMITED)};
    while (take_until(&text, '\n', &line)) {
        r.line++;
        run_line(&r, line);
    }
    settle(&r);
    if (r.said.n || r.out.full)
        complain(&r, "the client says what nobody expects", STR_NONE, buf_str(&r.said));
    client_free(r.c);
    arena_free(r.arena);
    buf_free(&r.out);
    buf_free(&r.said);
    buf_free(&r.piece);
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

int main(int argc, char **argv)
{
    static char here[] = ".";
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_conversations, argc > 1 ? argv[1] : here),
    };

    log_start("smtp-client-test", LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
