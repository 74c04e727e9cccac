/* RFC 5322 appendix A's addresses, and what real fields hold instead. */
#include "mail/address_list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* name<route:local@domain> for a mailbox, name: and ; for a group; "-" stands for none. */
static void draw(const struct address_item *i, struct buf *out)
{
    struct str none = S("-");

    if (i->kind == ADDRESS_GROUP_END) {
        buf_add(out, S("; "));
        return;
    }
    buf_add(out, i->name.p ? i->name : none);
    if (i->kind == ADDRESS_GROUP) {
        buf_add(out, S(": "));
        return;
    }
    buf_printf(out, "<%.*s%s%.*s@%.*s> ", STR_ARG(i->route), i->route.p ? ":" : "",
               STR_ARG(i->local_part), STR_ARG(i->domain));
}

static void test_lists(void **state)
{
    static const struct {
        const char *in, *out, *why;
    } rows[] = {
        {"John Doe <jdoe@machine.example>", "John Doe<jdoe@machine.example> ", "appendix A.1.1"},
        {"\"Joe Q. Public\" <john.q.public@example.com>", "Joe Q. Public<john.q.public@example.com> ",
         "A.1.2"},
        {"Mary Smith <mary@x.test>, jdoe@example.org, Who? <one@y.test>",
         "Mary Smith<mary@x.test> -<jdoe@example.org> Who?<one@y.test> ", "A.1.2"},
        {"<boss@nil.test>, \"Giant; \\\"Big\\\" Box\" <sysservices@example.net>",
         "-<boss@nil.test> Giant; \"Big\" Box<sysservices@example.net> ", "A.1.2"},
        {"A Group:Ed Jones <c@a.test>,joe@where.test,John <jdoe@one.test>;",
         "A Group: Ed Jones<c@a.test> -<joe@where.test> John<jdoe@one.test> ; ", "A.1.3"},
        {"Undisclosed recipients:;", "Undisclosed recipients: ; ", "A.1.3"},
        {"Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>", "Pete<pete@silly.test> ",
         "A.5"},
        {"A Group(Some people)\r\n     :Chris Jones <c@(Chris's host.)public.example>,\r\n "
         "joe@example.org,\r\n"
         "  John <jdoe@one.test> (my dear friend); (the end of the group)",
         "A Group: Chris Jones<c@public.example> -<joe@example.org> John<jdoe@one.test> ; ", "A.5"},
        {"Joe Q. Public <john.q.public@example.com>", "Joe Q. Public<john.q.public@example.com> ",
         "A.6.1"},
        {"Mary Smith <@node.test:mary@example.net>, , jdoe@test   . example",
         "Mary Smith<@node.test:mary@example.net> -<jdoe@test.example> ",
         "A.6.1: a route, a gap, spaces around dots"},
        {"fred@a.test (Fred Foobar)", "Fred Foobar<fred@a.test> ", "RFC 822's way to write a name"},
        {"\"a b\"@c.test", "-<a b@c.test> ", "quoted local part"},
        {"a@[192.0.2.1], b <c@[IPv6:::1]>", "-<a@[192.0.2.1]> b<c@[IPv6:::1]> ", "literals"},
        {"=?utf-8?Q?Fr=C3=BC?= <a@b.test>", "=?utf-8?Q?Fr=C3=BC?=<a@b.test> ",
         "encoded words are kept"},
        {"tom", "-<tom@> ", "no domain"},
        {"no address here, a@b.test", "-<no address here@> -<a@b.test> ", "no address at all"},
        {"a@b.test c@d.test", "-<a@b.test> ", "a comma is missing"},
        {"A <a@b.test", "A<a@b.test> ", "a bracket is missing"},
        {"A <>", "A<@> ", "nothing in brackets"},
        {"a@b.test; c@d.test", "-<a@b.test> -<c@d.test> ", "Outlook's separator"},
        {"g: a@b.test", "g: -<a@b.test> ; ", "a group left open"},
        {"g: h: a@b.test; c@d.test", "g: -<h:a@b.test> ; -<c@d.test> ", "a group inside a group"},
        {"@a.test", "-<@a.test@> ", "no local part"},
        {",,;;", "", "only separators"},
        {"Ann  Archer <a@b.test>,\r\n Bob B. Baker <c.d@e.test>, f@g.test",
         "Ann Archer<a@b.test> Bob B. Baker<c.d@e.test> -<f@g.test> ", "the usual forms, and a gap"},
        {"\"Archer, Ann\" <a@b.test>, \"Bob \\\"B\\\"\" <c@d.test>, \"\" <e@f.test>, \"g\"<h@i.test>",
         "Archer, Ann<a@b.test> Bob \"B\"<c@d.test> -<e@f.test> g<h@i.test> ", "quoted names"},
        {"Ann <a@b.test> (x), Bob <c@d.test>e, f@g.test h, i@j.test;",
         "Ann<a@b.test> Bob<c@d.test> -<f@g.test> -<i@j.test> ", "something behind the address"},
        {"Ann <a @b.test>, Bob <c@d .test>, e@f[g, h\\i <j@k.test>",
         "Ann<a@b.test> Bob<c@d.test> -<e@f[g> h\\i<j@k.test> ", "almost the usual forms"},
        {"a: b@c.test, D <e@f.test>, g@h.test; i@j.test",
         "a: -<b@c.test> D<e@f.test> -<g@h.test> ; -<i@j.test> ", "the usual forms in a group"},
        {"", "", "nothing"},
        {"\"open", "-<open@> ", "a quote left open"},
        {"(open", "", "a comment left open"},
        {"a@", "-<a@> ", "nothing behind @"},
        {"<", "-<@> ", "a bracket alone"},
    };
    struct buf out = buf_make(1000);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct address_list l = address_list_make(str_from_c(rows[i].in));
        struct address_item item;

        while (take_address_item(&l, &item))
            draw(&item, &out);
        if (!str_same(buf_str(&out), str_from_c(rows[i].out)))
            fail_msg("row %zu: %s: got %.*s", i, rows[i].why, STR_ARG(buf_str(&out)));
        buf_clear(&out);
        address_list_free(&l);
    }
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_lists)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
