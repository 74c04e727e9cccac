/* Lists of leaked passwords are long, and what is long in them are variations of few words: "Password1!", "p@ssw0rd123",
 * "Summer2024". So a password is brought back to what it is a variation of, and that is looked up. */
#include "vault/signon/weak.h"

#define WORD_MAX 64 /* a longer one is no word of the table, however often it says it */

/* In letters, as unmask() leaves them. Shorter ones than PASSWORD_LEAST stand for what is made of them. */
static const char *const words[] = {
    "abc",       "abcd",          "abcde",     "abcdef",     "abcdefg",  "abcdefgh",  "account",
    "admin",     "administrator", "april",     "asdf",       "asdfasdf", "asdfgh",    "asdfghjk",
    "asdfghjkl", "august",        "autumn",    "baseball",   "batman",   "changeme",  "charlie",
    "company",   "computer",      "december",  "default",    "donald",   "dragon",    "fall",
    "february",  "football",      "freedom",   "friday",     "george",   "guest",     "hallo",
    "hello",     "herbst",        "hunter",    "iloveyou",   "internet", "january",   "jennifer",
    "jessica",   "jordan",        "july",      "june",       "killer",   "letmein",   "login",
    "love",      "lovely",        "mail",      "march",      "master",   "maggie",    "michael",
    "michelle",  "monday",        "monkey",    "mustang",    "nothing",  "november",  "october",
    "office",    "pass",          "passord",   "passwd",     "passwort", "password",  "pokemon",
    "princess",  "qazwsx",        "qazwsxedc", "qwer",       "qwerasdf", "qwert",     "qwerty",
    "qwertyui",  "qwertyuiop",    "qwertz",    "qwertzuiop", "root",     "secret",    "september",
    "server",    "shadow",        "sommer",    "spring",     "starwars", "summer",    "sunday",
    "sunshine",  "superman",      "support",   "system",     "temp",     "temporary", "test",
    "tester",    "testing",       "trustno",   "user",       "vacation", "webmail",   "welcome",
    "whatever",  "william",       "winter",    "zaqwsx",     "zxcvbn",   "zxcvbnm",
};

/* As people hide letters. */
static char unmasked(char c)
{
    static const char masks[] = "@a4a0o1i!i|i3e$s5s7t+t8b";

    for (size_t i = 0; masks[i]; i += 2)
        if (masks[i] == c)
            return masks[i + 1];
    return to_lower(c);
}

/* Without what stands behind the letters: years, "123", "!"; … and before them. */
static struct str without_end(struct str password)
{
    while (password.n && !is_alpha(password.p[password.n - 1]))
        password.n--;
    return password;
}

static struct str core_of(struct str password)
{
    while (password.n && !is_alpha(password.p[0]))
        password = str_from(password, 1);
    return without_end(password);
}

/* `plain`: digits between the letters are left out ("1q2w3e4r"), else they stand for letters ("p4ssw0rd"). */
static struct str unmask(struct str s, bool plain, char out[WORD_MAX])
{
    size_t n = 0;

    for (size_t i = 0; i < s.n && n < WORD_MAX; i++)
        if (!plain || is_alpha(s.p[i]))
            out[n++] = plain ? to_lower(s.p[i]) : unmasked(s.p[i]);
    return (struct str){out, n};
}

static bool is_word(struct str s)
{
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        if (str_same_nocase(s, str_from_c(words[i])))
            return true;
    return false;
}

static bool is_word_somehow(struct str s)
{
    char a[WORD_MAX], b[WORD_MAX];

    return s.n <= WORD_MAX && (is_word(unmask(s, false, a)) || is_word(unmask(s, true, b)));
}

/* "passwordpassword", "abab", "11111111" */
static struct str repeated(struct str s)
{
    for (size_t n = 1; n <= s.n / 2; n++) {
        size_t i = n;

        while (i < s.n && s.p[i] == s.p[i - n])
            i++;
        if (i == s.n)
            return str_upto(s, n);
    }
    return s;
}

/* Every character as far from the one before as the next one is: "12345678", "hgfedcba", "aaaa". */
static bool is_row(struct str s)
{
    static const struct str keys = S("01234567890qwertyuiop0asdfghjkl0zxcvbnm0qwertzuiop0yxcvbnm");
    int step = s.n > 1 ? s.p[1] - s.p[0] : 0;
    size_t i = 2, at;

    while (i < s.n && s.p[i] - s.p[i - 1] == step)
        i++;
    return (i >= s.n && step >= -1 && step <= 1) || (s.n <= 11 && str_find(keys, s, &at));
}

static bool is_name_of(struct str password, struct str address)
{
    struct str local_part = address;
    size_t at;
    char said[WORD_MAX];

    if (str_find_char(address, '@', &at))
        local_part = str_upto(address, at);
    return str_same_nocase(password, address) || str_same_nocase(core_of(password), local_part) ||
           (password.n <= WORD_MAX &&
            str_same_nocase(unmask(core_of(password), false, said), local_part));
}

/* Dates and telephone numbers. */
static bool is_number(struct str s)
{
    size_t n = 0;

    while (n < s.n && is_digit(s.p[n]))
        n++;
    return n == s.n && n < 12;
}

static bool is_tried_first(struct str password)
{
    struct str once = repeated(password);

    return once.n < 4 || is_row(once) || is_number(once) || is_word_somehow(once) ||
           is_word_somehow(without_end(once)) || is_word_somehow(repeated(core_of(once)));
}

const char *password_weakness(struct str password, struct str address)
{
    if (str_columns(password) < PASSWORD_LEAST)
        return "a password has at least 8 characters";
    if (is_name_of(password, address))
        return "the account's own name is no password";
    return is_tried_first(password) ? "this password is among the first that strangers try" : NULL;
}
