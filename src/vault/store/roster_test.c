/* Pictures of mailboxes, against a plain model: an array of messages. What a picture shows, what the one before it and the
 * change log make of it, and what clients that look in now and then are told; random changes, the same in every run. */
#include "vault/store/roster_impl.h"
#include "vault/store/store_impl.h"
#include "vault/store/testing.h"

#include "base/scoped.h"

#include <pthread.h>
#include <stdlib.h>

static uint64_t seed;

static uint32_t some(uint32_t below) /* xorshift64* */
{
    seed ^= seed >> 12;
    seed ^= seed << 25;
    seed ^= seed >> 27;
    return (uint32_t)((seed * 0x2545f4914f6cdd1du >> 32) % below);
}

static int set_up(void **state)
{
    seed = 42;
    return store_set_up(state);
}

/* ---- the model ---- */

#define MOST 3000

struct plain {
    uint32_t uid;
    uint64_t flags, size;
};

static struct plain model[MOST];
static size_t model_count;
static uint32_t model_uid_next;

static void do_deliver(void)
{
    uint64_t flags = some(2) ? FLAG_SEEN : 0, size = some(100000);

    if (model_count == MOST)
        return;
    deliver(TOM, INBOX, flags, size);
    model[model_count++] = (struct plain){model_uid_next++, flags, size};
}

/* A few ranges, of which some lie beyond what is there. */
static struct imap_set some_set(void)
{
    struct imap_range *v = arena_array(cx.arena, struct imap_range, 5);
    uint32_t n = 1 + some(5), at = 1 + some(model_uid_next);

    for (uint32_t i = 0; i < n; i++) {
        v[i].first = at;
        v[i].last = at + some(1 + model_uid_next / 5);
        at = v[i].last + 2 + some(1 + model_uid_next / 5);
    }
    return (struct imap_set){.ranges = v, .count = n};
}

static bool holds(const struct imap_set *s, uint32_t uid)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->ranges[i].first <= uid && uid <= s->ranges[i].last)
            return true;
    return false;
}

static void do_flags(void)
{
    struct flags_change c = {.how = (enum flags_how)some(3), .flags.system = some(32)};
    struct imap_set set = some_set();
    struct flags_result r;
    struct ticket t;

    durable(messages_set_flags(store, &cx, (struct mailbox_ref){TOM, INBOX}, &set, &c, &r, &t), t);
    for (size_t i = 0; i < model_count; i++) {
        uint64_t *f = &model[i].flags, before = *f;

        assert_int_equal(holds(&r.there, model[i].uid), holds(&set, model[i].uid));
        if (!holds(&set, model[i].uid))
            continue;
        *f = c.how == FLAGS_ADD      ? *f | c.flags.system
             : c.how == FLAGS_REMOVE ? *f & ~c.flags.system
                                     : c.flags.system;
        assert_int_equal(holds(&r.changed, model[i].uid), *f != before);
    }
    assert_true(imap_set_size(&r.changed) <= imap_set_size(&r.there));
}

static void do_expunge(void)
{
    struct imap_set set = some_set();
    struct removed r;
    struct ticket t;
    size_t kept = 0;
    bool all = some(4) == 0;

    durable(
        messages_remove(store, &cx, (struct mailbox_ref){TOM, INBOX}, all ? NULL : &set, true, &r, &t),
        t);
    for (size_t i = 0; i < model_count; i++) {
        bool goes = model[i].flags & FLAG_DELETED && (all || holds(&set, model[i].uid));

        assert_int_equal(goes, holds(&r.uids, model[i].uid));
        if (!goes)
            model[kept++] = model[i];
    }
    model_count = kept;
}

/* Within the mailbox: those of the set once more at the end, or only there. */
static void do_transfer(void)
{
    struct mailbox_ref inbox = {TOM, INBOX};
    struct imap_set set = some_set();
    struct plain moved[MOST];
    struct copied c;
    struct ticket t;
    bool move = some(2);
    size_t n = 0, kept = 0;

    for (size_t i = 0; i < model_count; i++) {
        if (holds(&set, model[i].uid))
            moved[n++] = model[i];
        if (!move || !holds(&set, model[i].uid))
            model[kept++] = model[i];
    }
    if (kept + n > MOST)
        set.count = n = 0;
    durable((move ? messages_move : messages_copy)(store, &cx, inbox, &set, inbox, UINT64_MAX, &c, &t),
            t);
    assert_int_equal(c.count, n);
    model_count = kept;
    for (size_t i = 0; i < n; i++) {
        moved[i].uid = model_uid_next++;
        model[model_count++] = moved[i];
    }
    if (n)
        assert_int_equal(c.to_last, model_uid_next - 1);
}

static void do_elsewhere(void)
{
    deliver(TOM, SENT, 0, 10);
}

static void do_anything(void)
{
    static void (*const what[])(void) = {do_deliver, do_deliver, do_deliver,  do_flags,
                                         do_flags,   do_expunge, do_transfer, do_elsewhere};

    what[some(sizeof(what) / sizeof(*what))]();
}

/* ---- what a picture shows ---- */

static void check_picture(const struct roster *r)
{
    const struct roster_counts *c = roster_counts(r);
    struct roster_walk w = roster_walk(r, NULL);
    uint32_t unseen = 0, deleted = 0, first_unseen = 0;
    uint64_t bytes = 0;

    assert_int_equal(c->exists, model_count);
    assert_int_equal(c->uid_next, model_uid_next);
    for (uint32_t i = 0; i < model_count; i++) {
        const struct plain *p = &model[i];
        const struct roster_entry *e = roster_next(&w);

        assert_non_null(e);
        assert_ptr_equal(e, roster_at(r, i + 1));
        assert_ptr_equal(e, roster_find(r, p->uid));
        assert_int_equal(w.number, i + 1);
        assert_int_equal(roster_number(r, p->uid), i + 1);
        assert_int_equal(e->uid, p->uid);
        assert_int_equal(e->flags, p->flags);
        assert_int_equal(e->size, p->size);
        assert_in_range(e->modseq, 1, c->modseq);
        unseen += !(p->flags & FLAG_SEEN);
        if (!first_unseen && unseen)
            first_unseen = i + 1;
        deleted += !!(p->flags & FLAG_DELETED);
        bytes += p->size;
    }
    assert_null(roster_next(&w));
    assert_null(roster_at(r, (uint32_t)model_count + 1));
    assert_null(roster_at(r, 0));
    assert_int_equal(c->unseen, unseen);
    assert_int_equal(c->deleted, deleted);
    assert_int_equal(c->bytes, bytes);
    assert_int_equal(roster_first_unseen(r), first_unseen);
}

static void check_walk_of_set(const struct roster *r)
{
    struct imap_set set = some_set();
    struct roster_walk w = roster_walk(r, &set);

    for (uint32_t i = 0; i < model_count; i++)
        if (holds(&set, model[i].uid)) {
            assert_ptr_equal(roster_next(&w), roster_at(r, i + 1));
            assert_int_equal(w.number, i + 1);
        }
    assert_null(roster_next(&w));
}

/* The mailbox's own counts, and the same picture made without any that was there before. */
static void check_rows(const struct roster *r)
{
    struct roster_cache *cache = store_of(store)->rosters;
    struct view *v = view_open(engine);
    struct mailbox_row row;
    struct counts_row counts;
    struct roster *anew;

    must(mailbox_state(v, &cx, TOM, INBOX, &row, &counts));
    view_close(&v);
    assert_int_equal(counts.exists, r->counts.exists);
    assert_int_equal(counts.unseen, r->counts.unseen);
    assert_int_equal(counts.deleted, r->counts.deleted);
    assert_int_equal(counts.bytes, r->counts.bytes);
    assert_int_equal(counts.deleted_bytes, r->counts.deleted_bytes);
    store_of(store)->rosters = roster_cache_new(0);
    must(roster_get(store, &cx, TOM, INBOX, &anew));
    assert_int_equal(anew->known->n, r->known->n);
    assert_int_equal(anew->known->count, r->known->count);
    for (size_t i = 0; i < r->known->n; i++)
        assert_memory_equal(anew->blocks[i]->v, r->blocks[i]->v,
                            r->blocks[i]->count * sizeof(struct roster_entry));
    roster_drop(&anew);
    roster_cache_free(store_of(store)->rosters);
    store_of(store)->rosters = cache;
}

/* ---- clients ---- */

struct client {
    struct known *known;
    struct plain list[MOST]; /* what it has been told; by number */
    uint32_t n;
};

static void client_select(struct client *c, struct roster *r)
{
    known_drop(&c->known);
    c->known = known_of(r);
    memcpy(c->list, model, sizeof(model));
    c->n = (uint32_t)model_count;
}

/* Told everything, or, while its numbers must stay, all but what has gone. */
static void client_sync(struct client *c, struct roster *r, bool expunge)
{
    struct known_compare compare = known_compare(c->known, r);
    struct known_news news;
    struct known *after;
    uint32_t removed = 0, last = 0;
    bool any = false;

    while (known_news(&compare, &news)) {
        uint32_t at = news.number_before - removed - 1;

        assert_true(news.uid > last);
        last = news.uid;
        any = true;
        if (news.kind == KNOWN_ADDED) {
            c->list[c->n++] = (struct plain){news.uid, news.entry->flags, news.entry->size};
        } else if (news.kind == KNOWN_CHANGED) {
            assert_int_equal(c->list[at].uid, news.uid);
            c->list[at].flags = news.entry->flags;
            assert_ptr_equal(news.entry, roster_at(r, news.number_after));
        } else if (expunge) {
            assert_int_equal(c->list[at].uid, news.uid);
            memmove(&c->list[at], &c->list[at + 1], (--c->n - at) * sizeof(*c->list));
            removed++;
        }
    }
    assert_int_equal(known_is_current(c->known, r), !any);
    after = known_after(c->known, r, expunge);
    known_drop(&c->known);
    c->known = after;
    assert_int_equal(known_count(after), c->n);
    assert_int_equal(known_modseq(after), roster_counts(r)->modseq);
    for (uint32_t i = 0; i < c->n; i++) {
        assert_int_equal(known_uid(after, i + 1), c->list[i].uid);
        assert_int_equal(known_number(after, c->list[i].uid), i + 1);
    }
    assert_int_equal(known_last_uid(after), c->n ? c->list[c->n - 1].uid : 0);
    assert_int_equal(known_uid(after, c->n + 1), 0);
    if (!expunge)
        return;
    assert_int_equal(c->n, model_count);
    for (size_t i = 0; i < model_count; i++) {
        assert_int_equal(c->list[i].uid, model[i].uid);
        assert_int_equal(c->list[i].flags, model[i].flags);
    }
}

static void test_random_changes(void **state)
{
    static struct client clients[4];
    struct roster *r = NULL, *again;

    (void)state;
    model_count = 0;
    model_uid_next = 1;
    for (int step = 0; step < 3000; step++) {
        do_anything();
        if (some(3))
            continue;
        roster_drop(&r);
        must(roster_get(store, &cx, TOM, INBOX, &r));
        check_picture(r);
        check_walk_of_set(r);
        if (some(20) == 0)
            check_rows(r);
        must(roster_get(store, &cx, TOM, INBOX, &again));
        assert_ptr_equal(again, r);
        roster_drop(&again);
        for (int i = 0; i < 4; i++)
            if (!clients[i].known || some(30) == 0)
                client_select(&clients[i], r);
            else if (some(3) == 0)
                client_sync(&clients[i], r, some(2));
        arena_reset(cx.arena);
    }
    for (int i = 0; i < 4; i++)
        known_drop(&clients[i].known);
    roster_drop(&r);
}

static void test_own_expunge_is_known(void **state)
{
    const struct imap_range ranges[] = {{1, 1}, {64, 65}, {100, 1000}};
    const struct imap_set gone = {.ranges = ranges, .count = 3};
    struct known *k, *rest;
    struct roster *r;

    (void)state;
    for (int i = 0; i < 130; i++)
        deliver(TOM, INBOX, 0, 1);
    must(roster_get(store, &cx, TOM, INBOX, &r));
    k = known_of(r);
    rest = known_without(k, &gone);
    assert_int_equal(known_count(rest), 130 - 3 - 31);
    assert_int_equal(known_uid(rest, 1), 2);
    assert_int_equal(known_number(rest, 63), 62);
    assert_int_equal(known_number(rest, 66), 63);
    assert_int_equal(known_number(rest, 64), 0);
    assert_int_equal(known_last_uid(rest), 99);
    known_drop(&rest);
    known_drop(&k);
    roster_drop(&r);
}

static void test_numbers_to_uids(void **state)
{
    const struct imap_range gone_range = {10, 19}, ranges[] = {{1, 9}, {10, 12}, {120, 120}};
    const struct imap_set gone = {.ranges = &gone_range, .count = 1},
                          numbers = {.ranges = ranges, .count = 3};
    struct removed removed;
    struct imap_set uids;
    struct known *k;
    struct roster *r;
    struct ticket t;

    (void)state;
    for (int i = 0; i < 130; i++)
        deliver(TOM, INBOX, 0, 1);
    durable(messages_remove(store, &cx, (struct mailbox_ref){TOM, INBOX}, &gone, false, &removed, &t),
            t);
    must(roster_get(store, &cx, TOM, INBOX, &r));
    k = known_of(r);
    uids = known_uids_of(cx.arena, k, &numbers);
    assert_int_equal(uids.count, 3);
    assert_int_equal(uids.ranges[0].last, 9);
    assert_int_equal(uids.ranges[1].first, 20);
    assert_int_equal(uids.ranges[1].last, 22);
    assert_int_equal(uids.ranges[2].first, 130);
    known_drop(&k);
    roster_drop(&r);
}

static void test_keywords_are_shown(void **state)
{
    struct str name = S("$Forwarded");
    struct flags_change c = {.how = FLAGS_ADD, .flags = {.keywords = &name, .keyword_count = 1}};
    struct flags_result f;
    struct roster *r;
    struct ticket t;

    (void)state;
    deliver(TOM, INBOX, 0, 1);
    must(roster_get(store, &cx, TOM, INBOX, &r));
    assert_int_equal(roster_keyword_mask(r, name), 0);
    roster_drop(&r);
    durable(messages_set_flags(store, &cx, (struct mailbox_ref){TOM, INBOX}, NULL, &c, &f, &t), t);
    assert_true(f.new_keywords);
    must(roster_get(store, &cx, TOM, INBOX, &r));
    assert_int_equal(roster_keyword_mask(r, S("$forwarded")), 1 << FLAG_KEYWORD_FIRST);
    assert_true(str_same(roster_keyword(r, FLAG_KEYWORD_FIRST), name));
    assert_int_equal(roster_at(r, 1)->flags, 1 << FLAG_KEYWORD_FIRST);
    roster_drop(&r);
}

static struct ticket store_flag(uint64_t flag)
{
    struct flags_change c = {.how = FLAGS_ADD, .flags.system = flag};
    struct flags_result f;
    struct ticket t;

    must(messages_set_flags(store, &cx, (struct mailbox_ref){TOM, INBOX}, &SET({2, 70}), &c, &f, &t));
    return t;
}

static void check_flags(uint64_t second, uint64_t last)
{
    struct roster *r;

    must(roster_get(store, &cx, TOM, INBOX, &r));
    assert_int_equal(roster_at(r, 1)->flags, 0);
    assert_int_equal(roster_at(r, 2)->flags, second);
    assert_int_equal(roster_at(r, 70)->flags, second);
    assert_int_equal(roster_at(r, 150)->flags, last);
    roster_drop(&r);
}

/* The picture that a change of flags leaves behind is shown when that is durable, and never if it is lost: another change
 * may then get the same modseq. */
static void test_drafts(void **state)
{
    struct flags_change deleted = {.how = FLAGS_ADD, .flags.system = FLAG_DELETED};
    struct flags_result f;
    struct ticket t;

    (void)state;
    for (int i = 0; i < 150; i++)
        deliver(TOM, INBOX, 0, 1);
    check_flags(0, 0);
    t = store_flag(FLAG_SEEN);
    check_flags(0, 0);
    must(engine_wait(engine, &cx, t));
    check_flags(FLAG_SEEN, 0);
    t = store_flag(FLAG_DRAFT);
    memory_engine_fail_next_flush(engine);
    assert_int_equal(engine_wait(engine, &cx, t), ERR_STORE);
    engine_tend(engine);
    durable(messages_set_flags(store, &cx, (struct mailbox_ref){TOM, INBOX}, &SET({150, 150}), &deleted,
                               &f, &t),
            t);
    check_flags(FLAG_SEEN, FLAG_DELETED);
    must(engine_wait(engine, &cx, store_flag(FLAG_ANSWERED)));
    check_flags(FLAG_SEEN | FLAG_ANSWERED, FLAG_DELETED);
}

static void test_what_is_gone(void **state)
{
    struct roster *r;

    (void)state;
    assert_int_equal(roster_get(store, &cx, TOM, (struct mailbox_id){77}, &r), ERR_NOT_FOUND);
    assert_int_equal(roster_get(store, &cx, (struct account_id){9}, INBOX, &r), ERR_NOT_FOUND);
}

/* A block that cannot be read costs its own messages, and the picture says so. */
static void test_a_damaged_block(void **state)
{
    struct buf key = buf_make(32);
    struct roster *r;

    (void)state;
    for (int i = 0; i < 200; i++)
        deliver(TOM, INBOX, 0, 1);
    block_key_pack(&key, &(struct block_key){.mailbox = INBOX.v, .block = 1});
    memory_engine_damage(engine, block_part(TOM), buf_str(&key));
    buf_free(&key);
    deliver(TOM, INBOX, 0, 1);
    must(roster_get(store, &cx, TOM, INBOX, &r));
    assert_int_equal(roster_counts(r)->damaged, 1);
    assert_int_equal(roster_counts(r)->exists, 201 - 64);
    assert_non_null(roster_find(r, 63));
    assert_null(roster_find(r, 64));
    assert_non_null(roster_find(r, 128));
    roster_drop(&r);
    deliver(TOM, INBOX, 0, 1);
    must(roster_get(store, &cx, TOM, INBOX, &r));
    assert_int_equal(roster_counts(r)->damaged, 1);
    assert_int_equal(roster_counts(r)->exists, 202 - 64);
    roster_drop(&r);
}

/* The cache is bounded: what was not asked for longest is read again. */
static void test_the_cache_is_bounded(void **state)
{
    struct roster *inbox, *sent, *again;

    (void)state;
    for (int i = 0; i < 100; i++) {
        deliver(TOM, INBOX, 0, 1);
        deliver(TOM, SENT, 0, 1);
    }
    roster_cache_free(store_of(store)->rosters);
    store_of(store)->rosters = roster_cache_new(10000); /* for one of them */
    must(roster_get(store, &cx, TOM, INBOX, &inbox));
    must(roster_get(store, &cx, TOM, INBOX, &again));
    assert_ptr_equal(again, inbox);
    roster_drop(&again);
    must(roster_get(store, &cx, TOM, SENT, &sent));
    must(roster_get(store, &cx, TOM, INBOX, &again));
    assert_ptr_not_equal(again, inbox);
    assert_int_equal(roster_counts(inbox)->exists, 100); /* who holds one still has it */
    roster_drop(&again);
    roster_drop(&inbox);
    roster_drop(&sent);
}

/* ---- many threads ---- */

struct reader {
    pthread_t thread;
    const char *why; /* it failed */
};

static _Atomic bool writing;

static const char *read_on(struct cx *mine, struct known **known)
{
    struct mailbox_id mailbox = {1 + (uint64_t)(rand() % 3)}; /* any order will do */
    struct known_compare c;
    struct known_news news;
    struct roster *r;
    struct roster_walk w;
    uint32_t n = 0, before = *known ? known_count(*known) : 0;

    if (roster_get(store, mine, TOM, mailbox, &r))
        return mine->cause;
    w = roster_walk(r, NULL);
    while (roster_next(&w))
        n++;
    if (n != roster_counts(r)->exists)
        return "what is there is not what is counted";
    if (mailbox.v == INBOX.v && *known) {
        for (c = known_compare(*known, r); known_news(&c, &news);)
            before += (news.kind == KNOWN_ADDED) - (uint32_t)(news.kind == KNOWN_REMOVED);
        if (before != n)
            return "the news do not add up";
    }
    if (mailbox.v == INBOX.v) {
        known_drop(known);
        *known = known_of(r);
    }
    roster_drop(&r);
    return NULL;
}

static void *read_all_the_time(void *arg)
{
    struct cx mine = {.arena = arena_new(0)};
    struct known *known = NULL;
    struct reader *reader = arg;

    while (writing && !reader->why) {
        reader->why = read_on(&mine, &known);
        arena_reset(mine.arena);
    }
    known_drop(&known);
    arena_free(mine.arena);
    return NULL;
}

static void test_many_threads(void **state)
{
    struct reader readers[4] = {0};

    (void)state;
    roster_cache_free(store_of(store)->rosters);
    store_of(store)->rosters = roster_cache_new(30000); /* small enough that pictures go and come */
    model_count = 0;
    model_uid_next = 1;
    writing = true;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&readers[i].thread, NULL, read_all_the_time, &readers[i]), 0);
    for (int i = 0; i < 800; i++) {
        do_anything();
        arena_reset(cx.arena);
    }
    writing = false;
    for (int i = 0; i < 4; i++) {
        pthread_join(readers[i].thread, NULL);
        if (readers[i].why)
            fail_msg("%s", readers[i].why);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_random_changes, set_up, store_tear_down),
        cmocka_unit_test_setup_teardown(test_own_expunge_is_known, set_up, store_tear_down),
        cmocka_unit_test_setup_teardown(test_numbers_to_uids, set_up, store_tear_down),
        cmocka_unit_test_setup_teardown(test_keywords_are_shown, set_up, store_tear_down),
        cmocka_unit_test_setup_teardown(test_drafts, set_up, store_tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_gone, set_up, store_tear_down),
        cmocka_unit_test_setup_teardown(test_a_damaged_block, set_up, store_tear_down),
        cmocka_unit_test_setup_teardown(test_the_cache_is_bounded, set_up, store_tear_down),
        cmocka_unit_test_setup_teardown(test_many_threads, set_up, store_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
