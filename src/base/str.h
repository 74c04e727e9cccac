/* base/str.h: bytes with a length. What comes from the wire or the disk is a struct str, never a C string.
 *
 * A str borrows: it points into memory somebody else owns and lives as long as that. It may hold NULs.
 * Pure functions, safe from any thread. Case and classes are ASCII's, whatever the locale says. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct arena;

struct str {
    const char *p;
    size_t n;
};

#define S(lit) ((struct str){(lit), sizeof(lit) - 1})
#define STR_NONE ((struct str){NULL, 0})
/* For printf: "%.*s", STR_ARG(s). Only for text that is known to be printable or goes to our own log. */
#define STR_ARG(s) (int)(s).n, (s).p ? (s).p : ""

struct str str_from_c(const char *c); /* c may be NULL: an empty str */
bool str_same(struct str a, struct str b);
bool str_same_nocase(struct str a, struct str b);
int str_compare(struct str a, struct str b); /* bytewise, a prefix before what it begins */
bool str_starts(struct str s, struct str prefix);
bool str_starts_nocase(struct str s, struct str prefix);
bool str_ends_nocase(struct str s, struct str suffix);
/* Without its first `at` bytes; clamped. */
static inline struct str str_from(struct str s, size_t at)
{
    if (at > s.n)
        at = s.n;
    return (struct str){s.p ? s.p + at : NULL, s.n - at};
}
/* Its first n bytes; clamped. */
static inline struct str str_upto(struct str s, size_t n)
{
    return (struct str){s.p, n < s.n ? n : s.n};
}
struct str str_trim(struct str s);                        /* without SP and HTAB at both ends */
bool str_find(struct str s, struct str what, size_t *at); /* first occurrence */
bool str_find_char(struct str s, char c, size_t *at);
bool str_rfind_char(struct str s, char c, size_t *at);

/* Copies: in the arena that is named. str_to_c refuses a NUL inside by giving NULL. */
struct str str_copy(struct arena *a, struct str s);
struct str str_join(struct arena *a, struct str front, struct str back); /* one behind the other */
struct str str_lower(struct arena *a, struct str s); /* ASCII letters only; UTF-8 passes unchanged */
char *str_to_c(struct arena *a, struct str s);

/* Taking apart, from the front. True: *in has moved past what was read. False: nothing changed. */
bool take_char(struct str *in, char c);
bool take_text(struct str *in, struct str text);             /* exactly */
bool take_text_nocase(struct str *in, struct str text);      /* ASCII case does not matter */
bool take_until(struct str *in, char stop, struct str *out); /* *out is without stop, *in after it */
bool take_u64(struct str *in, uint64_t *out); /* 1 to 20 digits; no sign; refuses overflow */

bool parse_u64(struct str s, uint64_t *out); /* the whole of s is a number */
bool parse_u32(struct str s, uint32_t *out);

/* ASCII classes, independent of the locale. */
static inline bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}
static inline bool is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
static inline bool is_alnum(char c)
{
    return is_digit(c) || is_alpha(c);
}
static inline bool is_wsp(char c)
{
    return c == ' ' || c == '\t';
}
static inline bool is_printable(char c)
{
    return c >= 0x20 && c <= 0x7e;
}
static inline int hex_value(char c) /* of a hexadecimal digit; -1: it is none */
{
    return is_digit(c)              ? c - '0'
           : (c >= 'a' && c <= 'f') ? c - 'a' + 10
           : (c >= 'A' && c <= 'F') ? c - 'A' + 10
                                    : -1;
}
static inline char to_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}
static inline char to_upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 32) : c;
}

size_t str_columns(struct str s); /* how many characters: UTF-8's continuation bytes take no column */
bool is_utf8(struct str s);       /* well-formed RFC 3629: no surrogates, no overlong forms */
bool is_ascii(struct str s);      /* no byte above 127 */
