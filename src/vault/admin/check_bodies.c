/* Bodies and who needs them. Three kinds of rows must agree: a body has its pieces and no others, and somebody who refers
 * to it; a reference has an owner that has this body; a mark for the collector has a reference, and its owner has gone
 * (an email's, check_mail.c). */
#include "vault/admin/check_impl.h"

#include "base/scoped.h"
#include "vault/store/directory.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- pieces ---- */

/* False: it cannot be read, or is not what was stored; piece_cx->cause says why. */
static bool is_whole(struct check *k, struct cx *piece_cx, struct body_id id,
                     const struct body_row *row)
{
    struct digest *d = digest_new();
    char sum[SHA256_SIZE];
    enum err e = OK;

    for (uint32_t n = 0; !e && n < body_pieces(row->size); n++) {
        struct str piece;

        arena_reset(piece_cx->arena);
        e = body_piece(k->v, piece_cx, id, row->size, n, &piece);
        if (!e)
            digest_feed(d, piece);
    }
    digest_end(d, sum);
    digest_free(&d);
    if (!e && !str_same((struct str){sum, SHA256_SIZE}, row->sha256))
        e = fail(piece_cx, ERR_DAMAGED, "the bytes do not have the check value they were stored with");
    return !e;
}

struct loss {
    const char *cause;
    char message[ID_TEXT_SIZE];
    size_t owners;
};

static void tell_losers(struct check *k, uint64_t body, struct loss *l);

/* Whoever has the message is told of it: the postmaster wants to know whose mail was lost. */
static void look_at_loser(struct check *k, void *arg, struct str key, struct str value)
{
    struct loss *l = arg, other = {.cause = l->cause};
    struct str before = k->address;
    struct ref_key rk;
    struct account_row account;
    bool there = false;

    (void)value;
    if (!ref_key_unpack(key, &rk) || rk.part == LEFT_PART)
        return;
    if (rk.part == BODY_PART) {
        if (rk.owner > rk.body) /* as each is that has the bytes of another: no circle */
            tell_losers(k, rk.owner, &other);
        l->owners += other.owners;
        return;
    }
    l->owners++;
    if (rk.part != QUEUE_PART)
        (void)directory_account(k->v, &k->row, (struct account_id){rk.part}, &account, &there);
    k->address = there ? account.address : STR_NONE;
    found(k, CHECK_BODY, "message %s, %s %" PRIu64 ": %s", l->message,
          rk.part == QUEUE_PART ? "queue entry" : "email", rk.owner, l->cause);
    k->address = before;
}

static void tell_losers(struct check *k, uint64_t body, struct loss *l)
{
    scoped(buf_free) struct buf from = buf_make(32), to = buf_make(32);

    id_text(body, l->message);
    ref_key_pack(&from, &(struct ref_key){.body = body});
    ref_key_pack(&to, &(struct ref_key){.body = body + 1});
    check_walk(k, ref_part(NO_ACCOUNT), buf_str(&from), buf_str(&to), "a reference", look_at_loser, l);
}

static void check_bytes(struct check *k, struct body_id id, const struct body_row *row)
{
    struct cx piece_cx = {.arena = arena_new(0)};
    struct loss l = {.cause = piece_cx.cause};

    if (!is_whole(k, &piece_cx, id, row)) {
        tell_losers(k, id.v, &l);
        if (!l.owners)
            found(k, CHECK_BODY, "message %s: %s", l.message, piece_cx.cause);
    }
    arena_free(piece_cx.arena);
}

/* Pieces behind the last body that was looked at and before this one: nobody's, unless they came ahead of a body that
 * is still on its way. Nothing is read if there are none. */
struct pieces {
    uint64_t body; /* from here */
    uint32_t n;
    uint64_t told; /* a body whose stray pieces were named already */
};

/* Its mark may be another's, with which it came. There are few. */
struct fellow_of {
    uint64_t body;
    bool is;
};

static void look_at_mark(struct check *k, void *arg, struct str key, struct str value)
{
    struct fellow_of *f = arg;
    struct cx cx = {.arena = arena_new(0)};
    struct together_row row;

    (void)k;
    (void)key;
    if (together_unpack(cx.arena, value, &row))
        for (size_t i = 0; i < row.bodies_count; i++)
            f->is |= row.bodies[i].body.v == f->body;
    arena_free(cx.arena);
}

static bool came_together(struct check *k, uint64_t body)
{
    struct fellow_of f = {.body = body};

    check_walk(k, together_part(NO_ACCOUNT), S("g"), S("h"), "a mark of messages under way",
               look_at_mark, &f);
    return f.is;
}

static void look_at_stray(struct check *k, void *arg, struct str key, struct str value)
{
    scoped(buf_free) struct buf ahead = buf_make(32);
    struct pieces *p = arg;
    struct piece_key pk;
    char text[ID_TEXT_SIZE];

    (void)value;
    if (!piece_key_unpack(key, &pk) || pk.body == p->told)
        return;
    p->told = pk.body;
    ahead_key_pack(&ahead, &(struct ahead_key){.body = pk.body});
    id_text(pk.body, text);
    if (!row_exists(k, ahead_part(NO_ACCOUNT), &ahead, "a mark of pieces under way") &&
        !came_together(k, pk.body))
        found(k, CHECK_BODY, "message %s: piece %u belongs to nothing", text, pk.n);
}

static void check_strays(struct check *k, struct pieces *p, uint64_t before)
{
    scoped(buf_free) struct buf from = buf_make(32), to = buf_make(32);

    piece_key_pack(&from, &(struct piece_key){.body = p->body, .n = p->n});
    piece_key_pack(&to, &(struct piece_key){.body = before});
    check_walk(k, piece_part(NO_ACCOUNT), buf_str(&from), buf_str(&to), "a piece of a message",
               look_at_stray, p);
}

/* ---- bodies ---- */

/* The bytes are looked at once, where they are: who has them from there is among those that lose them. */
static void check_same(struct check *k, const char *text, uint64_t body, const struct body_row *row)
{
    struct body_row other;
    bool there = false;

    if (!has_reference(k, row->same_as, BODY_PART, body))
        found(k, CHECK_REFERENCE, "message %s does not refer to the one that it has its bytes from",
              text);
    if (row->same_as.v >= body ||
        (!body_find(k->v, &k->row, row->same_as, &other, &there) &&
         !(there && other.size == row->size && str_same(other.sha256, row->sha256))))
        found(k, CHECK_BODY, "message %s is not what it has its bytes from", text);
}

static void note_any(struct check *k, void *arg, struct str key, struct str value)
{
    struct ref_key rk;

    (void)k;
    (void)value;
    *(bool *)arg |= !ref_key_unpack(key, &rk) || rk.part != LEFT_PART;
}

static bool has_references(struct check *k, uint64_t body)
{
    scoped(buf_free) struct buf from = buf_make(32), to = buf_make(32);
    bool any = false;

    ref_key_pack(&from, &(struct ref_key){.body = body});
    ref_key_pack(&to, &(struct ref_key){.body = body + 1});
    check_walk(k, ref_part(NO_ACCOUNT), buf_str(&from), buf_str(&to), "a reference", note_any, &any);
    return any;
}

static void look_at_body(struct check *k, void *arg, struct str key, struct str value)
{
    struct pieces *p = arg;
    struct body_key bk;
    struct body_row row;
    char text[ID_TEXT_SIZE];

    if (!body_key_unpack(key, &bk) || !body_unpack(k->row.arena, value, &row)) {
        found(k, CHECK_UNREADABLE, "a message's row cannot be unpacked");
        return;
    }
    id_text(bk.body, text);
    check_strays(k, p, bk.body);
    *p = (struct pieces){.body = bk.body, .n = row.same_as.v ? 0 : body_pieces(row.size)};
    if (row.pieces != body_pieces(row.size))
        found(k, CHECK_BODY, "message %s: %u pieces for %" PRIu64 " bytes", text, row.pieces, row.size);
    if (row.same_as.v)
        check_same(k, text, bk.body, &row);
    else
        check_bytes(k, (struct body_id){bk.body}, &row);
    if (!has_references(k, bk.body))
        found(k, CHECK_REFERENCE, "message %s is kept for nobody", text);
    k->r->bodies++;
}

/* ---- references and marks ---- */

/* Whose a reference or a mark is, for people: "account 3, email 7". */
static void owner_text(uint64_t part, uint64_t owner, char *out, size_t size)
{
    char text[ID_TEXT_SIZE];

    id_text(owner, text);
    if (part == QUEUE_PART)
        snprintf(out, size, "queue entry %" PRIu64, owner);
    else if (part == BODY_PART)
        snprintf(out, size, "message %s", text);
    else if (part == LEFT_PART)
        snprintf(out, size, "what account %" PRIu64 " was sent", owner);
    else
        snprintf(out, size, "account %" PRIu64 ", email %" PRIu64, part, owner);
}

/* Of an email only whether its account has anything of this message: the account's own walk has held the reference
 * against its mailboxes. */
static bool has_owner(struct check *k, uint64_t body, uint64_t part, uint64_t owner)
{
    scoped(buf_free) struct buf key = buf_make(64);
    struct body_row row;
    bool there;

    if (part == LEFT_PART)
        return true; /* the account may be gone, and those who had the letter */
    if (part == BODY_PART)
        return body_find(k->v, &k->row, (struct body_id){owner}, &row, &there) ||
               (there && row.same_as.v == body);
    if (part != QUEUE_PART) {
        cold_key_pack(&key, &(struct cold_key){.body = body});
        return row_exists(k, cold_part((struct account_id){part}), &key, "the looks of a message");
    }
    if (owner > UINT32_MAX)
        return false;
    entry_key_pack(&key, &(struct entry_key){.body = body, .n = (uint32_t)owner});
    return row_exists(k, entry_part(NO_ACCOUNT), &key, "a queue entry");
}

static void look_at_reference(struct check *k, void *arg, struct str key, struct str value)
{
    scoped(buf_free) struct buf body = buf_make(32);
    char text[ID_TEXT_SIZE], who[80];
    struct ref_key rk;

    (void)arg;
    (void)value;
    if (!ref_key_unpack(key, &rk)) {
        found(k, CHECK_UNREADABLE, "a reference cannot be unpacked");
        return;
    }
    id_text(rk.body, text);
    owner_text(rk.part, rk.owner, who, sizeof(who));
    if (!has_owner(k, rk.body, rk.part, rk.owner) &&
        !has_mark(k, (struct body_id){rk.body}, rk.part, rk.owner))
        found(k, CHECK_REFERENCE, "message %s is kept for %s, which does not exist", text, who);
    body_key_pack(&body, &(struct body_key){.body = rk.body});
    if (!row_exists(k, body_part(NO_ACCOUNT), &body, "a message's row"))
        found(k, CHECK_REFERENCE, "message %s is kept for %s, and is missing", text, who);
}

static void check_mark(struct check *k, const struct mark *m)
{
    char text[ID_TEXT_SIZE], who[80];

    id_text(m->body, text);
    owner_text(m->part, m->owner, who, sizeof(who));
    if ((m->part == QUEUE_PART || m->part >= LEFT_PART) && has_owner(k, m->body, m->part, m->owner))
        found(k, CHECK_REFERENCE, "message %s is to be collected, and %s still needs it", text, who);
    if (!has_reference(k, (struct body_id){m->body}, m->part, m->owner))
        found(k, CHECK_REFERENCE, "message %s is to be collected for %s, which does not refer to it",
              text, who);
}

void check_bodies(struct check *k)
{
    struct pieces p = {0};

    check_walk(k, body_part(NO_ACCOUNT), S("b"), S("c"), "a message's row", look_at_body, &p);
    check_strays(k, &p, UINT64_MAX);
    check_walk(k, ref_part(NO_ACCOUNT), S("r"), S("s"), "a reference", look_at_reference, NULL);
    for (size_t i = 0; i < k->marks.n; i++) {
        check_mark(k, &k->marks.v[i]);
        arena_reset(k->row.arena);
    }
}
