/* control/backup_read.h: a backup as it is read: restore takes it back, backup --verify only looks whether it could. */
#pragma once
#include "control/backup_dir.h"

/* Opens what there is, and refuses what this program could not take back, before the long reading: nothing complete
 * (ERR_NOT_FOUND), another format of the store or of the backup (ERR_CONFIG), a damaged manifest (ERR_DAMAGED). What was
 * opened is the caller's to close, also after a failure. */
enum err backup_read_open(struct cx *cx, const char *path, struct backup_dir *dir,
                          struct backup_set *set);
/* Reads every file through. ERR_DAMAGED names the first that is not as it was written. */
enum err backup_read_verify(struct cx *cx, const struct backup_dir *dir, const struct backup_set *set);
