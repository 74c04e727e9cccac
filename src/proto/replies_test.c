/* What servers answer, whole and in pieces of every size. */
#include "proto/replies.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

/* "code/enhanced/text|" for each reply, "broken|" and no more for a broken one. */
static bool read_all(struct replies *r, struct str in, struct buf *out)
{
    enum reply_result got;
    struct reply reply;

    while ((got = take_reply(r, &in, &reply)) == REPLY_TAKEN)
        buf_printf(out, "%d/%.*s/%.*s|", reply.code, STR_ARG(reply.enhanced), STR_ARG(reply.text));
    if (got == REPLY_BROKEN)
        buf_add(out, S("broken|"));
    return got != REPLY_BROKEN;
}

static void test_replies(void **state)
{
    static const struct {
        const char *in, *out, *why;
    } rows[] = {
        {"250 OK\r\n", "250//OK|", "one line"},
        {"220 foo.com Simple Mail Transfer Service Ready\r\n",
         "220//foo.com Simple Mail Transfer Service Ready|", "RFC 5321 appendix D.1"},
        {"250-foo.com greets bar.com\r\n250-8BITMIME\r\n250 HELP\r\n",
         "250//foo.com greets bar.com\n8BITMIME\nHELP|", "several lines"},
        {"250 a\r\n354 b\r\n", "250//a|354//b|", "pipelined"},
        {"550 5.1.1 Mailbox \"nosuchuser\" does not exist\r\n",
         "550/5.1.1/5.1.1 Mailbox \"nosuchuser\" does not exist|", "RFC 2034 §4"},
        {"550-5.1.1 no\r\n550 5.1.1 such user\r\n", "550/5.1.1/5.1.1 no\n5.1.1 such user|",
         "on each line"},
        {"550 4.1.1 x\r\n", "550//4.1.1 x|", "a class that is not the code's means nothing"},
        {"550 5.1 x\r\n", "550//5.1 x|", "no enhanced code"},
        {"550 5.1.1234 x\r\n", "550//5.1.1234 x|", "detail has three digits at most"},
        {"550 5.7.1\r\n", "550/5.7.1/5.7.1|", "nothing but"},
        {"250\r\n", "250//|", "the code alone"},
        {"250\n", "250//|", "LF alone"},
        {"250-\r\n250 \r\n", "250//\n|", "empty texts"},
        {"250-a\r\n550 b\r\n", "550//a\nb|", "the last code counts"},
        {"550-why\r\nbecause\r\n550 so\r\n", "550//why\nbecause\nso|", "a line that lost its code"},
        {"250\tok\r\n", "250//ok|", "a tab"},
        {"hello\r\n", "broken|", "not SMTP"},
        {"HTTP/1.1 400 Bad Request\r\n", "broken|", "not SMTP either"},
        {"150 a\r\n", "broken|", "no such class"},
        {"2500 a\r\n", "broken|", "no code"},
        {"25 a\r\n", "broken|", "nor this"},
        {"\r\n", "broken|", "nothing at all"},
        {"250-a\r\n", "", "not finished"},
        {"250 a", "", "nor this"},
    };
    struct buf out = buf_make(1000);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        for (size_t piece = 1; piece <= strlen(rows[i].in); piece++) {
            struct replies r = replies_make();
            struct str in = str_from_c(rows[i].in);

            while (in.n && read_all(&r, str_upto(in, piece), &out))
                in = str_from(in, piece);
            if (!str_same(buf_str(&out), str_from_c(rows[i].out)))
                fail_msg("row %zu, pieces of %zu: %s: got %.*s", i, piece, rows[i].why,
                         STR_ARG(buf_str(&out)));
            buf_clear(&out);
            replies_free(&r);
        }
    buf_free(&out);
}

static void test_limits(void **state)
{
    struct replies r = replies_make();
    struct buf text = buf_make(BUF_UNLIMITED);
    struct reply reply;
    struct str in;

    (void)state;
    for (int i = 0; i < REPLY_LINES_MAX - 1; i++)
        buf_printf(&text, "250-%060d\r\n", i);
    buf_add(&text, S("250 end\r\n"));
    in = buf_str(&text);
    assert_int_equal(take_reply(&r, &in, &reply), REPLY_TAKEN);
    assert_int_equal(reply.text.n, REPLY_TEXT_MAX); /* the rest of the text is left out */
    assert_false(replies_are_waiting(&r));
    buf_clear(&text);
    for (int i = 0; i < REPLY_LINES_MAX; i++)
        buf_add(&text, S("250-x\r\n"));
    in = buf_str(&text);
    assert_int_equal(take_reply(&r, &in, &reply), REPLY_NONE);
    assert_true(replies_are_waiting(&r));
    in = S("250-one too many\r\n");
    assert_int_equal(take_reply(&r, &in, &reply), REPLY_BROKEN);
    buf_free(&text);
    replies_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replies),
        cmocka_unit_test(test_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
