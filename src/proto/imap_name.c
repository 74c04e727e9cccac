/* The inner form of a name, what makes one good, and LIST's wildcards. */
#include "proto/imap_name.h"

#include "base/utf8.h"

#include <stdlib.h>
#include <unictype.h>
#include <uninorm.h>

#define INBOX S("INBOX")

/* ---- levels ---- */

bool imap_name_is_inbox(struct str name)
{
    return str_same_nocase(name, INBOX);
}

struct str imap_name_parent(struct str name)
{
    size_t at;

    return str_rfind_char(name, IMAP_DELIMITER, &at) ? str_upto(name, at) : STR_NONE;
}

struct str imap_name_leaf(struct str name)
{
    size_t at;

    return str_rfind_char(name, IMAP_DELIMITER, &at) ? str_from(name, at + 1) : name;
}

bool imap_name_is_below(struct str name, struct str parent)
{
    if (parent.n == 0)
        return name.n > 0;
    return name.n > parent.n + 1 && name.p[parent.n] == IMAP_DELIMITER && str_starts(name, parent);
}

bool take_imap_name_level(struct str *name, struct str *level)
{
    if (name->n == 0)
        return false;
    if (!take_until(name, IMAP_DELIMITER, level)) {
        *level = *name;
        *name = str_from(*name, name->n);
    }
    return true;
}

size_t imap_name_levels(struct str name)
{
    struct str level;
    size_t n = 0;

    while (take_imap_name_level(&name, &level))
        n++;
    return n;
}

/* ---- from the wire ---- */

/* INBOX in capitals, alone or above others. */
static struct str with_inbox(struct arena *a, struct str name)
{
    struct str rest = name, first, copy;

    if (!take_imap_name_level(&rest, &first) || !imap_name_is_inbox(first) || str_same(first, INBOX))
        return name;
    copy = str_copy(a, name);
    memcpy((char *)(uintptr_t)copy.p, INBOX.p, INBOX.n);
    return copy;
}

const char *imap_name_decode(struct arena *a, struct str wire, bool utf8_names, struct str *name)
{
    struct buf b;
    size_t at;
    bool ok;

    if (str_find_char(wire, '\0', &at))
        return "a mailbox name holds no NUL";
    if (utf8_names || !is_ascii(wire)) {
        if (!is_utf8(wire))
            return "the mailbox name is not valid UTF-8";
        *name = wire;
        return NULL;
    }
    if (!str_find_char(wire, '&', &at)) {
        *name = wire;
        return NULL;
    }
    b = buf_make(3 * wire.n);
    ok = imap_utf7_decode(&b, wire);
    if (ok)
        *name = str_copy(a, buf_str(&b));
    buf_free(&b);
    return ok ? NULL : "the mailbox name is not valid modified UTF-7";
}

struct str imap_name_normal(struct arena *a, struct str name)
{
    struct str out = name;
    uint8_t *p;
    size_t n;

    if (!is_ascii(name) && (p = u8_normalize(UNINORM_NFC, (const uint8_t *)name.p, name.n, NULL, &n))) {
        out = str_copy(a, (struct str){(const char *)p, n});
        free(p);
    }
    return with_inbox(a, out);
}

const char *imap_name_read(struct arena *a, struct str wire, bool utf8_names, struct str *name)
{
    const char *why = imap_name_decode(a, wire, utf8_names, name);

    if (!why)
        *name = imap_name_normal(a, *name);
    return why;
}

/* ---- may it be made? ---- */

/* What is not assigned yet has no composed form that is known to stay (RFC 5198 §2). */
static const char *check_characters(struct str name)
{
    while (name.n) {
        size_t n = utf8_character_length(name);
        uint32_t c = n ? utf8_code_point(str_upto(name, n)) : 0;

        if (n == 0)
            return "the mailbox name is not valid UTF-8";
        if (c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0x2028 || c == 0x2029)
            return "a mailbox name holds no control characters";
        if ((c & 0xfffe) == 0xfffe || (c >= 0xfdd0 && c <= 0xfdef))
            return "a mailbox name holds only characters";
        if (uc_is_general_category(c, UC_UNASSIGNED))
            return "a mailbox name holds only characters that the Unicode of this system knows";
        if (c == '*' || c == '%')
            return "a mailbox name holds no \"*\" and no \"%\"";
        name = str_from(name, n);
    }
    return NULL;
}

static const char *check_level(struct str level)
{
    if (level.n == 0)
        return "a level of a mailbox name is empty";
    if (level.n > IMAP_NAME_LEVEL_MAX)
        return "a level of the mailbox name is too long";
    if (str_same(level, S(".")) || str_same(level, S("..")))
        return "no level of a mailbox name is \".\" or \"..\"";
    return NULL;
}

const char *imap_name_check(struct str name)
{
    const char *why = check_characters(name);
    struct str rest = name, level;
    size_t levels = 0;

    if (why)
        return why;
    if (str_starts(name, S("\xef\xbb\xbf")))
        return "a mailbox name begins with no byte order mark";
    if (name.n == 0)
        return "a mailbox name is not empty";
    if (name.n > IMAP_NAME_MAX)
        return "the mailbox name is too long";
    if (name.p[name.n - 1] == IMAP_DELIMITER)
        return check_level(STR_NONE);
    for (; !why && take_imap_name_level(&rest, &level); levels++)
        why = check_level(level);
    if (!why && levels > IMAP_NAME_LEVELS_MAX)
        why = "the mailbox name has too many levels";
    return why;
}

/* ---- wildcards ---- */

struct str imap_pattern_join(struct arena *a, struct str reference, struct str pattern)
{
    char *p;

    if (reference.n == 0 || (pattern.n && pattern.p[0] == IMAP_DELIMITER))
        return pattern;
    p = arena_alloc(a, reference.n + pattern.n);
    memcpy(p, reference.p, reference.n);
    if (pattern.n)
        memcpy(p + reference.n, pattern.p, pattern.n);
    return with_inbox(a, (struct str){p, reference.n + pattern.n});
}

/* A name is at most IMAP_NAME_MAX long, so a pattern with more between its wildcards matches none. */
#define PATTERN_MAX (2 * IMAP_NAME_MAX + 1)

/* The pattern as a machine: which of its places could be reached by the characters so far. */
struct matcher {
    size_t n;
    char pattern[PATTERN_MAX]; /* runs of wildcards joined to one */
    bool at[PATTERN_MAX + 1];
};

static bool is_wildcard(char c)
{
    return c == '*' || c == '%';
}

/* What follows a wildcard can be reached without a character. */
static void reach_on(struct matcher *m)
{
    for (size_t i = 0; i < m->n; i++)
        if (m->at[i] && is_wildcard(m->pattern[i]))
            m->at[i + 1] = true;
}

static bool matcher_begin(struct matcher *m, struct str pattern)
{
    m->n = 0;
    for (size_t i = 0; i < pattern.n; i++) {
        char c = pattern.p[i];

        if (m->n && is_wildcard(c) && is_wildcard(m->pattern[m->n - 1])) {
            if (c == '*')
                m->pattern[m->n - 1] = '*';
            continue;
        }
        if (m->n == PATTERN_MAX)
            return false;
        m->pattern[m->n++] = c;
    }
    memset(m->at, 0, m->n + 1);
    m->at[0] = true;
    reach_on(m);
    return true;
}

/* From the back, so that each place is left before it is entered. */
static void matcher_step(struct matcher *m, char c, bool nocase)
{
    m->at[m->n] = false;
    for (size_t i = m->n; i-- > 0;) {
        char want = m->pattern[i];

        if (!m->at[i])
            continue;
        if (is_wildcard(want)) {
            m->at[i] = want == '*' || c != IMAP_DELIMITER;
        } else {
            m->at[i] = false;
            m->at[i + 1] |= nocase ? to_lower(want) == to_lower(c) : want == c;
        }
    }
    reach_on(m);
}

static bool matcher_run(struct matcher *m, struct str pattern, struct str name)
{
    struct str rest = name, first;
    bool inbox = take_imap_name_level(&rest, &first) && imap_name_is_inbox(first);

    if (!matcher_begin(m, pattern))
        return false;
    for (size_t i = 0; i < name.n; i++)
        matcher_step(m, name.p[i], inbox && i < INBOX.n);
    return true;
}

bool imap_pattern_matches(struct str pattern, struct str name)
{
    struct matcher m;

    return matcher_run(&m, pattern, name) && m.at[m.n];
}

bool imap_pattern_may_match_below(struct str pattern, struct str name)
{
    struct matcher m;

    if (!matcher_run(&m, pattern, name))
        return false;
    if (name.n)
        matcher_step(&m, IMAP_DELIMITER, false);
    for (size_t i = 0; i < m.n; i++)
        if (m.at[i])
            return true;
    return false;
}
