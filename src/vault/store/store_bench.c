/* How long the store takes for what IMAP does with a large mailbox: a measurement, not a test.
 *
 *   store_bench [messages=100000] [dir=…]
 *
 * On RocksDB, each step until it is durable; the time of each round in milliseconds. */
#include "vault/store/folders_edit.h"
#include "vault/store/messages.h"
#include "vault/store/reader.h"
#include "vault/store/roster_impl.h"
#include "vault/store/store_impl.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/scoped.h"

#include <stdio.h>
#include <stdlib.h>

#define TOM ((struct account_id){1})
#define ROUNDS 5

static struct engine *engine;
static struct store *store;
static struct cx cx;
static uint64_t messages = 100000;

static const struct mailbox_ref inbox = {TOM, {1}}, other = {TOM, {3}};

static void must(enum err e)
{
    if (!e)
        return;
    fprintf(stderr, "%s: %s\n", err_row(e)->name, cx.cause);
    exit(1);
}

static void durable(enum err e, struct ticket t)
{
    must(e);
    must(engine_wait(engine, &cx, t));
}

static const struct config *no_config(void)
{
    return NULL;
}

/* ---- the steps ---- */

static struct imap_set set_of(uint32_t first, uint32_t last)
{
    struct imap_range *r = arena_array(cx.arena, struct imap_range, 1);

    *r = (struct imap_range){first, last};
    return (struct imap_set){.ranges = r, .count = 1};
}

static void make_account(void)
{
    struct txn *t = txn_begin(engine, &(struct part){PART_ACCOUNT, TOM.v}, 1);
    struct ticket ticket;

    folders_begin(t, TOM, 1);
    durable(txn_commit(&t, &cx, &ticket), ticket);
}

static void append(size_t n)
{
    static char envelope[350], structure[150], preview[200];
    struct cold_row looks = {.envelope = {envelope, sizeof(envelope)},
                             .bodystructure = {structure, sizeof(structure)},
                             .preview = {preview, sizeof(preview)}};
    struct new_message *v = arena_array(cx.arena, struct new_message, n);
    struct added added;
    struct ticket t;

    for (size_t i = 0; i < n; i++) {
        v[i] = (struct new_message){
            .body = {.id = {fresh_id()}, .last = S("Subject: x\r\n\r\n"), .size = 14},
            .looks = &looks,
            .internal_date = 1790000000000 + (int64_t)i * 60000};
    }
    durable(messages_append(store, &cx, inbox, v, n, &added, &t), t);
}

static void fill(void)
{
    for (uint64_t n = 0; n < messages; n += 1000) {
        append(1000);
        arena_reset(cx.arena);
    }
}

static void set_flag(int round)
{
    struct flags_change c = {.how = round % 2 ? FLAGS_REMOVE : FLAGS_ADD, .flags.system = FLAG_FLAGGED};
    struct flags_result r;
    struct ticket t;

    durable(messages_set_flags(store, &cx, inbox, NULL, &c, &r, &t), t);
}

static uint32_t next_to_go = 1;

static void expunge_10000(int round)
{
    struct imap_set uids = set_of(next_to_go, next_to_go + 9999);
    struct removed r;
    struct ticket t;

    (void)round;
    next_to_go += 10000;
    durable(messages_remove(store, &cx, inbox, &uids, false, &r, &t), t);
}

static void copy_10000(int round)
{
    struct imap_set uids = set_of(1 + (uint32_t)round * 10000, 10000 + (uint32_t)round * 10000);
    struct copied c;
    struct ticket t;

    durable(messages_copy(store, &cx, inbox, &uids, other, UINT64_MAX, &c, &t), t);
}

static void move_10000(int round)
{
    struct imap_set uids = set_of(1 + (uint32_t)round * 10000, 10000 + (uint32_t)round * 10000);
    struct copied c;
    struct ticket t;

    durable(messages_move(store, &cx, other, &uids, (struct mailbox_ref){TOM, {4}}, UINT64_MAX, &c, &t),
            t);
}

static void load_cold(int round)
{
    struct roster *r;

    (void)round;
    roster_cache_free(store_of(store)->rosters);
    store_of(store)->rosters = roster_cache_new(ROSTER_BYTES);
    must(roster_get(store, &cx, TOM, inbox.mailbox, &r));
    roster_drop(&r);
}

static void get_warm(int round)
{
    struct roster *r;

    (void)round;
    must(roster_get(store, &cx, TOM, inbox.mailbox, &r));
    roster_drop(&r);
}

static void set_one(int round)
{
    struct imap_set one = set_of((uint32_t)messages / 2, (uint32_t)messages / 2);
    struct flags_change c = {.how = round % 2 ? FLAGS_REMOVE : FLAGS_ADD,
                             .flags.system = FLAG_ANSWERED};
    struct flags_result r;
    struct ticket t;

    durable(messages_set_flags(store, &cx, inbox, &one, &c, &r, &t), t);
}

static void look_at_all(int round)
{
    struct view *v = view_open(engine);
    struct message_reader *l = reader_open(v, TOM, false);
    struct cx row_cx = {.arena = arena_new(0)};
    const struct roster_entry *e;
    struct roster_walk w;
    struct roster *r;

    (void)round;
    must(roster_get(store, &cx, TOM, inbox.mailbox, &r));
    for (w = roster_walk(r, NULL); (e = roster_next(&w));) {
        struct cold_row row;
        bool found;

        arena_reset(row_cx.arena);
        must(reader_cold(l, &row_cx, e->body, &row, &found));
    }
    arena_free(row_cx.arena);
    roster_drop(&r);
    reader_close(&l);
    view_close(&v);
}

static void append_one(int round)
{
    (void)round;
    append(1);
}

static void append_1000(int round)
{
    (void)round;
    append(1000);
}

/* ---- measuring ---- */

static void measure(const char *what, void (*step)(int round), void (*before)(int round))
{
    printf("%-44s", what);
    for (int round = 0; round < ROUNDS; round++) {
        int64_t began;

        if (before)
            before(round);
        began = monotonic_us();
        step(round);
        printf(" %8.3f", (double)(monotonic_us() - began) / 1000);
        arena_reset(cx.arena);
    }
    printf(" ms\n");
    fflush(stdout);
}

int main(int argc, char **argv)
{
    struct engine_options options = {.path = "/var/tmp/store-bench", .keep_wal_in_process = true};

    for (int i = 1; i < argc; i++) {
        struct str arg = str_from_c(argv[i]);

        if (take_text(&arg, S("dir=")))
            options.path = argv[i] + 4;
        else if (!take_text(&arg, S("messages=")) || !parse_u64(arg, &messages))
            return fprintf(stderr, "store_bench [messages=N] [dir=PATH]\n"), 2;
    }
    log_start("store_bench", LOG_ERROR + 1);
    cx.arena = arena_new(0);
    must(engine_open_rocksdb(&cx, &options, &engine));
    must(store_open(&cx, engine, no_config, &store));
    make_account();
    fill();
    measure("a picture, cold", load_cold, NULL);
    measure("a picture, nothing new", get_warm, NULL);
    measure("a picture, one flag set meanwhile", get_warm, set_one);
    measure("a picture, one message added meanwhile", get_warm, append_one);
    measure("what all look like", look_at_all, NULL);
    measure("one flag of one message", set_one, NULL);
    measure("one flag of all", set_flag, NULL);
    measure("a picture, all flags set meanwhile", get_warm, set_flag);
    measure("copy 10,000", copy_10000, NULL);
    measure("move 10,000", move_10000, NULL);
    measure("expunge 10,000", expunge_10000, NULL);
    measure("append one", append_one, NULL);
    measure("append 1,000 at once", append_1000, NULL);
    store_close(store);
    engine_close(engine);
    arena_free(cx.arena);
    return 0;
}
