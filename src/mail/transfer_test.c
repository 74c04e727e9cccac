/* Each encoding, whole and cut at every byte. */
#include "mail/transfer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define Q TRANSFER_QUOTED_PRINTABLE
#define B TRANSFER_BASE64

static void decode(struct buf *out, enum transfer_encoding encoding, struct str in, size_t step)
{
    struct transfer t = transfer_begin(encoding);
    struct buf room = buf_make(10000);

    for (; in.n; in = str_from(in, step))
        buf_add(out, transfer_decode(&t, str_upto(in, step), &room));
    buf_add(out, transfer_end(&t, &room));
    buf_free(&room);
}

static void test_decoding(void **state)
{
    static const struct {
        enum transfer_encoding encoding;
        const char *in, *out, *why;
    } rows[] = {
        {TRANSFER_IDENTITY, "a=20b \r\n", "a=20b \r\n", "as it is"},
        {TRANSFER_UNKNOWN, "a=20b \r\n", "a=20b \r\n", "as it is"},
        {B, "YWJj", "abc", "three"},
        {B, "YWI=", "ab", "padding"},
        {B, "YQ==", "a", "padding"},
        {B, "YQ", "a", "none"},
        {B, "Y", "", "too little"},
        {B, "YW\r\nJj ZGV-mZw==\r\n", "abcdefg", "lines and strange characters"},
        {B, "YQ==YmM=ZGVm", "abcdef", "joined"},
        {B, "\xff\xfbYWJj", "abc", "beyond ASCII"},
        {Q, "Now's the time =\r\nfor all folk to come=\r\n to the aid of their country.",
         "Now's the time for all folk to come to the aid of their country.", "RFC 2045 §6.7"},
        {Q, "a=3Db=e9=\n c", "a=b\xe9 c", "lower case, and LF"},
        {Q, "a  \t\r\nb \n \r\n", "a\r\nb\n\r\n", "white space at ends of lines"},
        {Q, "a=  \r\nb=\t\nc= ", "abc", "and behind a soft one"},
        {Q, "a =\r\n b", "a  b", "which keeps what is before it"},
        {Q, "a=ZZ=4=\r\nb=", "a=ZZ=4b", "what is no escape"},
        {Q, "=41==42=\rx", "A=B=\rx", "what is no escape"},
        {Q, "a \rb\r\n", "a \rb\r\n", "a bare CR"},
        {Q, "a=20\r\n", "a \r\n", "white space that is meant"},
        {Q, "a\r", "a\r", "an open end"},
    };
    struct buf out = buf_make(1000);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct str in = str_from_c(rows[i].in);

        for (size_t step = 1; step <= in.n; step++) {
            decode(&out, rows[i].encoding, in, step);
            if (!str_same(buf_str(&out), str_from_c(rows[i].out)))
                fail_msg("row %zu, %s, by %zu: got \"%.*s\"", i, rows[i].why, step,
                         STR_ARG(buf_str(&out)));
            buf_clear(&out);
        }
    }
    buf_free(&out);
}

/* Somebody's endless white space is not kept in memory. */
static void test_long_white_space(void **state)
{
    struct transfer t = transfer_begin(Q);
    struct buf room = buf_make(1000 + TRANSFER_HELD);
    char blanks[500];
    size_t n = 0;

    (void)state;
    memset(blanks, ' ', sizeof(blanks));
    for (int i = 0; i < 100; i++) {
        n += transfer_decode(&t, (struct str){blanks, sizeof(blanks)}, &room).n;
        assert_true(t.held.n <= TRANSFER_HELD);
    }
    assert_true(n >= 100 * sizeof(blanks) - TRANSFER_HELD);
    transfer_end(&t, &room);
    buf_free(&room);
}

static void test_names(void **state)
{
    static const struct {
        const char *header;
        enum transfer_encoding encoding;
    } rows[] = {
        {"Subject: x\r\n\r\n", TRANSFER_IDENTITY},
        {"Content-Transfer-Encoding: Base64\r\n\r\n", B},
        {"content-transfer-encoding: (x)\r\n quoted-PRINTABLE ; x\r\n\r\n", Q},
        {"Content-Transfer-Encoding: BINARY\r\n", TRANSFER_IDENTITY},
        {"Content-Transfer-Encoding: x-uuencode\r\n\r\n", TRANSFER_UNKNOWN},
        {"Content-Transfer-Encoding: \r\n\r\n", TRANSFER_IDENTITY},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        assert_int_equal(transfer_encoding_of(str_from_c(rows[i].header)), rows[i].encoding);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decoding),
        cmocka_unit_test(test_long_white_space),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
