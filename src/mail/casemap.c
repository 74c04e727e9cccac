/* ASCII goes sixteen bytes at a time; other characters by a table of two steps, which tools/make-casemap-tables makes.
 *
 * Looking for a needle: where its first and its last byte stand as far apart as in the needle, the bytes between are
 * compared; in text that is not folded, which is read once only, where its two rarest do. Sixteen places or more are tried
 * at once. The vectors are the compiler's, so that no processor is meant. */
#include "mail/casemap.h"

#include "base/utf8.h"

#include "mail/casemap_tables.h"

typedef signed char vector __attribute__((vector_size(16)));
typedef uint64_t halves __attribute__((vector_size(16)));

#define LANES sizeof(vector)
#define BLOCK 128
#define LONGEST 40 /* what one character may become: U+FDFA takes 33 */

/* Hangul syllables, Unicode §3.12. */
#define HANGUL_FIRST 0xac00
#define HANGUL_LAST 0xd7a3
#define HANGUL_T 28
#define HANGUL_NT (21 * HANGUL_T)

static vector load(const char *p)
{
    vector v;

    memcpy(&v, p, LANES);
    return v;
}

static bool any(vector v)
{
    halves h = (halves)v;

    return (h[0] | h[1]) != 0;
}

/* ASCII as far as it goes, into *out; gives how much that was. */
static size_t fold_ascii(struct str s, char **out)
{
    size_t i = 0;

    for (; i + LANES <= s.n; i += LANES) {
        vector v = load(s.p + i);

        if (any(v < 0))
            break;
        v ^= (v >= 'a') & (v <= 'z') & 0x20;
        memcpy(*out + i, &v, LANES);
    }
    for (; i < s.n && s.p[i] >= 0; i++)
        (*out)[i] = to_upper(s.p[i]);
    *out += i;
    return i;
}

static void fold_hangul(uint32_t code_point, char **out)
{
    uint32_t s = code_point - HANGUL_FIRST;

    *out = utf8_put(*out, 0x1100 + s / HANGUL_NT);
    *out = utf8_put(*out, 0x1161 + s % HANGUL_NT / HANGUL_T);
    if (s % HANGUL_T)
        *out = utf8_put(*out, 0x11a7 + s % HANGUL_T);
}

static void fold_character(struct str character, uint32_t code_point, char **out)
{
    uint32_t block = code_point / BLOCK;
    const unsigned char *folded;

    if (code_point >= HANGUL_FIRST && code_point <= HANGUL_LAST) {
        fold_hangul(code_point, out);
        return;
    }
    block = block < sizeof(casemap_index) ? casemap_index[block] : 0;
    folded = &casemap_pool[casemap_blocks[block][code_point % BLOCK]];
    if (folded == casemap_pool) { /* it stays */
        memcpy(*out, character.p, character.n);
        *out += character.n;
        return;
    }
    memcpy(*out, folded + 1, folded[0]);
    *out += folded[0];
}

/* One character beyond ASCII, or broken bytes. 0: it is cut off. */
static size_t fold_one(struct str s, char **out)
{
    uint32_t code_point;
    size_t n = utf8_decode(s, &code_point);

    if (n) {
        fold_character(str_upto(s, n), code_point, out);
        return n;
    }
    n = utf8_broken_length(s);
    if (n)
        *out = utf8_put(*out, UTF8_REPLACEMENT);
    return n;
}

/* Appends the folded text; what remains is a character that is cut off. */
static struct str fold(struct buf *to, struct str s)
{
    while (s.n) {
        char *begin = buf_reserve(to, s.n + LONGEST), *end, *out = begin;
        size_t n = 0;

        if (!begin)
            return STR_NONE;
        for (end = begin + s.n; s.n && out < end; s = str_from(s, n)) { /* LONGEST is left behind it */
            n = s.p[0] < 0 ? fold_one(s, &out) : fold_ascii(str_upto(s, (size_t)(end - out)), &out);
            if (n == 0)
                break;
        }
        buf_grew(to, (size_t)(out - begin));
        if (s.n && n == 0)
            break;
    }
    return s;
}

void casemap(struct buf *out, struct str text)
{
    if (fold(out, text).n)
        utf8_write(out, UTF8_REPLACEMENT);
}

struct str casemap_next(struct casemap *c, struct str piece, struct buf *room)
{
    struct str rest;

    buf_clear(room);
    while (c->cut_n && piece.n) {
        char begun[sizeof(c->cut)];

        c->cut[c->cut_n++] = (unsigned char)piece.p[0];
        piece = str_from(piece, 1);
        memcpy(begun, c->cut, c->cut_n);
        rest = fold(room, (struct str){begun, c->cut_n});
        memcpy(c->cut, rest.p, rest.n);
        c->cut_n = (unsigned char)rest.n;
    }
    rest = fold(room, piece);
    if (rest.n) {
        memcpy(c->cut, rest.p, rest.n);
        c->cut_n = (unsigned char)rest.n;
    }
    return buf_str(room);
}

struct str casemap_end(struct casemap *c, struct buf *room)
{
    buf_clear(room);
    if (c->cut_n)
        utf8_write(room, UTF8_REPLACEMENT);
    c->cut_n = 0;
    return buf_str(room);
}

/* ---- finding ---- */

#define VECTOR_NEEDLE_MAX                                                                              \
    64 /* a longer one could be compared in vain at every byte; memmem() has its own ways */

static bool find_in_lanes(const char *p, vector equal, struct str needle, size_t *at)
{
    for (size_t i = 0; i < LANES; i++)
        if (equal[i] && memcmp(p + i, needle.p, needle.n) == 0)
            return *at = i, true;
    return false;
}

bool find_bytes(struct str text, struct str needle, size_t *at)
{
    size_t last = needle.n - 1, i = 0, found;
    const char *p;

    if (needle.n < 2 || needle.n > VECTOR_NEEDLE_MAX)
        return str_find(text, needle, at);
    for (; i + last + LANES <= text.n; i += LANES) {
        vector equal = (load(text.p + i) == needle.p[0]) & (load(text.p + i + last) == needle.p[last]);

        if (any(equal) && find_in_lanes(text.p + i, equal, needle, &found))
            return *at = i + found, true;
    }
    p = i < text.n ? memmem(text.p + i, text.n - i, needle.p, needle.n) : NULL;
    if (p)
        *at = (size_t)(p - text.p);
    return p != NULL;
}

static bool starts_unfolded(const char *p, struct str needle)
{
    size_t i = 0;

    while (i < needle.n && to_upper(p[i]) == needle.p[i])
        i++;
    return i == needle.n;
}

/* How rare a character is in text, more or less. */
static unsigned rareness(char folded)
{
    static const unsigned char of_letters[] = {/* as in English, from A on */
                                               2, 19, 11, 9,  0, 15, 16, 7,  4,  22, 21, 10, 13,
                                               5, 3,  18, 24, 8, 6,  1,  12, 20, 14, 23, 17, 25};

    return is_alpha(folded) ? of_letters[to_upper(folded) - 'A'] : sizeof(of_letters);
}

/* The rarest character of the needle, another than `but`. */
static size_t rarest(struct str needle, size_t but)
{
    size_t best = but == 0 && needle.n > 1;

    for (size_t i = best + 1; i < needle.n; i++)
        if (i != but && rareness(needle.p[i]) > rareness(needle.p[best]))
            best = i;
    return best;
}

struct unfolded unfolded_make(struct str needle)
{
    size_t one = rarest(needle, SIZE_MAX);

    return (struct unfolded){needle, one, rarest(needle, one)};
}

/* A letter is compared without the bit by which its cases differ. */
struct probe {
    size_t at;
    char c;
    vector bits;
};

static struct probe probe_make(const struct unfolded *u, size_t at)
{
    char c = u->needle.p[at];

    return (struct probe){at, c, (vector){0} + (char)(is_alpha(c) ? ~0x20 : ~0)};
}

/* Where the needle may begin, of the places from p on. */
static vector probe(const char *p, const struct probe *one, const struct probe *two)
{
    return ((load(p + one->at) & one->bits) == one->c) & ((load(p + two->at) & two->bits) == two->c);
}

/* In the next four times sixteen, which costs less than to ask of each. */
static bool may_be_near(const char *p, const struct probe *one, const struct probe *two)
{
    return any(probe(p, one, two) | probe(p + LANES, one, two) | probe(p + 2 * LANES, one, two) |
               probe(p + 3 * LANES, one, two));
}

static bool find_among(const char *p, vector may, struct str needle, size_t *at)
{
    for (size_t k = 0; k < LANES; k++)
        if (may[k] && starts_unfolded(p + k, needle))
            return *at = k, true;
    return false;
}

bool find_unfolded(struct str text, const struct unfolded *u, size_t *at)
{
    struct probe one = probe_make(u, u->one), two = probe_make(u, u->two);
    struct str needle = u->needle;
    size_t i = 0, k, last;

    if (text.n < needle.n + LANES) {
        for (; i + needle.n <= text.n; i++)
            if (starts_unfolded(text.p + i, needle))
                return *at = i, true;
        return false;
    }
    last =
        text.n - needle.n - (LANES - 1); /* up to the end, be it with places that were tried already */
    for (;; i = i + LANES < last ? i + LANES : last) {
        vector may;

        while (i + 4 * LANES <= last && !may_be_near(text.p + i, &one, &two))
            i += 4 * LANES;
        may = probe(text.p + i, &one, &two);
        if (any(may) && find_among(text.p + i, may, needle, &k))
            return *at = i + k, true;
        if (i == last)
            return false;
    }
}

struct finder finder_make(struct str needle)
{
    return (struct finder){.needle = needle, .found = needle.n == 0, .tail = buf_make(2 * needle.n)};
}

void finder_free(struct finder *f)
{
    buf_free(&f->tail);
}

bool finder_feed(struct finder *f, struct str piece)
{
    size_t kept = f->needle.n - 1, at;

    if (f->found || piece.n == 0)
        return f->found;
    if (f->tail.n) { /* what begins before the piece and ends in it */
        buf_add(&f->tail, str_upto(piece, kept));
        f->found = find_bytes(buf_str(&f->tail), f->needle, &at);
    }
    f->found = f->found || find_bytes(piece, f->needle, &at);
    if (piece.n >= kept) {
        buf_clear(&f->tail);
        buf_add(&f->tail, str_from(piece, piece.n - kept));
    } else {
        if (f->tail.n == 0)
            buf_add(&f->tail, piece);
        if (f->tail.n > kept)
            buf_take(&f->tail, f->tail.n - kept);
    }
    return f->found;
}

void finder_restart(struct finder *f)
{
    buf_clear(&f->tail);
}
