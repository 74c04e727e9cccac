/* The mailboxes of one account: each with a name of its own, and what was placed in it in blocks. What hangs on them
 * (subscriptions, rights, annotations) is copied as far as it can be read. */
#include "vault/admin/repair_account.h"

#include "base/arena.h"
#include "base/scoped.h"
#include "vault/store/metadata.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- names ---- */

static bool is_taken(struct account *a, const struct mailbox_row *row)
{
    struct name_row taken;
    bool there = false;

    return name_row_txn(repair_out(a->r, 600), &a->r->row, a->r->account,
                        &(struct name_key){.parent = row->parent.v, .name = row->name}, &taken,
                        &there) ||
           there;
}

static void put_name(struct account *a, struct box *b)
{
    char text[64];

    if (b->row.parent.v && !account_box(a, b->row.parent.v))
        b->row.parent.v = 0;
    if (is_taken(a, &b->row)) {
        snprintf(text, sizeof(text), "Recovered-%" PRIu64, b->id);
        tell(a->r, CHECK_ROWS, "another mailbox is named %.*s: it is %s now", STR_ARG(b->row.name),
             text);
        b->row.name = str_copy(a->arena, str_from_c(text));
        b->row.spelled = STR_NONE;
    }
    name_row_put(a->r->t, a->r->account,
                 &(struct name_key){.parent = b->row.parent.v, .name = b->row.name},
                 &(struct name_row){.mailbox = {b->id}});
}

/* ---- messages ---- */

static int by_place(const void *a, const void *b)
{
    const struct seen *x = a, *y = b;

    if (x->mailbox != y->mailbox)
        return x->mailbox < y->mailbox ? -1 : 1;
    return x->entry.uid < y->entry.uid ? -1 : x->entry.uid > y->entry.uid;
}

/* A UID that was given back to one and belongs to another as well. */
static bool renumber_doubles(struct account *a)
{
    bool any = false;

    for (size_t i = 1; i < a->placed_count; i++) {
        struct seen *s = &a->placed[i];

        if (by_place(s - 1, s))
            continue;
        s->entry.uid = account_next_uid(account_box(a, s->mailbox));
        s->entry.modseq = a->modseq;
        any = true;
    }
    return any;
}

static void sort_placed(struct account *a)
{
    do
        if (a->placed_count)
            qsort(a->placed, a->placed_count, sizeof(*a->placed), by_place);
    while (renumber_doubles(a));
}

/* Flags whose names nobody knows any more mean nothing. */
static uint64_t known_flags(const struct box *b, uint64_t flags)
{
    size_t named = b->row.keywords_count;

    return named == 64 - FLAG_KEYWORD_FIRST
               ? flags
               : flags & (((uint64_t)1 << (FLAG_KEYWORD_FIRST + named)) - 1);
}

static void count(struct account *a, struct box *b, struct roster_entry *e)
{
    struct counts_row *c = &b->counts;

    e->flags = known_flags(b, e->flags);
    c->exists++;
    c->unseen += !(e->flags & FLAG_SEEN);
    c->bytes += e->size;
    c->deleted += !!(e->flags & FLAG_DELETED);
    c->deleted_bytes += e->flags & FLAG_DELETED ? e->size : 0;
    a->state.used.messages++;
    a->state.used.bytes += e->size;
    a->r->reply->emails++;
}

static size_t put_block(struct account *a, size_t from)
{
    scoped(buf_free) struct buf packed = buf_make(BUF_UNLIMITED);
    struct box *box = account_box(a, a->placed[from].mailbox);
    uint32_t block = block_of(a->placed[from].entry.uid);
    struct roster_entry v[BLOCK_UIDS];
    size_t n = 0;

    while (from + n < a->placed_count && a->placed[from + n].mailbox == box->id &&
           block_of(a->placed[from + n].entry.uid) == block) {
        v[n] = a->placed[from + n].entry;
        count(a, box, &v[n++]);
    }
    entries_pack(&packed, block * BLOCK_UIDS, v, n);
    block_row_put(repair_out(a->r, packed.n + 100), a->r->account,
                  &(struct block_key){.mailbox = box->id, .block = block},
                  &(struct block_row){.raw = buf_str(&packed)});
    return n;
}

/* ---- what hangs on them ---- */

static void copy_subscription(struct repair *r, void *arg, struct str key, struct str value)
{
    struct subscription_key sk;

    (void)arg;
    (void)value;
    if (subscription_key_unpack(key, &sk))
        subscription_row_put(repair_out(r, 1100), r->account, &sk, &(struct subscription_row){0});
}

static void copy_acl(struct repair *r, void *arg, struct str key, struct str value)
{
    struct acl_key ak;
    struct acl_row row;

    if (!acl_key_unpack(key, &ak) || !acl_unpack(r->row.arena, value, &row)) {
        tell(r, CHECK_UNREADABLE, "rights on a mailbox cannot be unpacked");
        return;
    }
    if (!account_box(arg, ak.mailbox))
        return;
    acl_row_put(repair_out(r, 200), r->account, &ak, &row);
    share_row_put(r->t, NO_ACCOUNT, &(struct share_key){.who = ak.who, .owner = r->account.v},
                  &(struct share_row){0});
}

static void copy_annotation(struct repair *r, void *arg, struct str key, struct str value)
{
    struct account *a = arg;
    struct annotation_key ak;
    struct annotation_row row;

    if (!annotation_key_unpack(key, &ak) || !annotation_unpack(r->row.arena, value, &row)) {
        tell(r, CHECK_UNREADABLE, "an annotation cannot be unpacked");
        return;
    }
    if (ak.mailbox && !account_box(a, ak.mailbox))
        return;
    annotation_row_put(repair_out(r, value.n + 1100), r->account, &ak, &row);
    a->state.metadata += annotation_size(ak.entry, row.value);
}

void repair_mailboxes(struct account *a)
{
    struct repair *r = a->r;

    sort_placed(a);
    for (size_t i = 0; i < a->placed_count;)
        i += put_block(a, i);
    for (size_t i = 0; i < a->box_count; i++) {
        struct box *b = &a->boxes[i];

        put_name(a, b);
        b->counts.modseq = a->modseq;
        if (b->counts.recent > b->counts.uid_next)
            b->counts.recent = b->counts.uid_next;
        mailbox_row_put(r->t, r->account, &(struct mailbox_key){.mailbox = b->id}, &b->row);
        if (!b->row.no_select)
            counts_row_put(r->t, r->account, &(struct counts_key){.mailbox = b->id}, &b->counts);
        arena_reset(r->row.arena);
    }
    a->state.mailboxes = a->box_count;
    repair_walk(r, subscription_part(r->account), S("w"), S("x"), "a subscription", copy_subscription,
                a);
    repair_walk(r, acl_part(r->account), S("l"), S("m"), "rights on a mailbox", copy_acl, a);
    repair_walk(r, annotation_part(r->account), S("m"), S("n"), "an annotation", copy_annotation, a);
}
