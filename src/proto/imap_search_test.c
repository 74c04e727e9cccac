/* SEARCH, SORT, THREAD, ESEARCH, NOTIFY. */
#include "proto/imap_rows.h"

static void test_keys(void **state)
{
    static const struct row rows[] = {
        ROW("SEARCH", " FLAGGED SINCE 1-Feb-1994 NOT FROM \"Smith\"",
            " FLAGGED SINCE 1-Feb-1994 NOT HEADER \"FROM\" \"Smith\"", "RFC 9051 §6.4.4.4"),
        ROW("SEARCH", " CHARSET UTF-8 TEXT {12}\r\n\xd0\xb1\xd0\xb1\xd0\xb1\xd0\xb1\xd0\xb1\xd0\xb1",
            " CHARSET \"UTF-8\" TEXT \"\xd0\xb1\xd0\xb1\xd0\xb1\xd0\xb1\xd0\xb1\xd0\xb1\"", "likewise"),
        ROW("SEARCH",
            " all answered bcc x before 1-Jan-2020 body x cc x deleted flagged from x keyword x",
            " ALL ANSWERED HEADER \"BCC\" \"x\" BEFORE 1-Jan-2020 BODY \"x\" HEADER \"CC\" \"x\" "
            "DELETED FLAGGED "
            "HEADER \"FROM\" \"x\" KEYWORD x",
            "in either case"),
        ROW("SEARCH",
            " ON 1-Jan-2020 SEEN SUBJECT x TO x DRAFT HEADER X-Y \"\" LARGER 9223372036854775807 "
            "SMALLER 0",
            " ON 1-Jan-2020 SEEN HEADER \"SUBJECT\" \"x\" HEADER \"TO\" \"x\" DRAFT HEADER \"X-Y\" "
            "\"\" "
            "LARGER 9223372036854775807 SMALLER 0",
            NULL),
        ROW("SEARCH", " UNANSWERED UNDELETED UNFLAGGED UNKEYWORD x UNSEEN UNDRAFT",
            " NOT ANSWERED NOT DELETED NOT FLAGGED NOT KEYWORD x NOT SEEN NOT DRAFT", NULL),
        ROW("SEARCH", " NEW OLD RECENT", " (RECENT NOT SEEN) NOT RECENT RECENT", "RFC 3501 §6.4.4"),
        ROW("SEARCH", " SENTBEFORE 1-Jan-2020 SENTON \"1-Jan-2020\" SENTSINCE 1-Jan-2020",
            " SENTBEFORE 1-Jan-2020 SENTON 1-Jan-2020 SENTSINCE 1-Jan-2020", NULL),
        ROW("SEARCH", " 1:3,5 UID 7:* $ UID $", NULL, "sets"),
        ROW("SEARCH", " *", NULL, NULL),
        ROW("SEARCH", " OR NOT MODSEQ 720162338 LARGER 50000", NULL, "RFC 7162 §3.1.5"),
        ROW("SEARCH", " MODSEQ \"/flags/\\\\draft\" all 620162338", " MODSEQ 620162338",
            "RFC 7162 §3.1.5"),
        ROW("SEARCH", " CHARSET KOI8-R (OR $ 1,3000:3021) TEXT {4}\r\n\xf0\xc5\xd4\xd1",
            " CHARSET \"KOI8-R\" OR $ 1,3000:3021 TEXT {4}\r\n\xf0\xc5\xd4\xd1", "RFC 5182 §2.4"),
        ROW("SEARCH", " UNSEEN YOUNGER 259200", " NOT SEEN YOUNGER 259200", "RFC 5032 §4"),
        ROW("SEARCH",
            " OLDER 1 SAVEDBEFORE 1-Jan-2020 SAVEDON 1-Jan-2020 SAVEDSINCE 1-Jan-2020 "
            "SAVEDATESUPPORTED",
            NULL, "RFC 8514 §4.3"),
        ROW("SEARCH", " EMAILID M6d99ac3275bb4e THREADID T64b478a75b7ea9", NULL, "RFC 8474 §4.3"),
        ROW("SEARCH", " FILTER on-the-road", NULL, "RFC 5466 §3.1"),
        ROW("SEARCH", " FUZZY (SUBJECT \"IMAP break\")", " FUZZY HEADER \"SUBJECT\" \"IMAP break\"",
            "RFC 6203 §3"),
        ROW("SEARCH", " FUZZY SUBJECT work FROM user@example.com",
            " FUZZY HEADER \"SUBJECT\" \"work\" HEADER \"FROM\" \"user@example.com\"", "RFC 6203 §3"),
        ROW("SEARCH", " FUZZY (NOT (BODY a TEXT b) FUZZY SEEN)",
            " FUZZY (NOT (BODY \"a\" TEXT \"b\") SEEN)", NULL),
        ROW("SEARCH", " ((ALL) (SEEN (DRAFT)))", " (ALL (SEEN DRAFT))", "brackets"),
        ROW("SEARCH", " NOT (SEEN DRAFT)", NULL, NULL),
        ROW("SEARCH", " ALL  ", " ALL", "spaces at the end"),
        ROW("SEARCH", "", "BAD", NULL),
        ROW("SEARCH", " ", "BAD", NULL),
        ROW("SEARCH", " ALL  SEEN", "BAD", NULL),
        ROW("SEARCH", " (ALL", "BAD", NULL),
        ROW("SEARCH", " ()", "BAD", NULL),
        ROW("SEARCH", " (ALL )", "BAD", NULL),
        ROW("SEARCH", " ALL)", "BAD", NULL),
        ROW("SEARCH", " NOT", "BAD", NULL),
        ROW("SEARCH", " OR SEEN", "BAD", NULL),
        ROW("SEARCH", " SEENX", "BAD", NULL),
        ROW("SEARCH", " SINCE 31-Feb-2020", "BAD", NULL),
        ROW("SEARCH", " OLDER 0", "BAD", NULL),
        ROW("SEARCH", " KEYWORD \\Seen", "BAD", NULL),
        ROW("SEARCH", " FILTER a/b", "BAD", NULL),
        ROW("SEARCH", " EMAILID a.b", "BAD", NULL),
        ROW("SEARCH", " MODSEQ \"/comment\" all 1", "BAD", NULL),
        ROW("SEARCH", " MODSEQ \"/flags/x\" any 1", "BAD", NULL),
        ROW("SEARCH", " SUBJECT", "BAD", NULL),
        ROW("SEARCH", " SUBJECT (a)", "BAD", NULL),
        ROW("SEARCH", " CHARSET UTF-8", "BAD", NULL),
        ROW("SEARCH", " 0", "BAD", NULL),
    };

    (void)state;
    CHECK(rows);
}

static void test_returns(void **state)
{
    static const struct row rows[] = {
        ROW("SEARCH", " RETURN (MIN COUNT) FLAGGED", NULL, "RFC 4731 §3.1"),
        ROW("SEARCH", " RETURN () FLAGGED", " RETURN (ALL) FLAGGED", "RFC 4731 §3.1"),
        ROW("SEARCH", " RETURN (SAVE) SINCE 28-Oct-2006", NULL, "RFC 5182"),
        ROW("SEARCH", " RETURN (CONTEXT COUNT) UNDELETED", " RETURN (COUNT CONTEXT) NOT DELETED",
            "RFC 5267 §4.2"),
        ROW("UID SEARCH", " RETURN (PARTIAL -1:-100) UNDELETED",
            " RETURN (PARTIAL -1:-100) NOT DELETED", "RFC 9394 §3.1"),
        ROW("UID SEARCH", " RETURN (PARTIAL 500:1) ALL", " RETURN (PARTIAL 1:500) ALL", NULL),
        ROW("SEARCH", " RETURN (COUNT UPDATE (UID BODY[HEADER.FIELDS (TO FROM SUBJECT)])) KEYWORD Junk",
            NULL, "RFC 5465 §5.7"),
        ROW("SEARCH", " RETURN (UPDATE(UID)) ALL", " RETURN (UPDATE (UID)) ALL", "RFC 5465 §8"),
        ROW("SEARCH", " RETURN (UPDATE) ALL", NULL, "RFC 5267"),
        ROW("SEARCH", " RETURN (RELEVANCY ALL) FUZZY TEXT \"Helo\"",
            " RETURN (ALL RELEVANCY) FUZZY TEXT \"Helo\"", "RFC 6203 §4"),
        ROW("SEARCH", " RETURN (ALL PARTIAL 1:2) ALL", "BAD", "RFC 9394 §3.1"),
        ROW("SEARCH", " RETURN (PARTIAL 1:2 PARTIAL 3:4) ALL", "BAD", NULL),
        ROW("SEARCH", " RETURN (PARTIAL) ALL", "BAD", NULL),
        ROW("SEARCH", " RETURN (X) ALL", "BAD", NULL),
        ROW("SEARCH", " RETURN (MIN", "BAD", NULL),
        ROW("SEARCH", " RETURN (MIN)", "BAD", NULL),
        ROW("SEARCH", " RETURN MIN ALL", "BAD", NULL),
        ROW("SEARCH", " RETURN (UPDATE (X)) ALL", "BAD", NULL),
    };

    (void)state;
    CHECK(rows);
}

static void test_sort_and_thread(void **state)
{
    static const struct row rows[] = {
        ROW("SORT", " (SUBJECT) UTF-8 SINCE 1-Feb-1994", " (SUBJECT) \"UTF-8\" SINCE 1-Feb-1994",
            "RFC 5256 §3"),
        ROW("SORT", " (SUBJECT REVERSE DATE) UTF-8 ALL", " (SUBJECT REVERSE DATE) \"UTF-8\" ALL",
            "RFC 5256 §3"),
        ROW("SORT", " (arrival cc from size to reverse displayfrom displayto) \"US-ASCII\" ALL",
            " (ARRIVAL CC FROM SIZE TO REVERSE DISPLAYFROM DISPLAYTO) \"US-ASCII\" ALL", "RFC 5957"),
        ROW("SORT", " RETURN (PARTIAL 1:10) (RELEVANCY) UTF-8 FUZZY TEXT \"Helo\"",
            " RETURN (PARTIAL 1:10) (RELEVANCY) \"UTF-8\" FUZZY TEXT \"Helo\"", "RFC 6203 §5"),
        ROW("SORT", " RETURN () (REVERSE DATE) UTF-8 UNDELETED UNKEYWORD $Junk",
            " RETURN (ALL) (REVERSE DATE) \"UTF-8\" NOT DELETED NOT KEYWORD $Junk", "RFC 5267 §3.1"),
        ROW("SORT", " () UTF-8 ALL", "BAD", NULL),
        ROW("SORT", " (REVERSE) UTF-8 ALL", "BAD", NULL),
        ROW("SORT", " (REVERSE REVERSE DATE) UTF-8 ALL", "BAD", NULL),
        ROW("SORT", " (BCC) UTF-8 ALL", "BAD", NULL),
        ROW("SORT", " (DATE) UTF-8", "BAD", NULL),
        ROW("SORT", " (DATE) ALL", "BAD", "no character set"),
        ROW("SORT", " DATE UTF-8 ALL", "BAD", NULL),
        ROW("SORT", " (TO TO TO TO TO TO TO TO TO TO TO TO TO TO TO TO TO TO TO TO TO) UTF-8 ALL",
            "NO [LIMIT]", NULL),
        ROW("THREAD", " ORDEREDSUBJECT UTF-8 SINCE 5-MAR-2000",
            " ORDEREDSUBJECT \"UTF-8\" SINCE 5-Mar-2000", "RFC 5256 §4"),
        ROW("THREAD", " references US-ASCII TEXT \"gewp\"", " REFERENCES \"US-ASCII\" TEXT \"gewp\"",
            NULL),
        ROW("THREAD", " REFS UTF-8 ALL", "BAD", NULL),
        ROW("THREAD", " REFERENCES UTF-8", "BAD", NULL),
    };

    (void)state;
    CHECK(rows);
}

static void test_esearch(void **state)
{
    static const struct row rows[] = {
        ROW("ESEARCH", " IN (mailboxes \"folder1\" subtree \"folder2\") unseen",
            " IN (mailboxes (folder1) subtree (folder2)) NOT SEEN", "RFC 7377 §2.1"),
        ROW("ESEARCH", " IN (mailboxes \"folder1\" subtree-one \"folder2\") subject \"chad\"",
            " IN (mailboxes (folder1) subtree-one (folder2)) HEADER \"SUBJECT\" \"chad\"", NULL),
        ROW("ESEARCH",
            " IN (selected inboxes personal subscribed mailboxes (a inbox)) RETURN (COUNT) ALL",
            " IN (selected inboxes personal subscribed mailboxes (a INBOX)) RETURN (COUNT) ALL", NULL),
        ROW("ESEARCH", " RETURN (COUNT) CHARSET UTF-8 ALL", " RETURN (COUNT) CHARSET \"UTF-8\" ALL",
            "no IN"),
        ROW("ESEARCH", " IN (selected-delayed) ALL", "BAD", "RFC 7377 §4"),
        ROW("ESEARCH", " IN () ALL", "BAD", NULL),
        ROW("ESEARCH", " IN (personal", "BAD", NULL),
        ROW("ESEARCH", " IN (personal (SCOPE)) ALL", "BAD", "no scope option is known"),
        ROW("ESEARCH", " IN (mailboxes) ALL", "BAD", NULL),
        ROW("ESEARCH", " IN (personal)", "BAD", NULL),
    };

    (void)state;
    CHECK(rows);
}

static void test_notify(void **state)
{
    static const struct row rows[] = {
        ROW("NOTIFY", " NONE", NULL, NULL),
        ROW("NOTIFY",
            " set status (selected MessageNew (uid body.peek[header.fields (from to subject)]) "
            "MessageExpunge)"
            " (subtree Lists (MessageNew MessageExpunge))",
            " SET STATUS (selected (MessageNew (UID BODY.PEEK[HEADER.FIELDS (from to subject)]) "
            "MessageExpunge))"
            " (subtree (Lists) (MessageNew MessageExpunge))",
            "RFC 5465 §3.1: brackets are missing"),
        ROW("NOTIFY",
            " SET (selected-delayed (MessageNew MessageExpunge FlagChange))"
            " (mailboxes (INBOX \"a b\") (FlagChange MessageNew MessageExpunge)) (personal NONE) "
            "(inboxes (MailboxName))",
            " SET (selected-delayed (MessageNew MessageExpunge FlagChange))"
            " (mailboxes (INBOX \"a b\") (MessageNew MessageExpunge FlagChange)) (personal NONE) "
            "(inboxes (MailboxName))",
            NULL),
        ROW("NOTIFY",
            " SET (subscribed (SubscriptionChange MailboxMetadataChange ServerMetadataChange))", NULL,
            NULL),
        ROW("NOTIFY", " SET (personal (MessageRead))", " SET (personal (Unknown))",
            "§5: NO, and not BAD"),
        ROW("NOTIFY", " SET (personal (MessageNew))", "BAD", "§5"),
        ROW("NOTIFY", " SET (personal (FlagChange))", "BAD", "§5"),
        ROW("NOTIFY", " SET (selected (MailboxName))", "BAD", "§8"),
        ROW("NOTIFY", " SET (selected NONE) (selected-delayed NONE)", "BAD", "§8"),
        ROW("NOTIFY", " SET (personal (MessageNew (UID) MessageExpunge))", "BAD", "§8"),
        ROW("NOTIFY", " SET (subtree-one a (MessageNew MessageExpunge))", "BAD", "RFC 7377's"),
        ROW("NOTIFY", " SET (mailboxes (MessageNew MessageExpunge))", "BAD", NULL),
        ROW("NOTIFY", " SET (personal ())", "BAD", NULL),
        ROW("NOTIFY", " SET (personal NONE", "BAD", NULL),
        ROW("NOTIFY", " SET", "BAD", NULL),
        ROW("NOTIFY", " SET STATUS", "BAD", NULL),
        ROW("NOTIFY", " NONE x", "BAD", NULL),
        ROW("NOTIFY", "", "BAD", NULL),
    };

    (void)state;
    CHECK(rows);
}

static void add_times(struct buf *b, struct str s, size_t n)
{
    while (n--)
        buf_add(b, s);
}

static bool parses(struct buf *b, struct imap_search *out)
{
    struct imap_parse p = imap_parse_make(rows_arena, false);
    bool ok = parse_imap_search(&p, buf_str(b), out);

    if (!ok)
        assert_string_equal(p.code, "LIMIT");
    buf_clear(b);
    return ok;
}

static void test_limits(void **state)
{
    struct buf b = buf_make(BUF_UNLIMITED);
    struct imap_search s;

    (void)state;
    add_times(&b, S(" NOT"), IMAP_SEARCH_DEPTH_MAX);
    buf_add(&b, S(" SEEN"));
    assert_true(parses(&b, &s));
    add_times(&b, S(" NOT"), IMAP_SEARCH_DEPTH_MAX + 1);
    buf_add(&b, S(" SEEN"));
    assert_false(parses(&b, &s));
    buf_add(&b, S(" "));
    add_times(&b, S("("), 60000);
    assert_false(parses(&b, &s));
    add_times(&b, S(" SEEN"), IMAP_SEARCH_KEYS_MAX);
    assert_true(parses(&b, &s));
    assert_int_equal(s.program.key_count, IMAP_SEARCH_KEYS_MAX);
    add_times(&b, S(" SEEN"), IMAP_SEARCH_KEYS_MAX + 1);
    assert_false(parses(&b, &s));
    buf_free(&b);
}

static void test_needs(void **state)
{
    static const struct {
        const char *args;
        uint32_t needs;
    } rows[] = {
        {" ALL SEEN UID 1 LARGER 5 KEYWORD x", 0},
        {" SUBJECT x", IMAP_NEEDS_HEADER},
        {" NOT (OR BODY x SENTON 1-Jan-2020)", IMAP_NEEDS_BODY | IMAP_NEEDS_HEADER},
        {" MODSEQ 5", IMAP_NEEDS_MODSEQ},
        {" FUZZY 1 FILTER x", IMAP_NEEDS_FUZZY | IMAP_NEEDS_SEQUENCE | IMAP_NEEDS_FILTER},
        {" $", IMAP_NEEDS_SAVED},
        {" UID $ THREADID x", IMAP_NEEDS_SAVED | IMAP_NEEDS_THREAD},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct imap_parse p = imap_parse_make(rows_arena, false);
        struct imap_search s;

        if (!parse_imap_search(&p, str_from_c(rows[i].args), &s) || s.needs != rows[i].needs)
            fail_msg("%s: %u", rows[i].args, s.needs);
    }
}

static void test_filter(void **state)
{
    struct imap_parse p = imap_parse_make(rows_arena, false);
    struct imap_search s;

    (void)state;
    assert_true(parse_imap_filter(&p, S("OR SUBJECT a FROM b"), &s));
    assert_int_equal(s.program.keys[0].kind, IMAP_KEY_OR);
    assert_false(parse_imap_filter(&p, S("CHARSET UTF-8 SEEN"), &s));
    assert_false(parse_imap_filter(&p, S("RETURN () SEEN"), &s));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_returns),
        cmocka_unit_test(test_sort_and_thread),
        cmocka_unit_test(test_esearch),
        cmocka_unit_test(test_notify),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_needs),
        cmocka_unit_test(test_filter),
    };

    return cmocka_run_group_tests(tests, rows_begin, rows_end);
}
