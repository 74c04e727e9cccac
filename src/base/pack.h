/* base/pack.h: values as bytes: for the messages between the rooms, for rows and for their keys.
 *
 * Two manners. In *values* numbers are LEB128 (small ones are short) and bytes carry their length. In *keys*
 * numbers are big-endian of fixed width, so that keys sort as numbers do, and bytes stand last, without length.
 * Unpacking treats its input as an attacker's: it never reads beyond it, and a length is checked before it is
 * believed. What is unpacked points into the input. */
#pragma once
#include "base/buf.h"
#include "base/ids.h"

/* Packing: appends. The name behind pack_/unpack_ is the type word used in calls.def and rows.def. */
void pack_u64(struct buf *b, uint64_t v);
void pack_u64s(struct buf *b, const uint64_t *v, size_t n); /* each as above: for columns */
void pack_bytes(struct buf *b, struct str s);

/* A reader. `ok` goes false at the first mistake and stays so; what is read after that is zero or empty. Check
 * it once, at the end, with unpack_done(). */
struct unpack {
    struct str in;
    bool ok;
};

struct unpack unpack_begin(struct str in);
bool unpack_done(const struct unpack *u);   /* no mistake, and nothing left over */
uint64_t unpack_long_u64(struct unpack *u); /* of unpack_u64() alone */
static inline uint64_t unpack_u64(struct unpack *u)
{
    if (!u->ok || !u->in.n || (unsigned char)*u->in.p > 127)
        return unpack_long_u64(u);
    u->in.n--; /* one byte: most often */
    return (unsigned char)*u->in.p++;
}
void unpack_u64s(struct unpack *u, uint64_t *v, size_t n); /* after a mistake: what was there */
uint64_t unpack_number(struct unpack *u, uint64_t most);   /* a larger one is a mistake */
struct str unpack_bytes(struct unpack *u);

/* Keys. */
void pack_key_u8(struct buf *b, uint8_t v);
void pack_key_u16(struct buf *b, uint16_t v);
void pack_key_u32(struct buf *b, uint32_t v);
void pack_key_u64(struct buf *b, uint64_t v);
void pack_key_rest(struct buf *b, struct str s);
uint8_t unpack_key_u8(struct unpack *u);
uint16_t unpack_key_u16(struct unpack *u);
uint32_t unpack_key_u32(struct unpack *u);
uint64_t unpack_key_u64(struct unpack *u);
struct str unpack_key_rest(struct unpack *u);
