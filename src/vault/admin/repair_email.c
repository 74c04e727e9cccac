/* The emails of one account. A content whose cold row can be read is written with all emails that rows know of: the
 * messages in mailboxes that have it, and, when there is none, what its references tell of, at the place where it first
 * came to. One of which only a mailbox tells is made again from its message; where its prefix is lost (repair_prefix.c),
 * its size is another, and it gets other UIDs (RFC 9051 §2.3.1.1). */
#include "vault/admin/repair_account.h"

#include "base/arena.h"
#include "vault/accept/looks.h"
#include "vault/store/letters.h"

#include <inttypes.h>
#include <stdlib.h>

/* ---- where an email is ---- */

/* The UID it had there, if no other that was read has it; else a new one. */
static uint32_t uid_again(struct account *a, struct box *b, uint32_t uid)
{
    if (uid && (uid < b->first_free || b->renumbered) && !account_seen_at(a, b->id, uid)) {
        if (b->counts.uid_next <= uid)
            b->counts.uid_next = uid + 1;
        return uid;
    }
    return account_next_uid(b);
}

static void place(struct account *a, uint64_t mailbox, const struct roster_entry *entry)
{
    account_place(a, mailbox, entry);
    body_refer(repair_out(a->r, 100), entry->body, a->r->account.v, entry->email.v);
}

static void place_seen(struct account *a, struct seen *s, uint64_t size, bool same_uid)
{
    struct roster_entry entry = s->entry;

    s->done = true;
    entry.size = size;
    if (!same_uid) {
        entry.uid = account_next_uid(account_box_or_new(a, s->mailbox));
        entry.modseq = a->modseq;
    }
    place(a, s->mailbox, &entry);
}

/* ---- what it looks like ---- */

static bool parts_fit(const struct cold_row *cold)
{
    for (size_t i = 0; i < cold->parts_count; i++) {
        const struct body_part *p = &cold->parts[i];

        if (p->start > p->body || p->body > p->end || p->end > cold->body_size)
            return false;
    }
    return true;
}

/* Made from its bytes; the rest of the row stays. */
static bool look_again(struct account *a, struct body_id body, struct cold_row *cold)
{
    struct cold_row looks;
    struct str facts; /* are not copied: made anew when somebody searches */

    if (looks_of_stored(a->r->v, &a->r->row, repair_home(a->r, body), cold->body_size, &looks, &facts))
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

static void put_cold(struct account *a, struct body_id body, const struct cold_row *cold)
{
    struct account_id account = a->r->account;
    struct txn *t = repair_out(a->r, 4000 + cold->envelope.n + cold->bodystructure.n);

    cold_row_put(t, account, &(struct cold_key){.body = body.v}, cold);
    letter_left(t, account, letter_id_of(cold, account, body), body);
}

/* ---- with its cold row ---- */

struct references {
    struct account *a;
    struct body_id body;
    uint64_t *emails; /* that are not given back */
    size_t n, room;
};

static void note_reference(struct repair *r, void *arg, struct str key, struct str value)
{
    struct references *refs = arg;
    struct ref_key rk;

    (void)value;
    if (!ref_key_unpack(key, &rk) || repair_is_released(r, refs->body, rk.part, rk.owner))
        return;
    if (refs->n == refs->room) {
        refs->room = refs->room ? refs->room * 2 : 8;
        refs->emails = must_realloc(refs->emails, refs->room * sizeof(*refs->emails));
    }
    refs->emails[refs->n++] = rk.owner;
}

/* Nobody knows where it was moved to, and how often it was copied; one email of it is kept. */
static void place_again(struct account *a, const struct references *refs, const struct cold_row *cold)
{
    struct box *b = account_box(a, cold->first_mailbox.v);
    struct roster_entry entry = {.email.v = refs->emails[0],
                                 .body = refs->body,
                                 .modseq = a->modseq,
                                 .size = cold->prefix.n + cold->body_size,
                                 .internal_date = (int64_t)cold->received,
                                 .save_date = (int64_t)cold->received};

    if (!b || b->row.no_select)
        b = account_box_or_new(a, INBOX.v);
    entry.uid = uid_again(a, b, b->id == cold->first_mailbox.v ? cold->first_uid : 0);
    tell(a->r, CHECK_ROWS,
         "mailbox %.*s UID %u, email %" PRIu64 ": its flags were lost; it is UID %u now, unseen",
         STR_ARG(b->row.name), cold->first_uid, entry.email.v, entry.uid);
    place(a, b->id, &entry);
}

static void tell_lost_copies(struct account *a, struct body_id body, size_t n)
{
    char text[ID_TEXT_SIZE];

    id_text(body.v, text);
    tell(a->r, CHECK_ROWS, "message %s: the places of %zu copies were lost; others are there", text, n);
}

/* A twin's row says whose bytes it has, even if the body's cannot be read. If that is nobody's, its own may be: then it is a
 * letter by itself. */
static bool bring_body(struct repair *r, struct body_id body, struct cold_row *cold)
{
    if (cold->letter.v && repair_same(r, body, cold->letter, &cold->body_size))
        return true;
    if (cold->letter.v)
        cold->letter.v = cold->origin.v = 0;
    return repair_body(r, body, &cold->body_size);
}

static void copy_content(struct account *a, struct body_id body, struct cold_row *cold)
{
    struct references refs = {.a = a, .body = body};
    struct seen **seen;
    size_t n = account_seen_of(a, body.v, &seen);

    repair_references(a->r, body, note_reference, &refs);
    if (!n && !refs.n)
        return; /* it was removed, and waited for the collector */
    if (!bring_body(a->r, body, cold) || (!parts_fit(cold) && !look_again(a, body, cold))) {
        for (size_t i = 0; i < n; i++)
            seen[i]->done = true;
        tell_lost(a, n ? seen[0]->entry.email.v : refs.emails[0], body);
        free(refs.emails);
        return;
    }
    for (size_t i = 0; i < n; i++)
        place_seen(a, seen[i], cold->prefix.n + cold->body_size, true);
    if (!n)
        place_again(a, &refs, cold);
    if (n && refs.n > n)
        tell_lost_copies(a, body, refs.n - n);
    put_cold(a, body, cold);
    repair_thread(a, body, cold);
    free(refs.emails);
}

static void look_at_cold(struct repair *r, void *arg, struct str key, struct str value)
{
    struct cold_key ck;
    struct cold_row row;

    if (!cold_key_unpack(key, &ck) || !cold_unpack(r->row.arena, value, &row))
        tell(r, CHECK_UNREADABLE, "the looks of a message cannot be unpacked");
    else
        copy_content(arg, (struct body_id){ck.body}, &row);
}

/* ---- without ---- */

static void tell_made_again(struct account *a, const struct roster_entry *before, bool whole,
                            uint32_t uid)
{
    if (whole)
        tell(a->r, CHECK_ROWS, "email %" PRIu64 ", UID %u, was made again from its message",
             before->email.v, uid);
    else
        tell(a->r, CHECK_ROWS,
             "email %" PRIu64 " was made again from its message: Return-Path and Delivered-To "
             "were lost, and UID %u became UID %u",
             before->email.v, before->uid, uid);
}

static void make_content(struct account *a, struct seen **seen, size_t n)
{
    struct roster_entry *first = &seen[0]->entry;
    uint64_t size;
    struct cold_row cold = {.body_size = SIZE_UNKNOWN,
                            .received = (uint64_t)first->internal_date,
                            .first_mailbox = {seen[0]->mailbox}};

    if (!repair_body(a->r, first->body, &cold.body_size) || !look_again(a, first->body, &cold)) {
        tell_lost(a, first->email.v, first->body);
        return;
    }
    if (first->size > cold.body_size)
        cold.prefix = repair_prefix(a->r, first->body, first->size - cold.body_size);
    size = cold.prefix.n + cold.body_size;
    for (size_t i = 0; i < n; i++)
        place_seen(a, seen[i], size, seen[i]->entry.size == size);
    cold.first_uid = a->placed[a->placed_count - n].entry.uid;
    put_cold(a, first->body, &cold);
    repair_thread(a, first->body, &cold);
    tell_made_again(a, first, first->size == size, cold.first_uid);
}

void repair_emails(struct account *a)
{
    struct repair *r = a->r;

    repair_walk(r, cold_part(r->account), S("e"), S("f"), "the looks of messages", look_at_cold, a);
    for (size_t i = 0, n; i < a->seen_count; i += n) {
        struct seen **first;

        n = account_seen_of(a, a->by_body[i]->entry.body.v, &first);
        if (!first[0]->done)
            make_content(a, first, n);
        arena_reset(r->row.arena);
    }
}
