#include "vault/signon/weak.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct {
    const char *password;
    bool weak;
    const char *why;
} rows[] = {
    {"correct horse", false, "two words"},
    {"another one", false, "two words"},
    {"pw for p", false, "eight characters, and no word"},
    {"a1b29f0c", false, "hexadecimal digits"},
    {"314159265358979", false, "a long number"},
    {"gr\xc3\xbcne Wiese", false, "letters beyond ASCII"},
    {"\xd0\xbf\xd0\xb0\xd1\x80\xd0\xbe\xd0\xbb\xd1\x8c 9", false, "eight characters of Cyrillic"},
    {"my summer of 77", false, "a word of the table within a sentence"},
    {"secret", true, "too short"},
    {"\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xa4", true, "four characters of two octets"},
    {"password", true, "the word itself"},
    {"Password1!", true, "a capital, a digit, a sign"},
    {"P@ssw0rd", true, "masked"},
    {"p455w0rd2024", true, "masked, with a year"},
    {"$ecret123", true, "masked at the beginning"},
    {"Summer2024!", true, "a season and a year"},
    {"123password", true, "behind a number"},
    {"passwordpassword", true, "twice"},
    {"1q2w3e4r", true, "keys"},
    {"1qaz2wsx", true, "keys"},
    {"qwertyuiop", true, "a row of keys"},
    {"Qwerty123", true, "a row of keys, and a number"},
    {"12345678", true, "a row"},
    {"1234567890", true, "a row"},
    {"987654321", true, "a row backwards"},
    {"abcdefgh", true, "a row of letters"},
    {"11111111", true, "one digit"},
    {"aaaaaaaaaaaaaaaaaaaaaaaa", true, "one letter, however often"},
    {"12341234", true, "four digits twice"},
    {"19870612", true, "a date"},
    {"trustno1", true, "in every list"},
    {"fred1234", true, "the account's name"},
    {"Fr3d!2024", true, "the account's name, masked"},
    {"fred@acompany.test", true, "the account's address"},
    {"frederick the 2nd", false, "more than the name"},
};

static void test_weakness(void **state)
{
    bool as_expected = true;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        const char *why = password_weakness(str_from_c(rows[i].password), S("fred@acompany.test"));

        if (rows[i].weak != (why != NULL)) {
            printf("row %zu, %s: %s\n", i, rows[i].why, why ? why : "nothing");
            as_expected = false;
        }
    }
    assert_true(as_expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_weakness),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
