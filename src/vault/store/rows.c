/* Everything here is made by the preprocessor from rows.def. */
#include "vault/store/rows.h"

#include "base/scoped.h"

#include <assert.h>
#include <stdlib.h>

#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wunused-variable"

/* ---- records ---- */

#define KEY(...)
#define ROW(name, part, key, value)
#define F PACK_F
#define R PACK_R
#define L PACK_L
#define RECORD(name, fields)                                                                           \
    void pack_##name(struct buf *b, const struct name *m)                                              \
    {                                                                                                  \
        fields                                                                                         \
    }
#include "vault/store/rows.def"
#undef F
#undef R
#undef L
#undef RECORD
#define F UNPACK_F
#define R UNPACK_R
#define L UNPACK_L
#define RECORD(name, fields)                                                                           \
    void unpack_##name(struct arena *arena, struct unpack *u, struct name *m)                          \
    {                                                                                                  \
        fields                                                                                         \
    }
#include "vault/store/rows.def"
#undef RECORD
#undef KEY
#undef ROW
#undef F
#undef R
#undef L
#define RECORD(name, fields)

/* ---- keys ---- */

#define KEY(tag, fields)                                                                               \
    pack_key_u8(b, tag);                                                                               \
    fields
#define K(type, name) pack_key_##type(b, k->name);
#define ROW(name, part, key, value)                                                                    \
    void name##_key_pack(struct buf *b, const struct name##_key *k)                                    \
    {                                                                                                  \
        key                                                                                            \
    }
#include "vault/store/rows.def"
#undef KEY
#undef K
#undef ROW
#define KEY(tag, fields)                                                                               \
    right_tag = unpack_key_u8(&u) == (tag);                                                            \
    fields
#define K(type, name) k->name = unpack_key_##type(&u);
#define ROW(name, part, key, value)                                                                    \
    bool name##_key_unpack(struct str in, struct name##_key *k)                                        \
    {                                                                                                  \
        struct unpack u = unpack_begin(in);                                                            \
        bool right_tag;                                                                                \
                                                                                                       \
        key return right_tag && unpack_done(&u);                                                       \
    }
#include "vault/store/rows.def"
#undef KEY
#undef K
#undef ROW

/* ---- values ---- */

#define KEY(tag, fields)
#define VALUE(...) __VA_ARGS__
#define VALUE_RAW buf_add(b, m->raw);
#define F PACK_F
#define R PACK_R
#define L PACK_L
#define ROW(name, part, key, value)                                                                    \
    void name##_pack(struct buf *b, const struct name##_row *m)                                        \
    {                                                                                                  \
        value                                                                                          \
    }
#include "vault/store/rows.def"
#undef VALUE_RAW
#undef F
#undef R
#undef L
#undef ROW
#define VALUE_RAW m->raw = in, u->in = STR_NONE;
#define F UNPACK_F
#define R UNPACK_R
#define L(record, name, most)                                                                          \
    if (!arena) {                                                                                      \
        m->name = NULL;                                                                                \
        m->name##_count = 0;                                                                           \
        return u->ok;                                                                                  \
    }                                                                                                  \
    UNPACK_L(record, name, most)
#define ROW(name, part, key, value)                                                                    \
    bool name##_unpack(struct arena *arena, struct str in, struct name##_row *m)                       \
    {                                                                                                  \
        struct unpack reader = unpack_begin(in), *u = &reader;                                         \
                                                                                                       \
        value return unpack_done(u);                                                                   \
    }
#include "vault/store/rows.def"
#undef VALUE_RAW
#undef F
#undef R
#undef L
#undef ROW
#undef KEY
#undef VALUE

/* ---- get, put, delete ---- */

#define LONGEST_KEY ENGINE_MAX_KEY /* annotations and subscriptions: names of 1000 bytes */

static enum err damaged(struct cx *cx, const char *row, struct part part)
{
    return fail(cx, ERR_DAMAGED, "row %s of part %c/%llu cannot be unpacked", row, part.kind,
                (unsigned long long)part.id);
}

#define ROW(name, kind, key, value)                                                                    \
    struct part name##_part(struct account_id account)                                                 \
    {                                                                                                  \
        return (struct part){PART_##kind, PART_##kind == PART_ACCOUNT ? account.v : 0};                \
    }                                                                                                  \
    static struct buf name##_key_buf(const struct name##_key *k)                                       \
    {                                                                                                  \
        struct buf b = buf_make(LONGEST_KEY);                                                          \
                                                                                                       \
        name##_key_pack(&b, k);                                                                        \
        assert(!b.full);                                                                               \
        return b;                                                                                      \
    }                                                                                                  \
    enum err name##_row_view(struct view *v, struct cx *cx, struct account_id account,                 \
                             const struct name##_key *k, struct name##_row *row, bool *found)          \
    {                                                                                                  \
        struct part part = name##_part(account);                                                       \
        scoped(buf_free) struct buf b = name##_key_buf(k);                                             \
        struct str bytes;                                                                              \
        enum err e = view_get(v, cx, part, buf_str(&b), &bytes, found);                                \
                                                                                                       \
        if (e || !*found)                                                                              \
            return e;                                                                                  \
        return name##_unpack(cx->arena, bytes, row) ? OK : damaged(cx, #name, part);                   \
    }                                                                                                  \
    enum err name##_row_txn(struct txn *t, struct cx *cx, struct account_id account,                   \
                            const struct name##_key *k, struct name##_row *row, bool *found)           \
    {                                                                                                  \
        struct part part = name##_part(account);                                                       \
        scoped(buf_free) struct buf b = name##_key_buf(k);                                             \
        struct str bytes;                                                                              \
        enum err e = txn_get(t, cx, part, buf_str(&b), &bytes, found);                                 \
                                                                                                       \
        if (e || !*found)                                                                              \
            return e;                                                                                  \
        return name##_unpack(cx->arena, bytes, row) ? OK : damaged(cx, #name, part);                   \
    }                                                                                                  \
    void name##_row_put(struct txn *t, struct account_id account, const struct name##_key *k,          \
                        const struct name##_row *row)                                                  \
    {                                                                                                  \
        scoped(buf_free) struct buf b = name##_key_buf(k);                                             \
        scoped(buf_free) struct buf v = buf_make(BUF_UNLIMITED);                                       \
                                                                                                       \
        name##_pack(&v, row);                                                                          \
        txn_put(t, name##_part(account), buf_str(&b), buf_str(&v));                                    \
    }                                                                                                  \
    void name##_row_delete(struct txn *t, struct account_id account, const struct name##_key *k)       \
    {                                                                                                  \
        scoped(buf_free) struct buf b = name##_key_buf(k);                                             \
                                                                                                       \
        txn_delete(t, name##_part(account), buf_str(&b));                                              \
    }
#include "vault/store/rows.def"

bool key_end(struct str prefix, char out[64], struct str *end)
{
    size_t n = prefix.n;

    assert(n <= 64);
    while (n && (unsigned char)prefix.p[n - 1] == 0xff)
        n--;
    if (!n)
        return false;
    memcpy(out, prefix.p, n);
    out[n - 1]++;
    *end = (struct str){out, n};
    return true;
}
