/* One account: its counters and mailboxes are read first, then every hot row is counted into its mailbox and every cold
 * row into the account, and at the end the counters are held against what was counted. */
#include "vault/admin/check_impl.h"

#include "base/scoped.h"
#include "vault/store/directory.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct box {
    uint64_t id;
    struct mailbox_row row; /* its name is kept in the account's arena */
    uint32_t exists, unseen, last_uid;
    uint64_t bytes, modseq;
};

struct account_check {
    struct arena *arena; /* until the account is done */
    struct state_row state;
    bool has_state;
    struct box *boxes; /* ascending */
    size_t box_count, box_room;
    uint64_t emails, bytes;
    uint64_t changes; /* entries of the log above its floor */
};

static struct box *box_of(struct account_check *a, uint64_t id)
{
    for (size_t i = 0; i < a->box_count; i++)
        if (a->boxes[i].id == id)
            return &a->boxes[i];
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
    box.row.role = STR_NONE;
    if (a->box_count == a->box_room) {
        a->box_room = a->box_room ? a->box_room * 2 : 8;
        a->boxes = must_realloc(a->boxes, a->box_room * sizeof(*a->boxes));
    }
    a->boxes[a->box_count++] = box;
}

/* ---- emails ---- */

static void check_membership(struct check *k, uint64_t email, const struct cold_row *cold,
                             const struct membership *m)
{
    struct hot_row hot;
    bool there;
    enum err e = hot_row_view(k->v, &k->row, k->account,
                              &(struct hot_key){.mailbox = m->mailbox.v, .uid = m->uid}, &hot, &there);

    if (e)
        found(k, CHECK_UNREADABLE, "mailbox %" PRIu64 " UID %u: %s", m->mailbox.v, m->uid,
              k->row.cause);
    else if (!there)
        found(k, CHECK_ROWS, "email %" PRIu64 " should be in mailbox %" PRIu64 " as UID %u, and is not",
              email, m->mailbox.v, m->uid);
    else if (hot.email.v != email || hot.size != cold->prefix.n + cold->body_size ||
             hot.body.v != cold->body.v)
        found(k, CHECK_ROWS, "mailbox %" PRIu64 " UID %u and email %" PRIu64 " tell different things",
              m->mailbox.v, m->uid, email);
}

/* Whoever reads a part by its offsets must find them inside the message. */
static void check_parts(struct check *k, uint64_t email, const struct cold_row *cold)
{
    for (size_t i = 0; i < cold->parts_count; i++) {
        const struct body_part *p = &cold->parts[i];

        if (p->start > p->body || p->body > p->end || p->end > cold->body_size) {
            found(k, CHECK_ROWS, "email %" PRIu64 ": its part %zu lies outside of its message", email,
                  i);
            return;
        }
    }
}

static void check_cold(struct check *k, struct account_check *a, uint64_t email,
                       const struct cold_row *cold)
{
    char who[64], text[ID_TEXT_SIZE];

    snprintf(who, sizeof(who), "email %" PRIu64, email);
    id_text(cold->body.v, text);
    check_body_of(k, who, cold->body, cold->body_size);
    check_parts(k, email, cold);
    if (!has_reference(k, cold->body, k->account.v, email))
        found(k, CHECK_REFERENCE, "%s does not refer to its message %s", who, text);
    if (!cold->memberships_count && !has_mark(k, cold->body, k->account.v, email))
        found(k, CHECK_REFERENCE, "%s is in no mailbox, and nobody will collect it", who);
    for (size_t i = 0; i < cold->memberships_count; i++)
        check_membership(k, email, cold, &cold->memberships[i]);
    if (a->has_state && email >= a->state.next_email)
        found(k, CHECK_COUNTERS,
              "the account would give the id %" PRIu64 " next, and has email %" PRIu64,
              a->state.next_email, email);
    if (cold->memberships_count) {
        a->emails++;
        a->bytes += cold->prefix.n + cold->body_size;
    }
}

static void look_at_cold(struct check *k, void *arg, struct str key, struct str value)
{
    struct cold_key ck;
    struct cold_row row;

    if (!cold_key_unpack(key, &ck) || !cold_unpack(k->row.arena, value, &row))
        found(k, CHECK_UNREADABLE, "an email's row cannot be unpacked");
    else
        check_cold(k, arg, ck.email, &row);
}

static bool is_member(const struct cold_row *cold, const struct hot_key *at)
{
    for (size_t i = 0; i < cold->memberships_count; i++)
        if (cold->memberships[i].mailbox.v == at->mailbox && cold->memberships[i].uid == at->uid)
            return true;
    return false;
}

static void check_email_of(struct check *k, const struct hot_key *at, const struct hot_row *hot)
{
    struct cold_row cold;
    bool there;

    if (cold_row_view(k->v, &k->row, k->account, &(struct cold_key){.email = hot->email.v}, &cold,
                      &there))
        found(k, CHECK_UNREADABLE, "mailbox %" PRIu64 " UID %u: its email %" PRIu64 ": %s", at->mailbox,
              at->uid, hot->email.v, k->row.cause);
    else if (!there)
        found(k, CHECK_ROWS, "mailbox %" PRIu64 " UID %u: its email %" PRIu64 " is missing",
              at->mailbox, at->uid, hot->email.v);
    else if (!is_member(&cold, at))
        found(k, CHECK_ROWS, "mailbox %" PRIu64 " UID %u: its email %" PRIu64 " knows nothing of it",
              at->mailbox, at->uid, hot->email.v);
}

static void count_hot(struct check *k, struct account_check *a, const struct hot_key *at,
                      const struct hot_row *hot)
{
    struct box *box = box_of(a, at->mailbox);

    if (!box) {
        found(k, CHECK_ROWS, "UID %u is in mailbox %" PRIu64 ", which does not exist", at->uid,
              at->mailbox);
        return;
    }
    box->exists++;
    box->unseen += !(hot->flags & FLAG_SEEN);
    box->bytes += hot->size;
    box->last_uid = at->uid;
    box->modseq = hot->modseq > box->modseq ? hot->modseq : box->modseq;
}

static void look_at_hot(struct check *k, void *arg, struct str key, struct str value)
{
    struct hot_key hk;
    struct hot_row row;

    if (!hot_key_unpack(key, &hk) || !hot_unpack(k->row.arena, value, &row)) {
        found(k, CHECK_UNREADABLE, "a mailbox row cannot be unpacked");
        return;
    }
    k->r->emails++;
    count_hot(k, arg, &hk, &row);
    check_email_of(k, &hk, &row);
}

/* ---- the change log ---- */

static void check_item(struct check *k, struct account_check *a, uint64_t modseq,
                       const struct change_item *item)
{
    const struct box *box = box_of(a, item->mailbox.v);

    if (item->kind < CHANGE_ADDED || item->kind > CHANGE_MAILBOX || item->first_uid > item->last_uid)
        found(k, CHECK_ROWS, "change %" PRIu64 " makes no sense", modseq);
    else if (box && item->last_uid >= box->row.uid_next)
        found(k, CHECK_COUNTERS,
              "change %" PRIu64 " tells of UID %u, and mailbox %.*s would give %u next", modseq,
              item->last_uid, STR_ARG(box->row.name), box->row.uid_next);
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

static void check_box(struct check *k, const struct account_check *a, const struct box *b)
{
    const struct mailbox_row *row = &b->row;

    if (b->exists != row->exists || b->unseen != row->unseen || b->bytes != row->bytes)
        found(k, CHECK_COUNTERS,
              "mailbox %.*s counts %u messages, %u unseen, %" PRIu64
              " bytes; there are %u, %u, %" PRIu64,
              STR_ARG(row->name), row->exists, row->unseen, row->bytes, b->exists, b->unseen, b->bytes);
    if (b->last_uid >= row->uid_next)
        found(k, CHECK_COUNTERS, "mailbox %.*s would give UID %u next, and has %u", STR_ARG(row->name),
              row->uid_next, b->last_uid);
    if (b->modseq > row->modseq)
        found(k, CHECK_COUNTERS, "mailbox %.*s is at modseq %" PRIu64 ", an email in it at %" PRIu64,
              STR_ARG(row->name), row->modseq, b->modseq);
    if (!row->uid_validity)
        found(k, CHECK_COUNTERS, "mailbox %.*s has UIDVALIDITY 0", STR_ARG(row->name));
    if (!a->has_state)
        return;
    if (row->modseq > a->state.modseq)
        found(k, CHECK_COUNTERS, "the account is at modseq %" PRIu64 ", mailbox %.*s at %" PRIu64,
              a->state.modseq, STR_ARG(row->name), row->modseq);
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
    if (a->state.emails != a->emails || a->state.used != a->bytes)
        found(k, CHECK_COUNTERS,
              "the account counts %" PRIu64 " emails of %" PRIu64 " bytes; there are %" PRIu64
              " of %" PRIu64,
              a->state.emails, a->state.used, a->emails, a->bytes);
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
    check_walk(k, hot_part(k->account), S("u"), S("v"), "a mailbox", look_at_hot, &a);
    check_walk(k, cold_part(k->account), S("e"), S("f"), "an email", look_at_cold, &a);
    check_walk(k, change_part(k->account), S("c"), S("d"), "the change log", look_at_change, &a);
    check_counters(k, &a);
    arena_reset(k->row.arena);
    k->r->accounts++;
    free(a.boxes);
    arena_free(a.arena);
}
