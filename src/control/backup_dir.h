/* control/backup_dir.h: the directory that a backup stands in (backup_set.h says what is in it), and its files. */
#pragma once
#include "control/backup_set.h"
#include "control/progress.h"

struct backup_dir {
    const char *path;
    int fd, files;
};

/* make: what is missing is made; ERR_EXISTS if something else is in it. Everything in it is its owner's alone.
 * ERR_LOCKED: another program writes it, or reads it and this one would write. */
enum err backup_dir_open(struct cx *cx, const char *path, bool make, struct backup_dir *out);
void backup_dir_close(struct backup_dir *d);

/* *found false: no backup has ever been completed here. */
enum err backup_dir_manifest(struct cx *cx, const struct backup_dir *d, struct backup_set *out,
                             bool *found);
/* Reads a whole file and writes it to `to`, unless that is -1. ERR_DAMAGED, with its name, if it is not what the manifest
 * says. */
enum err backup_dir_read(struct cx *cx, const struct backup_dir *d, const struct backup_line *line,
                         int to, struct progress *p);

/* A new file: written to *fd, then kept under its check value. Durable when kept. */
enum err backup_dir_create(struct cx *cx, const struct backup_dir *d, int *fd);
enum err backup_dir_keep(struct cx *cx, const struct backup_dir *d, int fd, const char *sha256);
/* From now on this is the backup. */
enum err backup_dir_commit(struct cx *cx, const struct backup_dir *d, const struct backup_set *s);
/* Removes every file of a backup that is not of the set. */
void backup_dir_prune(const struct backup_dir *d, const struct backup_set *s);

/* All of it; ERR_NO_SPACE. */
enum err write_whole(struct cx *cx, int fd, struct str bytes, const char *path);
enum err fail_path(struct cx *cx, const char *path);
