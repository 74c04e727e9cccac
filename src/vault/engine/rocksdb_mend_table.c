/* What a flipped byte in a table would cost that no row stands in: the index, without which no block is found, the list of
 * properties, that of deleted ranges and the list of such lists, and the footer, which tells where they lie. One wrong byte
 * among them would take all rows of the table away, so it is looked for and put right; more than one are left as they are.
 *
 * A block carries a checksum, which tells the byte (wrong_byte.h), but would name one in a thousandth of the blocks with
 * more wrong ones, too. So a block must also be right with it: keys grow, and an index leads to blocks one behind
 * the other. Filters are not mended: a table is read without its filter, and a filter that is wrong hides rows. Nor are
 * blocks of rows: those that are wrong cost their own rows and nothing else.
 *
 * The shapes are those of RocksDB's table/format.cc; an index has its keys whole. */
#include "vault/engine/rocksdb_impl.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/scoped.h"
#include "vault/engine/crc32c.h"
#include "vault/engine/wrong_byte.h"

#include <fcntl.h>
#include <lz4.h>
#include <sys/stat.h>
#include <unistd.h>

#define TRAILER 5 /* how it is compressed; the checksum of that and of the block */
#define BLOCK_MOST ((uint64_t)64 << 20)

/* The footer: kind of checksum, places of the list of lists and of the index, zeros, format version, magic. */
#define FOOTER 53
#define PLACES_END 41
static const char magic[] = "\xf7\xcf\xf4\x85\xb7\x41\xe2\x88";

#define SEQUENCE 8 /* bytes behind the key of a row: what it is, and its number, little-endian */
#define RANGE_DELETION '\x0f' /* kTypeRangeDeletion */

struct place {
    uint64_t offset, size; /* without the trailer */
};

struct table {
    int fd;
    const char *name;
    uint64_t size;
    size_t mended; /* bytes */
};

/* ---- reading what is in a block ---- */

/* LEB128, as everywhere in RocksDB; a last byte of zero would be one too many, and is not written. */
static bool take_number(struct str *in, uint64_t *out)
{
    *out = 0;
    for (int shift = 0; in->n && shift < 64; shift += 7) {
        uint8_t byte = (uint8_t)in->p[0];

        *in = str_from(*in, 1);
        *out |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return byte || shift == 0;
    }
    return false;
}

static bool take_place(struct str *in, struct place *p)
{
    return take_number(in, &p->offset) && take_number(in, &p->size);
}

static uint64_t end_of(struct place p)
{
    return p.offset + p.size + TRAILER;
}

static bool is_in(struct place p, uint64_t end)
{
    return p.offset <= end && p.size <= BLOCK_MOST && end_of(p) <= end;
}

/* Without the trailer's checksum. False: it cannot be unpacked. */
static bool unpack_block(struct arena *arena, struct str block, struct str *plain)
{
    int type = block.p[block.n - 1];
    struct str packed = str_upto(block, block.n - 1);
    uint64_t n;
    char *room;

    *plain = packed;
    if (type == rocksdb_no_compression)
        return true;
    if (type != rocksdb_lz4_compression || !take_number(&packed, &n) || n > BLOCK_MOST)
        return false;
    room = arena_alloc_raw(arena, n + 1);
    *plain = (struct str){room, n};
    return LZ4_decompress_safe(packed.p, room, (int)packed.n, (int)n) == (int)n;
}

/* Cuts what leads to the keys off; *count is how many there should be. */
static bool take_entries(struct str block, struct str *entries, uint32_t *count)
{
    if (block.n < 4)
        return false;
    *count = u32_at(block.p + block.n - 4);
    if (*count == 0 || *count > block.n / 4 - 1)
        return false;
    *entries = str_upto(block, block.n - 4 - (size_t)*count * 4);
    return true;
}

/* ---- whether a block is right ---- */

/* A block in the list of lists: the one of this name, or the one that begins there. */
struct wanted {
    struct str name;
    uint64_t offset;
    struct place found; /* size 0: not found */
};

struct name {
    size_t n;
    char bytes[WHOLE_KEY_SIZE + SEQUENCE];
};

static struct str str_of(const struct name *name)
{
    return (struct str){name->bytes, name->n};
}

/* It begins as the one before does. */
static bool take_name(struct str *entries, struct name *name, struct str *value)
{
    uint64_t shared, more, size;

    if (!take_number(entries, &shared) || !take_number(entries, &more) ||
        !take_number(entries, &size) || shared > name->n || more > sizeof(name->bytes) - shared ||
        more > entries->n || size > entries->n - more)
        return false;
    memcpy(name->bytes + shared, entries->p, more);
    name->n = shared + more;
    *value = str_upto(str_from(*entries, more), size);
    *entries = str_from(*entries, more + size);
    return true;
}

/* Names, which grow, with a value each. */
static bool read_list(struct str block, struct wanted *wanted)
{
    struct name name = {.n = 0}, before;
    struct str entries, value;
    struct place p;
    uint32_t count;

    if (!take_entries(block, &entries, &count))
        return false;
    while (entries.n) {
        before = name;
        if (!take_name(&entries, &name, &value) || str_compare(str_of(&before), str_of(&name)) >= 0)
            return false;
        if (wanted && take_place(&value, &p) &&
            (wanted->name.n ? str_same(str_of(&name), wanted->name) : p.offset == wanted->offset))
            wanted->found = p;
    }
    return true;
}

/* Ranges that were deleted: from a key, which a number follows that is greater for what came later, to a key. */
static bool is_ranges(struct str block, uint64_t end)
{
    struct name name = {.n = SEQUENCE}, before;
    struct str entries, to, from;
    uint32_t count;

    (void)end;
    if (!take_entries(block, &entries, &count))
        return false;
    while (entries.n) {
        before = name;
        if (!take_name(&entries, &name, &to) || name.n < SEQUENCE)
            return false;
        from = str_upto(str_of(&name), name.n - SEQUENCE);
        if (name.bytes[from.n] != RANGE_DELETION || str_compare(from, to) >= 0 ||
            str_compare(str_upto(str_of(&before), before.n - SEQUENCE), from) > 0)
            return false;
    }
    return true;
}

static bool is_list(struct str block, uint64_t end)
{
    (void)end;
    return read_list(block, NULL);
}

static bool is_index(struct str block, uint64_t end)
{
    struct str entries, key, before = STR_NONE;
    struct place p;
    uint64_t behind = 0;
    uint32_t count, n = 0;

    if (!take_entries(block, &entries, &count))
        return false;
    for (; entries.n; n++, before = key) {
        uint64_t shared, key_size;

        if (!take_number(&entries, &shared) || shared || !take_number(&entries, &key_size) ||
            key_size > entries.n)
            return false;
        key = str_upto(entries, key_size);
        entries = str_from(entries, key_size);
        if (!take_place(&entries, &p) || p.offset != behind || !is_in(p, end) ||
            (n > 0 && str_compare(before, key) >= 0))
            return false;
        behind = end_of(p);
    }
    return n == count || n == 0; /* a table of deleted ranges only */
}

typedef bool is_right(struct str block, uint64_t end);

/* ---- mending ---- */

/* With its trailer. */
static bool read_block(const struct table *t, struct arena *arena, struct place p, struct str *block)
{
    char *bytes;

    if (!is_in(p, t->size))
        return false;
    bytes = arena_alloc_raw(arena, p.size + TRAILER);
    *block = (struct str){bytes, p.size + TRAILER};
    return pread(t->fd, bytes, block->n, (off_t)p.offset) == (ssize_t)block->n;
}

static bool fits(struct str block)
{
    struct str content = str_upto(block, block.n - 4);

    return crc32c_masked(crc32c_extend(0, content.p, content.n)) == u32_at(content.p + content.n);
}

static void put_right(struct table *t, uint64_t at, uint8_t byte)
{
    if (pwrite(t->fd, &byte, 1, (off_t)at) != 1 || fdatasync(t->fd))
        return;
    t->mended++;
    log_line(LOG_WARNING, "store-mended", "file=%s offset=%llu cause=\"one byte of it was wrong\"",
             t->name, (unsigned long long)at);
}

static bool is_right_block(struct str content, uint64_t end, is_right *right)
{
    struct arena *arena = arena_new(0);
    struct str plain;
    bool yes = unpack_block(arena, content, &plain) && right(plain, end);

    arena_free(arena);
    return yes;
}

/* The checksum itself may have the wrong byte. */
static bool find_in_checksum(struct str block, uint64_t end, is_right *right, struct wrong_byte *found)
{
    struct str content = str_upto(block, block.n - 4);
    uint32_t difference =
        crc32c_masked(crc32c_extend(0, content.p, content.n)) ^ u32_at(content.p + content.n);

    for (unsigned i = 0; i < 4; i++)
        if ((difference & ~(0xffu << 8 * i)) == 0) {
            *found = (struct wrong_byte){.at = content.n + i, .by = (uint8_t)(difference >> 8 * i)};
            return is_right_block(content, end, right);
        }
    return false;
}

static void mend_block(struct table *t, struct arena *arena, struct place p, is_right *right)
{
    struct wrong_byte w, found = {0};
    struct str block, content;
    size_t count = 0;
    char *copy;

    if (!read_block(t, arena, p, &block) || fits(block))
        return;
    copy = arena_alloc_raw(arena, block.n);
    memcpy(copy, block.p, block.n);
    content = (struct str){copy, block.n - 4};
    count += find_in_checksum(block, p.offset, right, &found);
    wrong_byte_search(&w, content, crc32c_unmasked(u32_at(content.p + content.n)));
    while (wrong_byte_next(&w)) {
        copy[w.at] ^= (char)w.by;
        if (is_right_block(content, p.offset, right)) {
            found = w;
            count++;
        }
        copy[w.at] ^= (char)w.by;
    }
    if (count == 1)
        put_right(t, p.offset + found.at, (uint8_t)block.p[found.at] ^ found.by);
}

static bool is_good(const struct table *t, struct place p)
{
    struct arena *arena = arena_new(0);
    struct str block;
    bool yes = read_block(t, arena, p, &block) && fits(block);

    arena_free(arena);
    return yes;
}

static bool read_footer(const struct table *t, const char *footer, struct place *lists,
                        struct place *index)
{
    struct str places = {footer + 1, PLACES_END - 1};

    if (footer[0] != TABLE_CHECKSUM || u32_at(footer + PLACES_END) != TABLE_FORMAT ||
        memcmp(footer + PLACES_END + 4, magic, FOOTER - PLACES_END - 4) != 0 ||
        !take_place(&places, lists) || !take_place(&places, index))
        return false;
    for (; places.n; places = str_from(places, 1))
        if (places.p[0])
            return false;
    return is_in(*lists, t->size) && end_of(*lists) == t->size - FOOTER && is_in(*index, lists->offset);
}

static bool find_in_lists(const struct table *t, struct place lists, struct wanted *wanted)
{
    struct arena *arena = arena_new(0);
    struct str block, plain;
    bool yes = read_block(t, arena, lists, &block) && fits(block) &&
               unpack_block(arena, str_upto(block, block.n - 4), &plain) && read_list(plain, wanted) &&
               wanted->found.size;

    arena_free(arena);
    return yes;
}

/* It has no checksum; but what it leads to has, and one of the lists lies behind the index. */
static bool leads_on(const struct table *t, const char *footer, struct place *index)
{
    struct place lists;

    return read_footer(t, footer, &lists, index) &&
           find_in_lists(t, lists, &(struct wanted){.offset = end_of(*index)});
}

static bool is_footer(const struct table *t, const char *footer)
{
    struct place index;

    return leads_on(t, footer, &index) && is_good(t, index);
}

static void mend_footer(struct table *t, char *footer)
{
    size_t count = 0, at = 0;
    uint8_t right = 0;

    for (size_t i = 0; i < FOOTER; i++) {
        char was = footer[i];

        for (unsigned v = 0; v < 256; v++) {
            footer[i] = (char)v;
            if (footer[i] != was && is_footer(t, footer)) {
                at = i;
                right = (uint8_t)v;
                count++;
            }
        }
        footer[i] = was;
    }
    if (count == 1)
        put_right(t, t->size - FOOTER + at, right);
}

static void mend_lists(struct table *t, struct arena *arena, struct place lists)
{
    struct wanted properties = {.name = S("rocksdb.properties")},
                  ranges = {.name = S("rocksdb.range_del")};

    mend_block(t, arena, lists, is_list);
    if (find_in_lists(t, lists, &properties))
        mend_block(t, arena, properties.found, is_list);
    if (find_in_lists(t, lists, &ranges))
        mend_block(t, arena, ranges.found, is_ranges);
}

static void mend(struct table *t, char *footer)
{
    struct arena *arena = arena_new(0);
    struct place lists, index;

    if (read_footer(t, footer, &lists, &index)) {
        mend_lists(t, arena, lists);
        mend_block(t, arena, index, is_index);
    }
    if (!t->mended && !is_footer(t, footer))
        mend_footer(t, footer);
    arena_free(arena);
}

static bool look_at(const struct rocks *r, const char *name, bool only_footer)
{
    scoped(close_fd) int fd = openat(r->dir, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    struct table t = {.fd = fd, .name = name};
    char footer[FOOTER];
    struct place index;
    struct stat st;

    if (fd < 0 || fstat(fd, &st) || st.st_size < FOOTER)
        return false;
    t.size = (uint64_t)st.st_size;
    if (pread(fd, footer, FOOTER, st.st_size - FOOTER) != FOOTER)
        return false;
    if (!only_footer || !leads_on(&t, footer, &index))
        mend(&t, footer);
    return t.mended > 0;
}

bool rocks_mend_footer(const struct rocks *r, const char *name)
{
    return look_at(r, name, true);
}

bool rocks_mend_table(const struct rocks *r, const char *name)
{
    return look_at(r, name, false);
}
