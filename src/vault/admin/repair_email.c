/* The emails of one account. One whose cold row can be read is written with all places that rows know of: the hot rows
 * that name it, and its own memberships, whose hot rows are made again. One of which only hot rows are left is made
 * again from its message; as its prefix is lost, its size is another, and it gets other UIDs (RFC 9051 §2.3.1.1). */
#include "vault/admin/repair_account.h"

#include "base/arena.h"
#include "vault/accept/looks.h"

#include <inttypes.h>

#define MOST_MEMBERSHIPS 1000 /* rows.def */

/* ---- where an email is ---- */

static uint32_t next_uid(struct box *b)
{
    return b->row.uid_next < UINT32_MAX ? b->row.uid_next++ : b->row.uid_next;
}

static bool is_written(struct account *a, uint64_t mailbox, uint32_t uid)
{
    struct hot_row row;
    bool there = false;

    return hot_row_txn(repair_out(a->r, 0), &a->r->row, a->r->account,
                       &(struct hot_key){.mailbox = mailbox, .uid = uid}, &row, &there) ||
           there;
}

/* The UID the email had there, if nobody else has it; else a new one. */
static uint32_t uid_again(struct account *a, struct box *b, uint32_t uid)
{
    if (uid && uid < b->first_free && !account_seen_at(a, b->id, uid) && !is_written(a, b->id, uid))
        return uid;
    return next_uid(b);
}

struct place {
    struct hot_row hot;
    struct membership at;
};

struct places {
    struct place *v;
    size_t n;
};

static void add_place(struct places *p, uint64_t mailbox, uint32_t uid, const struct hot_row *hot)
{
    if (p->n == MOST_MEMBERSHIPS)
        return;
    p->v[p->n++] = (struct place){.hot = *hot, .at = {.mailbox = {mailbox}, .uid = uid}};
}

static void add_seen(struct account *a, struct places *p, struct seen *s, bool same_uid)
{
    struct box *b = account_box_or_new(a, s->mailbox);
    struct hot_row hot = {.modseq = same_uid ? s->modseq : a->modseq,
                          .flags = s->flags,
                          .internal_date = s->internal_date};

    s->done = true;
    add_place(p, s->mailbox, same_uid ? s->uid : next_uid(b), &hot);
}

static bool has_place(const struct places *p, const struct membership *m)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->v[i].at.mailbox.v == m->mailbox.v && p->v[i].at.uid == m->uid)
            return true;
    return false;
}

static void add_membership(struct account *a, struct places *p, const struct membership *m,
                           uint64_t email, uint64_t received)
{
    struct box *b = account_box_or_new(a, m->mailbox.v);
    struct hot_row hot = {.modseq = a->modseq, .internal_date = received};
    uint32_t uid = uid_again(a, b, m->uid);

    tell(a->r, CHECK_ROWS,
         "mailbox %.*s UID %u, email %" PRIu64 ": its flags were lost; it is UID %u now, unseen",
         STR_ARG(b->row.name), m->uid, email, uid);
    add_place(p, m->mailbox.v, uid, &hot);
}

/* ---- writing one ---- */

static void count_place(struct account *a, const struct place *p)
{
    struct box *b = account_box(a, p->at.mailbox.v);

    b->row.exists++;
    b->row.unseen += !(p->hot.flags & FLAG_SEEN);
    b->row.bytes += p->hot.size;
    a->r->reply->emails++;
}

static void write_email(struct account *a, uint64_t email, struct cold_row *cold, struct places *p)
{
    struct repair *r = a->r;
    struct txn *t = repair_out(r, 4000 + cold->envelope.n + cold->bodystructure.n + p->n * 100);

    cold->memberships = arena_array(r->row.arena, struct membership, p->n);
    cold->memberships_count = p->n;
    for (size_t i = 0; i < p->n; i++) {
        struct place *at = &p->v[i];

        at->hot.email.v = email;
        at->hot.body = cold->body;
        at->hot.size = cold->prefix.n + cold->body_size;
        cold->memberships[i] = at->at;
        hot_row_put(t, r->account, &(struct hot_key){.mailbox = at->at.mailbox.v, .uid = at->at.uid},
                    &at->hot);
        count_place(a, at);
    }
    cold_row_put(t, r->account, &(struct cold_key){.email = email}, cold);
    body_refer(t, cold->body, r->account.v, email);
    a->state.emails++;
    a->state.used += cold->prefix.n + cold->body_size;
}

static bool parts_fit(const struct cold_row *cold)
{
    for (size_t i = 0; i < cold->parts_count; i++) {
        const struct body_part *p = &cold->parts[i];

        if (p->start > p->body || p->body > p->end || p->end > cold->body_size)
            return false;
    }
    return true;
}

/* What it looks like, made from its bytes; the rest of the row stays. */
static bool look_again(struct account *a, struct cold_row *cold)
{
    struct cold_row looks;

    if (looks_of_stored(a->r->v, &a->r->row, cold->body, cold->body_size, &looks))
        return false;
    cold->parser = looks.parser;
    cold->envelope = looks.envelope;
    cold->bodystructure = looks.bodystructure;
    cold->preview = looks.preview;
    cold->parts = looks.parts;
    cold->parts_count = looks.parts_count;
    return true;
}

static void tell_lost(struct account *a, uint64_t email, struct body_id body)
{
    char text[ID_TEXT_SIZE];

    id_text(body.v, text);
    tell(a->r, CHECK_BODY, "email %" PRIu64 " is lost, message %s: %s", email, text, a->r->row.cause);
}

/* ---- with its cold row ---- */

static void copy_email(struct account *a, uint64_t email, struct cold_row *cold)
{
    struct seen **seen;
    size_t n = account_seen_of(a, email, &seen);
    struct places p = {.v =
                           arena_array(a->r->row.arena, struct place, n + cold->memberships_count + 1)};

    if (!n && !cold->memberships_count)
        return; /* it was removed, and waited for the collector */
    if (!repair_body(a->r, cold->body, &cold->body_size) ||
        (!parts_fit(cold) && !look_again(a, cold))) {
        for (size_t i = 0; i < n; i++)
            seen[i]->done = true;
        tell_lost(a, email, cold->body);
        return;
    }
    for (size_t i = 0; i < n; i++)
        add_seen(a, &p, seen[i], true);
    for (size_t i = 0; i < cold->memberships_count; i++)
        if (!has_place(&p, &cold->memberships[i]))
            add_membership(a, &p, &cold->memberships[i], email, cold->received);
    write_email(a, email, cold, &p);
}

static void look_at_cold(struct repair *r, void *arg, struct str key, struct str value)
{
    struct cold_key ck;
    struct cold_row row;

    if (!cold_key_unpack(key, &ck) || !cold_unpack(r->row.arena, value, &row))
        tell(r, CHECK_UNREADABLE, "an email's row cannot be unpacked");
    else
        copy_email(arg, ck.email, &row);
}

/* ---- without ---- */

static void make_email(struct account *a, struct seen **seen, size_t n)
{
    struct places p = {.v = arena_array(a->r->row.arena, struct place, n)};
    struct cold_row cold = {.body_size = SIZE_UNKNOWN};
    uint64_t email = seen[0]->email;

    cold.content.v = cold.body.v = cold.thread = seen[0]->body;
    cold.received = seen[0]->internal_date;
    if (!repair_body(a->r, cold.body, &cold.body_size) || !look_again(a, &cold)) {
        tell_lost(a, email, cold.body);
        return;
    }
    for (size_t i = 0; i < n; i++)
        add_seen(a, &p, seen[i], false);
    write_email(a, email, &cold, &p);
    tell(a->r, CHECK_ROWS,
         "email %" PRIu64 " was made again from its message: Return-Path and Delivered-To "
         "were lost, and UID %u became UID %u",
         email, seen[0]->uid, p.v[0].at.uid);
}

void repair_emails(struct account *a)
{
    struct repair *r = a->r;

    repair_walk(r, cold_part(r->account), S("e"), S("f"), "an email", look_at_cold, a);
    for (size_t i = 0, n; i < a->seen_count; i += n) {
        struct seen **first;

        n = account_seen_of(a, a->by_email[i]->email, &first);
        if (!first[0]->done)
            make_email(a, first, n);
        arena_reset(r->row.arena);
    }
}
