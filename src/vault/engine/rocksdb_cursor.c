/* Cursors of the RocksDB engine, and how one gets past a block that cannot be read.
 *
 * RocksDB's iterator stops at a damaged block and does not say where the next one begins. But a seek to any key
 * up to the block's separator fails, and a seek behind it does not: so the end of the damage is found by asking
 * for keys, first further and further away from the last good row, and then byte by byte. A few hundred seeks
 * at most, and only on damage. */
#include "vault/engine/rocksdb_impl.h"

#include "base/arena.h"

#include <stdlib.h>

#define CREEP_MOST 24
#define READ_AHEAD ((size_t)256 * 1024) /* of a cursor that is to go through much */

struct cursor {
    struct rocks *rocks;
    rocksdb_column_family_handle_t *family;
    rocksdb_readoptions_t *read;
    rocksdb_iterator_t *at;
    struct whole_key from, to; /* the iterator's bounds point in here */
    struct whole_key last;     /* the last key given; n is 0: none yet */
    bool backwards;
    bool begun; /* the iterator was placed */
    bool fresh; /* … on a row that was not given yet */
    bool ended; /* behind damage that reaches to the end: what the iterator says is of no interest */
};

static void copy_key(struct whole_key *out, struct str key)
{
    memcpy(out->bytes, key.p, key.n);
    out->n = key.n;
}

struct cursor *rocks_cursor_open(struct backend *b, struct snapshot *s, struct str from, struct str to,
                                 enum scan_how how)
{
    struct rocks *r = rocks_of(b);
    struct cursor *c = must_alloc(sizeof(*c));

    c->rocks = r;
    c->family = family_of(r, from);
    c->backwards = how == SCAN_BACKWARDS;
    copy_key(&c->from, from);
    copy_key(&c->to, to);
    c->read = rocksdb_readoptions_create();
    if (s)
        rocksdb_readoptions_set_snapshot(c->read, s->at);
    if (how == SCAN_MUCH) {
        rocksdb_readoptions_set_fill_cache(c->read, 0);
        rocksdb_readoptions_set_readahead_size(c->read, READ_AHEAD);
    }
    rocksdb_readoptions_set_iterate_lower_bound(c->read, c->from.bytes, c->from.n);
    rocksdb_readoptions_set_iterate_upper_bound(c->read, c->to.bytes, c->to.n);
    if (str_compare(from, to) < 0)
        c->at = rocksdb_create_iterator_cf(r->db, c->read, c->family);
    return c;
}

static void step(struct cursor *c)
{
    if (c->begun && !c->fresh)
        (c->backwards ? rocksdb_iter_prev : rocksdb_iter_next)(c->at);
    else if (!c->begun)
        (c->backwards ? rocksdb_iter_seek_to_last : rocksdb_iter_seek_to_first)(c->at);
    c->begun = true;
    c->fresh = false;
}

/* Once more where the last step led to: behind the last row given, or at the one that was skipped to. */
static void step_again(struct cursor *c, bool was_fresh)
{
    struct str last = {c->last.bytes, c->last.n};
    struct str key = STR_NONE;

    rocksdb_iter_destroy(c->at);
    c->at = rocksdb_create_iterator_cf(c->rocks->db, c->read, c->family);
    if (!last.n)
        (c->backwards ? rocksdb_iter_seek_to_last : rocksdb_iter_seek_to_first)(c->at);
    else
        (c->backwards ? rocksdb_iter_seek_for_prev : rocksdb_iter_seek)(c->at, last.p, last.n);
    if (!last.n || was_fresh || !rocksdb_iter_valid(c->at))
        return;
    key.p = rocksdb_iter_key(c->at, &key.n);
    if (str_same(key, last))
        (c->backwards ? rocksdb_iter_prev : rocksdb_iter_next)(c->at);
}

static bool may_be_mended(struct cursor *c)
{
    char *error = NULL;
    bool yes;

    rocksdb_iter_get_error(c->at, &error);
    yes = error && rocks_mend_after(c->rocks, str_from_c(error));
    rocksdb_free(error);
    return yes;
}

bool rocks_cursor_next(struct cursor *c, struct str *key, struct str *value)
{
    bool was_fresh = c->fresh;

    if (!c->at || c->ended || (c->begun && !c->fresh && !rocksdb_iter_valid(c->at)))
        return false;
    step(c);
    if (!rocksdb_iter_valid(c->at) && may_be_mended(c))
        step_again(c, was_fresh);
    if (!rocksdb_iter_valid(c->at))
        return false;
    key->p = rocksdb_iter_key(c->at, &key->n);
    value->p = rocksdb_iter_value(c->at, &value->n);
    copy_key(&c->last, *key);
    return true;
}

/* With the same iterator, which keeps what it has read ahead. */
void rocks_cursor_skip(struct cursor *c, struct str to)
{
    if (!c->at)
        return;
    rocksdb_iter_seek(c->at, to.p, to.n);
    copy_key(&c->last, to); /* what is damaged from here on is looked for behind it */
    c->begun = c->fresh = true;
    c->ended = false;
}

static bool failed(const struct cursor *c)
{
    char *error = NULL;

    if (!c->at || c->ended)
        return false;
    rocksdb_iter_get_error(c->at, &error);
    rocksdb_free(error);
    return error != NULL;
}

enum err rocks_cursor_error(const struct cursor *c, struct cx *cx)
{
    char *error = NULL;

    if (c->at && !c->ended)
        rocksdb_iter_get_error(c->at, &error);
    return rocks_error(cx, "reading", error);
}

static bool is_behind(const struct cursor *c, const struct whole_key *k)
{
    return str_compare((struct str){k->bytes, k->n}, (struct str){c->to.bytes, c->to.n}) >= 0;
}

/* Nothing behind the bounds concerns us, whatever state it is in. With a new iterator each time: whether an old
 * one reads a block depends on where it stood. */
static bool can_seek(struct cursor *c, const struct whole_key *k)
{
    if (is_behind(c, k))
        return true;
    rocksdb_iter_destroy(c->at);
    c->at = rocksdb_create_iterator_cf(c->rocks->db, c->read, c->family);
    rocksdb_iter_seek(c->at, k->bytes, k->n);
    return !failed(c);
}

/* The smallest last byte, from `least` on, with which k can be sought; 256 if there is none. */
static unsigned smallest_last_byte(struct cursor *c, struct whole_key *k, unsigned least)
{
    unsigned most = 256;

    while (least < most) {
        unsigned middle = (least + most) / 2;

        k->bytes[k->n - 1] = (char)middle;
        if (can_seek(c, k))
            most = middle;
        else
            least = middle + 1;
    }
    return most;
}

/* From `bad`, which cannot be sought, ever greater steps to `good`, which can: the last byte by one, the last but
 * one by one … and at last the bound. Leaves in `bad` the greatest one tried that cannot. */
static void stride(struct cursor *c, struct whole_key *bad, struct whole_key *good)
{
    for (size_t at = bad->n; at-- > 0;) {
        *good = *bad;
        good->n = at + 1;
        if ((uint8_t)good->bytes[at]++ == 0xff)
            continue;
        if (can_seek(c, good))
            return;
        *bad = *good;
    }
    *good = c->to; /* which may begin with the last of them, and be longer */
}

/* Brings `good` down to the smallest key that can be sought, byte by byte: between the two of them all keys begin
 * with `bad`. A few bytes more than our keys have are enough: no row ends in so many 0xff. */
static void creep(struct cursor *c, struct whole_key *bad, struct whole_key *good)
{
    size_t most = bad->n + CREEP_MOST < WHOLE_KEY_SIZE ? bad->n + CREEP_MOST : WHOLE_KEY_SIZE;
    unsigned byte = (uint8_t)bad->bytes[bad->n - 1];

    for (;;) {
        byte = smallest_last_byte(c, bad, byte);
        if (byte < 256) {
            bad->bytes[bad->n - 1] = (char)byte;
            *good = *bad;
        }
        if (byte == 0 || bad->n == most)
            return; /* 0: `bad` without it cannot be sought, and there is nothing between the two */
        bad->bytes[bad->n - 1] = (char)(byte - 1);
        bad->bytes[bad->n++] = 0;
        byte = 0;
    }
}

bool rocks_cursor_past_damage(struct cursor *c)
{
    struct whole_key bad = c->last.n ? c->last : c->from, good;

    if (c->backwards || !failed(c) || bad.n == WHOLE_KEY_SIZE)
        return false;
    bad.bytes[bad.n++] = 0; /* the next key there could be */
    good = bad;
    if (!can_seek(c, &bad)) {
        stride(c, &bad, &good);
        creep(c, &bad, &good);
    }
    c->ended = is_behind(c, &good);
    c->last = good;
    c->fresh = true;
    return can_seek(c, &good);
}

void rocks_cursor_close(struct cursor *c)
{
    if (c->at)
        rocksdb_iter_destroy(c->at);
    rocksdb_readoptions_destroy(c->read);
    free(c);
}
