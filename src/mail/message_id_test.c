/* RFC 5322 §3.6.4, and what stands there instead. */
#include "mail/message_id.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void test_take(void **state)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        {" <1234@local.machine.example>", "<1234@local.machine.example>,"},
        {"<1234@local.machine.example> <3456@example.net>",
         "<1234@local.machine.example>,<3456@example.net>,"},
        {"<a@b>\r\n <c@d><e@f>", "<a@b>,<c@d>,<e@f>,"},
        {"Your message of today <a@b>", "<a@b>,"},
        {"<no at sign> <x>", "<x>,"},
        {"<a <b@c>", "<b@c>,"},
        {"<> <a\r\n b@c> <open", ""},
        {"", ""},
    };
    struct buf out = buf_make(1000);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct str in = str_from_c(rows[i].in), id;

        while (take_message_id(&in, &id))
            buf_printf(&out, "%.*s,", STR_ARG(id));
        if (!str_same(buf_str(&out), str_from_c(rows[i].out)))
            fail_msg("row %zu: got %.*s", i, STR_ARG(buf_str(&out)));
        buf_clear(&out);
    }
    buf_free(&out);
}

static void test_write(void **state)
{
    struct buf out = buf_make(100);

    (void)state;
    message_id_write(&out, S("0cj2"), S("mail.acompany.test"));
    assert_true(str_same(buf_str(&out), S("<0cj2@mail.acompany.test>")));
    buf_free(&out);
}

static void test_numbers(void **state)
{
    (void)state;
    /* RFC 5256 §3 */
    assert_true(message_id_number(S("<\"01KF8JCEOCBS0045PS\"@xxx.yyy.com>")) ==
                message_id_number(S("<01KF8JCEOCBS0045PS@xxx.yyy.com>")));
    assert_true(message_id_number(S("<\"a\\b\"@x>")) == message_id_number(S("<ab@x>")));
    assert_true(message_id_number(S("<A@x>")) != message_id_number(S("<a@x>")));
    assert_true(message_id_number(S("<a@x>")) ==
                UINT64_C(0xd68b728445ae25f5)); /* what is kept must not change */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_take),
        cmocka_unit_test(test_write),
        cmocka_unit_test(test_numbers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
