/* The emails of an account. Three kinds of rows must agree: a message in a mailbox has a cold row by its body, which tells
 * the same size, and a reference of its own; a reference is a message's, or marked for the collector. */
#include "vault/admin/check_account.h"

#include "base/scoped.h"
#include "vault/store/letters.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- the messages ---- */

static void note_message(struct check *k, struct account_check *a, struct box *box, uint64_t mailbox,
                         const struct roster_entry *e)
{
    if (a->mail_count == a->mail_room) {
        a->mail_room = a->mail_room ? a->mail_room * 2 : 256;
        a->mails = must_realloc(a->mails, a->mail_room * sizeof(*a->mails));
    }
    a->mails[a->mail_count++] = (struct mail){
        .body = e->body.v, .email = e->email.v, .mailbox = mailbox, .size = e->size, .uid = e->uid};
    k->r->emails++;
    if (a->has_state && e->email.v >= a->state.next_email)
        found(k, CHECK_COUNTERS,
              "the account would give the id %" PRIu64 " next, and has email %" PRIu64,
              a->state.next_email, e->email.v);
    if (!box)
        return;
    box->exists++;
    box->unseen += !(e->flags & FLAG_SEEN);
    box->deleted += !!(e->flags & FLAG_DELETED);
    box->bytes += e->size;
    box->deleted_bytes += e->flags & FLAG_DELETED ? e->size : 0;
    box->last_uid = e->uid > box->last_uid ? e->uid : box->last_uid;
    box->modseq = e->modseq > box->modseq ? e->modseq : box->modseq;
}

void note_messages(struct check *k, struct account_check *a, uint64_t mailbox,
                   const struct roster_entry *v, size_t n)
{
    struct box *box = box_of(a, mailbox);

    if (!box)
        found(k, CHECK_ROWS, "UID %u is in mailbox %" PRIu64 ", which does not exist", v[0].uid,
              mailbox);
    for (size_t i = 0; i < n; i++)
        note_message(k, a, box, mailbox, &v[i]);
}

static int compare_u64(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

static int by_body(const void *a, const void *b)
{
    const struct mail *x = a, *y = b;
    int order = compare_u64(x->body, y->body);

    if (!order)
        order = compare_u64(x->email, y->email);
    if (!order)
        order = compare_u64(x->mailbox, y->mailbox);
    return order ? order : compare_u64(x->uid, y->uid);
}

/* The first of the body, or of those behind it. */
static size_t first_of(const struct account_check *a, uint64_t body, uint64_t email)
{
    size_t least = 0, most = a->mail_count;

    while (least < most) {
        size_t middle = (least + most) / 2;
        const struct mail *m = &a->mails[middle];

        if (m->body < body || (m->body == body && m->email < email))
            least = middle + 1;
        else
            most = middle;
    }
    return least;
}

static bool is_there(const struct account_check *a, uint64_t body, uint64_t email)
{
    size_t at = first_of(a, body, email);

    return at < a->mail_count && a->mails[at].body == body && a->mails[at].email == email;
}

/* ---- cold rows ---- */

/* Whoever reads a part by its offsets must find them inside the message. */
static void check_parts(struct check *k, const char *who, const struct cold_row *cold)
{
    for (size_t i = 0; i < cold->parts_count; i++) {
        const struct body_part *p = &cold->parts[i];

        if (p->start > p->body || p->body > p->end || p->end > cold->body_size) {
            found(k, CHECK_ROWS, "%s: its part %zu lies outside of it", who, i);
            return;
        }
    }
}

/* What it is of others' letters: whose bytes a twin has, and that it is here. */
static void check_letter(struct check *k, const char *who, const struct cold_row *row, uint64_t body)
{
    struct letter_id letter = letter_id_of(row, k->account, (struct body_id){body});
    char text[ID_TEXT_SIZE];

    id_text(letter.content.v, text);
    if (letter.content.v != body && !has_reference(k, letter.content, BODY_PART, body))
        found(k, CHECK_ROWS, "%s is a twin of message %s, whose bytes it does not have", who, text);
    if ((row->origin.v || row->letter.v) &&
        !has_reference(k, letter.content, LEFT_PART, letter.origin.v))
        found(k, CHECK_ROWS,
              "%s is what account %" PRIu64
              " was sent as message %s, and nothing says that others have it",
              who, letter.origin.v, text);
}

struct kept {
    struct account_check *a;
    size_t references;
};

static void look_at_reference(struct check *k, void *arg, struct str key, struct str value)
{
    struct kept *kept = arg;
    struct ref_key rk;
    char text[ID_TEXT_SIZE];

    (void)value;
    if (!ref_key_unpack(key, &rk))
        return; /* the walk over all references names it */
    kept->references++;
    if (is_there(kept->a, rk.body, rk.owner) ||
        has_mark(k, (struct body_id){rk.body}, rk.part, rk.owner))
        return;
    id_text(rk.body, text);
    found(k, CHECK_REFERENCE,
          "message %s is kept for email %" PRIu64
          ", which is in no mailbox, and nobody will collect it",
          text, rk.owner);
}

static size_t look_at_references(struct check *k, struct account_check *a, uint64_t body)
{
    scoped(buf_free) struct buf from = buf_make(32), to = buf_make(32);
    struct kept kept = {.a = a};

    ref_key_pack(&from, &(struct ref_key){.body = body, .part = k->account.v});
    ref_key_pack(&to, &(struct ref_key){.body = body, .part = k->account.v + 1});
    check_walk(k, ref_part(NO_ACCOUNT), buf_str(&from), buf_str(&to), "a reference", look_at_reference,
               &kept);
    return kept.references;
}

static void look_at_cold(struct check *k, void *arg, struct str key, struct str value)
{
    struct account_check *a = arg;
    struct cold_key ck;
    struct cold_row row;
    char text[ID_TEXT_SIZE], who[64];

    if (!cold_key_unpack(key, &ck) || !cold_unpack(k->row.arena, value, &row)) {
        found(k, CHECK_UNREADABLE, "a message's looks cannot be unpacked");
        return;
    }
    id_text(ck.body, text);
    snprintf(who, sizeof(who), "message %s", text);
    check_body_of(k, who, (struct body_id){ck.body}, row.body_size);
    check_parts(k, who, &row);
    check_letter(k, who, &row, ck.body);
    for (size_t i = first_of(a, ck.body, 0); i < a->mail_count && a->mails[i].body == ck.body; i++) {
        a->mails[i].has_cold = true;
        if (a->mails[i].size != row.prefix.n + row.body_size)
            found(k, CHECK_ROWS,
                  "mailbox %" PRIu64 " UID %u says %" PRIu64 " bytes, message %s has %" PRIu64,
                  a->mails[i].mailbox, a->mails[i].uid, a->mails[i].size, text,
                  row.prefix.n + row.body_size);
    }
    if (!look_at_references(k, a, ck.body))
        found(k, CHECK_ROWS, "message %s: its looks are kept, and no email refers to it", text);
}

/* ---- all of it ---- */

static void check_mail(struct check *k, struct account_check *a, size_t i)
{
    const struct mail *m = &a->mails[i], *before = i ? m - 1 : NULL;
    struct body_id body = {m->body};
    char text[ID_TEXT_SIZE];

    id_text(m->body, text);
    if (before && before->email == m->email && before->body == m->body) {
        found(k, CHECK_ROWS,
              "email %" PRIu64 " is in mailbox %" PRIu64 " as UID %u, and in mailbox %" PRIu64
              " as UID %u",
              m->email, before->mailbox, before->uid, m->mailbox, m->uid);
        return;
    }
    a->emails++;
    a->bytes += m->size;
    if (!m->has_cold)
        found(k, CHECK_ROWS, "mailbox %" PRIu64 " UID %u: the looks of its message %s are missing",
              m->mailbox, m->uid, text);
    if (!has_reference(k, body, k->account.v, m->email))
        found(k, CHECK_REFERENCE, "email %" PRIu64 " does not refer to its message %s", m->email, text);
    if (has_mark(k, body, k->account.v, m->email))
        found(k, CHECK_REFERENCE, "message %s is to be collected, and email %" PRIu64 " still needs it",
              text, m->email);
}

/* Whoever needs them can ask the header instead, so what they say is not compared. */
static void look_at_facts(struct check *k, void *arg, struct str key, struct str value)
{
    struct facts_key fk;
    struct cold_row row;
    char text[ID_TEXT_SIZE];
    bool there = false;

    (void)arg;
    (void)value;
    if (!facts_key_unpack(key, &fk)) {
        found(k, CHECK_UNREADABLE, "facts of a message cannot be unpacked");
        return;
    }
    id_text(fk.body, text);
    if (!cold_row_view(k->v, &k->row, k->account, &(struct cold_key){.body = fk.body}, &row, &there) &&
        !there)
        found(k, CHECK_ROWS, "there are facts of message %s, which the account does not have", text);
}

void check_mails(struct check *k, struct account_check *a)
{
    if (a->mail_count)
        qsort(a->mails, a->mail_count, sizeof(*a->mails), by_body);
    check_walk(k, cold_part(k->account), S("e"), S("f"), "the looks of messages", look_at_cold, a);
    check_walk(k, facts_part(k->account), S("f"), S("g"), "the facts of messages", look_at_facts, NULL);
    for (size_t i = 0; i < a->mail_count; i++) {
        check_mail(k, a, i);
        arena_reset(k->row.arena);
    }
}
