/* What is announced when. The rows that are not ready yet are nobody's business here: they come and go. */
#include "proto/imap_capability.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static bool announces(const struct imap_offer *offer, const char *keyword)
{
    struct buf b = buf_make(10000);
    struct str rest, word;
    bool found = false;

    imap_capability_write(&b, offer);
    buf_add_char(&b, ' ');
    rest = buf_str(&b);
    assert_true(take_text(&rest, S("CAPABILITY ")));
    while (take_until(&rest, ' ', &word)) {
        assert_true(word.n > 0);
        found |= str_same(word, str_from_c(keyword));
    }
    buf_free(&b);
    return found;
}

static void test_offers(void **state)
{
    static const struct imap_offer plain = {.starttls = true, .scram = true};
    static const struct imap_offer tls = {.passwords = true, .scram = true, .binding = true};
    static const struct imap_offer local = {.passwords = true, .starttls = true};
    static const struct imap_offer in = {
        .signed_on = true, .starttls = true, .passwords = true, .scram = true};
    static const struct {
        const char *keyword;
        bool plain, tls, local, in;
    } rows[] = {
        {"IMAP4rev1", true, true, true, true},
        {"STARTTLS", true, false, true, false},
        {"LOGINDISABLED", true, false, false, false},
        {"AUTH=PLAIN", false, true, true, false},
        {"AUTH=SCRAM-SHA-256", false, true, false, false},
        {"AUTH=SCRAM-SHA-256-PLUS", false, true, false, false},
        {"SASL-IR", true, true, true, false},
        {"LITERAL-", true, true, true, false}, /* RFC 7888 §5: never both */
        {"LITERAL+", false, false, false, true},
        {"ID", true, true, true, true},
        {"ENABLE", true, true, true, true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (announces(&plain, rows[i].keyword) != rows[i].plain ||
            announces(&tls, rows[i].keyword) != rows[i].tls ||
            announces(&local, rows[i].keyword) != rows[i].local ||
            announces(&in, rows[i].keyword) != rows[i].in)
            fail_msg("%s", rows[i].keyword);
    assert_true(imap_is_capable(S("imap4REV1"), &in));
    assert_false(imap_is_capable(S("STARTTLS"), &in));
    assert_false(imap_is_capable(S("IMAP4"), &in));
}

/* What can be enabled is what is announced: no row is enabled before it is ready. */
static void test_enable(void **state)
{
    static const struct imap_offer in = {.signed_on = true};
    static const struct {
        const char *keyword;
        uint32_t bits;
    } rows[] = {
        {"IMAP4rev2", IMAP_ENABLE_REV2},
        {"utf8=accept", IMAP_ENABLE_UTF8},
        {"CONDSTORE", IMAP_ENABLE_CONDSTORE},
        {"QRESYNC", IMAP_ENABLE_QRESYNC | IMAP_ENABLE_CONDSTORE},
        {"UIDONLY", IMAP_ENABLE_UIDONLY},
        {"METADATA", IMAP_ENABLE_METADATA},
        {"METADATA-SERVER", IMAP_ENABLE_METADATA_SERVER},
        {"IMAP4rev1", 0},
        {"X-NEVER", 0},
    };
    struct buf b = buf_make(1000);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct str keyword = str_from_c(rows[i].keyword);
        uint32_t want = imap_is_capable(keyword, &in) ? rows[i].bits : 0;

        if (imap_enable_bits(keyword, &in) != want)
            fail_msg("%s", rows[i].keyword);
    }
    imap_enabled_write(&b, IMAP_ENABLE_CONDSTORE | IMAP_ENABLE_QRESYNC);
    assert_true(str_same(buf_str(&b), S("ENABLED CONDSTORE QRESYNC")));
    buf_clear(&b);
    imap_enabled_write(&b, 0);
    assert_true(str_same(buf_str(&b), S("ENABLED")));
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_offers), cmocka_unit_test(test_enable)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
