/* Plain loops over bytes; memchr and memcmp where the C library is faster. */
#include "base/str.h"

#include "base/arena.h"

struct str str_from_c(const char *c)
{
    return (struct str){c, c ? strlen(c) : 0};
}

bool str_same(struct str a, struct str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool str_same_nocase(struct str a, struct str b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        if (to_lower(a.p[i]) != to_lower(b.p[i]))
            return false;
    return true;
}

int str_compare(struct str a, struct str b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n ? memcmp(a.p, b.p, n) : 0;

    if (c)
        return c;
    return a.n < b.n ? -1 : a.n > b.n;
}

bool str_starts(struct str s, struct str prefix)
{
    return s.n >= prefix.n && str_same(str_upto(s, prefix.n), prefix);
}

bool str_starts_nocase(struct str s, struct str prefix)
{
    return s.n >= prefix.n && str_same_nocase(str_upto(s, prefix.n), prefix);
}

bool str_ends_nocase(struct str s, struct str suffix)
{
    return s.n >= suffix.n && str_same_nocase(str_from(s, s.n - suffix.n), suffix);
}

struct str str_trim(struct str s)
{
    while (s.n && is_wsp(s.p[0]))
        s = str_from(s, 1);
    while (s.n && is_wsp(s.p[s.n - 1]))
        s.n--;
    return s;
}

bool str_find(struct str s, struct str what, size_t *at)
{
    const char *hit;

    if (what.n == 0) {
        *at = 0;
        return true;
    }
    hit = s.n ? memmem(s.p, s.n, what.p, what.n) : NULL;
    if (!hit)
        return false;
    *at = (size_t)(hit - s.p);
    return true;
}

bool str_find_char(struct str s, char c, size_t *at)
{
    const char *hit = s.n ? memchr(s.p, c, s.n) : NULL;

    if (!hit)
        return false;
    *at = (size_t)(hit - s.p);
    return true;
}

bool str_rfind_char(struct str s, char c, size_t *at)
{
    const char *hit = s.n ? memrchr(s.p, c, s.n) : NULL;

    if (!hit)
        return false;
    *at = (size_t)(hit - s.p);
    return true;
}

struct str str_copy(struct arena *a, struct str s)
{
    char *p = arena_alloc_raw(a, s.n + 1);

    if (s.n)
        memcpy(p, s.p, s.n);
    p[s.n] = '\0';
    return (struct str){p, s.n};
}

struct str str_join(struct arena *a, struct str front, struct str back)
{
    char *p = arena_alloc_raw(a, front.n + back.n + 1);

    if (front.n)
        memcpy(p, front.p, front.n);
    if (back.n)
        memcpy(p + front.n, back.p, back.n);
    p[front.n + back.n] = '\0';
    return (struct str){p, front.n + back.n};
}

struct str str_lower(struct arena *a, struct str s)
{
    char *p = arena_alloc(a, s.n + 1);

    for (size_t i = 0; i < s.n; i++)
        p[i] = to_lower(s.p[i]);
    return (struct str){p, s.n};
}

char *str_to_c(struct arena *a, struct str s)
{
    size_t at;

    if (str_find_char(s, '\0', &at))
        return NULL;
    return (char *)(uintptr_t)str_copy(a, s).p;
}

bool take_char(struct str *in, char c)
{
    if (in->n == 0 || in->p[0] != c)
        return false;
    *in = str_from(*in, 1);
    return true;
}

bool take_text(struct str *in, struct str text)
{
    if (!str_starts(*in, text))
        return false;
    *in = str_from(*in, text.n);
    return true;
}

bool take_text_nocase(struct str *in, struct str text)
{
    if (!str_starts_nocase(*in, text))
        return false;
    *in = str_from(*in, text.n);
    return true;
}

bool take_until(struct str *in, char stop, struct str *out)
{
    size_t at;

    if (!str_find_char(*in, stop, &at))
        return false;
    *out = str_upto(*in, at);
    *in = str_from(*in, at + 1);
    return true;
}

bool take_u64(struct str *in, uint64_t *out)
{
    uint64_t v = 0;
    size_t i = 0;

    for (; i < in->n && is_digit(in->p[i]); i++) {
        uint64_t digit = (uint64_t)(in->p[i] - '0');

        if (v > (UINT64_MAX - digit) / 10)
            return false;
        v = v * 10 + digit;
    }
    if (i == 0 || i > 20)
        return false;
    *in = str_from(*in, i);
    *out = v;
    return true;
}

bool parse_u64(struct str s, uint64_t *out)
{
    uint64_t v;

    if (!take_u64(&s, &v) || s.n)
        return false;
    *out = v;
    return true;
}

bool parse_u32(struct str s, uint32_t *out)
{
    uint64_t v;

    if (!parse_u64(s, &v) || v > UINT32_MAX)
        return false;
    *out = (uint32_t)v;
    return true;
}

size_t str_columns(struct str s)
{
    size_t n = 0;

    for (size_t i = 0; i < s.n; i++)
        n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return n;
}
