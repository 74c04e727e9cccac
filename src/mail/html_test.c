/* Whole, and cut at every byte. */
#include "mail/html.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void test_stripping(void **state)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"plain", "plain"},
        {"<p>a<br>b<b>c</b></p>", " a bc "},
        {"a<br/>b", "a b"},
        {"a < b <= c > d", "a < b <= c > d"},
        {"1<2", "1<2"},
        {"a<", "a<"},
        {"a<b", "a"},
        {"<a href=\"x>y\" title='<'>z</a>", "z"},
        {"<a href=x\"y>z", "z"},
        {"x<!-- <p>no--no -> --->y", "xy"},
        {"x<!--", "x"},
        {"<!DOCTYPE html><?xml?>x", "  x"},
        {"<html><HEAD><title>no</title><style>p{a<b}</style></HEAD>x", "  x"},
        {"a<script>if (a < b) { '</s' + \"</scriptx>\" }</script >c", "a c"},
        {"<style/>a", " a"},
        {"<styles>a", " a"},
        {"<abcdefghijklmnopqrstuvwxyz x>a", " a"},
        {"&amp;amp; &lt;&gt;&quot;&apos;", "&amp; <>\"'"},
        {"&#8364;&#x20aC;&euro;&Auml;&yuml;&nbsp;&thorn;", "€€€Äÿ\xc2\xa0þ"},
        {"&nope; &; &# &#x; &a b &amp &am", "&nope; &; &# &#x; &a b &amp &am"},
        {"&#0;&#1114112;&#55296;&#99999999999999999999;", "���&#99999999999999999999;"},
        {"&abcdefghijklmnopqrstuvwxyz;&&amp;", "&abcdefghijklmnopqrstuvwxyz;&&"},
        {"gr&uuml;ß", "grüß"},
    };
    struct buf out = buf_make(1000);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct str in = str_from_c(rows[i].in);

        for (size_t step = 1; step <= in.n; step++) {
            struct html h = html_begin();

            for (size_t n = 0; n < in.n; n += step)
                html_strip(&h, str_upto(str_from(in, n), step), &out);
            html_end(&h, &out);
            if (!str_same(buf_str(&out), str_from_c(rows[i].out)))
                fail_msg("%s, by %zu: \"%.*s\"", rows[i].in, step, STR_ARG(buf_str(&out)));
            buf_clear(&out);
        }
    }
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_stripping)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
