/* APPEND and REPLACE, whole and while their literals come, and the URLs of CATENATE. Marks are written here as "<0>":
 * the bulk literal of that index. */
#include "proto/imap_rows.h"

/* "<n>" and "<~n>" become marks; size is index + 1. */
static struct str with_marks(const char *text, struct buf *out)
{
    struct str s = str_from_c(text);

    buf_clear(out);
    while (s.n) {
        struct str rest = s;
        uint64_t n;
        bool is_mark = take_char(&rest, '<'), eight = take_char(&rest, '~');

        if (is_mark && take_u64(&rest, &n) && take_char(&rest, '>')) {
            imap_bulk_write(out, &(struct imap_bulk){(uint32_t)n, n + 1, eight});
            s = rest;
        } else {
            buf_add_char(out, s.p[0]);
            s = str_from(s, 1);
        }
    }
    return buf_str(out);
}

static void test_commands(void **state)
{
    static const struct {
        const char *name, *args, *out; /* out NULL: the same */
    } rows[] = {
        {"APPEND", " saved-messages (\\Seen) <0>", NULL}, /* RFC 9051 §6.3.12 */
        {"APPEND", " inbox <0>", " INBOX <0>"},
        {"APPEND", " a \"17-Jul-1996 02:44:25 -0700\" <~0>", NULL},
        {"APPEND", " a ($Junk) \" 7-Feb-1994 22:43:04 -0800\" <0> <1> (\\Seen) <2>",
         NULL}, /* RFC 3502 */
        {"APPEND", " a () <0>", " a <0>"},
        {"APPEND", " a UTF8 (<~0>)", NULL}, /* RFC 6855 §4 */
        {"APPEND", " a (\\Seen) utf8 (<~0>) <1>", " a (\\Seen) UTF8 (<~0>) <1>"},
        {"APPEND", " a catenate (utf8 (<~0>) text <1>)", " a CATENATE (UTF8 (<~0>) TEXT <1>)"},
        {"APPEND", " a CATENATE (UTF8 (<0>))", "BAD"},
        {"APPEND", " a CATENATE (UTF8 (<~0>)", "BAD"},
        {"APPEND",
         " Drafts (\\Seen \\Draft $MDNSent) CATENATE (URL "
         "\"/Drafts;UIDVALIDITY=385759045/;UID=20/;section=HEADER\" "
         "TEXT <0> URL \"/Drafts;UIDVALIDITY=385759045/;UID=20/;section=1.MIME\" text <1>)",
         " Drafts (\\Seen \\Draft $MDNSent) CATENATE (URL "
         "\"/Drafts;UIDVALIDITY=385759045/;UID=20/;section=HEADER\" "
         "TEXT <0> URL \"/Drafts;UIDVALIDITY=385759045/;UID=20/;section=1.MIME\" TEXT <1>)"}, /* RFC 4469 */
        {"APPEND", " a CATENATE (TEXT <0>) CATENATE (URL x) <1>",
         " a CATENATE (TEXT <0>) CATENATE (URL \"x\") <1>"},
        {"APPEND", " a <0>  ", " a <0>"},
        {"APPEND", " a", "BAD"},
        {"APPEND", " a ", "BAD"},
        {"APPEND", " a (\\Seen)", "BAD"},
        {"APPEND", " a {1}\r\nx", "BAD"},
        {"APPEND", " a \"x\" <0>", "BAD"},
        {"APPEND", " a <0><1>", "BAD"},
        {"APPEND", " a <0> x", "BAD"},
        {"APPEND", " a UTF8 (<0>)", "BAD"},
        {"APPEND", " a UTF8 (<~0>", "BAD"},
        {"APPEND", " a CATENATE ()", "BAD"},
        {"APPEND", " a CATENATE (TEXT x)", "BAD"},
        {"APPEND", " a CATENATE (TEXT <0>", "BAD"},
        {"APPEND", " a CATENATE (TEXT <0>  URL x)", "BAD"},
        {"APPEND", " R&D <0>", "NO [CANNOT]"},
        {"REPLACE", " 4 Drafts (\\Seen \\Draft) <0>", NULL}, /* RFC 8508 §3.2 */
        {"UID REPLACE", " 3002 Drafts CATENATE (TEXT <0>)", NULL},
        {"REPLACE", " * Drafts <0>", NULL},
        {"REPLACE", " 1:2 Drafts <0>", "BAD"},
        {"REPLACE", " 0 Drafts <0>", "BAD"},
        {"REPLACE", " 4 Drafts <0> <1>", "BAD"},
        {"REPLACE", " 4 <0>", "BAD"},
    };
    struct buf in = buf_make(BUF_UNLIMITED), out = buf_make(BUF_UNLIMITED);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct str args = with_marks(rows[i].args, &in);

        rows_check(rows[i].name, args, with_marks(rows[i].out ? rows[i].out : rows[i].args, &out),
                   rows[i].args);
    }
    buf_free(&in);
    buf_free(&out);
}

static void test_while_literals_come(void **state)
{
    /* The texts at which one command announces its literals, one after another. */
    static const struct {
        const char *text;
        bool message; /* … of a message */
        uint32_t number;
        bool catenate, utf8, replace, again; /* again: of the same command as the row before */
        const char *mailbox;
    } rows[] = {
        {"A1 APPEND ", false, 0, false, false, false, false, NULL},
        {"A1 APPEND {5}\r\nhello ", true, 0, false, false, false, true, "hello"},
        {"A1 append inbox ", true, 0, false, false, false, false, "INBOX"},
        {"A1 append inbox <0> ", true, 1, false, false, false, true, "INBOX"},
        {"A1 append inbox <0> <1> (\\Seen) \" 7-Feb-1994 22:43:04 -0800\" ", true, 2, false, false,
         false, true, "INBOX"},
        {"A1 append inbox <0> <1> (\\Seen) \" 7-Feb-1994 22:43:04 -0800\" <2> UTF8 (", true, 3, false,
         true, false, true, "INBOX"},
        {"A1 append inbox <0> <1> (\\Seen) \" 7-Feb-1994 22:43:04 -0800\" <2> UTF8 (<~3>) ", true, 4,
         false, false, false, true, "INBOX"},
        {"A1 APPEND a CATENATE (TEXT ", true, 0, true, false, false, false, "a"},
        {"A1 APPEND a CATENATE (TEXT <0> URL ", false, 0, true, false, false, true, "a"},
        {"A1 APPEND a CATENATE (TEXT <0> URL {1}\r\nx TEXT ", true, 0, true, false, false, true, "a"},
        {"A1 APPEND a CATENATE (TEXT <0> URL {1}\r\nx TEXT <1>) ", true, 1, false, false, false, true,
         "a"},
        {"A1 APPEND a CATENATE (TEXT <0> URL {1}\r\nx TEXT <1>) <2> CATENATE (URL x TEXT ", true, 2,
         true, false, false, true, "a"},
        {"A1 APPEND a CATENATE (TEXT <0> UTF8 (", true, 0, true, true, false, false, "a"},
        {"A1 APPEND a CATENATE (TEXT <0> UTF8 (<~1>) TEXT ", true, 0, true, false, false, true, "a"},
        {"A1 REPLACE 4 Drafts (\\Seen \\Draft) ", true, 0, false, false, true, false, "Drafts"},
        {"A1 UID REPLACE 4 Drafts CATENATE (TEXT ", true, 0, true, false, true, false, "Drafts"},
        {"A1 UID REPLACE 4 ", false, 0, false, false, true, false, NULL},
        {"A1 UID APPEND x ", false, 0, false, false, false, false, NULL},
        {"A1 SEARCH TEXT ", false, 0, false, false, false, false, NULL},
        {"A1 APPEND R&D ", false, 0, false, false, false, false, NULL},
        {"A1 APPEND a x ", false, 0, false, false, false, false, NULL},
        {"A1 APPEND a", false, 0, false, false, false, false, NULL},
        {"A1 ", false, 0, false, false, false, false, NULL},
        {"", false, 0, false, false, false, false, NULL},
    };
    struct imap_append_seen seen = {.at = 0};
    struct buf text = buf_make(BUF_UNLIMITED);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct imap_parse p = imap_parse_make(rows_arena, false);
        bool message;

        if (!rows[i].again)
            seen = (struct imap_append_seen){.at = 0};
        message = imap_literal_is_message(&p, with_marks(rows[i].text, &text), &seen);
        if (message != rows[i].message ||
            (message && (seen.message != rows[i].number || seen.catenate != rows[i].catenate ||
                         seen.utf8 != rows[i].utf8 || seen.replace != rows[i].replace ||
                         !str_same(seen.mailbox, str_from_c(rows[i].mailbox)))))
            fail_msg("row %zu: %s", i, rows[i].text);
        assert_null(p.why);
    }
    buf_free(&text);
}

static void test_urls(void **state)
{
    static const struct {
        const char *url;
        const char *mailbox, *section; /* mailbox NULL: refused */
        uint32_t validity, uid;
        uint64_t first, count;
        const char *host, *user;
    } rows[] = {
        {"/Drafts;UIDVALIDITY=385759045/;UID=20/;section=HEADER", "Drafts", "HEADER", 385759045, 20, 0,
         0, NULL, NULL},
        {"/Drafts/;uid=20", "Drafts", NULL, 0, 20, 0, 0, NULL, NULL},
        {"/a%20b/%C3%BC/;UID=1/;SECTION=1.2/;PARTIAL=5.10", "a b/\xc3\xbc", "1.2", 0, 1, 5, 10, NULL,
         NULL},
        {"/inbox/;UID=1/;PARTIAL=7", "INBOX", NULL, 0, 1, 7, 0, NULL, NULL},
        {"/a/;UID=1/;SECTION=HEADER.FIELDS%20(To)", "a", "HEADER.FIELDS (To)", 0, 1, 0, 0, NULL, NULL},
        {"imap://joe;AUTH=*@example.com/INBOX/;uid=20", "INBOX", NULL, 0, 20, 0, 0, "example.com",
         "joe"},
        {"IMAP://example.com:143/INBOX;UIDVALIDITY=5/;uid=20", "INBOX", NULL, 5, 20, 0, 0,
         "example.com:143", NULL},
        {"/R&D/;UID=1", "R&D", NULL, 0, 1, 0, 0, NULL, NULL},
        {";uid=20/;SECTION=1.2/;PARTIAL=3.4", "", "1.2", 0, 20, 3, 4, NULL, NULL},
        {";UID=0", NULL, NULL, 0, 0, 0, 0, NULL, NULL},
        {";UID=20x", NULL, NULL, 0, 0, 0, 0, NULL, NULL},
        {"Drafts/;UID=20", "a/b/Drafts", NULL, 0, 20, 0, 0, NULL, NULL},
        {"./d/e;UIDVALIDITY=7/;UID=20/;SECTION=1", "a/b/d/e", "1", 7, 20, 0, 0, NULL, NULL},
        {"../%C3%BC/;UID=20", "a/\xc3\xbc", NULL, 0, 20, 0, 0, NULL, NULL},
        {".././../../inbox/;UID=20", "INBOX", NULL, 0, 20, 0, 0, NULL, NULL},
        {"../;UID=20", NULL, NULL, 0, 0, 0, 0, NULL, NULL},
        {"..", NULL, NULL, 0, 0, 0, 0, NULL, NULL},
        {"/;UID=20", NULL, NULL, 0, 0, 0, 0, NULL, NULL},
        {"/Drafts", NULL, NULL, 0, 0, 0, 0, NULL, NULL},
        {"/Drafts/;UID=0", NULL, NULL, 0, 0, 0, 0, NULL, NULL},
        {"/Drafts/;UID=1x", NULL, NULL, 0, 0, 0, 0, NULL, NULL},
        {"/Drafts;UIDVALIDITY=0/;UID=1", NULL, NULL, 0, 0, 0, 0, NULL, NULL},
        {"/Drafts;X=1/;UID=1", NULL, NULL, 0, 0, 0, 0, NULL, NULL},
        {"/a%2/;UID=1", NULL, NULL, 0, 0, 0, 0, NULL, NULL},
        {"/a%00/;UID=1", NULL, NULL, 0, 0, 0, 0, NULL, NULL},
        {"/a%FF/;UID=1", NULL, NULL, 0, 0, 0, 0, NULL, NULL},
        {"/a b/;UID=1", NULL, NULL, 0, 0, 0, 0, NULL, NULL},
        {"/a/;UID=1/;SECTION=", NULL, NULL, 0, 0, 0, 0, NULL, NULL},
        {"/a/;UID=1/;PARTIAL=1.0", NULL, NULL, 0, 0, 0, 0, NULL, NULL},
        {"/a/;UID=1;URLAUTH=anonymous", NULL, NULL, 0, 0, 0, 0, NULL, NULL},
        {"imap:///a/;UID=1", NULL, NULL, 0, 0, 0, 0, NULL, NULL},
        {"http://example.com/a/;UID=1", NULL, NULL, 0, 0, 0, 0, NULL, NULL},
        {"", NULL, NULL, 0, 0, 0, 0, NULL, NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct imap_url u;
        bool ok = parse_imap_url(rows_arena, str_from_c(rows[i].url), S("a/b/c"), &u);

        if (ok != (rows[i].mailbox != NULL) ||
            (ok &&
             (!str_same(u.mailbox, str_from_c(rows[i].mailbox)) ||
              !str_same(u.section, str_from_c(rows[i].section)) || u.uid_validity != rows[i].validity ||
              u.uid != rows[i].uid || u.partial_first != rows[i].first ||
              u.partial_count != rows[i].count || !str_same(u.host, str_from_c(rows[i].host)) ||
              !str_same(u.user, str_from_c(rows[i].user)))))
            fail_msg("%s", rows[i].url);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commands),
        cmocka_unit_test(test_while_literals_come),
        cmocka_unit_test(test_urls),
    };

    return cmocka_run_group_tests(tests, rows_begin, rows_end);
}
