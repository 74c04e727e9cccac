/* Handing mail to the local socket: the addresses that -t finds, and the dialogue with a server that is a script. */
#include "base/arena.h"
#include "control/address_list.h"
#include "control/submit.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void test_address_list(void **state)
{
    static const struct {
        const char *field, *addresses, *why;
    } rows[] = {
        {"tom@x.test", "tom@x.test", "bare"},
        {" Tom Example <tom@x.test>\r\n", "tom@x.test", "with a phrase"},
        {"tom", "tom", "a name alone"},
        {"a@x, b@x,\r\n c@x", "a@x b@x c@x", "folded"},
        {"\"Example, Tom\" <tom@x>, b@x", "tom@x b@x", "a comma inside of quotes"},
        {"tom@x (Tom, (really)), b@x", "tom@x b@x", "comments nest"},
        {"friends: a@x, B <b@x>;, c@x", "a@x b@x c@x", "a group"},
        {"undisclosed-recipients:;", "", "an empty group"},
        {"\"odd name\"@x", "\"odd name\"@x", "a quoted local part"},
        {"<\"a,b\"@x>", "\"a,b\"@x", "and one in brackets"},
        {",,a@x,,", "a@x", "empty members"},
        {"", "", "nothing"},
        {"Tom <tom@x", "tom@x", "the bracket is not closed"},
        {"\"open", "\"open", "the quotes are not closed"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct str in = str_from_c(rows[i].field);
        struct buf all = buf_make(1000), one = buf_make(1000);

        for (; take_listed_address(&in, &one); buf_clear(&one)) {
            buf_add_c(&all, all.n ? " " : "");
            buf_add(&all, buf_str(&one));
        }
        if (!str_same(buf_str(&all), str_from_c(rows[i].addresses)))
            fail_msg("row %zu: %s: \"%.*s\"", i, rows[i].why, STR_ARG(buf_str(&all)));
        buf_free(&all);
        buf_free(&one);
    }
}

/* The server: says the next answer whenever the client has said a whole line (or, after 354, a whole message). */
struct script {
    int fd;
    const char *const *answers;
    char heard[4000];
};

static bool is_turn_over(const char *heard, size_t from, size_t n, bool in_data)
{
    const char *end = in_data ? "\r\n.\r\n" : "\r\n";
    size_t k = strlen(end);

    return n >= from + k && !memcmp(heard + n - k, end, k);
}

static void *serve(void *arg)
{
    struct script *s = arg;
    size_t n = 0, from = 0;

    for (const char *const *a = s->answers; *a; a++) {
        ssize_t got = 1;

        if (write(s->fd, *a, strlen(*a)) < 0)
            break;
        from = n;
        while (got > 0 && !is_turn_over(s->heard, from, n, !strncmp(*a, "354", 3))) {
            got = read(s->fd, s->heard + n, sizeof(s->heard) - 1 - n);
            n += got > 0 ? (size_t)got : 0;
        }
    }
    close(s->fd);
    return NULL;
}

#define GREETING "220 mail.x.test ESMTP\r\n", "250-mail.x.test\r\n250 DSN\r\n"

static void test_dialogue(void **state)
{
    static const struct {
        const char *answers[10];
        enum err result;
        int code;
        const char *said, *cause; /* parts of what the client said and of the cause */
    } rows[] = {
        {{GREETING, "250 ok\r\n", "250 ok\r\n", "250 ok\r\n", "354 go\r\n", "250 2.0.0 done\r\n",
          "221 bye\r\n"},
         OK,
         221,
         "EHLO localhost\r\nMAIL FROM:<fred@mail.x.test> BODY=8BITMIME RET=HDRS ENVID=a+2Bb\r\n"
         "RCPT TO:<tom@y.test> NOTIFY=NEVER\r\nRCPT TO:<ann> NOTIFY=NEVER\r\nDATA\r\n"
         "From: \"Fred \\\"F\\\"\" <fred@mail.x.test>\r\nSubject: "
         "x\r\n\r\n..dot\r\ngr\xc3\xbc\xc3\x9f\r\n.\r\nQUIT\r\n",
         ""},
        {{GREETING, "250 ok\r\n", "550 5.1.1 nobody\r\n"},
         ERR_DENIED,
         550,
         "RCPT TO:<tom@y.test>",
         "tom@y.test: 550"},
        {{GREETING, "250 ok\r\n", "450 4.2.1 later\r\n"}, ERR_BUSY, 450, "RCPT", "450 4.2.1 later"},
        {{GREETING, "250 ok\r\n", "250 ok\r\n", "250 ok\r\n", "354 go\r\n", "552 5.3.4 large\r\n"},
         ERR_DENIED,
         552,
         ".\r\n",
         "552 5.3.4 large"},
        {{"421 full\r\n"}, ERR_BUSY, 421, "", "421 full"},
        {{GREETING}, ERR_VAULT_AWAY, 0, "MAIL", "hung up"},
    };
    const struct str recipients[] = {S("tom@y.test"), S("ann")};
    const struct submit_message m = {.sender = S("fred"),
                                     .recipients = recipients,
                                     .recipient_count = 2,
                                     .notify = S("NEVER"),
                                     .ret = S("HDRS"),
                                     .envid = S("a+b"),
                                     .from_name = S("Fred \"F\""),
                                     .message = S("Subject: x\n\n.dot\ngr\xc3\xbc\xc3\x9f\n")};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct arena *arena = arena_new(0);
        struct cx cx = {.arena = arena};
        struct script script = {.answers = rows[i].answers};
        pthread_t server;
        int pair[2], code;
        enum err e;

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
        script.fd = pair[1];
        assert_int_equal(pthread_create(&server, NULL, serve, &script), 0);
        e = submit_send(&cx, pair[0], &m, &code);
        close(pair[0]);
        pthread_join(server, NULL);
        if (e != rows[i].result || code != rows[i].code)
            fail_msg("row %zu: %s, %d, %s", i, err_row(e)->name, code, cx.cause);
        if (!strstr(script.heard, rows[i].said) || !strstr(cx.cause, rows[i].cause))
            fail_msg("row %zu: said \"%s\", cause \"%s\"", i, script.heard, cx.cause);
        arena_free(arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_address_list),
        cmocka_unit_test(test_dialogue),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
