/* posthorn check: reads the whole store and names what disagrees or cannot be read. One call looks at a few accounts,
 * the last one at what they share, so the command line can show how far it is; each call uses one view, so it sees one
 * moment and disturbs nobody. */
#include "base/scoped.h"
#include "vault/admin/admin.h"
#include "vault/admin/check.h"
#include "vault/store/body.h"
#include "vault/store/directory.h"
#include "vault/trace/trace.h"
#include "vault/vault.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#define MOST_FOUND 1000 /* told in one answer; more are counted */
#define ACCOUNTS_A_CALL 50

struct check {
    struct caller *c;
    struct view *v;
    struct check_reply *r;
    struct account_id account;
    struct str address; /* of the account, for people */
    struct cx row;      /* an arena for one row */
};

static void found(struct check *k, enum check_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void found(struct check *k, enum check_kind kind, const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (k->r->found_count == MOST_FOUND)
        return;
    k->r->found[k->r->found_count++] =
        (struct disagreement){.kind = kind,
                              .address = str_copy(k->c->cx.arena, k->address),
                              .text = str_copy(k->c->cx.arena, str_from_c(text))};
}

/* ---- one body ---- */

static void check_body(struct check *k, struct body_id id, const struct body_row *row)
{
    struct digest *d = digest_new();
    char sum[SHA256_SIZE], text[ID_TEXT_SIZE];
    enum err e = OK;

    id_text(id.v, text);
    if (row->pieces != body_pieces(row->size))
        found(k, CHECK_BODY, "message %s: %u pieces for %" PRIu64 " bytes", text, row->pieces,
              row->size);
    for (uint32_t n = 0; !e && n < body_pieces(row->size); n++) {
        struct str piece;

        e = body_piece(k->v, &k->row, id, row->size, n, &piece);
        if (e)
            found(k, CHECK_UNREADABLE, "message %s: %s", text, k->row.cause);
        else
            digest_feed(d, piece);
        arena_reset(k->row.arena);
    }
    digest_end(d, sum);
    digest_free(&d);
    if (!e && !str_same((struct str){sum, SHA256_SIZE}, row->sha256))
        found(k, CHECK_BODY, "message %s: the bytes do not have the check value they were stored with",
              text);
    k->r->bodies++;
}

/* ---- an account ---- */

struct sums {
    uint64_t emails, bytes;
    uint32_t exists, unseen, last_uid;
    uint64_t mailbox_bytes, modseq;
};

static bool row_exists(struct check *k, struct part part, const struct buf *key, const char *what)
{
    struct str value;
    bool there = false;

    if (view_get(k->v, &k->row, part, buf_str(key), &value, &there))
        found(k, CHECK_UNREADABLE, "%s: %s", what, k->row.cause);
    return there;
}

static bool has_reference(struct check *k, struct body_id body, uint64_t part, uint64_t owner)
{
    scoped(buf_free) struct buf key = buf_make(64);

    ref_key_pack(&key, &(struct ref_key){.body = body.v, .part = part, .owner = owner});
    return row_exists(k, ref_part(NO_ACCOUNT), &key, "a reference");
}

static bool has_mark(struct check *k, struct body_id body, uint64_t part, uint64_t owner)
{
    scoped(buf_free) struct buf key = buf_make(64);

    dead_key_pack(&key, &(struct dead_key){.body = body.v, .part = part, .owner = owner});
    return row_exists(k, dead_part(NO_ACCOUNT), &key, "a mark for the collector");
}

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

static void check_cold(struct check *k, uint64_t email, const struct cold_row *cold, struct sums *s)
{
    struct body_row body;
    char text[ID_TEXT_SIZE];
    bool there;

    id_text(cold->body.v, text);
    if (body_find(k->v, &k->row, cold->body, &body, &there))
        found(k, CHECK_UNREADABLE, "message %s: %s", text, k->row.cause);
    else if (!there)
        found(k, CHECK_BODY, "email %" PRIu64 ": its message %s is missing", email, text);
    else if (body.size != cold->body_size)
        found(k, CHECK_BODY, "email %" PRIu64 ": %" PRIu64 " bytes, message %s has %" PRIu64, email,
              cold->body_size, text, body.size);
    if (!has_reference(k, cold->body, k->account.v, email))
        found(k, CHECK_REFERENCE, "email %" PRIu64 " does not refer to its message %s", email, text);
    if (!cold->memberships_count && !has_mark(k, cold->body, k->account.v, email))
        found(k, CHECK_REFERENCE, "email %" PRIu64 " is in no mailbox, and nobody will collect it",
              email);
    for (size_t i = 0; i < cold->memberships_count; i++)
        check_membership(k, email, cold, &cold->memberships[i]);
    if (cold->memberships_count) {
        s->emails++;
        s->bytes += cold->prefix.n + cold->body_size;
    }
}

/* Walks over rows of one tag; a block that cannot be read is named and passed over. */
static void walk(struct check *k, struct part part, struct str from, struct str to,
                 void (*look)(struct check *k, struct str key, struct str value, struct sums *s),
                 struct sums *s, const char *what)
{
    scoped(scan_close) struct scan *scan = NULL;
    struct cx cx = {.arena = arena_new(0)};
    struct str key, value;

    if (view_scan(k->v, &cx, part, from, to, false, &scan))
        found(k, CHECK_UNREADABLE, "%s: %s", what, cx.cause);
    while (scan) {
        while (scan_next(scan, &key, &value)) {
            look(k, key, value, s);
            arena_reset(k->row.arena);
        }
        if (!scan_error(scan, &cx))
            break;
        found(k, CHECK_UNREADABLE, "%s: %s", what, cx.cause);
        if (!scan_past_damage(scan))
            break;
    }
    scan_close(&scan);
    arena_free(cx.arena);
}

static void look_at_cold(struct check *k, struct str key, struct str value, struct sums *s)
{
    struct cold_key ck;
    struct cold_row row;

    if (!cold_key_unpack(key, &ck) || !cold_unpack(k->row.arena, value, &row))
        found(k, CHECK_UNREADABLE, "an email's row cannot be unpacked");
    else
        check_cold(k, ck.email, &row, s);
}

static void look_at_hot(struct check *k, struct str key, struct str value, struct sums *s)
{
    struct hot_key hk;
    struct hot_row row;
    scoped(buf_free) struct buf cold = buf_make(64);

    if (!hot_key_unpack(key, &hk) || !hot_unpack(k->row.arena, value, &row)) {
        found(k, CHECK_UNREADABLE, "a mailbox row cannot be unpacked");
        return;
    }
    s->exists++;
    s->unseen += !(row.flags & FLAG_SEEN);
    s->mailbox_bytes += row.size;
    s->last_uid = hk.uid;
    s->modseq = row.modseq > s->modseq ? row.modseq : s->modseq;
    k->r->emails++;
    cold_key_pack(&cold, &(struct cold_key){.email = row.email.v});
    if (!row_exists(k, cold_part(k->account), &cold, "an email's row"))
        found(k, CHECK_ROWS, "mailbox %" PRIu64 " UID %u: its email %" PRIu64 " is missing", hk.mailbox,
              hk.uid, row.email.v);
}

static void check_mailbox(struct check *k, uint64_t mailbox, const struct mailbox_row *row,
                          struct sums *account)
{
    scoped(buf_free) struct buf from = buf_make(32), to = buf_make(32);
    struct sums s = {0};

    hot_key_pack(&from, &(struct hot_key){.mailbox = mailbox});
    hot_key_pack(&to, &(struct hot_key){.mailbox = mailbox + 1});
    walk(k, hot_part(k->account), buf_str(&from), buf_str(&to), look_at_hot, &s, "a mailbox");
    account->modseq = s.modseq > account->modseq ? s.modseq : account->modseq;
    if (s.exists != row->exists || s.unseen != row->unseen || s.mailbox_bytes != row->bytes)
        found(k, CHECK_COUNTERS,
              "mailbox %.*s counts %u messages, %u unseen, %" PRIu64
              " bytes; there are %u, %u, %" PRIu64,
              STR_ARG(row->name), row->exists, row->unseen, row->bytes, s.exists, s.unseen,
              s.mailbox_bytes);
    if (s.last_uid >= row->uid_next)
        found(k, CHECK_COUNTERS, "mailbox %.*s would give UID %u next, and has %u", STR_ARG(row->name),
              row->uid_next, s.last_uid);
}

static void look_at_mailbox(struct check *k, struct str key, struct str value, struct sums *s)
{
    struct cx outer = k->row;
    struct mailbox_key mk;
    struct mailbox_row row;

    if (!mailbox_key_unpack(key, &mk) || !mailbox_unpack(outer.arena, value, &row)) {
        found(k, CHECK_UNREADABLE, "a mailbox cannot be unpacked");
        return;
    }
    k->row = (struct cx){.arena = arena_new(0)};
    check_mailbox(k, mk.mailbox, &row, s);
    arena_free(k->row.arena);
    k->row = outer;
}

static void check_state(struct check *k, const struct sums *s)
{
    struct state_row state;
    bool there;

    if (state_row_view(k->v, &k->row, k->account, &(struct state_key){0}, &state, &there))
        found(k, CHECK_UNREADABLE, "the account's counters: %s", k->row.cause);
    else if (!there)
        found(k, CHECK_ROWS, "the account has no counters");
    else if (state.emails != s->emails || state.used != s->bytes)
        found(k, CHECK_COUNTERS,
              "the account counts %" PRIu64 " emails of %" PRIu64 " bytes; there are %" PRIu64
              " of %" PRIu64,
              state.emails, state.used, s->emails, s->bytes);
    else if (state.modseq < s->modseq)
        found(k, CHECK_COUNTERS, "the account is at modseq %" PRIu64 ", an email at %" PRIu64,
              state.modseq, s->modseq);
}

static void check_account(struct check *k)
{
    struct account_row row;
    struct sums s = {0};
    char id[32];
    bool there = false;
    enum err e = directory_account(k->v, &k->row, k->account, &row, &there);

    snprintf(id, sizeof(id), "account %" PRIu64, k->account.v);
    k->address = str_copy(k->c->cx.arena, there && !e ? row.address : str_from_c(id));
    if (e)
        found(k, CHECK_UNREADABLE, "its entry in the directory: %s", k->row.cause);
    else if (!there)
        found(k, CHECK_ROWS, "its mail is here, and the directory does not know it");
    walk(k, cold_part(k->account), S("e"), S("f"), look_at_cold, &s, "an email");
    walk(k, mailbox_part(k->account), S("b"), S("c"), look_at_mailbox, &s, "a mailbox");
    check_state(k, &s);
    arena_reset(k->row.arena);
    k->r->accounts++;
}

/* ---- what the accounts share ---- */

static void look_at_route(struct check *k, struct str key, struct str value, struct sums *s)
{
    struct route_key rk;
    struct route_row row;
    struct account_row account;
    bool there;

    (void)s;
    if (!route_key_unpack(key, &rk) || !route_unpack(k->row.arena, value, &row)) {
        found(k, CHECK_UNREADABLE, "an address cannot be unpacked");
        return;
    }
    k->address = rk.address;
    if (row.account.v && !directory_account(k->v, &k->row, row.account, &account, &there) && !there)
        found(k, CHECK_ROWS, "leads to account %" PRIu64 ", which does not exist", row.account.v);
}

static void look_at_body(struct check *k, struct str key, struct str value, struct sums *s)
{
    struct body_key bk;
    struct body_row row;

    (void)s;
    if (!body_key_unpack(key, &bk) || !body_unpack(k->row.arena, value, &row)) {
        found(k, CHECK_UNREADABLE, "a message's row cannot be unpacked");
        return;
    }
    row.sha256 = str_copy(k->c->cx.arena, row.sha256);
    check_body(k, (struct body_id){bk.body}, &row);
}

/* A reference's owner: an email of the account, or an entry of the queue; or the collector's mark says that it has gone. */
static void look_at_reference(struct check *k, struct str key, struct str value, struct sums *s)
{
    scoped(buf_free) struct buf owner = buf_make(64);
    struct account_id account;
    struct ref_key rk;
    bool there;

    (void)value;
    (void)s;
    if (!ref_key_unpack(key, &rk))
        return;
    account.v = rk.part;
    if (rk.part == QUEUE_PART) {
        entry_key_pack(&owner, &(struct entry_key){.body = rk.body, .n = (uint32_t)rk.owner});
        there = row_exists(k, entry_part(NO_ACCOUNT), &owner, "a queue entry");
    } else {
        cold_key_pack(&owner, &(struct cold_key){.email = rk.owner});
        there = row_exists(k, cold_part(account), &owner, "an email's row");
    }
    if (!there && !has_mark(k, (struct body_id){rk.body}, rk.part, rk.owner)) {
        char text[ID_TEXT_SIZE];

        id_text(rk.body, text);
        found(k, CHECK_REFERENCE,
              "message %s is kept for %" PRIu64 "/%" PRIu64 ", which does not exist", text, rk.part,
              rk.owner);
    }
}

static void look_at_entry(struct check *k, struct str key, struct str value, struct sums *s)
{
    scoped(buf_free) struct buf due = buf_make(64);
    char text[ID_TEXT_SIZE];
    struct entry_key ek;
    struct entry_row row;

    (void)s;
    if (!entry_key_unpack(key, &ek) || !entry_unpack(k->row.arena, value, &row)) {
        found(k, CHECK_UNREADABLE, "a queue entry cannot be unpacked");
        return;
    }
    entry_id_text((struct entry_id){ek.body, ek.n}, text);
    due_key_pack(&due, &(struct due_key){.due = row.due, .body = ek.body, .n = ek.n});
    if (row.held == row_exists(k, due_part(NO_ACCOUNT), &due, "the index of due entries"))
        found(k, CHECK_QUEUE, "entry %s is %s, and the schedule thinks otherwise", text,
              row.held ? "held" : "waiting");
    if (!has_reference(k, (struct body_id){ek.body}, QUEUE_PART, ek.n))
        found(k, CHECK_REFERENCE, "entry %s does not refer to its message", text);
}

static void check_shared(struct check *k)
{
    const struct part refs = {PART_REF, 0}, queue = {PART_QUEUE, 0}, directory = {PART_DIRECTORY, 0};

    walk(k, directory, S("A"), S("B"), look_at_route, NULL, "the directory");
    k->address = STR_NONE;
    walk(k, refs, S("b"), S("c"), look_at_body, NULL, "a message's row");
    walk(k, refs, S("r"), S("s"), look_at_reference, NULL, "a reference");
    walk(k, queue, S("q"), S("r"), look_at_entry, NULL, "the queue");
}

enum err serve_check(struct caller *c, const struct check_request *q, struct check_reply *r)
{
    scoped(view_close) struct view *v = view_open(c->vault->engine);
    struct check k = {.c = c, .v = v, .r = r, .row = {.arena = arena_new(0)}};
    bool there = true;
    enum err e = v ? OK : fail(&c->cx, ERR_STORE, "the store is closed");

    r->found = arena_array(c->cx.arena, struct disagreement, MOST_FOUND);
    r->next_account = q->after_account;
    while (!e && there && r->accounts < ACCOUNTS_A_CALL && r->found_count < MOST_FOUND) {
        e = view_next_account(v, &c->cx, r->next_account, &k.account.v, &there);
        if (!e && there) {
            r->next_account = k.account.v;
            check_account(&k);
        }
    }
    if (!e && !there) { /* all accounts are done */
        r->next_account = UINT64_MAX;
        check_shared(&k);
    }
    arena_free(k.row.arena);
    return e;
}
