/* How RocksDB is set up. Each value has its reason beside it; what is not named here is RocksDB's default. */
#include "vault/engine/rocksdb_impl.h"

const char *const family_names[FAMILY_COUNT] = {
    [FAMILY_ROWS] = "default", /* accounts, directory, references, queue */
    [FAMILY_BODY] = "body",
    [FAMILY_TRACE] = "trace",
};

#define KIB ((size_t)1024)
#define MIB (1024 * KIB)

#define MEMORY_DEFAULT                                                                                 \
    (28 * MIB)                 /* memtables of all families; more than their sum, see memtable_size */
#define CACHE_SIZE (12 * MIB)  /* blocks, indexes and filters: bodies go past it */
#define READ_AHEAD (512 * KIB) /* of a compaction, which else reads block by block */
#define WAL_MOST (96 * MIB)    /* read again at start: about a second */
#define OPEN_FILES 512         /* table and body files at once; more are opened when needed */
#define MEMTABLE_BLOCK (512 * KIB) /* small enough for malloc to use again, without the kernel */
#define BODY_LEAST (8 * KIB) /* smaller pieces stay in the table beside their key, see set_bodies */
#define BODY_FILE_SIZE (64 * MIB)
#define FILTER_BITS 10 /* a key that does not exist costs no read in 99 of 100 cases */
#define SYNC_EVERY                                                                                     \
    MIB /* table files reach the disk evenly, so that no flush of the log waits for a burst of them */
/* Tables have no pace of their own (rocksdb_options_set_ratelimiter), though a full memtable takes a processor for 10 ms: until
 * pull request 11763 of RocksDB (2023; Debian has 7.8) a thread that asks for bytes may wait for another one that does not wait
 * for the time of the next any more. A memtable was never written then, and soon every commit stood still for ever. */

/* Whatever RocksDB writes into its own LOG file is left out: on a full disk Debian's build, which has its
 * assertions compiled in, aborts in there. FATAL is a level nothing is written at but the header. */
static void no_log(rocksdb_options_t *o)
{
    rocksdb_options_set_info_log_level(o, 4);
    rocksdb_options_set_keep_log_file_num(o, 1);
    rocksdb_options_set_stats_dump_period_sec(o, 0);
    rocksdb_options_set_stats_persist_period_sec(o, 0);
}

static void set_log_and_recovery(const struct rocks *r, rocksdb_options_t *o)
{
    rocksdb_options_set_manual_wal_flush(o, r->options.keep_wal_in_process);
    rocksdb_options_set_wal_recovery_mode(o, rocksdb_point_in_time_recovery);
    rocksdb_options_set_max_total_wal_size(o, WAL_MOST);
    rocksdb_options_set_max_manifest_file_size(o, 4 * MIB);
    /* Without it, recovery would skip a damaged record of the log and go on with later ones. For looking at what is left
     * of a damaged store that is right, and also that a table without its index is met only when it is read; and so it
     * is for a store whose log has been found whole. */
    rocksdb_options_set_paranoid_checks(o, !r->options.read_only && !r->tolerant);
}

static rocksdb_options_t *database_options(const struct rocks *r)
{
    rocksdb_options_t *o = rocksdb_options_create();

    rocksdb_options_set_create_if_missing(o, 1);
    rocksdb_options_set_create_missing_column_families(o, 1);
    no_log(o);
    set_log_and_recovery(r, o);
    rocksdb_options_set_db_write_buffer_size(o, r->options.memory ? r->options.memory : MEMORY_DEFAULT);
    rocksdb_options_set_max_open_files(o, OPEN_FILES);
    rocksdb_options_set_max_background_jobs(o, 2); /* one flush and one compaction at a time */
    rocksdb_options_set_bytes_per_sync(o, SYNC_EVERY);
    rocksdb_options_compaction_readahead_size(o, READ_AHEAD);
    /* The kernel reads ahead where reading goes along a file, as that of a whole mailbox does: bodies are read one by one,
     * and each that is not in memory would be waited for. What is read here and there it reads alone. */
    rocksdb_options_set_advise_random_on_open(o, 0);
    rocksdb_options_set_skip_stats_update_on_db_open(o, 1); /* would read every file's properties */
    /* Who writes first writes for those who come meanwhile: waking them, to write beside it, or spinning until it has
     * done so, costs more than a commit's few rows. */
    rocksdb_options_set_allow_concurrent_memtable_write(o, 0);
    rocksdb_options_set_enable_write_thread_adaptive_yield(o, 0);
    return o;
}

/* A list of a mailbox goes along rows of half a KiB to one, a search along small bodies: the larger the block, the less is
 * to be done for each, and the better it is compressed. */
static const size_t block_size[FAMILY_COUNT] = {
    [FAMILY_ROWS] = 16 * KIB, [FAMILY_BODY] = 16 * KIB, [FAMILY_TRACE] = 4 * KIB};

static void set_tables(const struct rocks *r, rocksdb_options_t *o, enum family family)
{
    rocksdb_block_based_table_options_t *t = rocksdb_block_based_options_create();

    rocksdb_block_based_options_set_block_cache(t, r->cache);
    rocksdb_block_based_options_set_cache_index_and_filter_blocks(
        t, 1); /* else they grow with the store */
    rocksdb_block_based_options_set_pin_l0_filter_and_index_blocks_in_cache(t, 1);
    rocksdb_block_based_options_set_filter_policy(t,
                                                  rocksdb_filterpolicy_create_bloom_full(FILTER_BITS));
    rocksdb_block_based_options_set_format_version(t, TABLE_FORMAT);
    rocksdb_block_based_options_set_checksum(t, TABLE_CHECKSUM);
    rocksdb_block_based_options_set_block_size(t, block_size[family]);
    rocksdb_options_set_block_based_table_factory(o, t);
    rocksdb_block_based_options_destroy(t);
}

/* Bodies lie in files of their own, which compaction leaves alone: they are moved together only when
 * engine_compact() asks for it. With collection always on, each compaction would copy the mail it passes.
 *
 * But each costs a read of its own, and to find it, take it over and free it again takes longer than to unpack a small
 * one. So those stay in the table, where one read brings a hundred to whoever goes through a mailbox. The price is that
 * compaction copies them: once at least, from level 0. That is not compressed, or each would be so twice. */
static void set_bodies(rocksdb_options_t *o)
{
    static const int of_levels[] = {rocksdb_no_compression,
                                    rocksdb_lz4_compression}; /* 0; all others */

    rocksdb_options_set_compression_per_level(o, of_levels, sizeof(of_levels) / sizeof(*of_levels));
    rocksdb_options_set_enable_blob_files(o, 1);
    rocksdb_options_set_min_blob_size(o, BODY_LEAST);
    rocksdb_options_set_blob_file_size(o, BODY_FILE_SIZE);
    rocksdb_options_set_blob_compression_type(o, rocksdb_lz4_compression);
    rocksdb_options_set_enable_blob_gc(o, 0);
    rocksdb_options_set_blob_gc_age_cutoff(o, 1.0); /* when collecting: from every file */
}

/* While there is a damaged file: no compaction, and tables may pile up at level 0. See rocksdb_damage.c. */
static void set_frozen(rocksdb_options_t *o)
{
    rocksdb_options_set_disable_auto_compactions(o, 1);
    rocksdb_options_set_level0_slowdown_writes_trigger(o, 1 << 30);
    rocksdb_options_set_level0_stop_writes_trigger(o, 1 << 30);
    rocksdb_options_set_soft_pending_compaction_bytes_limit(o, 0);
    rocksdb_options_set_hard_pending_compaction_bytes_limit(o, 0);
}

/* A family writes its memtable when that is full. The limit of all together would pick the oldest, which is that of the
 * rows while bodies come, and make many small tables: so it lies above their sum, where it is reached in seven eighths. */
static const size_t memtable_size[FAMILY_COUNT] = {
    [FAMILY_ROWS] = 8 * MIB, [FAMILY_BODY] = 12 * MIB, [FAMILY_TRACE] = 2 * MIB};

/* New rows fall anywhere among the accounts, so levels would write all they hold again and again: ten times a level.
 * Runs of like size, merged two and two, write a row as often as the store has doubled. Trace comes in order of time:
 * levels take whole files of it over, and give whole files away. */
static void set_rows(rocksdb_options_t *o)
{
    rocksdb_options_set_compaction_style(o, rocksdb_universal_compaction);
}

static rocksdb_options_t *options_of_family(struct rocks *r, enum family family)
{
    rocksdb_options_t *o = rocksdb_options_create_copy(r->db_options);

    set_tables(r, o, family);
    rocksdb_options_set_compression(o, rocksdb_lz4_compression);
    rocksdb_options_set_write_buffer_size(o, memtable_size[family]);
    rocksdb_options_set_arena_block_size(o, MEMTABLE_BLOCK);
    rocksdb_options_set_max_write_buffer_number(
        o, 4); /* writing goes on while tables are made of full ones */
    rocksdb_options_set_target_file_size_base(o, 16 * MIB);
    if (family == FAMILY_BODY)
        set_bodies(o);
    if (family == FAMILY_ROWS)
        set_rows(o);
    if (rocks_is_damaged(r))
        set_frozen(o);
    return o;
}

void rocks_options_make(struct rocks *r)
{
    r->cache = rocksdb_cache_create_lru(CACHE_SIZE);
    r->db_options = database_options(r);
    for (enum family f = 0; f < FAMILY_COUNT; f++)
        r->family_options[f] = options_of_family(r, f);
    r->unsynced = rocksdb_writeoptions_create();
    r->newest = rocksdb_readoptions_create();
}

void rocks_options_free(struct rocks *r)
{
    rocksdb_readoptions_destroy(r->newest);
    rocksdb_writeoptions_destroy(r->unsynced);
    for (enum family f = 0; f < FAMILY_COUNT; f++)
        rocksdb_options_destroy(r->family_options[f]);
    rocksdb_options_destroy(r->db_options);
    rocksdb_cache_destroy(r->cache);
}
