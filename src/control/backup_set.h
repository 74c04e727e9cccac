/* control/backup_set.h: a backup as a directory.
 *
 *   DIR/manifest        what belongs to it: written last, and whole or not at all, so without it there is no backup
 *   DIR/files/<sha256>  the bytes of each file, under their own check value
 *
 * Since a name tells the content, a newer backup never touches a file of the one before, which stays good until the newer
 * one's manifest has taken the place of the old. The manifest is text:
 *
 *   posthorn-backup 1
 *   hostname mail.example.com
 *   time 1764300000000                     milliseconds since 1970, when the copy was made
 *   store-format 2
 *   file <sha256> <size> store/000012.sst  …
 *   end <sha256 of all lines before>
 *
 * Names are store/<plain name>, tls/cert.pem, tls/key.pem and posthorn.conf; no other is accepted. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

#define SHA256_HEX 64

struct backup_line {
    struct str name;
    uint64_t size;
    char sha256[SHA256_HEX + 1];
};

struct backup_set {
    struct arena *arena; /* holds all of it */
    struct str hostname;
    uint64_t time, store_format;
    struct backup_line *files;
    size_t count, room;
};

void backup_set_free(struct backup_set *s); /* for scoped(); the arena stays */
void backup_set_add(struct backup_set *s, struct str name, uint64_t size, const char *sha256);
/* NULL: it has none of this name. */
const struct backup_line *backup_set_find(const struct backup_set *s, struct str name);
uint64_t backup_set_bytes(const struct backup_set *s);

/* The manifest's text, and back. ERR_DAMAGED; ERR_CONFIG: another format. */
void backup_set_write(const struct backup_set *s, struct buf *out);
enum err backup_set_parse(struct cx *cx, struct str text, struct backup_set *s);

/* The check value of what was fed. */
struct sum;
struct sum *sum_new(void);
void sum_free(struct sum **s);
void sum_feed(struct sum *s, struct str bytes);
void sum_end(struct sum *s, char hex[SHA256_HEX + 1]);
