/* One account. Its rows are read first; then its emails are placed (repair_email.c), and its mailboxes (repair_mailbox.c)
 * and counters written. The change log is not copied: its floor becomes the account's modseq, so that whoever asks what
 * has changed since is told everything. */
#include "vault/admin/repair_account.h"

#include "base/arena.h"
#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* When the account's counters were lost: nothing that was ever given out may be given again. */
#define GAP ((uint64_t)1 << 20)

/* ---- mailboxes ---- */

struct box *account_box(struct account *a, uint64_t id)
{
    for (size_t i = 0; i < a->box_count; i++)
        if (a->boxes[i].id == id)
            return &a->boxes[i];
    return NULL;
}

static struct box *add_box(struct account *a, const struct box *b)
{
    if (a->box_count == a->box_room) {
        a->box_room = a->box_room ? a->box_room * 2 : 8;
        a->boxes = must_realloc(a->boxes, a->box_room * sizeof(*a->boxes));
    }
    a->boxes[a->box_count] = *b;
    return &a->boxes[a->box_count++];
}

static void name_lost_box(struct account *a, struct box *lost)
{
    char text[64];

    snprintf(text, sizeof(text), "Recovered-%" PRIu64, lost->id);
    lost->row.name = lost->id == INBOX.v ? S("INBOX") : str_copy(a->arena, str_from_c(text));
    for (size_t i = 0; i < a->name_count; i++)
        if (a->names[i].id == lost->id) {
            lost->row.name = a->names[i].name;
            lost->row.parent.v = a->names[i].parent;
        }
}

/* A mailbox that was lost comes back under a UIDVALIDITY of its own (RFC 9051 §2.3.1.1): which UIDs it has given
 * nobody knows any more. */
struct box *account_box_or_new(struct account *a, uint64_t id)
{
    struct box *b = account_box(a, id),
               lost = {.id = id, .has_counts = true, .renumbered = true, .first_free = 1};

    if (b)
        return b;
    name_lost_box(a, &lost);
    lost.row.uid_validity = ++a->state.uid_validity;
    lost.counts.uid_next = 1;
    if (a->state.next_mailbox <= id)
        a->state.next_mailbox = id + 1;
    tell(a->r, CHECK_ROWS, "mailbox %" PRIu64 " was lost: it is %.*s now, with a new UIDVALIDITY", id,
         STR_ARG(lost.row.name));
    return add_box(a, &lost);
}

uint32_t account_next_uid(struct box *b)
{
    return b->counts.uid_next < UINT32_MAX ? b->counts.uid_next++ : b->counts.uid_next;
}

/* ---- reading ---- */

static void note_modseq(struct account *a, uint64_t modseq)
{
    if (a->modseq <= modseq)
        a->modseq = modseq + 1;
}

static void copy_keywords(struct account *a, struct mailbox_row *row)
{
    struct keyword *list = arena_array(a->arena, struct keyword, row->keywords_count);

    for (size_t i = 0; i < row->keywords_count; i++)
        list[i].name = str_copy(a->arena, row->keywords[i].name);
    row->keywords = list;
}

static void note_box(struct repair *r, void *arg, struct str key, struct str value)
{
    struct account *a = arg;
    struct mailbox_key mk;
    struct box b = {0};

    if (!mailbox_key_unpack(key, &mk) || !mailbox_unpack(r->row.arena, value, &b.row)) {
        tell(r, CHECK_UNREADABLE, "a mailbox cannot be unpacked");
        return;
    }
    b.id = mk.mailbox;
    b.row.name = str_copy(a->arena, b.row.name);
    b.row.spelled = str_copy(a->arena, b.row.spelled);
    copy_keywords(a, &b.row);
    if (a->state.uid_validity < b.row.uid_validity)
        a->state.uid_validity = b.row.uid_validity;
    if (!b.row.uid_validity)
        b.row.uid_validity = ++a->state.uid_validity;
    if (a->state.next_mailbox <= b.id)
        a->state.next_mailbox = b.id + 1;
    add_box(a, &b);
}

static void note_name(struct repair *r, void *arg, struct str key, struct str value)
{
    struct account *a = arg;
    struct name_key nk;
    struct name_row row;

    if (!name_key_unpack(key, &nk) || !name_unpack(r->row.arena, value, &row))
        return; /* the mailbox has its name too */
    if (a->name_count == a->name_room) {
        a->name_room = a->name_room ? a->name_room * 2 : 8;
        a->names = must_realloc(a->names, a->name_room * sizeof(*a->names));
    }
    a->names[a->name_count++] = (struct named){row.mailbox.v, nk.parent, str_copy(a->arena, nk.name)};
}

static void note_seen(struct account *a, uint64_t mailbox, const struct roster_entry *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (a->seen_count == a->seen_room) {
            a->seen_room = a->seen_room ? a->seen_room * 2 : 256;
            a->seen = must_realloc(a->seen, a->seen_room * sizeof(*a->seen));
        }
        a->seen[a->seen_count++] = (struct seen){.entry = v[i], .mailbox = mailbox};
        note_modseq(a, v[i].modseq);
        if (a->state.next_email <= v[i].email.v)
            a->state.next_email = v[i].email.v + 1;
    }
}

static void note_block(struct repair *r, void *arg, struct str key, struct str value)
{
    struct roster_entry v[BLOCK_UIDS];
    struct block_key bk;
    size_t n;

    if (block_key_unpack(key, &bk) && bk.block <= block_of(UINT32_MAX) &&
        entries_unpack(value, bk.block * BLOCK_UIDS, v, &n))
        note_seen(arg, bk.mailbox, v, n);
    else
        tell(r, CHECK_UNREADABLE, "messages of a mailbox cannot be unpacked");
}

static void note_counts(struct repair *r, void *arg, struct str key, struct str value)
{
    struct roster_entry v[BLOCK_UIDS];
    struct account *a = arg;
    struct counts_key ck;
    struct counts_row row;
    struct box *b;
    size_t n;

    if (!counts_key_unpack(key, &ck) || !counts_unpack(r->row.arena, value, &row) ||
        !tail_unpack(row.tail, v, &n)) {
        tell(r, CHECK_UNREADABLE, "the counts of a mailbox cannot be unpacked");
        return;
    }
    note_modseq(a, row.modseq);
    note_seen(a, ck.mailbox, v, n);
    b = account_box(a, ck.mailbox);
    if (!b)
        return;
    b->has_counts = true;
    b->first_free = row.uid_next;
    b->counts = (struct counts_row){.uid_next = row.uid_next, .recent = row.recent};
}

static void note_change(struct repair *r, void *arg, struct str key, struct str value)
{
    struct change_key ck;

    (void)r;
    (void)value;
    if (change_key_unpack(key, &ck))
        note_modseq(arg, ck.modseq);
}

/* Ids are noted before any is given. */
static void note_reference(struct repair *r, void *arg, struct str key, struct str value)
{
    struct account *a = arg;
    struct ref_key rk;

    (void)r;
    (void)value;
    if (ref_key_unpack(key, &rk) && a->state.next_email <= rk.owner)
        a->state.next_email = rk.owner + 1;
}

static void note_looks(struct repair *r, void *arg, struct str key, struct str value)
{
    struct cold_key ck;

    (void)value;
    if (cold_key_unpack(key, &ck))
        repair_references(r, (struct body_id){ck.body}, note_reference, arg);
}

/* ---- finding messages ---- */

static int compare_u64(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

static int by_place(const void *a, const void *b)
{
    const struct seen *x = a, *y = b;
    int order = compare_u64(x->mailbox, y->mailbox);

    return order ? order : compare_u64(x->entry.uid, y->entry.uid);
}

static int by_body(const void *a, const void *b)
{
    const struct seen *x = *(struct seen *const *)a, *y = *(struct seen *const *)b;
    int order = compare_u64(x->entry.body.v, y->entry.body.v);

    if (!order)
        order = compare_u64(x->entry.email.v, y->entry.email.v);
    return order ? order : compare_u64((uintptr_t)x, (uintptr_t)y);
}

/* The tails were read behind the blocks, so each mailbox has to be put in order. */
static void sort_seen(struct account *a)
{
    a->by_body = arena_array(a->arena, struct seen *, a->seen_count + 1);
    if (!a->seen_count)
        return;
    qsort(a->seen, a->seen_count, sizeof(*a->seen), by_place);
    for (size_t i = 0; i < a->seen_count; i++)
        a->by_body[i] = &a->seen[i];
    qsort(a->by_body, a->seen_count, sizeof(struct seen *), by_body);
}

size_t account_seen_of(const struct account *a, uint64_t body, struct seen ***first)
{
    size_t least = 0, most = a->seen_count, n = 0;

    while (least < most) {
        size_t middle = (least + most) / 2;

        if (a->by_body[middle]->entry.body.v < body)
            least = middle + 1;
        else
            most = middle;
    }
    *first = &a->by_body[least];
    while (least + n < a->seen_count && a->by_body[least + n]->entry.body.v == body)
        n++;
    return n;
}

struct seen *account_seen_at(const struct account *a, uint64_t mailbox, uint32_t uid)
{
    struct seen wanted = {.mailbox = mailbox, .entry.uid = uid};

    return a->seen_count ? bsearch(&wanted, a->seen, a->seen_count, sizeof(*a->seen), by_place) : NULL;
}

void account_place(struct account *a, uint64_t mailbox, const struct roster_entry *entry)
{
    if (a->placed_count == a->placed_room) {
        a->placed_room = a->placed_room ? a->placed_room * 2 : 256;
        a->placed = must_realloc(a->placed, a->placed_room * sizeof(*a->placed));
    }
    a->placed[a->placed_count++] = (struct seen){.entry = *entry, .mailbox = mailbox};
}

/* ---- the account's own rows ---- */

static void read_state(struct account *a, bool *lost)
{
    bool there = false;
    enum err e =
        state_row_view(a->r->v, &a->r->row, a->r->account, &(struct state_key){0}, &a->state, &there);

    *lost = e || !there;
    if (*lost)
        a->state = (struct state_row){
            .next_email = 1, .next_mailbox = INBOX.v + 1, .uid_validity = (uint32_t)(now_ms() / 1000)};
    a->modseq = a->state.modseq + 1;
}

static void read_account(struct account *a)
{
    struct repair *r = a->r;
    bool lost;

    read_state(a, &lost);
    repair_walk(r, mailbox_part(r->account), S("b"), S("c"), "a mailbox", note_box, a);
    repair_walk(r, name_part(r->account), S("i"), S("j"), "a mailbox's name", note_name, a);
    repair_walk(r, block_part(r->account), S("u"), S("v"), "a mailbox", note_block, a);
    repair_walk(r, counts_part(r->account), S("n"), S("o"), "the counts of a mailbox", note_counts, a);
    repair_walk(r, change_part(r->account), S("c"), S("d"), "the change log", note_change, a);
    if (lost) {
        repair_walk(r, cold_part(r->account), S("e"), S("f"), "the looks of messages", note_looks, a);
        a->modseq += GAP;
        a->state.next_email += GAP;
        a->state.next_mailbox += GAP;
        tell(r, CHECK_ROWS, "the account's counters were lost, and are counted anew");
    }
    sort_seen(a);
}

static void renumber_without_counts(struct account *a)
{
    for (size_t i = 0; i < a->box_count; i++) {
        struct box *b = &a->boxes[i];

        if (b->has_counts || b->row.no_select)
            continue;
        b->has_counts = b->renumbered = true;
        b->first_free = b->counts.uid_next = 1;
        b->row.uid_validity = ++a->state.uid_validity;
        tell(a->r, CHECK_ROWS, "the counts of mailbox %.*s were lost: it has a new UIDVALIDITY",
             STR_ARG(b->row.name));
    }
}

static void bring_back_named(struct account *a)
{
    for (size_t i = 0; i < a->name_count; i++)
        account_box_or_new(a, a->names[i].id);
    account_box_or_new(a, INBOX.v);
}

/* Also a UID that is in use although the mailbox would give it next; and a mailbox that has messages is one. */
static void raise_uid_next(struct account *a)
{
    for (size_t i = 0; i < a->seen_count; i++) {
        struct box *b = account_box_or_new(a, a->seen[i].mailbox);

        b->row.no_select = false;
        b->has_counts = true;
        if (b->first_free <= a->seen[i].entry.uid)
            b->first_free = b->counts.uid_next = a->seen[i].entry.uid + 1;
    }
}

void repair_account(struct repair *r, struct known_account *known)
{
    struct account a = {.r = r, .arena = arena_new(0)};

    repair_for(r, (struct account_id){known->id});
    r->address = known->address;
    read_account(&a);
    a.state.used = (struct amount){0};
    a.state.mailboxes = a.state.metadata = 0;
    renumber_without_counts(&a);
    bring_back_named(&a);
    raise_uid_next(&a);
    repair_emails(&a);
    repair_mailboxes(&a);
    a.state.version = STORE_FORMAT;
    a.state.modseq = a.state.log_floor = a.modseq;
    state_row_put(repair_out(r, 100), r->account, &(struct state_key){0}, &a.state);
    r->reply->accounts++;
    repair_for(r, NO_ACCOUNT);
    r->address = STR_NONE;
    free(a.boxes);
    free(a.names);
    free(a.seen);
    free(a.placed);
    arena_free(a.arena);
}
