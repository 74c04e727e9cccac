/* Giving disk space back. Deleting a row only adds a mark; compaction drops row and mark, and leaves a body's
 * bytes in their blob file as garbage. Files full of garbage go by themselves; the others are written anew, which
 * costs what is still good in them: so that is done only when enough is gained. */
#include "vault/engine/rocksdb_impl.h"

#include <stdlib.h>

#define GARBAGE_WORTH_IT                                                                               \
    4 /* a quarter: three bytes are copied, at most, for each one that is given back */

static uint64_t property(const struct rocks *r, enum family family, const char *name)
{
    uint64_t value = 0;

    rocksdb_property_int_cf(r->db, r->families[family], name, &value);
    return value;
}

static void compact_all(const struct rocks *r, enum family family)
{
    rocksdb_compactoptions_t *o = rocksdb_compactoptions_create();

    rocksdb_compactoptions_set_exclusive_manual_compaction(o, 0);
    /* Also files that are at the bottom already, each once. */
    rocksdb_compactoptions_set_bottommost_level_compaction(o, 3);
    rocksdb_compact_range_cf_opt(r->db, r->families[family], o, NULL, 0, NULL, 0);
    rocksdb_compactoptions_destroy(o);
}

static enum err set_collecting(const struct rocks *r, struct cx *cx, const char *yes)
{
    const char *key = "enable_blob_garbage_collection";
    char *error = NULL;

    rocksdb_set_options_cf(r->db, r->families[FAMILY_BODY], 1, &key, &yes, &error);
    return rocks_error(cx, "collecting bodies", error);
}

static bool has_garbage(const struct rocks *r)
{
    uint64_t garbage = property(r, FAMILY_BODY, "rocksdb.live-blob-file-garbage-size");
    uint64_t all = property(r, FAMILY_BODY, "rocksdb.live-blob-file-size");

    return garbage > 0 && garbage >= all / GARBAGE_WORTH_IT;
}

static enum err collect_bodies(const struct rocks *r, struct cx *cx)
{
    enum err err = set_collecting(r, cx, "true");

    if (err)
        return err;
    compact_all(r, FAMILY_BODY);
    return set_collecting(r, cx, "false");
}

enum err rocks_compact(struct backend *b, struct cx *cx, enum part_kind kind)
{
    struct rocks *r = rocks_of(b);
    enum family family = family_of_kind(kind);

    if (r->frozen[family])
        return fail(cx, ERR_DAMAGED,
                    "a damaged file: this is not compacted until the store is repaired");
    compact_all(r, family);
    if (family != FAMILY_BODY || !has_garbage(r))
        return OK;
    if (rocks_is_damaged(r))
        return fail(cx, ERR_DAMAGED,
                    "a damaged file: bodies are not collected until the store is repaired");
    return collect_bodies(r, cx);
}
