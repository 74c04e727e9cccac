#include "control/backup_read.h"

#include "base/clock.h"
#include "vault/store/store.h"

#include <inttypes.h>

enum err backup_read_open(struct cx *cx, const char *path, struct backup_dir *dir,
                          struct backup_set *set)
{
    bool found;
    enum err e = backup_dir_open(cx, path, false, dir);

    if (!e)
        e = backup_dir_manifest(cx, dir, set, &found);
    if (e)
        return e;
    if (!found)
        return fail(cx, ERR_NOT_FOUND,
                    "there is no backup, or it was interrupted before it was complete: a file "
                    "\"manifest\" is missing");
    if (set->store_format != STORE_FORMAT)
        return fail(cx, ERR_CONFIG,
                    "the backup is of a store of format %" PRIu64
                    ", this program knows %d: use the program that made it",
                    set->store_format, STORE_FORMAT);
    if (!backup_set_find(set, S("store/CURRENT")))
        return fail(cx, ERR_DAMAGED, "the backup has no store in it");
    /* Ids and counters go on by the clock: with one that is behind, they would be given twice. */
    if (set->time > (uint64_t)now_ms())
        return fail(cx, ERR_SYSTEM,
                    "the backup is from the future: set the clock of this machine first");
    return OK;
}

enum err backup_read_verify(struct cx *cx, const struct backup_dir *dir, const struct backup_set *set)
{
    struct progress progress;
    enum err e = OK;

    progress_begin(&progress, "verifying", backup_set_bytes(set));
    for (size_t i = 0; !e && i < set->count; i++)
        e = backup_dir_read(cx, dir, &set->files[i], -1, &progress);
    progress_end(&progress);
    return e;
}
