/* One account. Its rows are read first; then its emails are written (repair_email.c), counted on the way, and its
 * mailboxes and counters last. The change log is not copied: its floor becomes the account's modseq, so that whoever
 * asks what has changed since is told everything. */
#include "vault/admin/repair_account.h"

#include "base/arena.h"
#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* When the account's counters were lost: nothing that was ever given out may be given again. */
#define GAP ((uint64_t)1 << 20)

/* ---- what was read ---- */

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

/* A mailbox that was lost comes back under a UIDVALIDITY of its own (RFC 9051 §2.3.1.1): which UIDs it has given
 * nobody knows any more. */
struct box *account_box_or_new(struct account *a, uint64_t id)
{
    struct box *b = account_box(a, id), lost = {.id = id, .first_free = 1};
    char name[64];

    if (b)
        return b;
    snprintf(name, sizeof(name), "Recovered-%" PRIu64, id);
    lost.row =
        (struct mailbox_row){.name = id == INBOX.v ? S("INBOX") : str_copy(a->arena, str_from_c(name)),
                             .role = id == INBOX.v ? S("inbox") : STR_NONE,
                             .uid_validity = ++a->state.uid_validity,
                             .uid_next = 1};
    if (a->state.next_mailbox <= id)
        a->state.next_mailbox = id + 1;
    tell(a->r, CHECK_ROWS, "mailbox %" PRIu64 " was lost: it is %.*s now, with a new UIDVALIDITY", id,
         STR_ARG(lost.row.name));
    return add_box(a, &lost);
}

static void note_modseq(struct account *a, uint64_t modseq)
{
    if (a->modseq <= modseq)
        a->modseq = modseq + 1;
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
    b.first_free = b.row.uid_next;
    b.row.name = str_copy(a->arena, b.row.name);
    b.row.role = str_copy(a->arena, b.row.role);
    b.row.exists = b.row.unseen = 0;
    b.row.bytes = 0;
    note_modseq(a, b.row.modseq);
    if (a->state.uid_validity < b.row.uid_validity)
        a->state.uid_validity = b.row.uid_validity;
    if (!b.row.uid_validity)
        b.row.uid_validity = ++a->state.uid_validity;
    if (a->state.next_mailbox <= b.id)
        a->state.next_mailbox = b.id + 1;
    add_box(a, &b);
}

static void note_hot(struct repair *r, void *arg, struct str key, struct str value)
{
    struct account *a = arg;
    struct hot_key hk;
    struct hot_row row;

    if (!hot_key_unpack(key, &hk) || !hot_unpack(r->row.arena, value, &row)) {
        tell(r, CHECK_UNREADABLE, "a mailbox row cannot be unpacked");
        return;
    }
    if (a->seen_count == a->seen_room) {
        a->seen_room = a->seen_room ? a->seen_room * 2 : 256;
        a->seen = must_realloc(a->seen, a->seen_room * sizeof(*a->seen));
    }
    a->seen[a->seen_count++] = (struct seen){.mailbox = hk.mailbox,
                                             .uid = hk.uid,
                                             .email = row.email.v,
                                             .body = row.body.v,
                                             .modseq = row.modseq,
                                             .flags = row.flags,
                                             .size = row.size,
                                             .internal_date = row.internal_date};
    note_modseq(a, row.modseq);
    if (a->state.next_email <= row.email.v)
        a->state.next_email = row.email.v + 1;
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
static void note_email(struct repair *r, void *arg, struct str key, struct str value)
{
    struct account *a = arg;
    struct cold_key ck;

    (void)r;
    (void)value;
    if (cold_key_unpack(key, &ck) && a->state.next_email <= ck.email)
        a->state.next_email = ck.email + 1;
}

/* ---- finding hot rows ---- */

static int compare_u64(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

static int by_email(const void *a, const void *b)
{
    const struct seen *x = *(struct seen *const *)a, *y = *(struct seen *const *)b;
    int order = compare_u64(x->email, y->email);

    return order ? order : compare_u64((uintptr_t)x, (uintptr_t)y);
}

static void sort_by_email(struct account *a)
{
    a->by_email = arena_array(a->arena, struct seen *, a->seen_count + 1);
    for (size_t i = 0; i < a->seen_count; i++)
        a->by_email[i] = &a->seen[i];
    qsort(a->by_email, a->seen_count, sizeof(struct seen *), by_email);
}

size_t account_seen_of(const struct account *a, uint64_t email, struct seen ***first)
{
    size_t least = 0, most = a->seen_count, n = 0;

    while (least < most) {
        size_t middle = (least + most) / 2;

        if (a->by_email[middle]->email < email)
            least = middle + 1;
        else
            most = middle;
    }
    *first = &a->by_email[least];
    while (least + n < a->seen_count && a->by_email[least + n]->email == email)
        n++;
    return n;
}

struct seen *account_seen_at(const struct account *a, uint64_t mailbox, uint32_t uid)
{
    size_t least = 0, most = a->seen_count;

    while (least < most) {
        size_t middle = (least + most) / 2;
        struct seen *s = &a->seen[middle];

        if (s->mailbox == mailbox && s->uid == uid)
            return s;
        if (s->mailbox < mailbox || (s->mailbox == mailbox && s->uid < uid))
            least = middle + 1;
        else
            most = middle;
    }
    return NULL;
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
    repair_walk(r, hot_part(r->account), S("u"), S("v"), "a mailbox", note_hot, a);
    repair_walk(r, change_part(r->account), S("c"), S("d"), "the change log", note_change, a);
    repair_walk(r, cold_part(r->account), S("e"), S("f"), "an email", note_email, a);
    if (lost) {
        a->modseq += GAP;
        a->state.next_email += GAP;
        a->state.next_mailbox += GAP;
        tell(r, CHECK_ROWS, "the account's counters were lost, and are counted anew");
    }
    sort_by_email(a);
}

/* Also a UID that is in use although the mailbox would give it next. */
static void raise_uid_next(struct account *a)
{
    for (size_t i = 0; i < a->seen_count; i++) {
        struct box *b = account_box_or_new(a, a->seen[i].mailbox);

        if (b->first_free <= a->seen[i].uid)
            b->first_free = b->row.uid_next = a->seen[i].uid + 1;
    }
    account_box_or_new(a, INBOX.v);
}

static void write_account(struct account *a)
{
    struct txn *t = repair_out(a->r, 1000 + a->box_count * 300);

    a->state.version = STORE_FORMAT;
    a->state.modseq = a->state.log_floor = a->modseq;
    for (size_t i = 0; i < a->box_count; i++) {
        struct box *b = &a->boxes[i];

        b->row.modseq = a->modseq;
        if (b->row.parent.v && !account_box(a, b->row.parent.v))
            b->row.parent.v = 0;
        mailbox_row_put(t, a->r->account, &(struct mailbox_key){.mailbox = b->id}, &b->row);
    }
    state_row_put(t, a->r->account, &(struct state_key){0}, &a->state);
}

void repair_account(struct repair *r, struct known_account *known)
{
    struct account a = {.r = r, .arena = arena_new(0)};

    repair_for(r, (struct account_id){known->id});
    r->address = known->address;
    read_account(&a);
    a.state.used = a.state.emails = 0;
    raise_uid_next(&a);
    repair_emails(&a);
    write_account(&a);
    r->reply->accounts++;
    repair_for(r, NO_ACCOUNT);
    r->address = STR_NONE;
    free(a.boxes);
    free(a.seen);
    arena_free(a.arena);
}
