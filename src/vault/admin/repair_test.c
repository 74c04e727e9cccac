/* check --repair: of a store in order everything is there again; then rows are damaged, one table row after another, and
 * what is made of it passes `check`, holds what can be read, and what it tells names the rest. */
#include "vault/admin/test_world.h"

#include "base/arena.h"
#include "base/scoped.h"
#include "vault/admin/repair.h"
#include "vault/store/collect.h"
#include "vault/store/directory.h"
#include "vault/store/email.h"
#include "vault/store/folders.h"
#include "vault/store/folders_edit.h"
#include "vault/store/letters.h"
#include "vault/store/mailbox.h"
#include "vault/store/threads.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- what a store holds, as text ---- */

static void write_message(struct world *w, struct view *v, struct account_id id, const struct listed *l,
                          struct buf *out)
{
    struct message m;
    struct str piece;

    must(w, message_find(v, &w->c.cx, id, l->body, &m));
    must(w, message_piece(v, &w->c.cx, &m, 0, &piece));
    assert_int_equal(l->size, m.prefix.n + m.body_size);
    buf_printf(out, " %u=%.*s%s", l->uid, STR_ARG(str_upto(str_from(piece, 9), 3)),
               m.prefix.n ? "" : "!");
}

static void write_inbox(struct world *w, struct engine *e, struct str address, struct buf *out)
{
    struct view *v = view_open(e);
    struct account_row row;
    struct account_id id;
    struct listed *l;
    size_t n, damaged;
    bool found;

    must(w, directory_find_account(w->vault.store, v, &w->c.cx, address, &id, &row, &found));
    buf_printf(out, "%.*s:", STR_ARG(address));
    if (found) {
        must(w, mailbox_list(v, &w->c.cx, id, INBOX, 0, &l, &n, &damaged));
        for (size_t i = 0; i < n; i++)
            write_message(w, v, id, &l[i], out);
        free(l);
    } else {
        buf_add_c(out, " nobody");
    }
    buf_add_c(out, "; ");
    view_close(&v);
}

/* "fred…: 1=two; tom…: 2=one 3=two!; queue 1": UID=subject, ! without its prefix. */
static struct str contents(struct world *w, struct engine *e, struct str third)
{
    scoped(buf_free) struct buf b = buf_make(10000);
    struct view *v;
    struct entry_row entry;
    bool queued;

    write_inbox(w, e, S("fred@acompany.test"), &b);
    write_inbox(w, e, S("tom@acompany.test"), &b);
    if (third.n)
        write_inbox(w, e, third, &b);
    v = view_open(e);
    must(w, entry_read(v, &w->c.cx, (struct entry_id){w->queued.v, 1}, &entry, &queued));
    view_close(&v);
    buf_printf(&b, "queue %d", queued);
    return str_copy(w->c.cx.arena, buf_str(&b));
}

/* ---- repairing ---- */

struct repaired {
    struct engine *engine;
    struct str told; /* a line each */
    struct repair_reply sums;
};

static void repair(struct world *w, struct repaired *out)
{
    scoped(buf_free) struct buf told = buf_make(1 << 20);
    struct engine_options options = {0};
    struct repair *r;
    bool done = false;

    *out = (struct repaired){0};
    must(w, engine_open_memory(&w->c.cx, &options, &out->engine));
    r = repair_open(w->vault.engine, out->engine, S("postmaster@acompany.test"));
    while (!done) {
        struct repair_reply reply = {0};

        must(w, repair_step(r, &w->c.cx, &reply));
        for (size_t i = 0; i < reply.found_count; i++)
            buf_printf(&told, "%.*s: %.*s\n", STR_ARG(reply.found[i].address),
                       STR_ARG(reply.found[i].text));
        out->sums.accounts += reply.accounts;
        out->sums.emails += reply.emails;
        out->sums.bodies += reply.bodies;
        out->sums.entries += reply.entries;
        done = reply.done;
    }
    repair_close(&r);
    out->told = str_copy(w->c.cx.arena, buf_str(&told));
}

/* What check says of the new store. */
static struct str check_repaired(struct world *w, struct repaired *r)
{
    struct engine *before = w->vault.engine;
    struct str said;

    w->vault.engine = r->engine;
    said = check_text(w);
    w->vault.engine = before;
    return said;
}

static struct state_row state_in(struct world *w, struct engine *e, struct account_id account)
{
    struct view *v = view_open(e);
    struct state_row row;
    bool found;

    must(w, state_row_view(v, &w->c.cx, account, &(struct state_key){0}, &row, &found));
    assert_true(found);
    view_close(&v);
    return row;
}

static struct mailbox_row inbox_in(struct world *w, struct engine *e, struct account_id account)
{
    struct view *v = view_open(e);
    struct counts_row counts;
    struct mailbox_row row;

    must(w, mailbox_state(v, &w->c.cx, account, INBOX, &row, &counts));
    view_close(&v);
    return row;
}

static struct counts_row counts_in(struct world *w, struct engine *e, struct account_id account)
{
    struct view *v = view_open(e);
    struct counts_row counts;
    struct mailbox_row row;

    must(w, mailbox_state(v, &w->c.cx, account, INBOX, &row, &counts));
    view_close(&v);
    return counts;
}

static void test_a_store_in_order(void **state)
{
    struct world *w = *state;
    struct mailbox_row before = inbox_in(w, w->vault.engine, w->tom), after;
    struct state_row counters = state_in(w, w->vault.engine, w->tom);
    struct repaired r;

    repair(w, &r);
    assert_int_equal(r.told.n, 0);
    assert_int_equal(check_repaired(w, &r).n, 0);
    assert_true(str_same(contents(w, r.engine, STR_NONE), contents(w, w->vault.engine, STR_NONE)));
    assert_int_equal(r.sums.accounts, 2);
    assert_int_equal(r.sums.emails, 3);
    assert_int_equal(r.sums.bodies, 3);
    assert_int_equal(r.sums.entries, 1);
    after = inbox_in(w, r.engine, w->tom);
    assert_int_equal(after.uid_validity, before.uid_validity);
    assert_int_equal(counts_in(w, r.engine, w->tom).uid_next,
                     counts_in(w, w->vault.engine, w->tom).uid_next);
    assert_int_equal(counts_in(w, r.engine, w->tom).unseen, 2);
    assert_true(state_in(w, r.engine, w->tom).modseq > counters.modseq);
    assert_true(state_in(w, r.engine, w->tom).next_email >= counters.next_email);
    engine_close(r.engine);
}

/* ---- damage ---- */

static void deliver_to_tom(struct world *w)
{
    struct txn *t = txn_begin(w->vault.engine, &(struct part){PART_ACCOUNT, w->tom.v}, 1);
    struct ticket ticket;

    put_email(w, t, w->tom, put_body(t, S("Subject: mor\r\n\r\n")), 16);
    durable(w, txn_commit(&t, &w->c.cx, &ticket), ticket);
}

#define DAMAGES(name) static void name(struct world *w)
#define DAMAGE(row, account, ...)                                                                      \
    do {                                                                                               \
        scoped(buf_free) struct buf key = buf_make(512);                                               \
        row##_key_pack(&key, &(struct row##_key){__VA_ARGS__});                                        \
        memory_engine_damage(w->vault.engine, row##_part(account), buf_str(&key));                     \
    } while (0)

/* The one row of marks there is. */
static uint64_t dead_id(struct world *w)
{
    struct view *v = view_open(w->vault.engine);
    scoped(scan_close) struct scan *scan = NULL;
    struct str key, value;
    struct dead_key dk;

    must(w, view_scan(v, &w->c.cx, dead_part(NO_ACCOUNT), S("d"), S("e"), false, &scan));
    assert_true(scan_next(scan, &key, &value) && dead_key_unpack(key, &dk));
    scan_close(&scan);
    view_close(&v);
    return dk.id;
}

/* clang-format off */
DAMAGES(the_counts) { DAMAGE(counts, w->tom, .mailbox = 1); }
DAMAGES(a_cold_row) { DAMAGE(cold, w->tom, .body = w->first.v); }
DAMAGES(both_rows) { the_counts(w); a_cold_row(w); }
DAMAGES(a_removed_one) { DAMAGE(cold, w->tom, .body = w->gone.v); }
DAMAGES(a_mailbox) { DAMAGE(mailbox, w->tom, .mailbox = 1); }
DAMAGES(a_name) { DAMAGE(name, w->tom, .name = S("Sent")); }
DAMAGES(name_and_mailbox) { a_name(w); DAMAGE(mailbox, w->tom, .mailbox = 3); }
DAMAGES(counters) { DAMAGE(state, w->tom, 0); }
DAMAGES(a_change) { DAMAGE(change, w->tom, .modseq = 3); }
DAMAGES(a_whole_account)
{
    a_cold_row(w);
    a_removed_one(w);
    DAMAGE(cold, w->tom, .body = w->second.v);
    the_counts(w);
    a_mailbox(w);
    counters(w);
}
static struct body_id twin_of(struct world *w, struct engine *e)
{
    scoped(buf_free) struct buf twins = buf_make(100);
    struct body_id twin;
    struct view *v = view_open(e);

    must(w, letter_twins(v, &w->c.cx, w->second, &twins));
    view_close(&v);
    assert_int_equal(twins.n, sizeof(twin));
    memcpy(&twin, twins.p, sizeof(twin));
    return twin;
}
static void thread_both(struct world *w)
{
    const struct letter v[] = {{.body = w->first, .count = 2, .keys = {7, 9}},
                               {.body = w->second, .count = 1, .keys = {9}}};
    struct ticket t;

    durable(w, threads_assign(w->vault.store, &w->c.cx, w->tom, v, 2, &t), t);
}
DAMAGES(threads) { thread_both(w); }
DAMAGES(a_thread)
{
    thread_both(w);
    DAMAGE(thread, w->tom, .body = w->first.v);
}
DAMAGES(a_link)
{
    thread_both(w);
    DAMAGE(link, w->tom, .key = 9);
}
DAMAGES(threaded_looks)
{
    thread_both(w);
    a_cold_row(w);
}
DAMAGES(a_threaded_piece)
{
    thread_both(w);
    DAMAGE(piece, NO_ACCOUNT, .body = w->first.v, .n = 0);
}
static struct body_id copy_to_fred(struct world *w) /* beside his own */
{
    const struct imap_range third = {3, 3};
    struct copied c;
    struct ticket t;

    durable(w,
            messages_copy(w->vault.store, &w->c.cx, (struct mailbox_ref){w->tom, INBOX},
                          &(struct imap_set){.ranges = &third, .count = 1},
                          (struct mailbox_ref){w->fred, INBOX}, 0, &c, &t),
            t);
    return twin_of(w, w->vault.engine);
}
static void send_again(struct world *w)
{
    struct txn *t = txn_begin(w->vault.engine, &(struct part){PART_ACCOUNT, w->fred.v}, 1);
    struct cold_row looks = {0};
    struct new_email n = {.body = w->second, .body_size = 16, .looks = &looks, .again = true};
    struct placed at;
    struct ticket ticket;

    must(w, email_add(t, &w->c.cx, w->fred, INBOX, &n, &at));
    durable(w, txn_commit(&t, &w->c.cx, &ticket), ticket);
}
static struct body_id sent_again(struct world *w) /* another letter of Fred's */
{
    send_again(w);
    return twin_of(w, w->vault.engine);
}
DAMAGES(a_twin) { copy_to_fred(w); }
DAMAGES(a_twins_body) { DAMAGE(body, NO_ACCOUNT, .body = copy_to_fred(w).v); }
DAMAGES(an_own_twins_body) { DAMAGE(body, NO_ACCOUNT, .body = sent_again(w).v); }
DAMAGES(a_twins_looks) { DAMAGE(cold, w->fred, .body = copy_to_fred(w).v); }
DAMAGES(an_own_twins_body_and_looks)
{
    struct body_id id = sent_again(w);

    DAMAGE(body, NO_ACCOUNT, .body = id.v);
    DAMAGE(cold, w->fred, .body = id.v);
}
static void change_twin(struct world *w, struct body_id id, struct body_id letter, struct body_id same_as)
{
    struct ticket t;

    w->t = txn_begin(w->vault.engine, &(struct part){PART_ACCOUNT, w->fred.v}, 1);
    if (letter.v) {
        CHANGE(cold, w->fred, row.letter = letter, .body = id.v);
    }
    if (same_as.v) {
        CHANGE(body, NO_ACCOUNT, row.same_as = same_as, .body = id.v);
    }
    durable(w, txn_commit(&w->t, &w->c.cx, &t), t);
}
DAMAGES(a_twin_of_nothing) { change_twin(w, copy_to_fred(w), (struct body_id){77}, (struct body_id){0}); }
DAMAGES(a_letter_of_another) { change_twin(w, w->second, w->first, (struct body_id){0}); }
DAMAGES(a_thread_of_another)
{
    struct ticket t;

    w->t = txn_begin(w->vault.engine, &(struct part){PART_ACCOUNT, w->tom.v}, 1);
    thread_row_put(w->t, w->tom, AT(thread, .body = w->first.v), &(struct thread_row){.thread = 77});
    durable(w, txn_commit(&w->t, &w->c.cx, &t), t);
}
DAMAGES(a_circle_of_letters)
{
    struct body_id id = copy_to_fred(w);

    change_twin(w, id, (struct body_id){id.v + 1}, (struct body_id){0});
}
DAMAGES(a_circle)
{
    struct body_id id = copy_to_fred(w), other = {id.v - 1};

    w->t = txn_begin(w->vault.engine, NULL, 0);
    must(w, body_put_same(w->t, &w->c.cx, other, w->second));
    {
        struct ticket t;
        CHANGE(body, NO_ACCOUNT, row.same_as = id, .body = other.v);
        durable(w, txn_commit(&w->t, &w->c.cx, &t), t);
    }
    change_twin(w, id, other, other);
}
DAMAGES(the_own_looks)
{
    copy_to_fred(w);
    DAMAGE(cold, w->fred, .body = w->second.v);
}
DAMAGES(a_piece) { DAMAGE(piece, NO_ACCOUNT, .body = w->first.v, .n = 0); }
DAMAGES(a_shared_piece) { DAMAGE(piece, NO_ACCOUNT, .body = w->second.v, .n = 0); }
DAMAGES(a_twins_piece)
{
    copy_to_fred(w);
    a_shared_piece(w);
}
DAMAGES(a_check_value) { DAMAGE(body, NO_ACCOUNT, .body = w->first.v); }
DAMAGES(a_reference) { DAMAGE(ref, NO_ACCOUNT, .body = w->first.v, .part = w->tom.v, .owner = 2); }
DAMAGES(a_mark) { DAMAGE(dead, NO_ACCOUNT, .id = dead_id(w)); }
DAMAGES(an_entry) { DAMAGE(entry, NO_ACCOUNT, .body = w->queued.v, .n = 1); }
DAMAGES(its_message) { DAMAGE(piece, NO_ACCOUNT, .body = w->queued.v, .n = 0); }
DAMAGES(an_account) { DAMAGE(account, NO_ACCOUNT, .account = w->tom.v); }
DAMAGES(an_address) { DAMAGE(route, NO_ACCOUNT, .address = S("tom@acompany.test")); }
DAMAGES(account_and_address) { an_account(w); an_address(w); }
DAMAGES(a_domain) { DAMAGE(domain, NO_ACCOUNT, .name = S("acompany.test")); }
DAMAGES(a_password) { DAMAGE(credential, NO_ACCOUNT, .account = w->tom.v); }
DAMAGES(the_sequence) { DAMAGE(sequence, NO_ACCOUNT, 0); }
DAMAGES(the_format) { DAMAGE(format, NO_ACCOUNT, 0); }
/* clang-format on */

static const struct damage {
    void (*damage)(struct world *w);
    const char *contents, *told;
    const char *third; /* an account to look at */
} damages[] = {
    {the_counts, "fred@acompany.test: 1=two; tom@acompany.test: 2=one 3=two; queue 1",
     "mailbox INBOX UID 2, email 2: its flags were lost; it is UID 2 now"},
    {the_counts, "fred@acompany.test: 1=two; tom@acompany.test: 2=one 3=two; queue 1",
     "the counts of mailbox INBOX were lost: it has a new UIDVALIDITY"},
    {a_name, "fred@acompany.test: 1=two; tom@acompany.test: 2=one 3=two; queue 1",
     "a mailbox's name: "},
    {name_and_mailbox, "fred@acompany.test: 1=two; tom@acompany.test: 2=one 3=two; queue 1",
     "a mailbox: "},
    {a_cold_row, "fred@acompany.test: 1=two; tom@acompany.test: 3=two 4=one!; queue 1",
     "tom@acompany.test: email 2 was made again from its message"},
    {both_rows, "fred@acompany.test: 1=two; tom@acompany.test: 3=two 4=one!; queue 1",
     "tom@acompany.test: email 2 was made again from message"},
    {a_removed_one, "fred@acompany.test: 1=two; tom@acompany.test: 2=one 3=two; queue 1",
     "the looks of messages: "},
    {a_mailbox, "fred@acompany.test: 1=two; tom@acompany.test: 2=one 3=two; queue 1",
     "mailbox 1 was lost: it is INBOX now, with a new UIDVALIDITY"},
    {counters, "fred@acompany.test: 1=two; tom@acompany.test: 2=one 3=two; queue 1",
     "tom@acompany.test: the account's counters were lost"},
    {a_change, "fred@acompany.test: 1=two; tom@acompany.test: 2=one 3=two; queue 1",
     "the change log: "},
    {a_whole_account, "fred@acompany.test: 1=two; tom@acompany.test: 1=one! 2=two!; queue 1",
     "email 3 was made again from message"},
    {threads, "fred@acompany.test: 1=two; tom@acompany.test: 2=one 3=two; queue 1", ""},
    {a_thread, "fred@acompany.test: 1=two; tom@acompany.test: 2=one 3=two; queue 1",
     "tom@acompany.test: the thread of a message was lost"},
    {a_link, "fred@acompany.test: 1=two; tom@acompany.test: 2=one 3=two; queue 1", ""},
    {threaded_looks, "fred@acompany.test: 1=two; tom@acompany.test: 3=two 4=one!; queue 1", ""},
    {a_threaded_piece, "fred@acompany.test: 1=two; tom@acompany.test: 3=two; queue 1", ""},
    {a_piece, "fred@acompany.test: 1=two; tom@acompany.test: 3=two; queue 1",
     "tom@acompany.test: email 2 is lost, message"},
    {a_shared_piece, "fred@acompany.test:; tom@acompany.test: 2=one; queue 1",
     "fred@acompany.test: email 1 is lost, message"},
    {a_twin, "fred@acompany.test: 1=two 2=two; tom@acompany.test: 2=one 3=two; queue 1", ""},
    {a_twins_body, "fred@acompany.test: 1=two 2=two; tom@acompany.test: 2=one 3=two; queue 1", ""},
    {an_own_twins_body, "fred@acompany.test: 1=two 2=two!; tom@acompany.test: 2=one 3=two; queue 1",
     ""},
    {an_own_twins_body_and_looks,
     "fred@acompany.test: 1=two 2=two!; tom@acompany.test: 2=one 3=two; queue 1",
     "fred@acompany.test: email 2, UID 2, was made again from its message"},
    {a_twin_of_nothing, "fred@acompany.test: 1=two 2=two; tom@acompany.test: 2=one 3=two; queue 1", ""},
    {a_letter_of_another, "fred@acompany.test: 1=two; tom@acompany.test: 2=one 3=two; queue 1", ""},
    {a_thread_of_another, "fred@acompany.test: 1=two; tom@acompany.test: 2=one 3=two; queue 1", ""},
    {a_circle_of_letters, "fred@acompany.test: 1=two 2=two; tom@acompany.test: 2=one 3=two; queue 1",
     ""},
    {a_circle, "fred@acompany.test: 1=two; tom@acompany.test: 2=one 3=two; queue 1",
     "fred@acompany.test: email 2 is lost"},
    {a_twins_looks, "fred@acompany.test: 1=two 3=two!; tom@acompany.test: 2=one 3=two; queue 1",
     "fred@acompany.test: email 2 was made again from its message"},
    {the_own_looks, "fred@acompany.test: 2=two 3=two!; tom@acompany.test: 2=one 3=two; queue 1",
     "fred@acompany.test: email 1 was made again from its message"},
    {a_twins_piece, "fred@acompany.test:; tom@acompany.test: 2=one; queue 1",
     "fred@acompany.test: email 2 is lost, message"},
    {a_check_value, "fred@acompany.test: 1=two; tom@acompany.test: 2=one 3=two; queue 1",
     "its check value was lost"},
    {a_reference, "fred@acompany.test: 1=two; tom@acompany.test: 2=one 3=two; queue 1",
     "a reference: "},
    {a_mark, "fred@acompany.test: 1=two; tom@acompany.test: 1=gon 2=one 3=two; queue 1",
     "marks for the collector: "},
    {an_entry, "fred@acompany.test: 1=two; tom@acompany.test: 2=one 3=two; queue 0",
     ".1 of the queue is lost, and with it to whom"},
    {its_message, "fred@acompany.test: 1=two; tom@acompany.test: 2=one 3=two; queue 0",
     ".1 of the queue is lost: "},
    {an_account, "fred@acompany.test: 1=two; tom@acompany.test: 2=one 3=two; queue 1",
     "tom@acompany.test: its entry in the directory was lost"},
    {an_address, "fred@acompany.test: 1=two; tom@acompany.test: 2=one 3=two; queue 1",
     "the directory: "},
    {account_and_address,
     "fred@acompany.test: 1=two; tom@acompany.test: nobody; lost-2@acompany.test: 2=one 3=two; "
     "queue 1",
     "lost-2@acompany.test: the address of account 2 was lost", "lost-2@acompany.test"},
    {a_domain, "fred@acompany.test: 1=two; tom@acompany.test: 2=one 3=two; queue 1", "the directory: "},
    {a_password, "fred@acompany.test: 1=two; tom@acompany.test: 2=one 3=two; queue 1",
     "tom@acompany.test: its password was lost"},
    {the_sequence, "fred@acompany.test: 1=two; tom@acompany.test: 2=one 3=two; queue 1",
     "the next account's id was lost"},
    {the_format, "fred@acompany.test: 1=two; tom@acompany.test: 2=one 3=two; queue 1", ""},
};

static void repair_row(size_t i)
{
    const struct damage *row = &damages[i];
    struct world *w;
    struct repaired r;
    struct str holds, said;
    struct ticket t;
    size_t at;

    world_open((void **)&w);
    row->damage(w);
    w->t = txn_begin(w->vault.engine, NULL, 0); /* for a newer view */
    trace_put(w->t, &(struct trace_event){.kind = TRACE_RETRIED});
    durable(w, txn_commit(&w->t, &w->c.cx, &t), t);
    repair(w, &r);
    holds = contents(w, r.engine, str_from_c(row->third ? row->third : ""));
    said = check_repaired(w, &r);
    if (!str_same(holds, str_from_c(row->contents)) || said.n ||
        !str_find(r.told, str_from_c(row->told), &at))
        fail_msg("row %zu: %.*s\ntold:\n%.*scheck says:\n%.*s", i, STR_ARG(holds), STR_ARG(r.told),
                 STR_ARG(said));
    engine_close(r.engine);
    world_close((void **)&w);
}

/* A client never sees a letter's THREADID change (RFC 8474 §5.2). */
static void test_threads_are_kept(void **state)
{
    struct world *w;
    struct repaired r;
    struct thread_row row;
    struct view *v;
    bool there;

    (void)state;
    world_open((void **)&w);
    thread_both(w);
    repair(w, &r);
    v = view_open(r.engine);
    must(w, thread_row_view(v, &w->c.cx, w->tom, AT(thread, .body = w->second.v), &row, &there));
    assert_true(there && row.thread == w->first.v);
    view_close(&v);
    engine_close(r.engine);
    world_close((void **)&w);
}

/* Nor its EMAILID, in an account that has another letter of this content. */
static void test_twins_are_kept(void **state)
{
    struct world *w;
    struct repaired r;
    struct cold_row row;
    struct view *v;
    struct body_id twin;
    bool there;

    (void)state;
    world_open((void **)&w);
    twin = copy_to_fred(w);
    repair(w, &r);
    assert_int_equal(twin_of(w, r.engine).v, twin.v);
    v = view_open(r.engine);
    must(w, cold_row_view(v, &w->c.cx, w->fred, AT(cold, .body = twin.v), &row, &there));
    assert_true(there && row.letter.v == w->second.v && row.origin.v == w->tom.v);
    view_close(&v);
    engine_close(r.engine);
    world_close((void **)&w);
}

static void transfer(struct world *w, struct account_id from, uint64_t box, uint32_t uid,
                     struct account_id to, uint64_t into)
{
    const struct imap_range one = {uid, uid};
    struct copied c;
    struct ticket t;

    durable(w,
            messages_move(w->vault.store, &w->c.cx, (struct mailbox_ref){from, {box}},
                          &(struct imap_set){.ranges = &one, .count = 1},
                          (struct mailbox_ref){to, {into}}, 0, &c, &t),
            t);
    assert_int_equal(c.count, 1);
}

static struct body_id newest(struct world *w, struct account_id id)
{
    struct view *v = view_open(w->vault.engine);
    struct body_id body;
    struct listed *l;
    size_t n, damaged;

    must(w, mailbox_list(v, &w->c.cx, id, INBOX, 0, &l, &n, &damaged));
    assert_true(n > 0);
    body = l[n - 1].body;
    free(l);
    view_close(&v);
    return body;
}

/* Fred's own letter was with Tom and came back beside Tom's, which then went. What Fred is sent after that is another one,
 * for it would take the EMAILID of his own. */
static void test_what_has_left(void **state)
{
    struct world *w;
    struct repaired r;
    struct collected c;

    (void)state;
    for (int damaged = 0; damaged < 2; damaged++) {
        world_open((void **)&w);
        transfer(w, w->fred, 1, 1, w->tom, 3);
        must(w, collect(w->vault.store, &w->c.cx, INT64_MAX, &c));
        transfer(w, w->tom, 1, 3, w->fred, 1);
        transfer(w, w->tom, 3, 1, w->fred, 3);
        transfer(w, w->fred, 1, 2, w->tom, 1);
        must(w, collect(w->vault.store, &w->c.cx, INT64_MAX, &c));
        if (damaged) {
            DAMAGE(ref, NO_ACCOUNT, .body = w->second.v, .part = LEFT_PART, .owner = w->fred.v);
            deliver_to_tom(w);
        }
        repair(w, &r);
        assert_int_equal(check_repaired(w, &r).n, 0);
        store_close(w->vault.store);
        engine_close(w->vault.engine);
        w->vault.engine = r.engine;
        must(w, store_open(&w->c.cx, r.engine, settings, &w->vault.store));
        send_again(w);
        assert_true(newest(w, w->fred).v != w->second.v);
        assert_int_equal(check_text(w).n, 0);
        world_close((void **)&w);
    }
}

static void expect_spelling(struct world *w, struct engine *e, uint64_t mailbox, const char *is)
{
    struct view *v = view_open(e);
    struct str spelled;

    must(w, folder_spelling(v, &w->c.cx, w->tom, (struct mailbox_id){mailbox}, &spelled));
    assert_true(str_same(spelled, str_from_c(is)));
    view_close(&v);
}

static struct mailbox_id make_folder(struct world *w, struct str name, struct str spelled)
{
    struct mailbox_id id;
    struct ticket t;

    durable(
        w,
        folder_create(w->vault.store, &w->c.cx, w->tom, (struct new_name){name, spelled}, 0, &id, &t),
        t);
    return id;
}

/* Spellings are kept (RFC 3501 §5.1.3); but not beside a name that had to become another. */
static void test_spellings_are_kept(void **state)
{
    struct world *w;
    struct repaired r;
    struct mailbox_id kept, other;
    struct ticket t;
    char recovered[40];

    (void)state;
    world_open((void **)&w);
    kept = make_folder(w, S("a\xc3\xa9"), S("ae\xcc\x81"));
    other = make_folder(w, S("u\xc3\xa9"), S("ue\xcc\x81"));
    w->t = txn_begin(w->vault.engine, &(struct part){PART_ACCOUNT, w->tom.v}, 1);
    CHANGE(mailbox, w->tom, row.name = S("a\xc3\xa9"), .mailbox = other.v);
    durable(w, txn_commit(&w->t, &w->c.cx, &t), t);
    repair(w, &r);
    snprintf(recovered, sizeof(recovered), "Recovered-%" PRIu64, other.v);
    expect_spelling(w, r.engine, kept.v, "ae\xcc\x81");
    expect_spelling(w, r.engine, other.v, recovered);
    engine_close(r.engine);
    world_close((void **)&w);
}

/* ---- what stood before a message ---- */

static struct body_id mail_to_tom(struct world *w, struct str prefix)
{
    struct txn *t = txn_begin(w->vault.engine, &(struct part){PART_ACCOUNT, w->tom.v}, 1);
    struct cold_row looks = {0};
    struct new_email n = {.body = put_body(t, S("Subject: pre\r\n\r\n")),
                          .body_size = 16,
                          .prefix = prefix,
                          .looks = &looks};
    struct placed at;
    struct ticket ticket;

    must(w, email_add(t, &w->c.cx, w->tom, INBOX, &n, &at));
    durable(w, txn_commit(&t, &w->c.cx, &ticket), ticket);
    return n.body;
}

static void note_accepted(struct world *w, struct body_id body, struct str from, struct str to)
{
    struct txn *t = txn_begin(w->vault.engine, NULL, 0);
    struct ticket ticket;

    trace_put(t, &(struct trace_event){.kind = TRACE_QUEUED, .message = body});
    trace_put(t,
              &(struct trace_event){.kind = TRACE_ACCEPTED, .message = body, .from = from, .to = to});
    durable(w, txn_commit(&t, &w->c.cx, &ticket), ticket);
}

static struct str prefix_in(struct world *w, struct engine *e, struct body_id body)
{
    struct view *v = view_open(e);
    struct message m;

    must(w, message_find(v, &w->c.cx, w->tom, body, &m));
    view_close(&v);
    return m.prefix;
}

#define PREFIX(from, to) "Return-Path: <" from ">\r\nDelivered-To: " to "\r\n"

static void test_prefix(void **state)
{
    static const struct {
        const char *prefix, *from, *to; /* from NULL: nothing was traced */
        bool is_kept;
        const char *why;
    } rows[] = {
        {PREFIX("ann@other.test", "tom@acompany.test"), "ann@other.test",
         "fred@acompany.test tom@acompany.test", true, "by name"},
        {PREFIX("", "Tom+news@acompany.test"), "<>", "Tom+news@acompany.test bob@acompany.test", true,
         "a report, to a subaddress"},
        {PREFIX("ann@other.test", "tom@acompany.test"), "ann@other.test", "everybody@acompany.test",
         true, "by an alias"},
        {PREFIX("ann", "tom@acompany.test"), "ann", "tom@acompany.test", true, "a bare name"},
        {PREFIX("ann@other.test", "anyone@catchall.test"), "ann@other.test", "anyone@catchall.test",
         false, "nobody knows that this is Tom"},
        {PREFIX("ann@other.test", "tom+x@acompany.test"), "ann@other.test", "staff@acompany.test",
         false, "nor what an alias made of it"},
        {PREFIX("ann@other.test", "tom@acompany.test"), NULL, NULL, false, "too old for the trace"},
        {"", NULL, NULL, true, "it had none"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct str prefix = str_from_c(rows[i].prefix);
        struct world *w;
        struct repaired r;
        struct body_id body;
        size_t at;

        world_open((void **)&w);
        body = mail_to_tom(w, prefix);
        DAMAGE(cold, w->tom, .body = body.v);
        note_accepted(w, rows[i].from ? body : w->first, str_from_c(rows[i].from),
                      str_from_c(rows[i].to));
        repair(w, &r);
        assert_int_equal(check_repaired(w, &r).n, 0);
        if (!str_same(prefix_in(w, r.engine, body), rows[i].is_kept ? prefix : STR_NONE) ||
            str_find(r.told, S("Delivered-To were lost, and UID 4 became UID 5"), &at) ==
                rows[i].is_kept ||
            str_find(r.told, S("email 4, UID 4, was made again"), &at) != rows[i].is_kept)
            fail_msg("%s: %.*s", rows[i].why, STR_ARG(r.told));
        engine_close(r.engine);
        world_close((void **)&w);
    }
}

static void test_damage(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(damages) / sizeof(*damages); i++)
        repair_row(i);
}

/* Messages that have moved from the tail into a block: it is lost, and they come back where they first were. */
static void test_a_block(void **state)
{
    struct world *w = *state;
    struct imap_range moved = {5, 6};
    struct imap_set uids = {.ranges = &moved, .count = 1};
    struct copied copied;
    struct repaired r;
    struct ticket t;
    size_t at;

    for (int i = 0; i < 20; i++)
        deliver_to_tom(w);
    durable(w,
            messages_move(w->vault.store, &w->c.cx, (struct mailbox_ref){w->tom, INBOX}, &uids,
                          (struct mailbox_ref){w->tom, {2}}, UINT64_MAX, &copied, &t),
            t);
    DAMAGE(block, w->tom, .mailbox = 1, .block = 0);
    durable(w, domain_create(w->vault.store, &w->c.cx, S("other.test"), &t), t);
    repair(w, &r);
    assert_int_equal(check_repaired(w, &r).n, 0);
    assert_int_equal(counts_in(w, r.engine, w->tom).exists, 20);
    assert_int_equal(counts_in(w, r.engine, w->tom).uid_next, 24);
    assert_int_equal(inbox_in(w, r.engine, w->tom).uid_validity,
                     inbox_in(w, w->vault.engine, w->tom).uid_validity);
    assert_true(str_find(r.told, S("UID 4, email 4: its flags were lost; it is UID 4 now"), &at));
    assert_false(str_find(r.told, S("UID 5, email"), &at)); /* it is where it was moved to */
    engine_close(r.engine);
}

/* What clients were shown stays true: nothing that was given out is given again. */
static void test_counters_only_grow(void **state)
{
    struct world *w = *state;
    struct mailbox_row before = inbox_in(w, w->vault.engine, w->tom);
    struct state_row counters_before = state_in(w, w->vault.engine, w->tom);
    struct repaired r;
    struct ticket t;

    counters(w);
    a_mailbox(w);
    durable(w, domain_create(w->vault.store, &w->c.cx, S("other.test"), &t), t);
    repair(w, &r);
    assert_true(inbox_in(w, r.engine, w->tom).uid_validity > before.uid_validity);
    assert_true(state_in(w, r.engine, w->tom).modseq > counters_before.modseq);
    assert_true(state_in(w, r.engine, w->tom).next_email > counters_before.next_email);
    assert_true(state_in(w, r.engine, w->tom).uid_validity >=
                inbox_in(w, r.engine, w->tom).uid_validity);
    engine_close(r.engine);
}

/* A new store that cannot be written ends it with an error, not with half a store. */
static void test_a_full_disk(void **state)
{
    struct world *w = *state;
    struct engine_options options = {0};
    struct engine *to;
    struct repair *r;
    enum err e = OK;

    must(w, engine_open_memory(&w->c.cx, &options, &to));
    r = repair_open(w->vault.engine, to, S("postmaster@acompany.test"));
    memory_engine_fail_next_write(to);
    for (int i = 0; i < 10 && !e; i++) {
        struct repair_reply reply = {0};

        e = repair_step(r, &w->c.cx, &reply);
        assert_false(reply.done && !e);
    }
    assert_true(e != OK);
    repair_close(&r);
    engine_close(to);
}

/* Rows of another format would be taken for damaged ones, and thrown away. */
static void test_another_format(void **state)
{
    struct world *w = *state;
    struct txn *t = txn_begin(w->vault.engine, &(struct part){PART_DIRECTORY, 0}, 1);
    struct engine_options options = {0};
    struct check_request q = {0};
    struct repair_reply repaired = {0};
    struct check_reply checked = {0};
    struct store *store;
    struct engine *to;
    struct repair *r;
    struct ticket ticket;
    scoped(buf_free) struct buf cause = buf_make(200);

    format_row_put(t, NO_ACCOUNT, AT(format, 0), &(struct format_row){.version = STORE_FORMAT - 1});
    durable(w, txn_commit(&t, &w->c.cx, &ticket), ticket);
    must(w, engine_open_memory(&w->c.cx, &options, &to));
    r = repair_open(w->vault.engine, to, S("postmaster@acompany.test"));
    assert_int_equal(store_open(&w->c.cx, w->vault.engine, settings, &store), ERR_CONFIG);
    buf_printf(&cause, "the store has format %d, this program knows %d: use the program that wrote it",
               STORE_FORMAT - 1, STORE_FORMAT);
    assert_true(str_same(str_from_c(w->c.cx.cause), buf_str(&cause)));
    assert_int_equal(serve_check(&w->c, &q, &checked), ERR_CONFIG);
    assert_int_equal(repair_step(r, &w->c.cx, &repaired), ERR_CONFIG);
    assert_false(repaired.done);
    assert_int_equal(engine_newest(to).v, 0);
    repair_close(&r);
    engine_close(to);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_another_format, world_open, world_close),
        cmocka_unit_test(test_threads_are_kept),
        cmocka_unit_test(test_twins_are_kept),
        cmocka_unit_test(test_what_has_left),
        cmocka_unit_test(test_spellings_are_kept),
        cmocka_unit_test_setup_teardown(test_a_store_in_order, world_open, world_close),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_prefix),
        cmocka_unit_test_setup_teardown(test_a_block, world_open, world_close),
        cmocka_unit_test_setup_teardown(test_counters_only_grow, world_open, world_close),
        cmocka_unit_test_setup_teardown(test_a_full_disk, world_open, world_close),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
