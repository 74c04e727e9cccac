#include "vault/store/body.h"

#include "base/clock.h"
#include "base/scoped.h"

#include <assert.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>

#define PIECES_MOST 8192 /* twice as many as the longest message may have (config/settings.def) */

/* ---- SHA-256: the algorithm is fetched once, since a look-up by name costs more than a short digest ---- */

struct digest {
    EVP_MD_CTX *ctx;
};

static const EVP_MD *sha256;
static pthread_once_t sha256_once = PTHREAD_ONCE_INIT;

static void fetch_sha256(void)
{
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    assert(sha256);
}

struct digest *digest_new(void)
{
    struct digest *d = must_alloc(sizeof(*d));
    int ok;

    pthread_once(&sha256_once, fetch_sha256);
    d->ctx = EVP_MD_CTX_new();
    assert(d->ctx);
    ok = EVP_DigestInit_ex(d->ctx, sha256, NULL);
    assert(ok == 1);
    return d;
}

struct digest *digest_copy(const struct digest *d)
{
    struct digest *copy = digest_new();
    int ok = EVP_MD_CTX_copy_ex(copy->ctx, d->ctx);

    assert(ok == 1);
    return copy;
}

void digest_free(struct digest **d)
{
    if (!*d)
        return;
    EVP_MD_CTX_free((*d)->ctx);
    free(*d);
    *d = NULL;
}

void digest_feed(struct digest *d, struct str bytes)
{
    int ok = EVP_DigestUpdate(d->ctx, bytes.p, bytes.n);

    assert(ok == 1);
}

void digest_end(struct digest *d, char out[SHA256_SIZE])
{
    unsigned n = SHA256_SIZE;
    int ok = EVP_DigestFinal_ex(d->ctx, (unsigned char *)out, &n);

    assert(ok == 1 && n == SHA256_SIZE);
}

void digest_of(struct str bytes, char out[SHA256_SIZE])
{
    unsigned n = SHA256_SIZE;
    int ok;

    pthread_once(&sha256_once, fetch_sha256);
    ok = EVP_Digest(bytes.p, bytes.n, (unsigned char *)out, &n, sha256, NULL);
    assert(ok == 1 && n == SHA256_SIZE);
}

/* ---- writing ---- */

static void put_piece(struct txn *t, struct body_id body, uint32_t n, struct str bytes)
{
    scoped(buf_free) struct buf key = buf_make(32);

    piece_key_pack(&key, &(struct piece_key){.body = body.v, .n = n});
    txn_put_piece(t, piece_part(NO_ACCOUNT), buf_str(&key), bytes);
}

void body_put_ahead(struct txn *t, struct body_id body, uint32_t n, struct str piece)
{
    put_piece(t, body, n, piece);
    if (n == 0)
        ahead_row_put(t, NO_ACCOUNT, &(struct ahead_key){.body = body.v},
                      &(struct ahead_row){.time = (uint64_t)now_ms()});
}

static void delete_pieces(struct txn *t, uint64_t body)
{
    struct buf from = buf_make(32), to = buf_make(32);

    piece_key_pack(&from, &(struct piece_key){.body = body});
    piece_key_pack(&to, &(struct piece_key){.body = body + 1});
    txn_delete_range(t, piece_part(NO_ACCOUNT), buf_str(&from), buf_str(&to));
    buf_free(&from);
    buf_free(&to);
}

void body_forget(struct txn *t, struct body_id body, uint32_t pieces)
{
    for (uint32_t n = 0; n < pieces; n++)
        piece_row_delete(t, NO_ACCOUNT, &(struct piece_key){.body = body.v, .n = n});
    ahead_row_delete(t, NO_ACCOUNT, &(struct ahead_key){.body = body.v});
}

void bodies_put_ahead(struct txn *t, const struct body_id *bodies, const struct str *pieces, size_t n)
{
    struct fellow list[BODIES_TOGETHER];

    assert(n && n <= BODIES_TOGETHER);
    for (size_t i = 0; i < n; i++) {
        put_piece(t, bodies[i], 0, pieces[i]);
        list[i].body = bodies[i];
    }
    together_row_put(
        t, NO_ACCOUNT, &(struct together_key){.first = bodies[0].v},
        &(struct together_row){.time = (uint64_t)now_ms(), .bodies = list, .bodies_count = n});
}

void bodies_forget(struct txn *t, const struct body_id *bodies, size_t n)
{
    for (size_t i = 0; i < n; i++)
        piece_row_delete(t, NO_ACCOUNT, &(struct piece_key){.body = bodies[i].v});
    together_row_delete(t, NO_ACCOUNT, &(struct together_key){.first = bodies[0].v});
}

void body_put(struct txn *t, const struct new_body *b)
{
    struct body_row row = {
        .size = b->size, .pieces = body_pieces(b->size), .sha256 = {b->sha256, SHA256_SIZE}};

    txn_rests_on(t, b->opening);
    if (b->last.n)
        put_piece(t, b->id, b->ahead, b->last);
    body_row_put(t, NO_ACCOUNT, &(struct body_key){.body = b->id.v}, &row);
    if (b->mark == b->id.v)
        together_row_delete(t, NO_ACCOUNT, &(struct together_key){.first = b->mark});
    else if (b->ahead && !b->mark)
        ahead_row_delete(t, NO_ACCOUNT, &(struct ahead_key){.body = b->id.v});
}

enum err body_put_same(struct txn *t, struct cx *cx, struct body_id id, struct body_id as)
{
    struct body_row row;
    char text[ID_TEXT_SIZE];
    bool found;
    enum err e = body_row_txn(t, cx, NO_ACCOUNT, &(struct body_key){.body = as.v}, &row, &found);

    id_text(as.v, text);
    if (e || !found)
        return e ? e : fail(cx, ERR_GONE, "body %s was removed", text);
    row.same_as = as;
    body_row_put(t, NO_ACCOUNT, &(struct body_key){.body = id.v}, &row);
    body_refer(t, as, BODY_PART, id.v);
    return OK;
}

void body_refer(struct txn *t, struct body_id body, uint64_t part, uint64_t owner)
{
    ref_row_put(t, NO_ACCOUNT, &(struct ref_key){.body = body.v, .part = part, .owner = owner},
                &(struct ref_row){0});
}

void body_release(struct txn *t, struct body_id body, uint64_t part, uint64_t owner)
{
    struct dropped item = {.body = body, .owner = owner};

    dead_row_put(
        t, NO_ACCOUNT, &(struct dead_key){.id = fresh_id()},
        &(struct dead_row){.time = (uint64_t)now_ms(), .part = part, .items = &item, .items_count = 1});
}

/* Of a row that cannot be read nobody knows how many there are, nor of one that says nonsense. */
static void delete_pieces_of(struct txn *t, struct body_id body, const struct body_row *row)
{
    if (!row || row->pieces > PIECES_MOST)
        delete_pieces(t, body.v);
    else
        for (uint32_t n = 0; n < row->pieces; n++)
            piece_row_delete(t, NO_ACCOUNT, &(struct piece_key){.body = body.v, .n = n});
}

enum err body_delete(struct txn *t, struct cx *cx, struct body_id body, size_t *bodies, uint64_t *bytes,
                     struct body_id *held)
{
    struct body_row row;
    bool found;
    enum err e = body_row_txn(t, cx, NO_ACCOUNT, &(struct body_key){.body = body.v}, &row, &found);

    *held = (struct body_id){0};
    if (e ? e != ERR_DAMAGED : !found)
        return e;
    if (!e && row.same_as.v) {
        *held = row.same_as;
        ref_row_delete(t, NO_ACCOUNT,
                       &(struct ref_key){.body = row.same_as.v, .part = BODY_PART, .owner = body.v});
        row.size = row.pieces = 0;
    }
    delete_pieces_of(t, body, e ? NULL : &row);
    body_row_delete(t, NO_ACCOUNT, &(struct body_key){.body = body.v});
    *bytes += e ? 0 : row.size;
    ++*bodies;
    return OK;
}

/* ---- reading ---- */

enum err body_find(struct view *v, struct cx *cx, struct body_id id, struct body_row *row, bool *found)
{
    return body_row_view(v, cx, NO_ACCOUNT, &(struct body_key){.body = id.v}, row, found);
}

enum err body_piece_check(struct cx *cx, struct body_id id, uint64_t size, uint32_t n, bool found,
                          struct str piece)
{
    uint64_t before = (uint64_t)n * BODY_PIECE;
    char text[ID_TEXT_SIZE];

    id_text(id.v, text);
    if (!found)
        return fail(cx, ERR_GONE, "body %s has no piece %u", text, n);
    if (before >= size || piece.n != (size - before < BODY_PIECE ? size - before : BODY_PIECE))
        return fail(cx, ERR_DAMAGED, "piece %u of body %s has %zu bytes, of %llu in all", n, text,
                    piece.n, (unsigned long long)size);
    return OK;
}

/* Each is older than those that have its bytes; so this ends, whatever the rows say. */
enum err body_home(struct view *v, struct cx *cx, struct body_id id, struct body_id *home)
{
    struct body_row row;
    bool found = true, further = true;
    enum err e = OK;

    *home = id;
    while (!e && further) {
        e = body_find(v, cx, *home, &row, &found);
        further = !e && found && row.same_as.v && row.same_as.v < home->v;
        if (further)
            *home = row.same_as;
    }
    return e;
}

static enum err find_piece(struct view *v, struct cx *cx, struct body_id id, uint32_t n,
                           struct str *piece, bool *found)
{
    struct piece_row row = {0};
    enum err e =
        piece_row_view(v, cx, NO_ACCOUNT, &(struct piece_key){.body = id.v, .n = n}, &row, found);

    *piece = row.raw;
    return e;
}

enum err body_piece(struct view *v, struct cx *cx, struct body_id id, uint64_t size, uint32_t n,
                    struct str *piece)
{
    struct str bytes;
    struct body_id home = id;
    bool found;
    enum err e = find_piece(v, cx, id, n, &bytes, &found);

    if (!e && !found)
        e = body_home(v, cx, id, &home);
    if (!e && home.v != id.v)
        e = find_piece(v, cx, home, n, &bytes, &found);
    if (!e)
        e = body_piece_check(cx, id, size, n, found, bytes);
    if (!e)
        *piece = bytes;
    return e;
}

/* ---- sweeping ---- */

static enum err sweep_single(struct txn *t, struct cx *cx, size_t *swept)
{
    scoped(scan_close) struct scan *scan = NULL;
    struct ahead_key key;
    struct str k, v;
    enum err e = txn_scan(t, cx, ahead_part(NO_ACCOUNT), S("p"), S("q"), false, &scan);

    if (e)
        return e;
    while (scan_next(scan, &k, &v))
        if (ahead_key_unpack(k, &key)) {
            delete_pieces(t, key.body);
            ahead_row_delete(t, NO_ACCOUNT, &key);
            ++*swept;
        }
    return scan_error(scan, cx);
}

static enum err sweep_together(struct txn *t, struct cx *cx, size_t *swept)
{
    scoped(scan_close) struct scan *scan = NULL;
    struct together_row row;
    struct str k, v;
    enum err e = txn_scan(t, cx, together_part(NO_ACCOUNT), S("g"), S("h"), false, &scan);

    if (e)
        return e;
    while (scan_next(scan, &k, &v)) {
        if (!together_unpack(cx->arena, v, &row))
            continue; /* `check` names it */
        for (size_t i = 0; i < row.bodies_count; i++)
            bodies_forget(t, &row.bodies[i].body, 1);
        *swept += row.bodies_count;
    }
    return scan_error(scan, cx);
}

enum err body_sweep(struct store *s, struct cx *cx, size_t *swept)
{
    scoped(txn_rollback) struct txn *t = txn_begin(s->engine, NULL, 0);
    struct ticket ticket;
    enum err e;

    *swept = 0;
    e = sweep_single(t, cx, swept);
    if (!e)
        e = sweep_together(t, cx, swept);
    return e ? e : txn_commit(&t, cx, &ticket);
}
