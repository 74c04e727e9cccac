/* rpc/types.h: the types that a field of calls.def, leash.def or rows.def may have, as values and on the wire.
 *
 * pack_field_TYPE appends; unpack_field_TYPE reads, trusting nothing: a bool is 0 or 1, an error is one we know.
 * bytes point into the frame they came from. */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "base/pack.h"

typedef uint64_t
    field_u64; /* the only typedefs of the project: the preprocessor needs one word per type */
typedef uint32_t field_u32;
typedef bool field_bool;
typedef struct str field_bytes;
typedef enum err field_err;
typedef struct handle field_handle;
typedef struct account_id field_account_id;
typedef struct mailbox_id field_mailbox_id;
typedef struct email_id field_email_id;
typedef struct body_id field_body_id;
typedef struct entry_id field_entry_id;

static inline void pack_field_u64(struct buf *b, uint64_t v)
{
    pack_u64(b, v);
}
static inline void pack_field_u32(struct buf *b, uint32_t v)
{
    pack_u64(b, v);
}
static inline void pack_field_bool(struct buf *b, bool v)
{
    pack_u64(b, v);
}
static inline void pack_field_bytes(struct buf *b, struct str v)
{
    pack_bytes(b, v);
}
static inline void pack_field_err(struct buf *b, enum err v)
{
    pack_u64(b, v);
}
static inline void pack_field_handle(struct buf *b, struct handle v)
{
    pack_key_u64(b, v.hi);
    pack_key_u64(b, v.lo);
}
static inline void pack_field_account_id(struct buf *b, struct account_id v)
{
    pack_u64(b, v.v);
}
static inline void pack_field_mailbox_id(struct buf *b, struct mailbox_id v)
{
    pack_u64(b, v.v);
}
static inline void pack_field_email_id(struct buf *b, struct email_id v)
{
    pack_u64(b, v.v);
}
static inline void pack_field_body_id(struct buf *b, struct body_id v)
{
    pack_u64(b, v.v);
}
static inline void pack_field_entry_id(struct buf *b, struct entry_id v)
{
    pack_u64(b, v.body);
    pack_u64(b, v.n);
}

static inline uint64_t unpack_field_u64(struct unpack *u)
{
    return unpack_u64(u);
}
static inline uint32_t unpack_field_u32(struct unpack *u)
{
    return (uint32_t)unpack_number(u, UINT32_MAX);
}
static inline bool unpack_field_bool(struct unpack *u)
{
    return unpack_number(u, 1);
}
static inline struct str unpack_field_bytes(struct unpack *u)
{
    return unpack_bytes(u);
}
static inline enum err unpack_field_err(struct unpack *u)
{
    return (enum err)unpack_number(u, ERR_COUNT - 1);
}
static inline struct handle unpack_field_handle(struct unpack *u)
{
    uint64_t hi = unpack_key_u64(u);

    return (struct handle){hi, unpack_key_u64(u)};
}
static inline struct account_id unpack_field_account_id(struct unpack *u)
{
    return (struct account_id){unpack_u64(u)};
}
static inline struct mailbox_id unpack_field_mailbox_id(struct unpack *u)
{
    return (struct mailbox_id){unpack_u64(u)};
}
static inline struct email_id unpack_field_email_id(struct unpack *u)
{
    return (struct email_id){unpack_u64(u)};
}
static inline struct body_id unpack_field_body_id(struct unpack *u)
{
    return (struct body_id){unpack_u64(u)};
}
static inline struct entry_id unpack_field_entry_id(struct unpack *u)
{
    uint64_t body = unpack_u64(u);

    return (struct entry_id){body, unpack_field_u32(u)};
}

/* ---- from a .def file to code: define F, R, L, RECORD, CALL by one of these and include the file ---- */

#define REQUEST(...) __VA_ARGS__
#define REPLY(...) __VA_ARGS__

#define STRUCT_F(type, name) field_##type name;
#define STRUCT_R(record, name) struct record name;
#define STRUCT_L(record, name, most)                                                                   \
    struct record *name;                                                                               \
    size_t name##_count;

#define PACK_F(type, name) pack_field_##type(b, m->name);
#define PACK_R(record, name) pack_##record(b, &m->name);
#define PACK_L(record, name, most)                                                                     \
    pack_u64(b, m->name##_count);                                                                      \
    for (size_t i = 0; i < m->name##_count; i++)                                                       \
        pack_##record(b, &m->name[i]);

/* A list's memory is bounded by what was really sent: each record is at least one byte. */
#define UNPACK_F(type, name) m->name = unpack_field_##type(u);
#define UNPACK_R(record, name) unpack_##record(arena, u, &m->name);
#define UNPACK_L(record, name, most)                                                                   \
    m->name##_count = (size_t)unpack_number(u, (most) < u->in.n ? (most) : u->in.n);                   \
    m->name = arena_array(arena, struct record, m->name##_count);                                      \
    for (size_t i = 0; i < m->name##_count && u->ok; i++)                                              \
        unpack_##record(arena, u, &m->name[i]);
