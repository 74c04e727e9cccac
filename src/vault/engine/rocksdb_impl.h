/* vault/engine/rocksdb_impl.h: what the files of the RocksDB engine share. */
#pragma once
#include "vault/engine/engine_impl.h"

#include <rocksdb/c.h>

/* Of tables, as rocksdb_options.c has them made and rocksdb_mend_table.c reads them. */
#define TABLE_FORMAT 5
#define TABLE_CHECKSUM 1 /* CRC-32C: it tells a wrong byte (wrong_byte.h) */

#define DAMAGED_MOST 4096 /* bytes of names: hundreds of damaged files */

enum family { FAMILY_ROWS, FAMILY_BODY, FAMILY_TRACE, FAMILY_COUNT };
extern const char *const family_names[FAMILY_COUNT];

struct rocks {
    struct backend backend;
    struct engine_options options;
    char *path;
    int lock; /* read_only: RocksDB takes its lock only to write */
    int dir;  /* of the path: for sizes, and for free space inside a sandbox */

    rocksdb_cache_t *cache;
    rocksdb_options_t *db_options;
    rocksdb_options_t *family_options[FAMILY_COUNT];
    rocksdb_writeoptions_t *unsynced;
    rocksdb_readoptions_t *newest;

    rocksdb_t *db; /* NULL while closed */
    rocksdb_column_family_handle_t *families[FAMILY_COUNT];

    pthread_mutex_t damage_lock;
    struct buf damaged;        /* names of damaged files, a line each. See rocksdb_damage.c */
    bool frozen[FAMILY_COUNT]; /* it has such a file and must not be compacted */
    _Atomic int64_t next_mend; /* not before; monotonic */
    bool tolerant;             /* a table that cannot be opened keeps only its own rows away */
};

struct snapshot {
    const rocksdb_snapshot_t *at;
    rocksdb_readoptions_t *read;
};

static inline struct rocks *rocks_of(struct backend *b)
{
    return (struct rocks *)b; /* its first member */
}

static inline enum family family_of_kind(enum part_kind kind)
{
    return kind == PART_BODY ? FAMILY_BODY : kind == PART_TRACE ? FAMILY_TRACE : FAMILY_ROWS;
}

static inline rocksdb_column_family_handle_t *family_of(const struct rocks *r, struct str whole_key)
{
    return r->families[family_of_kind((enum part_kind)whole_key.p[0])];
}

/* Little-endian, as RocksDB writes it. */
static inline uint32_t u32_at(const void *bytes)
{
    const unsigned char *at = bytes;

    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

/* What RocksDB says, as our own error. Takes `error`, which it allocated. NULL is OK. */
enum err rocks_error(struct cx *cx, const char *doing, char *error);

void rocks_damage_read(struct rocks *r);                   /* before it opens */
void rocks_damage_thaw(struct rocks *r);                   /* after that */
void rocks_damage_note(struct rocks *r, struct str cause); /* when a write failed with ERR_DAMAGED */
bool rocks_is_damaged(struct rocks *r);

/* The file that RocksDB's word is about: "000044.sst", ANY_FILE if it names none. */
#define ANY_FILE S("?")
struct str rocks_file_in(struct str cause);

/* rocksdb_mend.c: one wrong byte where no row stands, put right. Before it opens: the frames of body files, and the
 * footers of tables, since RocksDB keeps what it once read there. Else when something failed. */
void rocks_mend_at_open(const struct rocks *r);
bool rocks_mend_tables(const struct rocks *r,
                       struct str cause); /* that it names; true: something was put right */
bool rocks_mend_after(struct rocks *r,
                      struct str cause); /* when a read failed; true: that may have helped */

/* rocksdb_mend_table.c: of one table. True: something was put right. */
bool rocks_mend_footer(const struct rocks *r,
                       const char *name); /* if the footer does not lead to the rest */
bool rocks_mend_table(const struct rocks *r, const char *name);

/* rocksdb_wal.c: no record of the write-ahead log is damaged that has others behind it. */
bool rocks_log_is_whole(const struct rocks *r);

void rocks_options_make(struct rocks *r);
void rocks_options_free(struct rocks *r);

struct cursor *rocks_cursor_open(struct backend *b, struct snapshot *s, struct str from, struct str to,
                                 enum scan_how how);
bool rocks_cursor_next(struct cursor *c, struct str *key, struct str *value);
void rocks_cursor_skip(struct cursor *c, struct str to);
enum err rocks_cursor_error(const struct cursor *c, struct cx *cx);
bool rocks_cursor_past_damage(struct cursor *c);
void rocks_cursor_close(struct cursor *c);

enum err rocks_compact(struct backend *b, struct cx *cx, enum part_kind kind);
enum err rocks_checkpoint(struct backend *b, struct cx *cx, const char *name);

uint64_t rocks_disk_used(struct backend *b);
uint64_t rocks_disk_free(struct backend *b);
uint64_t rocks_room_to_open(struct backend *b);
