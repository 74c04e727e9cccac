#include "base/pack.h"

#define U64_MOST 10 /* bytes */

static char *write_u64(char *to, uint64_t v)
{
    for (; v > 127; v >>= 7)
        *to++ = (char)(v | 128);
    *to++ = (char)v;
    return to;
}

void pack_u64(struct buf *b, uint64_t v)
{
    char bytes[U64_MOST];

    if (v < 128) /* most are */
        buf_add_char(b, (char)v);
    else
        buf_add(b, (struct str){bytes, (size_t)(write_u64(bytes, v) - bytes)});
}

void pack_u64s(struct buf *b, const uint64_t *v, size_t n)
{
    char *first = buf_reserve(b, n * U64_MOST), *to = first;

    if (!first)
        return;
    for (size_t i = 0; i < n; i++)
        to = write_u64(to, v[i]);
    buf_grew(b, (size_t)(to - first));
}

void pack_bytes(struct buf *b, struct str s)
{
    pack_u64(b, s.n);
    buf_add(b, s);
}

struct unpack unpack_begin(struct str in)
{
    return (struct unpack){.in = in, .ok = true};
}

bool unpack_done(const struct unpack *u)
{
    return u->ok && u->in.n == 0;
}

uint64_t unpack_long_u64(struct unpack *u)
{
    const unsigned char *p = (const unsigned char *)u->in.p;
    size_t most = u->in.n < U64_MOST ? u->in.n : U64_MOST;
    uint64_t v = 0;

    if (!u->ok)
        return 0;
    for (size_t i = 0; i < most; i++) {
        v |= (uint64_t)(p[i] & 127) << (7 * i);
        if (p[i] < 128 && (i < 9 || p[i] < 2)) {
            u->in.p += i + 1;
            u->in.n -= i + 1;
            return v;
        }
    }
    u->ok = false;
    return 0;
}

void unpack_u64s(struct unpack *u, uint64_t *v, size_t n)
{
    for (size_t i = 0; i < n && u->ok; i++)
        v[i] = unpack_u64(u);
}

uint64_t unpack_number(struct unpack *u, uint64_t most)
{
    uint64_t v = unpack_u64(u);

    if (v <= most)
        return v;
    u->ok = false;
    return 0;
}

struct str unpack_bytes(struct unpack *u)
{
    uint64_t n = unpack_u64(u);
    struct str s;

    if (!u->ok || n > u->in.n) {
        u->ok = false;
        return STR_NONE;
    }
    s = str_upto(u->in, (size_t)n);
    u->in = str_from(u->in, (size_t)n);
    return s;
}

static void pack_big_endian(struct buf *b, uint64_t v, int width)
{
    char bytes[8];

    for (int i = width - 1; i >= 0; i--, v >>= 8)
        bytes[i] = (char)v;
    buf_add(b, (struct str){bytes, (size_t)width});
}

static uint64_t unpack_big_endian(struct unpack *u, size_t width)
{
    uint64_t v = 0;

    if (!u->ok || u->in.n < width) {
        u->ok = false;
        return 0;
    }
    for (size_t i = 0; i < width; i++)
        v = v << 8 | (unsigned char)u->in.p[i];
    u->in = str_from(u->in, width);
    return v;
}

void pack_key_u8(struct buf *b, uint8_t v)
{
    pack_big_endian(b, v, 1);
}
void pack_key_u16(struct buf *b, uint16_t v)
{
    pack_big_endian(b, v, 2);
}
void pack_key_u32(struct buf *b, uint32_t v)
{
    pack_big_endian(b, v, 4);
}
void pack_key_u64(struct buf *b, uint64_t v)
{
    pack_big_endian(b, v, 8);
}
void pack_key_rest(struct buf *b, struct str s)
{
    buf_add(b, s);
}
uint8_t unpack_key_u8(struct unpack *u)
{
    return (uint8_t)unpack_big_endian(u, 1);
}
uint16_t unpack_key_u16(struct unpack *u)
{
    return (uint16_t)unpack_big_endian(u, 2);
}
uint32_t unpack_key_u32(struct unpack *u)
{
    return (uint32_t)unpack_big_endian(u, 4);
}
uint64_t unpack_key_u64(struct unpack *u)
{
    return unpack_big_endian(u, 8);
}

struct str unpack_key_rest(struct unpack *u)
{
    struct str s = u->ok ? u->in : STR_NONE;

    u->in = str_from(u->in, u->in.n);
    return s;
}
