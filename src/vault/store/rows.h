/* vault/store/rows.h: the structs of rows.def, and how they become keys and values.
 *
 *   struct hot_key key = {.mailbox = 1, .uid = 7};
 *   struct hot_row row;
 *   e = hot_row_view(view, cx, account, &key, &row, &found);
 *
 * Above store/ nobody builds a key. Reading functions come in two kinds, by what is read: NAME_row_view (durable
 * state) and NAME_row_txn (inside a transaction); lists and bytes of what was read live in cx->arena. A value that cannot be
 * unpacked is ERR_DAMAGED. Not for blind guesses: a key that does not parse in a scan is skipped by nobody. */
#pragma once
#include "rpc/calls.h"
#include "vault/engine/engine.h"

typedef uint64_t key_u64;
typedef uint32_t key_u32;
typedef struct str key_rest;

#define RECORD(name, fields)                                                                           \
    struct name {                                                                                      \
        fields                                                                                         \
    };                                                                                                 \
    void pack_##name(struct buf *b, const struct name *m);                                             \
    void unpack_##name(struct arena *arena, struct unpack *u, struct name *m);
#define KEY(tag, fields)                                                                               \
    char none;                                                                                         \
    fields
#define VALUE(...) __VA_ARGS__
#define VALUE_RAW F(bytes, raw)
#define K(type, name) key_##type name;
#define F STRUCT_F
#define R STRUCT_R
#define L STRUCT_L
#define ROW(name, part, key, value)                                                                    \
    struct name##_key {                                                                                \
        key                                                                                            \
    };                                                                                                 \
    struct name##_row {                                                                                \
        char none;                                                                                     \
        value                                                                                          \
    };
#include "vault/store/rows.def"
#undef RECORD
#undef KEY
#undef VALUE
#undef VALUE_RAW
#undef K
#undef F
#undef R
#undef L
#undef ROW

/* For each row: the key's bytes, the value's bytes, and back; get, put, delete. `part` is which account's for rows of
 * accounts, and ignored (0) for the others. Without an arena a value is unpacked up to its list. */
#define RECORD(name, fields)
#define ROW(name, part_name, key, value)                                                               \
    void name##_key_pack(struct buf *b, const struct name##_key *k);                                   \
    bool name##_key_unpack(struct str in, struct name##_key *k);                                       \
    void name##_pack(struct buf *b, const struct name##_row *m);                                       \
    bool name##_unpack(struct arena *arena, struct str in, struct name##_row *m);                      \
    struct part name##_part(struct account_id account);                                                \
    enum err name##_row_view(struct view *v, struct cx *cx, struct account_id account,                 \
                             const struct name##_key *k, struct name##_row *row, bool *found);         \
    enum err name##_row_txn(struct txn *t, struct cx *cx, struct account_id account,                   \
                            const struct name##_key *k, struct name##_row *row, bool *found);          \
    void name##_row_put(struct txn *t, struct account_id account, const struct name##_key *k,          \
                        const struct name##_row *row);                                                 \
    void name##_row_delete(struct txn *t, struct account_id account, const struct name##_key *k);
#include "vault/store/rows.def"
#undef RECORD
#undef ROW

#define NO_ACCOUNT ((struct account_id){0})
#define INBOX ((struct mailbox_id){1})

/* flags of a message */
enum { FLAG_SEEN = 1, FLAG_ANSWERED = 2, FLAG_FLAGGED = 4, FLAG_DELETED = 8, FLAG_DRAFT = 16 };
#define FLAG_KEYWORD_FIRST 8 /* bits from here to 63 are keywords, by the mailbox's own list of names */
/* change_item.kind. MAILBOX: it was made, renamed, removed, or what it is was changed (roles, keywords, rights). */
enum {
    CHANGE_ADDED = 1,
    CHANGE_FLAGS,
    CHANGE_REMOVED,
    CHANGE_MAILBOX,
    CHANGE_SUBSCRIPTION,
    CHANGE_METADATA
};

/* A scan over rows of one kind: `from` and `to` are keys (to NULL: to the last of this tag). */
bool key_end(struct str prefix, char out[64],
             struct str *end); /* the first key after all that begin so */
