/* RFC 2231's examples, and what is left of broken ones. */
#include "mail/params.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void test_params(void **state)
{
    static const struct {
        const char *in, *out; /* name=value, "*" behind a name that is extended */
    } rows[] = {
        {"", ""},
        {"; a=b; c=\"d;e\"", "a=b|c=d;e|"},
        {"; URL*0=\"ftp://\";\r\n URL*1=\"cs.utk.edu/pub/moore/bulk-mailer/bulk-mailer.tar\"",
         "URL=ftp://cs.utk.edu/pub/moore/bulk-mailer/bulk-mailer.tar|"}, /* §3 */
        {"; title*=us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A",
         "title*=This is ***fun***|"}, /* §4 */
        {"; title*0*=us-ascii'en'This%20is%20even%20more%20;\r\n title*1*=%2A%2A%2Afun%2A%2A%2A%20;\r\n"
         " title*2=\"isn't it!\"",
         "title*=This is even more ***fun*** isn't it!|"}, /* §4.1 */
        {"; f*1=b; x=y; F*0=a", "x=y|F=ab|"},
        {"; filename*=iso-8859-1''%E4%80.txt; filename=\"a.txt\"", "filename*=ä€.txt|filename=a.txt|"},
        {"; f*=utf-8''%e2%82%ac%zz%4", "f*=€%zz%4|"},
        {"; f*=klingon''%e2%82%ac", "f*=€|"},
        {"; f*=nothing", "f*=nothing|"},
        {"; f*1=a; f*2=b", "f*1=a|f*2=b|"},
        {"; f*0=a; f*2=b", "f=a|f*2=b|"},
        {"; f*0=a; f*0=b; f*1=c", "f=ac|f=b|"},
        {"; f*x=a; *=b; f**=c; f*01=d; f*0**=e", "f*x=a|*=b|f**=c|f*01=d|f*0**=e|"},
        {"; f*0*=iso-2022-jp''%1B$B$; f*1*=3%1B(B", "f*=こ|"},
    };
    struct buf out = buf_make(1000);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct params p = params_read(str_from_c(rows[i].in));

        for (size_t n = 0; n < p.count; n++)
            buf_printf(&out, "%.*s%s=%.*s|", STR_ARG(p.items[n].name), p.items[n].extended ? "*" : "",
                       STR_ARG(p.items[n].value));
        if (!str_same(buf_str(&out), str_from_c(rows[i].out)))
            fail_msg("%s: %.*s", rows[i].in, STR_ARG(buf_str(&out)));
        buf_clear(&out);
        params_free(&p);
    }
    buf_free(&out);
}

static void test_many(void **state)
{
    struct buf in = buf_make(1000000);
    struct params p;

    (void)state;
    for (int i = 0; i < 10000; i++)
        buf_printf(&in, "; f*%d=%d", i, i % 10);
    p = params_read(buf_str(&in));
    assert_int_equal(p.count, 1);
    assert_int_equal(p.items[0].value.n, PARAM_PIECES_MAX);
    params_free(&p);
    buf_free(&in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_params), cmocka_unit_test(test_many)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
