/* LIST, LSUB, STATUS; ACL, QUOTA, METADATA. */
#include "proto/imap_rows.h"

static void test_list(void **state)
{
    static const struct row rows[] = {
        ROW("LIST", " \"\" \"*\"", " \"\" \"*\"", "RFC 9051 §6.3.9.7"),
        ROW("LIST", " \"\" \"\"", NULL, "what is the delimiter?"),
        ROW("LIST", " #news.comp.mail.misc \"\"", NULL, "RFC 9051 §6.3.9"),
        ROW("LIST", " \"\" %/Entw&APw-rfe*", " \"\" \"%/Entw\xc3\xbcrfe*\"",
            "a pattern in modified UTF-7"),
        ROW("LIST", " inbox/ %", " INBOX/ \"%\"", NULL),
        ROW("LIST", " (SUBSCRIBED) \"\" \"*\"", " (SUBSCRIBED) \"\" \"*\" RETURN (SUBSCRIBED)",
            "RFC 9051 §6.3.9.7"),
        ROW("LIST", " () \"\" \"%\" RETURN (CHILDREN)", " \"\" \"%\" RETURN (CHILDREN)", "likewise"),
        ROW("LIST", " (REMOTE SUBSCRIBED) \"\" \"*\"",
            " (SUBSCRIBED REMOTE) \"\" \"*\" RETURN (SUBSCRIBED)", "likewise"),
        ROW("LIST", " \"\" (\"INBOX\" \"Drafts\" \"Sent/%\")",
            " \"\" (\"INBOX\" \"Drafts\" \"Sent/%\") RETURN ()", "likewise"),
        ROW("LIST", " \"\" (INBOX)", " \"\" \"INBOX\" RETURN ()", NULL),
        ROW("LIST", " (SUBSCRIBED RECURSIVEMATCH) \"\" % RETURN (STATUS (MESSAGES UNSEEN))",
            " (SUBSCRIBED RECURSIVEMATCH) \"\" \"%\" RETURN (SUBSCRIBED STATUS (MESSAGES UNSEEN))",
            "RFC 5819 §3"),
        ROW("LIST", " (SPECIAL-USE) \"\" *", " (SPECIAL-USE) \"\" \"*\" RETURN (SPECIAL-USE)",
            "RFC 6154 §5.2"),
        ROW("LIST", " \"\" % RETURN (MYRIGHTS)", " \"\" \"%\" RETURN (MYRIGHTS)", "RFC 8440 §4"),
        ROW("LIST", " \"\" % RETURN (METADATA (\"/shared/vendor/cmu/cyrus-imapd/color\"))",
            " \"\" \"%\" RETURN (METADATA (\"/shared/vendor/cmu/cyrus-imapd/color\"))", "RFC 9590 §4"),
        ROW("LIST", " \"\" % RETURN ()", " \"\" \"%\" RETURN ()", NULL),
        ROW("LIST", " (RECURSIVEMATCH) \"\" *", "BAD", "RFC 9051 §6.3.9.1"),
        ROW("LIST", " (REMOTE RECURSIVEMATCH) \"\" *", "BAD", NULL),
        ROW("LIST", " (X) \"\" *", "BAD", "RFC 5258 §3"),
        ROW("LIST", " \"\" * RETURN (X)", "BAD", NULL),
        ROW("LIST", " \"\" * RETURN", "BAD", NULL),
        ROW("LIST", " \"\" * RETURN (STATUS)", "BAD", NULL),
        ROW("LIST", " \"\" * RETURN (STATUS ())", "BAD", NULL),
        ROW("LIST", " \"\" * RETURN (METADATA)", "BAD", NULL),
        ROW("LIST", " \"\" ()", "BAD", "RFC 5258 §6"),
        ROW("LIST", " \"\" (a", "BAD", NULL),
        ROW("LIST", " \"\"", "BAD", NULL),
        ROW("LIST", " *", "BAD", NULL),
        ROW("LIST", " \"\" R&D", " \"\" \"//\"", "RFC 9051 §6.3.9: it fits no name"),
        ROW("LIST", " \"\" a b", "BAD", NULL),
        ROW("LSUB", " \"#news.\" \"comp.mail.*\"", " #news. \"comp.mail.*\"", "RFC 3501 §6.3.9"),
        ROW("LSUB", " \"\" (a b)", "BAD", NULL),
        ROW("STATUS", " blurdybloop (UIDNEXT MESSAGES)", " blurdybloop (MESSAGES UIDNEXT)",
            "RFC 9051 §6.3.11"),
        ROW("STATUS",
            " INBOX (MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN DELETED SIZE HIGHESTMODSEQ APPENDLIMIT "
            "MAILBOXID "
            "DELETED-STORAGE)",
            NULL, "all of them"),
        ROW("STATUS", " INBOX ()", "BAD", NULL),
        ROW("STATUS", " INBOX MESSAGES", "BAD", NULL),
        ROW("STATUS", " INBOX (X)", "BAD", NULL),
        ROW("STATUS", " INBOX", "BAD", NULL),
    };

    (void)state;
    CHECK(rows);
}

static void test_access(void **state)
{
    static const struct row rows[] = {
        ROW("SETACL", " INBOX/Drafts Byron lrswikda", " INBOX/Drafts \"Byron\" lrswiktea",
            "RFC 4314 §2.1.1"),
        ROW("SETACL", " INBOX/Drafts Chris +cda", " INBOX/Drafts \"Chris\" +kxtea", "RFC 4314 §3.1"),
        ROW("SETACL", " INBOX/Drafts -fred -lrs", " INBOX/Drafts \"-fred\" -lrs", NULL),
        ROW("SETACL", " INBOX/Drafts John \"\"", " INBOX/Drafts \"John\" \"\"", NULL),
        ROW("SETACL", " INBOX/Drafts John +", " INBOX/Drafts \"John\" +", NULL),
        ROW("SETACL", " INBOX/Drafts John lrQswicda", "BAD", "RFC 4314 §3.1"),
        ROW("SETACL", " INBOX/Drafts \"\" lr", "BAD", NULL),
        ROW("SETACL", " INBOX/Drafts John", "BAD", NULL),
        ROW("DELETEACL", " INBOX smith", " INBOX \"smith\"", NULL),
        ROW("DELETEACL", " INBOX", "BAD", NULL),
        ROW("GETQUOTA", " \"#user/alice\"", " \"#user/alice\"", "RFC 9208 §4.1.1"),
        ROW("GETQUOTA", " \"\"", NULL, NULL),
        ROW("GETQUOTA", "", "BAD", NULL),
        ROW("SETQUOTA", " \"#user/alice\" (STORAGE 510)", NULL, "RFC 9208 §4.1.3"),
        ROW("SETQUOTA", " \"\" (STORAGE 510 MESSAGE 5)", NULL, NULL),
        ROW("SETQUOTA", " \"\" ()", NULL, NULL),
        ROW("SETQUOTA", " \"\" (STORAGE)", "BAD", NULL),
        ROW("SETQUOTA", " \"\"", "BAD", NULL),
        ROW("GETMETADATA", " \"\" /shared/comment", " (DEPTH 0) \"\" (/shared/comment)",
            "RFC 5464 §4.2"),
        ROW("GETMETADATA", " \"INBOX\" (/shared/comment /PRIVATE/Comment)",
            " (DEPTH 0) INBOX (/shared/comment /private/comment)", "likewise"),
        ROW("GETMETADATA", " \"INBOX\" (MAXSIZE 1024) (/shared/comment)",
            " (DEPTH 0 MAXSIZE 1024) INBOX (/shared/comment)", "RFC 5464 §4.2.1"),
        ROW("GETMETADATA", " (DEPTH 1 MAXSIZE 5) \"INBOX\" (/private/filters/values)",
            " (DEPTH 1 MAXSIZE 5) INBOX (/private/filters/values)", "RFC 5464 §5"),
        ROW("GETMETADATA", " (DEPTH infinity) a /private/b", " (DEPTH infinity) a (/private/b)", NULL),
        ROW("GETMETADATA", " \"INBOX\" /private/comment /shared/comment",
            " (DEPTH 0) INBOX (/private/comment /shared/comment)", "RFC 5464 §4.4.1"),
        ROW("GETMETADATA", " (DEPTH 2) a /private/b", "BAD", NULL),
        ROW("GETMETADATA", " (X) a /private/b", "BAD", NULL),
        ROW("GETMETADATA", " a /comment", "BAD", "RFC 5464 §3.1"),
        ROW("GETMETADATA", " a /private/", "BAD", NULL),
        ROW("GETMETADATA", " a /private//b", "BAD", NULL),
        ROW("GETMETADATA", " a \"/private/b*\"", "BAD", NULL),
        ROW("GETMETADATA", " a \"/private/\xc3\xbc\"", "BAD", NULL),
        ROW("GETMETADATA", " a ()", "BAD", NULL),
        ROW("GETMETADATA", " a", "BAD", NULL),
        ROW("SETMETADATA", " INBOX (/private/comment {5}\r\na\r\nb\t)",
            " INBOX (/private/comment {5}\r\na\r\nb\t)", "RFC 5464 §4.3"),
        ROW("SETMETADATA", " INBOX (/private/comment NIL /shared/x \"y\")", NULL, "likewise"),
        ROW("SETMETADATA", " \"\" (/private/x ~{3}\r\na\0b)", NULL, "a literal8"),
        ROW("SETMETADATA", " INBOX (/private/comment y)", "BAD", "a string"),
        ROW("SETMETADATA", " INBOX ()", "BAD", NULL),
        ROW("SETMETADATA", " INBOX (/private/comment NIL", "BAD", NULL),
    };

    (void)state;
    CHECK(rows);
}

static void test_rights(void **state)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"lrswipkxtea", "lrswipkxteacd"}, {"lr", "lr"}, {"", "\"\""}, {"k", "kc"},
        {"lrswida", "lrswitead"},         {"c", "kxc"},
    };
    struct buf b = buf_make(100);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        uint32_t rights;

        assert_true(parse_imap_rights(str_from_c(rows[i].in), &rights));
        imap_rights_write(&b, rights);
        if (!str_same(buf_str(&b), str_from_c(rows[i].out)))
            fail_msg("%s: %.*s", rows[i].in, STR_ARG(buf_str(&b)));
        buf_clear(&b);
    }
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_list), cmocka_unit_test(test_access),
                                       cmocka_unit_test(test_rights)};

    return cmocka_run_group_tests(tests, rows_begin, rows_end);
}
