/* Commands and how they are understood: the examples of the RFCs, and what must be refused. */
#include "proto/imap_args.h"

#include "proto/imap_rows.h"

static void test_command(void **state)
{
    static const struct {
        const char *text, *tag, *name, *args; /* name NULL: refused */
        bool uid;
    } rows[] = {
        {"A1 NOOP", "A1", "NOOP", "", false},
        {"A1 select INBOX", "A1", "select", " INBOX", false},
        {"A1 uid Fetch 1 FLAGS", "A1", "Fetch", " 1 FLAGS", true},
        {"A1 UID", "A1", "UID", "", false},
        {"A1 UID ", "A1", "UID", " ", false},
        {"A1 NOOP ", "A1", "NOOP", " ", false},
        {"A1  NOOP", "A1", NULL, NULL, false},
        {"A1", "A1", NULL, NULL, false},
        {"A1 ", "A1", NULL, NULL, false},
        {" NOOP", "", NULL, NULL, false},
        {"+ NOOP", "", NULL, NULL, false},
        {"", "", NULL, NULL, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct imap_command c;
        bool ok = parse_imap_command(str_from_c(rows[i].text), &c);

        if (ok != (rows[i].name != NULL) || !str_same(c.tag, str_from_c(rows[i].tag)) ||
            (ok && (!str_same(c.name, str_from_c(rows[i].name)) ||
                    !str_same(c.args, str_from_c(rows[i].args)) || c.uid != rows[i].uid)))
            fail_msg("\"%s\"", rows[i].text);
    }
}

static void test_sign_on(void **state)
{
    static const struct row rows[] = {
        ROW("NOOP", "", NULL, NULL),
        ROW("NOOP", "  ", "", "spaces at the end"),
        ROW("NOOP", " x", "BAD", NULL),
        ROW("LOGIN", " SMITH SESAME", " \"SMITH\" \"SESAME\"", "RFC 9051 §6.2.3"),
        ROW("LOGIN", " {11}\r\nFRED FOOBAR {7}\r\nfat man", " \"FRED FOOBAR\" \"fat man\"",
            "RFC 7888 §3"),
        ROW("LOGIN", " \"a\\\\b\" \"\"", NULL, "an empty password is somebody else's to refuse"),
        ROW("LOGIN", " a", "BAD", NULL),
        ROW("LOGIN", " a b c", "BAD", NULL),
        ROW("LOGIN", " a  b", "BAD", "two spaces"),
        ROW("LOGIN", " a (b)", "BAD", NULL),
        ROW("AUTHENTICATE", " PLAIN", NULL, NULL),
        ROW("AUTHENTICATE", " PLAIN ", " PLAIN", "no initial response, but a space"),
        ROW("AUTHENTICATE", " PLAIN dGVzdAB0ZXN0AHRlc3Q=", NULL, "RFC 4959 §3"),
        ROW("AUTHENTICATE", " EXTERNAL =", NULL, "an empty one"),
        ROW("AUTHENTICATE", " PLAIN dGVzdA", "BAD", "no base 64"),
        ROW("AUTHENTICATE", " PLAIN dGVzdA== x", "BAD", NULL),
        ROW("AUTHENTICATE", "", "BAD", NULL),
        ROW("ID", " NIL", NULL, "RFC 2971 §3.1"),
        ROW("ID", " (\"name\" \"sodr\" \"version\" \"19.34\" \"vendor\" \"Pink Floyd Music Limited\")",
            NULL, "RFC 2971 §3.1"),
        ROW("ID", " (\"os\" NIL)", NULL, NULL),
        ROW("ID", " ()", " NIL", "none"),
        ROW("ID", " (name x)", "BAD", "strings"),
        ROW("ID", " (\"name\")", "BAD", NULL),
        ROW("ID", " (\"a\" \"b\"", "BAD", NULL),
        ROW("ID", " (\"a\" \"b\" )", "BAD", NULL),
        ROW("ID", " (\"a name that is longer than 30b.\" \"b\")", "BAD", "RFC 2971 §3.3"),
        ROW("ENABLE", " CONDSTORE X-GOOD-IDEA", NULL, "RFC 5161 §3.1"),
        ROW("ENABLE", "", "BAD", NULL),
    };

    (void)state;
    CHECK(rows);
}

static void test_select(void **state)
{
    static const struct row rows[] = {
        ROW("SELECT", " inbox", " INBOX", NULL),
        ROW("SELECT", " \"Entw&APw-rfe\"", " \"Entw\xc3\xbcrfe\"", "modified UTF-7"),
        ROW("SELECT", " R&D", "NO [CANNOT]", "no name, but a command"),
        ROW("SELECT", " INBOX (CONDSTORE)", NULL, "RFC 7162 §3.1.8"),
        ROW("SELECT", " INBOX (QRESYNC (67890007 20050715194045000 41,43:211,214:541))", NULL,
            "RFC 7162 §3.2.5.1"),
        ROW("SELECT", " INBOX (QRESYNC (67890007 90060115194045000 41:211,214:541))", NULL,
            "RFC 7162 §3.2.5.1"),
        ROW("SELECT", " INBOX (QRESYNC (67890007 90060115205545359 (1,5:7 6,9:11)))", NULL, NULL),
        ROW("SELECT", " INBOX (QRESYNC (67890007 90060115205545359 541,41:211 (1:3 41,42,44)))",
            " INBOX (QRESYNC (67890007 90060115205545359 41:211,541 (1:3 41,42,44)))", NULL),
        ROW("SELECT", " INBOX (qresync (1 2) condstore)", " INBOX (CONDSTORE QRESYNC (1 2))", NULL),
        ROW("SELECT", " INBOX (QRESYNC (0 2))", "BAD", NULL),
        ROW("SELECT", " INBOX (QRESYNC (1 0))", "BAD", NULL),
        ROW("SELECT", " INBOX (QRESYNC (1 2 1:*))", "BAD", "RFC 7162 §7: no \"*\""),
        ROW("SELECT", " INBOX (QRESYNC (1 2 (1 2,3)))", "BAD", "not as many"),
        ROW("SELECT", " INBOX (QRESYNC (1 2 (2,1 2,3)))", "BAD", "not ascending"),
        ROW("SELECT", " INBOX (QRESYNC (1 2) QRESYNC (1 2))", "BAD", "twice"),
        ROW("SELECT", " INBOX (QRESYNC (1 2(1 1)))", "BAD", "no space"),
        ROW("SELECT", " INBOX (QRESYNC (1 2 ))", "BAD", NULL),
        ROW("SELECT", " INBOX ()", "BAD", NULL),
        ROW("SELECT", " INBOX (CONDSTORE", "BAD", NULL),
        ROW("SELECT", " INBOX (ANNOTATE)", "BAD", "not known"),
        ROW("SELECT", "", "BAD", NULL),
    };

    (void)state;
    CHECK(rows);
}

static void test_mailboxes(void **state)
{
    static const struct row rows[] = {
        ROW("CREATE", " owatagusiam/", NULL, "RFC 9051 §6.3.4"),
        ROW("CREATE", " owatagusiam/blurdybloop", NULL, NULL),
        ROW("CREATE", " /", NULL, "no name is left to the core"),
        ROW("CREATE", " MySpecial (USE (\\Drafts \\Sent))", NULL, "RFC 6154 §5.3"),
        ROW("CREATE", " Everything (USE (\\aLL))", " Everything (USE (\\All))", NULL),
        ROW("CREATE", " x (USE ())", " x", NULL),
        ROW("CREATE", " x (USE (\\Important))", NULL, "RFC 8457"),
        ROW("CREATE", " x (USE (\\Inbox))", "NO [USEATTR]", "RFC 6154 §3"),
        ROW("CREATE", " x (USE (Sent))", "BAD", NULL),
        ROW("CREATE", " x (USE (\\Sent)", "BAD", NULL),
        ROW("CREATE", " x (PARTITION y)", "BAD", NULL),
        ROW("DELETE", " blurdybloop", NULL, NULL),
        ROW("DELETE", "", "BAD", NULL),
        ROW("RENAME", " blurdybloop sarasoop", NULL, NULL),
        ROW("RENAME", " a b/", " a b", "a delimiter at the end of a new name"),
        ROW("RENAME", " a/ b", NULL, "… but not of an old one"),
        ROW("RENAME", " a", "BAD", NULL),
    };

    (void)state;
    CHECK(rows);
}

static void test_messages(void **state)
{
    static const struct row rows[] = {
        ROW("STORE", " 2:4 +FLAGS (\\Deleted)", NULL, "RFC 9051 §6.4.6"),
        ROW("STORE", " 1 flags \\Seen \\Deleted", " 1 FLAGS (\\Seen \\Deleted)", "without brackets"),
        ROW("STORE", " $ -FLAGS.SILENT ($Junk)", NULL, "RFC 5182"),
        ROW("STORE", " 1:* FLAGS ()", NULL, NULL),
        ROW("STORE", " 7,5,9 (UNCHANGEDSINCE 320162338) +FLAGS.SILENT (\\Deleted)", NULL,
            "RFC 7162 §3.1.3"),
        ROW("STORE", " 1 (UNCHANGEDSINCE 0) +FLAGS (x)", NULL, "a mod-sequence-valzer"),
        ROW("STORE", " 1 (UNCHANGEDSINCE 1 UNCHANGEDSINCE 2) +FLAGS (x)", "BAD", "only one"),
        ROW("STORE", " 1 (UNCHANGEDSINCE) +FLAGS (x)", "BAD", NULL),
        ROW("STORE", " 1 +FLAGS", "BAD", NULL),
        ROW("STORE", " 1 +FLAGS ", "BAD", NULL),
        ROW("STORE", " 1 +FLAGS (\\Seen", "BAD", NULL),
        ROW("STORE", " 1 +FLAGS (\\Seen) x", "BAD", NULL),
        ROW("STORE", " 1 +FLAGS (\\Seeen)", "NO [CANNOT]", NULL),
        ROW("STORE", " 1 +FLAG (x)", "BAD", NULL),
        ROW("STORE", " 0 FLAGS (x)", "BAD", NULL),
        ROW("STORE", " FLAGS (x)", "BAD", NULL),
        ROW("COPY", " 2:4 MEETING", NULL, "RFC 9051 §6.4.7"),
        ROW("COPY", " $ \"Other Messages\"", NULL, "RFC 5182"),
        ROW("COPY", " 2:4", "BAD", NULL),
        ROW("EXPUNGE", "", NULL, NULL),
        ROW("EXPUNGE", " 1", "BAD", NULL),
        ROW("UID EXPUNGE", " 3000:3002", NULL, "RFC 4315 §2.1"),
        ROW("UID EXPUNGE", "", "BAD", NULL),
        ROW("COMPRESS", " deflate", " DEFLATE", "RFC 4978 §3"),
        ROW("COMPRESS", " LZW", "BAD", NULL),
        ROW("CANCELUPDATE", " \"B02\" \"B03\"", NULL, "RFC 5267 §4.3.5"),
        ROW("CANCELUPDATE", " B02", "BAD", "quoted"),
    };

    (void)state;
    CHECK(rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_command),  cmocka_unit_test(test_sign_on),
        cmocka_unit_test(test_select),   cmocka_unit_test(test_mailboxes),
        cmocka_unit_test(test_messages),
    };

    return cmocka_run_group_tests(tests, rows_begin, rows_end);
}
