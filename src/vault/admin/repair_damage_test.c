/* check --repair: rows are damaged, one table row after another, and what is made of it passes `check`, holds what can be
 * read, and what it tells names the rest. */
#include "vault/admin/repair_world.h"

#define DAMAGES(name) static void name(struct world *w)

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
    repair_all(w, &r);
    holds = contents_text(w, r.engine, str_from_c(row->third ? row->third : ""));
    said = check_repaired(w, &r);
    if (!str_same(holds, str_from_c(row->contents)) || said.n ||
        !str_find(r.told, str_from_c(row->told), &at))
        fail_msg("row %zu: %.*s\ntold:\n%.*scheck says:\n%.*s", i, STR_ARG(holds), STR_ARG(r.told),
                 STR_ARG(said));
    engine_close(r.engine);
    world_close((void **)&w);
}

static void test_damage(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(damages) / sizeof(*damages); i++)
        repair_row(i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_damage)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
