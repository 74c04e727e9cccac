/* The twins of a content are those bodies that have its bytes: their references to it say which (BODY_PART). There are as
 * many as there are accounts that were sent a letter and had somebody else's copied to them besides. */
#include "vault/store/letters.h"

#include "base/scoped.h"
#include "vault/store/body.h"

static enum err find_row(struct txn *t, struct cx *cx, struct account_id account, struct body_id body,
                         struct cold_row *row, bool *there)
{
    return cold_row_txn(t, cx, account, &(struct cold_key){.body = body.v}, row, there);
}

static void twin_bounds(struct body_id content, struct buf *from, struct buf *to)
{
    ref_key_pack(from, &(struct ref_key){.body = content.v, .part = BODY_PART});
    ref_key_pack(to, &(struct ref_key){.body = content.v + 1});
}

/* The one that stands for the letter here. */
static enum err find_twin(struct txn *t, struct cx *cx, struct account_id account,
                          struct letter_id letter, struct body_id *body, struct cold_row *row,
                          bool *there)
{
    scoped(buf_free) struct buf from = buf_make(32), to = buf_make(32);
    scoped(scan_close) struct scan *scan = NULL;
    struct str key, value;
    struct ref_key ref;
    enum err e;

    twin_bounds(letter.content, &from, &to);
    e = txn_scan(t, cx, ref_part(NO_ACCOUNT), buf_str(&from), buf_str(&to), false, &scan);
    while (!e && !*there && scan_next(scan, &key, &value))
        if (ref_key_unpack(key, &ref)) {
            body->v = ref.owner;
            e = find_row(t, cx, account, *body, row, there);
            *there = *there && letter_id_same(letter_id_of(row, account, *body), letter);
        }
    return e ? e : scan_error(scan, cx);
}

static enum err make_twin(struct txn *t, struct cx *cx, struct body_id content, struct body_id *twin)
{
    twin->v = fresh_id();
    return body_put_same(t, cx, *twin, content);
}

/* One that came to be here and is a twin has been elsewhere: it came back beside another. */
void letter_left(struct txn *t, struct account_id account, struct letter_id letter, struct body_id body)
{
    if (letter.origin.v != account.v || letter.content.v != body.v)
        body_refer(t, letter.content, LEFT_PART, letter.origin.v);
}

/* A twin that is there stays the one, though the content itself has become free meanwhile. */
enum err letter_place(struct txn *t, struct cx *cx, struct account_id account, struct letter_id letter,
                      struct body_id *body, struct cold_row *row, bool *there)
{
    bool taken;
    enum err e = find_row(t, cx, account, letter.content, row, &taken);

    *body = letter.content;
    *there = taken;
    if (e || (taken && letter_id_same(letter_id_of(row, account, *body), letter)))
        return e;
    *there = false;
    e = find_twin(t, cx, account, letter, body, row, there);
    if (e || *there)
        return e;
    *body = letter.content;
    if (taken)
        e = make_twin(t, cx, letter.content, body);
    if (!e)
        letter_left(t, account, letter, *body);
    return e;
}

/* Do others have the letter of this content that came to be here, or did they? They may, if that cannot be read: no delivery
 * waits for it. */
static enum err has_left(struct txn *t, struct cx *cx, struct account_id account,
                         struct body_id content, bool *has)
{
    struct ref_key key = {.body = content.v, .part = LEFT_PART, .owner = account.v};
    struct ref_row row;
    enum err e = ref_row_txn(t, cx, NO_ACCOUNT, &key, &row, has);

    *has |= e == ERR_DAMAGED;
    return e == ERR_DAMAGED ? OK : e;
}

/* The account may have been sent it before, and others have that letter still: of those it is to be told apart. What cannot be
 * read is another. */
enum err letter_place_new(struct txn *t, struct cx *cx, struct account_id account, struct body_id *body)
{
    struct cold_row row;
    bool there = false, left = false;
    enum err e = find_row(t, cx, account, *body, &row, &there);

    if (e == ERR_DAMAGED) {
        e = OK;
        there = true;
    }
    if (!e && !there)
        e = has_left(t, cx, account, *body, &left);
    return e || (!there && !left) ? e : make_twin(t, cx, *body, body);
}

void letter_row(struct cold_row *row, struct account_id account, struct letter_id letter,
                struct body_id body)
{
    row->origin.v = letter.origin.v == account.v ? 0 : letter.origin.v;
    row->letter.v = letter.content.v == body.v ? 0 : letter.content.v;
}

enum err letter_twins(struct view *v, struct cx *cx, struct body_id content, struct buf *out)
{
    scoped(buf_free) struct buf from = buf_make(32), to = buf_make(32);
    scoped(scan_close) struct scan *scan = NULL;
    struct str key, value;
    struct ref_key ref;
    enum err e;

    twin_bounds(content, &from, &to);
    e = view_scan(v, cx, ref_part(NO_ACCOUNT), buf_str(&from), buf_str(&to), false, &scan);
    if (e)
        return e;
    while (scan_next(scan, &key, &value))
        if (ref_key_unpack(key, &ref)) {
            struct body_id twin = {ref.owner};

            buf_add(out, (struct str){(const char *)&twin, sizeof(twin)});
        }
    return scan_error(scan, cx);
}
