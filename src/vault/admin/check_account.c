/* One account: its counters and mailboxes are read first, then what is in them is counted (check_mail.c looks at the
 * emails), and at the end the counters are held against what was counted. */
#include "vault/admin/check_account.h"

#include "base/scoped.h"
#include "vault/store/directory.h"
#include "vault/store/metadata.h"
#include "vault/store/ranges.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct box *box_of(struct account_check *a, uint64_t id)
{
    size_t least = 0, most = a->box_count;

    while (least < most) {
        size_t middle = (least + most) / 2;

        if (a->boxes[middle].id == id)
            return &a->boxes[middle];
        if (a->boxes[middle].id < id)
            least = middle + 1;
        else
            most = middle;
    }
    return NULL;
}

/* ---- what is read first ---- */

static void read_state(struct check *k, struct account_check *a)
{
    if (state_row_view(k->v, &k->row, k->account, &(struct state_key){0}, &a->state, &a->has_state))
        found(k, CHECK_UNREADABLE, "the account's counters: %s", k->row.cause);
    else if (!a->has_state)
        found(k, CHECK_ROWS, "the account has no counters");
    else if (a->state.version != STORE_FORMAT)
        found(k, CHECK_ROWS, "the account's format is %u, of a store of format %d", a->state.version,
              STORE_FORMAT);
}

static void add_box(struct check *k, void *arg, struct str key, struct str value)
{
    struct account_check *a = arg;
    struct mailbox_key mk;
    struct box box = {0};

    if (!mailbox_key_unpack(key, &mk) || !mailbox_unpack(k->row.arena, value, &box.row)) {
        found(k, CHECK_UNREADABLE, "a mailbox cannot be unpacked");
        return;
    }
    box.id = mk.mailbox;
    box.row.name = str_copy(a->arena, box.row.name);
    box.row.keywords = NULL;
    box.row.keywords_count = 0;
    if (a->box_count == a->box_room) {
        a->box_room = a->box_room ? a->box_room * 2 : 8;
        a->boxes = must_realloc(a->boxes, a->box_room * sizeof(*a->boxes));
    }
    a->boxes[a->box_count++] = box;
}

/* ---- names ---- */

static void look_at_name(struct check *k, void *arg, struct str key, struct str value)
{
    struct account_check *a = arg;
    struct name_key nk;
    struct name_row row;
    const struct box *box;

    if (!name_key_unpack(key, &nk) || !name_unpack(k->row.arena, value, &row)) {
        found(k, CHECK_UNREADABLE, "a mailbox's name cannot be unpacked");
        return;
    }
    box = box_of(a, row.mailbox.v);
    if (!box || box->row.parent.v != nk.parent || !str_same(box->row.name, nk.name))
        found(k, CHECK_ROWS, "the name %.*s leads to mailbox %" PRIu64 ", which has another or none",
              STR_ARG(nk.name), row.mailbox.v);
}

static void check_name(struct check *k, struct account_check *a, const struct box *b)
{
    scoped(buf_free) struct buf key = buf_make(1024);

    name_key_pack(&key, &(struct name_key){.parent = b->row.parent.v, .name = b->row.name});
    if (!row_exists(k, name_part(k->account), &key, "a mailbox's name"))
        found(k, CHECK_ROWS, "mailbox %.*s is not found by its name", STR_ARG(b->row.name));
    if (b->row.parent.v && !box_of(a, b->row.parent.v))
        found(k, CHECK_ROWS, "mailbox %.*s is below mailbox %" PRIu64 ", which does not exist",
              STR_ARG(b->row.name), b->row.parent.v);
}

/* ---- what is in them ---- */

static void look_at_counts(struct check *k, void *arg, struct str key, struct str value)
{
    struct account_check *a = arg;
    struct roster_entry v[BLOCK_UIDS];
    struct counts_key ck;
    struct counts_row row;
    struct box *box;
    size_t n;

    if (!counts_key_unpack(key, &ck) || !counts_unpack(k->row.arena, value, &row) ||
        !tail_unpack(row.tail, v, &n)) {
        found(k, CHECK_UNREADABLE, "the counts of a mailbox cannot be unpacked");
        return;
    }
    box = box_of(a, ck.mailbox);
    if (box) {
        box->counts = row;
        box->counts.tail = STR_NONE;
        box->has_counts = true;
    } else {
        found(k, CHECK_ROWS, "there are counts of mailbox %" PRIu64 ", which does not exist",
              ck.mailbox);
    }
    if (n)
        note_messages(k, a, ck.mailbox, v, n);
}

static void look_at_block(struct check *k, void *arg, struct str key, struct str value)
{
    struct account_check *a = arg;
    struct roster_entry v[BLOCK_UIDS];
    struct block_key bk;
    size_t n;

    if (!block_key_unpack(key, &bk) || bk.block > block_of(UINT32_MAX) ||
        !entries_unpack(value, bk.block * BLOCK_UIDS, v, &n))
        found(k, CHECK_UNREADABLE, "messages of a mailbox cannot be unpacked");
    else
        note_messages(k, a, bk.mailbox, v, n);
}

static void look_at_annotation(struct check *k, void *arg, struct str key, struct str value)
{
    struct account_check *a = arg;
    struct annotation_key ak;
    struct annotation_row row;

    if (!annotation_key_unpack(key, &ak) || !annotation_unpack(k->row.arena, value, &row))
        found(k, CHECK_UNREADABLE, "an annotation cannot be unpacked");
    else if (ak.mailbox && !box_of(a, ak.mailbox))
        found(k, CHECK_ROWS, "there is an annotation of mailbox %" PRIu64 ", which does not exist",
              ak.mailbox);
    else
        a->metadata += annotation_size(ak.entry, row.value);
}

static void look_at_acl(struct check *k, void *arg, struct str key, struct str value)
{
    struct acl_key ak;
    struct acl_row row;

    if (!acl_key_unpack(key, &ak) || !acl_unpack(k->row.arena, value, &row))
        found(k, CHECK_UNREADABLE, "rights on a mailbox cannot be unpacked");
    else if (!box_of(arg, ak.mailbox))
        found(k, CHECK_ROWS, "there are rights on mailbox %" PRIu64 ", which does not exist",
              ak.mailbox);
}

static void look_at_subscription(struct check *k, void *arg, struct str key, struct str value)
{
    struct subscription_key sk;

    (void)arg;
    (void)value;
    if (!subscription_key_unpack(key, &sk))
        found(k, CHECK_UNREADABLE, "a subscription cannot be unpacked");
}

/* ---- the change log ---- */

static void check_item(struct check *k, struct account_check *a, uint64_t modseq,
                       const struct change_item *item)
{
    const struct box *box = box_of(a, item->mailbox.v);
    bool has_uids = item->kind >= CHANGE_ADDED && item->kind <= CHANGE_REMOVED;
    struct ranges r = {0};

    if (item->kind < CHANGE_ADDED || item->kind > CHANGE_METADATA ||
        (has_uids && !ranges_unpack(k->row.arena, item->what, &r)))
        found(k, CHECK_ROWS, "change %" PRIu64 " makes no sense", modseq);
    else if (has_uids && box && box->has_counts && r.v[r.n - 1].last >= box->counts.uid_next)
        found(k, CHECK_COUNTERS,
              "change %" PRIu64 " tells of UID %u, and mailbox %.*s would give %u next", modseq,
              r.v[r.n - 1].last, STR_ARG(box->row.name), box->counts.uid_next);
}

static void look_at_change(struct check *k, void *arg, struct str key, struct str value)
{
    struct account_check *a = arg;
    struct change_key ck;
    struct change_row row;

    if (!change_key_unpack(key, &ck) || !change_unpack(k->row.arena, value, &row)) {
        found(k, CHECK_UNREADABLE, "an entry of the change log cannot be unpacked");
        return;
    }
    if (a->has_state && ck.modseq > a->state.modseq)
        found(k, CHECK_COUNTERS, "the account is at modseq %" PRIu64 ", its change log at %" PRIu64,
              a->state.modseq, ck.modseq);
    else if (a->has_state && ck.modseq > a->state.log_floor)
        a->changes++;
    for (size_t i = 0; i < row.items_count; i++)
        check_item(k, a, ck.modseq, &row.items[i]);
}

/* Every number but the first, with which the account was made, has an entry until it sinks below the floor. */
static void check_log(struct check *k, const struct account_check *a)
{
    uint64_t floor = a->state.log_floor > 1 ? a->state.log_floor : 1;
    uint64_t wanted = a->state.modseq > floor ? a->state.modseq - floor : 0;

    if (a->state.log_floor > a->state.modseq)
        found(k, CHECK_COUNTERS,
              "the change log begins above %" PRIu64 ", and the account is at modseq %" PRIu64,
              a->state.log_floor, a->state.modseq);
    else if (a->changes != wanted)
        found(k, CHECK_ROWS,
              "the change log should have %" PRIu64 " entries above %" PRIu64 ", and has %" PRIu64,
              wanted, a->state.log_floor, a->changes);
}

/* ---- the counters ---- */

static void check_counts(struct check *k, const struct box *b)
{
    const struct counts_row *c = &b->counts;
    struct str name = b->row.name;

    if (b->exists != c->exists || b->unseen != c->unseen || b->bytes != c->bytes)
        found(k, CHECK_COUNTERS,
              "mailbox %.*s counts %u messages, %u unseen, %" PRIu64
              " bytes; there are %u, %u, %" PRIu64,
              STR_ARG(name), c->exists, c->unseen, c->bytes, b->exists, b->unseen, b->bytes);
    if (b->deleted != c->deleted || b->deleted_bytes != c->deleted_bytes)
        found(k, CHECK_COUNTERS,
              "mailbox %.*s counts %u messages of %" PRIu64
              " bytes as deleted; there are %u of %" PRIu64,
              STR_ARG(name), c->deleted, c->deleted_bytes, b->deleted, b->deleted_bytes);
    if (b->last_uid >= c->uid_next)
        found(k, CHECK_COUNTERS, "mailbox %.*s would give UID %u next, and has %u", STR_ARG(name),
              c->uid_next, b->last_uid);
    if (b->modseq > c->modseq)
        found(k, CHECK_COUNTERS, "mailbox %.*s is at modseq %" PRIu64 ", an email in it at %" PRIu64,
              STR_ARG(name), c->modseq, b->modseq);
}

static void check_box(struct check *k, struct account_check *a, const struct box *b)
{
    const struct mailbox_row *row = &b->row;

    check_name(k, a, b);
    if (b->has_counts)
        check_counts(k, b);
    if (b->has_counts == row->no_select)
        found(k, CHECK_ROWS, "mailbox %.*s %s", STR_ARG(row->name),
              row->no_select ? "is a name only, and has counts" : "has no counts");
    if (!row->uid_validity)
        found(k, CHECK_COUNTERS, "mailbox %.*s has UIDVALIDITY 0", STR_ARG(row->name));
    if (!a->has_state)
        return;
    if (b->counts.modseq > a->state.modseq)
        found(k, CHECK_COUNTERS, "the account is at modseq %" PRIu64 ", mailbox %.*s at %" PRIu64,
              a->state.modseq, STR_ARG(row->name), b->counts.modseq);
    if (row->uid_validity > a->state.uid_validity)
        found(k, CHECK_COUNTERS, "mailbox %.*s has UIDVALIDITY %u, the account has given up to %u",
              STR_ARG(row->name), row->uid_validity, a->state.uid_validity);
    if (b->id >= a->state.next_mailbox)
        found(k, CHECK_COUNTERS,
              "the account would give the id %" PRIu64 " next, and has mailbox %" PRIu64,
              a->state.next_mailbox, b->id);
}

static void check_counters(struct check *k, struct account_check *a)
{
    if (!box_of(a, INBOX.v))
        found(k, CHECK_ROWS, "the account has no INBOX");
    for (size_t i = 0; i < a->box_count; i++)
        check_box(k, a, &a->boxes[i]);
    if (!a->has_state)
        return;
    if (a->state.used.messages != a->emails || a->state.used.bytes != a->bytes)
        found(k, CHECK_COUNTERS,
              "the account counts %" PRIu64 " emails of %" PRIu64 " bytes; there are %" PRIu64
              " of %" PRIu64,
              a->state.used.messages, a->state.used.bytes, a->emails, a->bytes);
    if (a->state.mailboxes != a->box_count || a->state.metadata != a->metadata)
        found(k, CHECK_COUNTERS,
              "the account counts %" PRIu64 " mailboxes, %" PRIu64
              " bytes of annotations; there are %zu, %" PRIu64,
              a->state.mailboxes, a->state.metadata, a->box_count, a->metadata);
    check_log(k, a);
}

static void name_account(struct check *k)
{
    struct account_row row;
    char id[32];
    bool there = false;
    enum err e = directory_account(k->v, &k->row, k->account, &row, &there);

    snprintf(id, sizeof(id), "account %" PRIu64, k->account.v);
    k->address = str_copy(k->c->cx.arena, there && !e ? row.address : str_from_c(id));
    if (e)
        found(k, CHECK_UNREADABLE, "its entry in the directory: %s", k->row.cause);
    else if (!there)
        found(k, CHECK_ROWS, "its mail is here, and the directory does not know it");
}

void check_account(struct check *k)
{
    struct account_check a = {.arena = arena_new(0)};

    name_account(k);
    read_state(k, &a);
    check_walk(k, mailbox_part(k->account), S("b"), S("c"), "a mailbox", add_box, &a);
    check_walk(k, name_part(k->account), S("i"), S("j"), "a mailbox's name", look_at_name, &a);
    check_walk(k, block_part(k->account), S("u"), S("v"), "a mailbox", look_at_block, &a);
    check_walk(k, counts_part(k->account), S("n"), S("o"), "the counts of a mailbox", look_at_counts,
               &a);
    check_walk(k, annotation_part(k->account), S("m"), S("n"), "an annotation", look_at_annotation, &a);
    check_walk(k, acl_part(k->account), S("l"), S("m"), "rights on a mailbox", look_at_acl, &a);
    check_walk(k, subscription_part(k->account), S("w"), S("x"), "a subscription", look_at_subscription,
               &a);
    check_mails(k, &a);
    check_threads(k);
    check_walk(k, change_part(k->account), S("c"), S("d"), "the change log", look_at_change, &a);
    check_counters(k, &a);
    arena_reset(k->row.arena);
    k->r->accounts++;
    free(a.boxes);
    free(a.mails);
    arena_free(a.arena);
}
