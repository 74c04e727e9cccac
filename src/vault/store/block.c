/* A block: 8 bytes that say which UIDs are there, one that says which columns have the same value for all of them, what
 * the first message is told from, then the columns: one value, or one for each. Ids, modseqs and dates are told apart from the one before, or from the body's id, which
 * holds the time it came (base/ids.h): so most columns are one value, or bytes. */
#include "vault/store/block.h"

#include "base/scoped.h"

#include <inttypes.h>

#define ID_LOW_BITS 20 /* of a body's id; above them stands the time in ms */
#define ID_LOW_MASK (((uint64_t)1 << ID_LOW_BITS) - 1)

/* Numbers that may go down as well: small ones of either sign are short. */
static uint64_t to_zigzag(uint64_t v)
{
    return v << 1 ^ (uint64_t)((int64_t)v >> 63);
}

static uint64_t from_zigzag(uint64_t v)
{
    return v >> 1 ^ -(v & 1);
}

static uint64_t time_of(struct body_id body)
{
    return body.v >> ID_LOW_BITS;
}

static uint64_t low_of(struct body_id body)
{
    return body.v & ID_LOW_MASK;
}

/* ---- columns ---- */

/* What a column holds of message e, which comes after `before`; and how that gives the message back from c. In this
 * order: dates are told from the body's id. */
#define EACH_COLUMN(COLUMN)                                                                            \
    COLUMN(EMAIL, to_zigzag(e->email.v - before->email.v - 1),                                         \
           e->email.v = before->email.v + 1 + from_zigzag(c))                                          \
    COLUMN(BODY_TIME, to_zigzag(time_of(e->body) - time_of(before->body)),                             \
           e->body.v = (time_of(before->body) + from_zigzag(c)) << ID_LOW_BITS)                        \
    COLUMN(BODY_LOW, low_of(e->body), e->body.v |= c & ID_LOW_MASK)                                    \
    COLUMN(MODSEQ, to_zigzag(e->modseq - before->modseq), e->modseq = before->modseq + from_zigzag(c)) \
    COLUMN(FLAGS, e->flags, e->flags = c)                                                              \
    COLUMN(SIZE, e->size, e->size = c)                                                                 \
    COLUMN(INTERNAL_DATE, to_zigzag((uint64_t)e->internal_date - time_of(e->body)),                    \
           e->internal_date = (int64_t)(time_of(e->body) + from_zigzag(c)))                            \
    COLUMN(SAVE_DATE, to_zigzag((uint64_t)e->save_date - time_of(e->body)),                            \
           e->save_date = (int64_t)(time_of(e->body) + from_zigzag(c)))

#define COLUMN(name, value, back) COLUMN_##name,
enum { EACH_COLUMN(COLUMN) COLUMNS };
#undef COLUMN

static bool all_same(const uint64_t *c, size_t n)
{
    size_t i = 1;

    while (i < n && c[i] == c[0])
        i++;
    return i >= n;
}

/* The first message is told from this one, so that its columns are as short as the others'. */
static struct roster_entry before_first(const struct roster_entry *first)
{
    struct roster_entry before = *first;

    before.email.v--;
    return before;
}

void entries_pack(struct buf *b, uint32_t first, const struct roster_entry *v, size_t n)
{
    struct roster_entry start = before_first(&v[0]);
    const struct roster_entry *before = &start;
    uint64_t c[COLUMNS][BLOCK_UIDS], bits = 0;
    unsigned same = 0;

    for (size_t i = 0; i < n; i++) {
        const struct roster_entry *e = &v[i];

        bits |= (uint64_t)1 << (e->uid - first);
#define COLUMN(name, value, back) c[COLUMN_##name][i] = value;
        EACH_COLUMN(COLUMN)
#undef COLUMN
        before = e;
    }
    for (unsigned k = 0; k < COLUMNS; k++)
        same |= (unsigned)all_same(c[k], n) << k;
    pack_key_u64(b, bits);
    pack_key_u8(b, (uint8_t)same);
    pack_u64(b, v[0].email.v);
    pack_key_u64(b, v[0].body.v);
    pack_u64(b, v[0].modseq);
    for (unsigned k = 0; k < COLUMNS; k++)
        pack_u64s(b, c[k], same >> k & 1 ? 1 : n);
}

static size_t unpack_uids(struct unpack *u, uint32_t first, struct roster_entry *v)
{
    uint64_t bits = unpack_key_u64(u);
    size_t n = 0;

    for (; bits; bits &= bits - 1) {
        uint64_t uid = (uint64_t)first + (unsigned)__builtin_ctzll(bits);

        v[n++] = (struct roster_entry){.uid = (uint32_t)uid};
        u->ok &= uid > 0 && uid < UINT32_MAX;
    }
    u->ok &= n > 0;
    return n;
}

static void unpack_column(struct unpack *u, bool same, uint64_t *c, size_t n)
{
    unpack_u64s(u, c, same ? 1 : n);
    for (size_t i = 1; same && i < n; i++)
        c[i] = c[0];
}

bool entries_unpack(struct str in, uint32_t first, struct roster_entry v[BLOCK_UIDS], size_t *n)
{
    struct unpack u = unpack_begin(in);
    size_t count = unpack_uids(&u, first, v);
    unsigned same = unpack_key_u8(&u);
    uint64_t column[COLUMNS][BLOCK_UIDS];
    struct roster_entry start = {.email.v = unpack_u64(&u)};
    const struct roster_entry *before = &start;

    start.body.v = unpack_key_u64(&u);
    start.modseq = unpack_u64(&u);
    start = before_first(&start);
    for (unsigned k = 0; k < COLUMNS; k++)
        unpack_column(&u, same >> k & 1, column[k], count);
    for (size_t i = 0; i < count && u.ok; i++) {
        struct roster_entry *e = &v[i];

#define COLUMN(name, value, back)                                                                      \
    {                                                                                                  \
        uint64_t c = column[COLUMN_##name][i];                                                         \
        back;                                                                                          \
    }
        EACH_COLUMN(COLUMN)
#undef COLUMN
        u.ok &= e->email.v && e->body.v;
        before = e;
    }
    if (!unpack_done(&u))
        return false;
    *n = count;
    return true;
}

/* ---- the tail ---- */

bool tail_fits(const struct roster_entry *v, size_t n)
{
    return n <= TAIL_MOST && (n == 0 || v[n - 1].uid - v[0].uid < BLOCK_UIDS);
}

struct str tail_pack(struct arena *a, const struct roster_entry *v, size_t n)
{
    scoped(buf_free) struct buf b = buf_make(BUF_UNLIMITED);

    if (n) {
        pack_u64(&b, v[0].uid);
        entries_pack(&b, v[0].uid, v, n);
    }
    return str_copy(a, buf_str(&b));
}

bool tail_unpack(struct str in, struct roster_entry v[BLOCK_UIDS], size_t *n)
{
    struct unpack u = unpack_begin(in);
    uint32_t first;

    *n = 0;
    if (!in.n)
        return true;
    first = (uint32_t)unpack_number(&u, UINT32_MAX - BLOCK_UIDS);
    return u.ok && entries_unpack(u.in, first, v, n) && v[0].uid == first;
}

/* ---- reading ---- */

/* Those of a run that lie between first and last. */
static void look_at_run(struct block_reader *r, const struct roster_entry *v, size_t n, uint32_t first,
                        uint32_t last)
{
    while (n && v[0].uid < first)
        v++, n--;
    while (n && v[n - 1].uid > last)
        n--;
    if (n)
        r->look(r->arg, v, n);
}

static enum err read_rows(struct block_reader *r, uint32_t first, uint32_t last)
{
    scoped(buf_free) struct buf from = buf_make(32), to = buf_make(32);
    scoped(scan_close) struct scan *scan = NULL;
    struct str key, value;
    enum err e;

    block_key_pack(&from, &(struct block_key){.mailbox = r->mailbox.v, .block = block_of(first)});
    block_key_pack(&to, &(struct block_key){.mailbox = r->mailbox.v, .block = block_of(last) + 1});
    e = view_scan(r->v, r->cx, block_part(r->account), buf_str(&from), buf_str(&to), false, &scan);
    while (!e) {
        while (scan_next(scan, &key, &value)) {
            struct roster_entry v[BLOCK_UIDS];
            struct block_key k;
            size_t n;

            if (block_key_unpack(key, &k) && k.block <= block_of(UINT32_MAX) &&
                entries_unpack(value, k.block * BLOCK_UIDS, v, &n))
                look_at_run(r, v, n, first, last);
            else
                r->damaged++;
        }
        e = scan_error(scan, r->cx);
        if (e != ERR_DAMAGED)
            return e;
        r->damaged++;
        e = OK;
        if (!scan_past_damage(scan))
            return OK;
    }
    return e;
}

enum err blocks_read(struct block_reader *r, uint32_t first, uint32_t last)
{
    struct roster_entry v[BLOCK_UIDS];
    enum err e = read_rows(r, first, last);
    size_t n;

    if (e)
        return e;
    if (!tail_unpack(r->tail, v, &n))
        return fail(r->cx, ERR_DAMAGED,
                    "account %" PRIu64 ": the counts of mailbox %" PRIu64 " cannot be unpacked",
                    r->account.v, r->mailbox.v);
    look_at_run(r, v, n, first, last);
    return OK;
}
