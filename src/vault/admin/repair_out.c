/* Everything that is written goes through here: a transaction is committed when it has grown, and nothing is flushed
 * before the end, for a repair that was cut short is begun anew. */
#include "vault/admin/repair_impl.h"

#include "base/arena.h"
#include "base/scoped.h"

#include <inttypes.h>

#define WRITTEN_AT_ONCE (2 * 1024 * 1024)

struct txn *repair_out(struct repair *r, size_t bytes)
{
    const struct part parts[] = {{PART_DIRECTORY, 0}, {PART_ACCOUNT, r->account.v}};

    if (r->waiting + bytes > WRITTEN_AT_ONCE)
        repair_commit(r);
    if (!r->t)
        r->t = txn_begin(r->to, parts, r->account.v ? 2 : 1);
    r->waiting += bytes;
    return r->t;
}

void repair_commit(struct repair *r)
{
    struct ticket ticket;
    enum err e;

    r->waiting = 0;
    if (!r->t)
        return;
    e = txn_commit(&r->t, r->cx, &ticket);
    if (!r->failed)
        r->failed = e;
}

void repair_for(struct repair *r, struct account_id account)
{
    repair_commit(r);
    r->account = account;
}

/* ---- bodies ---- */

/* The size by the body's own row, else as expected; *sum is empty when that row is lost. */
static bool find_body(struct repair *r, struct body_id id, uint64_t *size, struct str *sum)
{
    struct body_row row;
    bool there = false;
    char text[ID_TEXT_SIZE];
    enum err e = body_find(r->v, &r->row, id, &row, &there);

    id_text(id.v, text);
    *sum = STR_NONE;
    if (!e && there) {
        *sum = row.sha256;
        if (*size != SIZE_UNKNOWN && *size != row.size)
            return fail(&r->row, ERR_DAMAGED, "%" PRIu64 " bytes are stored, %" PRIu64 " expected",
                        row.size, *size),
                   false;
        *size = row.size;
        return true;
    }
    if (*size == SIZE_UNKNOWN)
        return fail(&r->row, ERR_DAMAGED, "how long message %s is cannot be read", text), false;
    tell(r, CHECK_BODY, "message %s: its check value was lost, and made anew from the bytes", text);
    return true;
}

/* Reads all pieces; with `write` they go into the new store. */
static enum err read_pieces(struct repair *r, struct body_id id, uint64_t size, struct digest *d,
                            bool write)
{
    struct cx cx = {.arena = arena_new(0)};
    enum err e = OK;

    for (uint32_t n = 0; !e && n < body_pieces(size); n++) {
        struct str piece;

        arena_reset(cx.arena);
        e = body_piece(r->v, &cx, id, size, n, &piece);
        if (!e && d)
            digest_feed(d, piece);
        if (!e && write)
            piece_row_put(repair_out(r, piece.n), NO_ACCOUNT, &(struct piece_key){.body = id.v, .n = n},
                          &(struct piece_row){.raw = piece});
    }
    if (e)
        fail(&r->row, e, "%s", cx.cause);
    arena_free(cx.arena);
    return e;
}

static bool copy_body(struct repair *r, struct body_id id, uint64_t size, struct str sum)
{
    struct digest *d = digest_new();
    char is[SHA256_SIZE];
    enum err e = read_pieces(r, id, size, d, false);

    digest_end(d, is);
    digest_free(&d);
    if (!e && sum.n && !str_same(sum, (struct str){is, SHA256_SIZE}))
        e = fail(&r->row, ERR_DAMAGED, "the bytes do not have the check value they were stored with");
    if (!e)
        e = read_pieces(r, id, size, NULL, true);
    if (e)
        return false;
    body_row_put(
        repair_out(r, 100), NO_ACCOUNT, &(struct body_key){.body = id.v},
        &(struct body_row){.size = size, .pieces = body_pieces(size), .sha256 = {is, SHA256_SIZE}});
    r->reply->bodies++;
    return true;
}

static void note_home(void *arg, struct str key, struct str value)
{
    struct repair *r = arg;
    struct ref_key ref;

    (void)value;
    if (!ref_key_unpack(key, &ref) || ref.part != BODY_PART || ref.body >= ref.owner)
        return;
    if (r->home_count == r->home_room)
        r->homes = must_realloc(r->homes, (r->home_room = r->home_room ? r->home_room * 2 : 64) *
                                              sizeof(*r->homes));
    r->homes[r->home_count++] = (struct home){.of = ref.owner, .is = {ref.body}};
}

static void pass_over(void *arg, const char *cause)
{
    (void)arg;
    (void)cause; /* repair_kept() tells */
}

/* Of a body whose row is lost: if it had its bytes from another, that one's reference still says so. There are few, and they
 * are looked for once. */
static struct body_id home_by_references(struct repair *r, struct body_id id)
{
    if (!r->knows_homes)
        rows_walk(r->v, ref_part(NO_ACCOUNT), S("r"), S("s"),
                  &(struct walker){note_home, pass_over, r});
    r->knows_homes = true;
    for (size_t k = 0; k < r->home_count; k++)
        if (r->homes[k].of == id.v)
            return r->homes[k].is;
    return (struct body_id){0};
}

/* False: nothing tells, and it has its bytes itself, or nobody knows. */
static bool find_home(struct repair *r, struct body_id id, struct body_id *home)
{
    struct body_row row;
    bool there = false, is_read = !body_find(r->v, &r->row, id, &row, &there) && there;

    *home = is_read ? row.same_as : home_by_references(r, id);
    if (home->v)
        return true;
    *home = id;
    return is_read;
}

struct body_id repair_home(struct repair *r, struct body_id id)
{
    struct body_id home;

    find_home(r, id, &home);
    return home;
}

static bool put_same(struct repair *r, struct body_id id, struct body_id as, uint64_t *size)
{
    if (as.v >= id.v) /* each is younger than what it has its bytes from: no circle */
        return fail(&r->row, ERR_DAMAGED, "whose bytes it has makes no sense"), false;
    return repair_body(r, as, size) && !body_put_same(repair_out(r, 200), &r->row, id, as);
}

static bool bring_body(struct repair *r, struct body_id id, uint64_t *size)
{
    struct body_id home = repair_home(r, id);
    struct str sum;

    if (home.v != id.v)
        return put_same(r, id, home, size);
    return find_body(r, id, size, &sum) && copy_body(r, id, *size, sum);
}

static bool find_copied(struct repair *r, struct body_id id, struct body_row *row, bool *done)
{
    return !body_row_txn(repair_out(r, 0), &r->row, NO_ACCOUNT, &(struct body_key){.body = id.v}, row,
                         done);
}

bool repair_same(struct repair *r, struct body_id id, struct body_id as, uint64_t *size)
{
    struct body_row row;
    struct body_id home;
    bool done = false, told;

    if (!find_copied(r, id, &row, &done))
        return false;
    told = find_home(r, id, &home);
    if (done)
        home = row.same_as;
    if ((done || told) && home.v != as.v)
        return fail(&r->row, ERR_DAMAGED, "it does not have the bytes of what it is a twin of"), false;
    return done || told ? repair_body(r, id, size) : put_same(r, id, as, size);
}

bool repair_body(struct repair *r, struct body_id id, uint64_t *size)
{
    struct body_row row;
    bool done = false;

    if (!find_copied(r, id, &row, &done))
        return false;
    if (!done)
        return bring_body(r, id, size);
    if (*size != SIZE_UNKNOWN && *size != row.size)
        return fail(&r->row, ERR_DAMAGED, "%" PRIu64 " bytes are stored, %" PRIu64 " expected",
                    row.size, *size),
               false;
    *size = row.size;
    return true;
}

bool repair_is_released(struct repair *r, struct body_id body, uint64_t part, uint64_t owner)
{
    return marks_have(&r->marks, body, part, owner);
}
