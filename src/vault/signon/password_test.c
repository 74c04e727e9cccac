#include "vault/signon/password.h"

#include "base/arena.h"
#include "base/codec.h"
#include "vault/signon/cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

static struct cx cx;
static const char zeros[2000];

static const struct {
    const char *typed;
    bool right;
    const char *why;
} tries[] = {
    {"I\xc2\xadX", true, "as RFC 4013 §3 has it: the soft hyphen is mapped to nothing"},
    {"IX", true, "what it comes to"},
    {"\xe2\x85\xa8", true, "ROMAN NUMERAL NINE is IX in form KC"},
    {"ix", false, "case counts"},
    {"IX ", false, "a blank too"},
    {"", false, "empty"},
    {"\xff", false, "no UTF-8"},
    {"I\x07X", false, "a control character"},
};

static void test_right_and_wrong(void **state)
{
    struct credential_row row;

    (void)state;
    assert_int_equal(password_make(&cx, S("I\xc2\xadX"), true, &row), OK);
    assert_true(str_starts(row.argon2, S("$argon2id$v=19$m=19456,t=2,p=1$")));
    assert_int_equal(row.scram_iterations, SCRAM_ITERATIONS);
    assert_int_equal(row.scram_stored_key.n, SCRAM_KEY);
    for (size_t i = 0; i < sizeof(tries) / sizeof(*tries); i++) {
        struct str prepared;
        bool right = password_prepare(&cx, str_from_c(tries[i].typed), &prepared) &&
                     password_is(row.argon2, prepared);

        if (right != tries[i].right)
            printf("row %zu: %s\n", i, tries[i].why);
        assert_int_equal(right, tries[i].right);
    }
}

static const struct {
    struct str password;
    enum err expected;
    const char *why;
} makes[] = {
    {{"secret", 6}, OK, "plain"},
    {{"gr\xc3\xbc\xc3\x9f"
      "e",
      7},
     OK,
     "UTF-8"},
    {{"", 0}, ERR_BAD_VALUE, "empty"},
    {{"\xc2\xad", 2}, ERR_BAD_VALUE, "empty after SASLprep"},
    {{"a\0b", 3}, ERR_BAD_VALUE, "NUL"},
    {{"a\nb", 3}, ERR_BAD_VALUE, "a line end"},
    {{"\xc0\xaf", 2}, ERR_BAD_VALUE, "overlong"},
    {{"\xc8\xa1", 2}, ERR_BAD_VALUE, "U+0221: unassigned in Unicode 3.2, so it may not be stored"},
};

static void test_make(void **state)
{
    struct credential_row row;

    (void)state;
    for (size_t i = 0; i < sizeof(makes) / sizeof(*makes); i++) {
        enum err e = password_make(&cx, makes[i].password, false, &row);

        if (e != makes[i].expected)
            printf("row %zu (%s): %s\n", i, makes[i].why, err_row(e)->name);
        assert_int_equal(e, makes[i].expected);
    }
    assert_int_equal(password_make(&cx, (struct str){zeros, sizeof(zeros)}, false, &row),
                     ERR_BAD_VALUE);
    assert_int_equal(password_make(&cx, S("secret"), false, &row), OK);
    assert_int_equal(row.scram_stored_key.n, 0); /* scram = false */
}

static void test_nobody(void **state)
{
    (void)state;
    assert_false(password_is(S(""), S("secret")));
    assert_false(password_is(S("$argon2id$v=19$garbage"), S("secret")));
    assert_false(password_is((struct str){zeros, sizeof(zeros)}, S("secret")));
}

static struct buf decoded(const char *base64)
{
    struct buf b = buf_make(1000);

    assert_true(base64_decode(&b, str_from_c(base64)));
    return b;
}

/* RFC 7677 §3. */
static void test_scram_vector(void **state)
{
    const struct str auth_message =
        S("n=user,r=rOprNGfwEbeRWgbNEkqO,"
          "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,"
          "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0");
    struct buf salt = decoded("W22ZaJ0SNY7soEsUEjb6gQ=="),
               proof = decoded("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="),
               signature = decoded("6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    uint8_t stored_key[SCRAM_KEY], server_key[SCRAM_KEY], out[SCRAM_KEY], digest[SCRAM_KEY];
    unsigned n = SCRAM_KEY;

    (void)state;
    scram_keys_make(S("pencil"), buf_str(&salt), 4096, stored_key, server_key);
    HMAC(EVP_sha256(), server_key, SCRAM_KEY, (const uint8_t *)auth_message.p, auth_message.n, out, &n);
    assert_memory_equal(out, signature.p, SCRAM_KEY);
    HMAC(EVP_sha256(), stored_key, SCRAM_KEY, (const uint8_t *)auth_message.p, auth_message.n, out, &n);
    for (size_t i = 0; i < SCRAM_KEY; i++)
        out[i] ^= (uint8_t)proof.p[i]; /* the client key */
    EVP_Digest(out, SCRAM_KEY, digest, &n, EVP_sha256(), NULL);
    assert_memory_equal(digest, stored_key, SCRAM_KEY);
    buf_free(&salt);
    buf_free(&proof);
    buf_free(&signature);
}

static void test_cache(void **state)
{
    struct cache *c = cache_new(8);
    struct account_id fred = {1}, tom = {2};

    (void)state;
    assert_false(cache_holds(c, fred, 1, S("secret")));
    cache_keep(c, fred, 1, S("secret"));
    assert_true(cache_holds(c, fred, 1, S("secret")));
    assert_false(cache_holds(c, fred, 1, S("Secret")));
    assert_false(cache_holds(c, tom, 1, S("secret")));
    assert_false(cache_holds(c, fred, 2, S("secret"))); /* the password was changed */
    cache_keep(c, fred, 2, S("other"));
    assert_true(cache_holds(c, fred, 2, S("other")));
    assert_false(cache_holds(c, fred, 1, S("secret")));
    for (uint64_t i = 3; i < 1000; i++) /* more than it has room for */
        cache_keep(c, (struct account_id){i}, 1, S("x"));
    assert_false(cache_holds(c, fred, 2, S("other")));
    assert_true(cache_holds(c, (struct account_id){999}, 1, S("x")));
    cache_free(c);
    cache_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_right_and_wrong), cmocka_unit_test(test_make),
        cmocka_unit_test(test_nobody),          cmocka_unit_test(test_scram_vector),
        cmocka_unit_test(test_cache),
    };

    cx.arena = arena_new(0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
