/* A copy of the store within its own directory. RocksDB writes its memtables to tables, links those and the body files,
 * which never change once written, and copies the rest: the list of tables and what the log holds since. */
#include "vault/engine/rocksdb_impl.h"

#include <stdio.h>
#include <limits.h>

#define ALWAYS_WRITE_MEMTABLES 0 /* instead of copying a log of any size */

enum err rocks_checkpoint(struct backend *b, struct cx *cx, const char *name)
{
    struct rocks *r = rocks_of(b);
    rocksdb_checkpoint_t *checkpoint;
    char path[PATH_MAX], *error = NULL;

    if ((size_t)snprintf(path, sizeof(path), "%s/%s", r->path, name) >= sizeof(path))
        return fail(cx, ERR_SYSTEM, "%s: the path is too long", r->path);
    checkpoint = rocksdb_checkpoint_object_create(r->db, &error);
    if (!error) {
        rocksdb_checkpoint_create(checkpoint, path, ALWAYS_WRITE_MEMTABLES, &error);
        rocksdb_checkpoint_object_destroy(checkpoint);
    }
    return rocks_error(cx, "checkpoint", error);
}
