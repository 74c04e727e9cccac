#include "vault/search/search.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/scoped.h"
#include "mail/casemap.h"
#include "mail/mime.h"
#include "rpc/parts.h"
#include "vault/accept/looks.h"
#include "vault/store/body.h"
#include "vault/store/collect.h"
#include "vault/store/testing.h"

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[64];
static char path[100];
static struct search *s;

/* ---- mail ---- */

/* To Tom; and to Fred, with another prefix, if there is one. */
static void mail_to(struct str prefix, struct str freds, struct str text)
{
    struct txn *t =
        txn_begin(engine, (struct part[]){{PART_ACCOUNT, TOM.v}, {PART_ACCOUNT, FRED.v}}, 2);
    struct new_body b = {.id = {fresh_id()}, .size = text.n, .last = text};
    struct mime m = mime_make();
    struct cold_row looks = {0};
    struct new_email n = {.body = b.id, .body_size = text.n, .prefix = prefix, .looks = &looks};
    struct body_part *parts;
    struct placed placed;
    struct ticket ticket;
    struct str facts;

    mime_feed(&m, text);
    mime_end(&m);
    parts = body_parts_of(cx.arena, m.parts, m.count);
    digest_of(text, b.sha256);
    while (b.last.n > BODY_PIECE) {
        body_put_ahead(t, b.id, b.ahead++, str_upto(b.last, BODY_PIECE));
        b.last = str_from(b.last, BODY_PIECE);
    }
    must(looks_of_new(t, &cx, b.id, b.ahead, b.last, parts, m.count, &looks, &facts));
    body_put(t, &b);
    must(email_add(t, &cx, TOM, INBOX, &n, &placed));
    n.prefix = freds;
    if (freds.n)
        must(email_add(t, &cx, FRED, INBOX, &n, &placed));
    durable(txn_commit(&t, &cx, &ticket), ticket);
    mime_free(&m);
}

static void mail(struct str prefix, struct str text)
{
    mail_to(prefix, STR_NONE, text);
}

static void mail_three(void)
{
    mail(S("Delivered-To: tom+zebra@acompany.test\r\n"),
         S("Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= from the garden\r\n\r\nAn elephant was here.\r\n"));
    mail(S("Return-Path: <fred@acompany.test>\r\n"),
         S("Subject: two\r\nContent-Type: text/plain; charset=iso-8859-1\r\n"
           "Content-Transfer-Encoding: quoted-printable\r\n\r\nEin L=F6we, eine Gir=\r\naffe.\r\n"));
    mail(S(""), S("Subject: three\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n"
                  "Content-Type: text/html; charset=utf-8\r\nContent-Description: a crocodile\r\n"
                  "Content-Transfer-Encoding: base64\r\n\r\n"
                  "PGI+0LbQuNGA0LDRhDwvYj4gc2FpZCAi\r\nT1IiICogTk9U\r\n--x--\r\n"));
}

/* ---- asking ---- */

/* Which messages are candidates, as "1 3"; "all" if the index says nothing. In cx.arena. */
static const char *candidates(unsigned parts, const char *text)
{
    scoped(buf_free) struct buf folded = buf_make(BUF_UNLIMITED), out = buf_make(BUF_UNLIMITED);
    struct roster *r = NULL;
    const uint64_t *bits;

    must(roster_get(store, &cx, TOM, INBOX, &r));
    casemap(&folded, str_from_c(text));
    bits = search_candidates(s, cx.arena, TOM, r, parts, buf_str(&folded));
    for (uint32_t k = 1; bits && k <= roster_counts(r)->exists; k++)
        if (search_is_candidate(bits, k))
            buf_printf(&out, "%s%u", out.n ? " " : "", k);
    roster_drop(&r);
    return bits ? str_to_c(cx.arena, buf_str(&out)) : "all";
}

static void expect(unsigned parts, const char *text, const char *expected)
{
    const char *found = candidates(parts, text);

    if (strcmp(found, expected) != 0)
        fail_msg("%s: %s, expected %s", text, found, expected);
}

static void wait_for_index(void)
{
    struct search_progress p = {0};

    while (!p.done)
        must(search_wait(s, &cx, TOM, &p));
}

static void make_index(void)
{
    search_rebuild(s, TOM);
    wait_for_index();
}

static int set_up(void **state)
{
    store_set_up(state);
    snprintf(directory, sizeof(directory), "/tmp/posthorn-search-XXXXXX");
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/1.idx", directory);
    s = search_open(store, directory);
    return 0;
}

static int tear_down(void **state)
{
    search_close(&s);
    index_remove(path);
    store_tear_down(state);
    return rmdir(directory);
}

/* ---- tests ---- */

static void finds_what_is_there(void **state)
{
    static const struct {
        unsigned parts;
        const char *text, *expected;
    } rows[] = {
        {INDEX_BODY, "elephant", "1"},
        {INDEX_BODY, "LEPHAN", "1"},
        {INDEX_HEADER, "elephant", ""},
        {INDEX_HEADER, "grüße FROM", "1"},
        {INDEX_BODY, "grüße from", ""},
        {INDEX_HEADER | INDEX_BODY, "zebra", "1"}, /* the prefix is a part of the header */
        {INDEX_BODY, "löwe", "2"},
        {INDEX_BODY, "giraffe", "2"},
        {INDEX_BODY, "ЖИРАФ", "3"},
        {INDEX_BODY, "said \"or\" * not", "3"},
        {INDEX_HEADER, "crocodile", "3"},
        {INDEX_HEADER | INDEX_BODY, "subject: two", "2"},
        {INDEX_BODY, "an", "all"}, /* two characters */
        {INDEX_BODY, "ß", "all"},
        {INDEX_BODY, "", "all"},
        {INDEX_BODY, "unicorn", ""},
    };

    (void)state;
    mail_three();
    expect(INDEX_BODY, "elephant", "all"); /* three messages are not worth an index */
    assert_int_equal(access(path, F_OK), -1);
    make_index();
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        expect(rows[i].parts, rows[i].text, rows[i].expected);
}

static void what_is_not_reached_is_a_candidate(void **state)
{
    struct imap_set first = SET({1, 1});
    struct copied copied;
    struct removed removed;
    struct ticket ticket;

    (void)state;
    mail_three();
    make_index();
    search_close(&s); /* nobody follows */
    mail(S(""), S("Subject: four\r\n\r\nanother elephant\r\n"));
    durable(
        messages_copy(store, &cx, IN(TOM, INBOX), &first, IN(TOM, INBOX), UINT64_MAX, &copied, &ticket),
        ticket);
    s = search_open(store, directory);
    while (strcmp(candidates(INDEX_BODY, "unicorn"), "4 5") == 0) /* until it has followed */
        sched_yield();
    expect(INDEX_BODY, "unicorn", "");
    expect(INDEX_BODY, "elephant", "1 4 5");
    durable(messages_remove(store, &cx, IN(TOM, INBOX), &first, false, &removed, &ticket), ticket);
    expect(INDEX_BODY, "elephant", "3 4"); /* numbers, not UIDs */
}

static void is_made_though_sessions_are_served_all_the_time(void **state)
{
    (void)state;
    make_index();
    mail_three();
    do
        search_note_work(s, monotonic_ms());
    while (strcmp(candidates(INDEX_BODY, "unicorn"), "") != 0);
    expect(INDEX_BODY, "elephant", "1");
}

/* Tom's last email of a body goes, and with it what he called it. Then it comes back from Fred, with Fred's lines. */
static void the_same_body_with_another_prefix(void **state)
{
    struct imap_set first = SET({1, 1});
    struct collected collected;
    struct removed removed;
    struct copied copied;
    struct ticket ticket;

    (void)state;
    mail_to(S("Delivered-To: tom\r\n"), S("Delivered-To: wilma\r\n"),
            S("Subject: x\r\n\r\nelephant\r\n"));
    make_index();
    durable(messages_remove(store, &cx, IN(TOM, INBOX), &first, false, &removed, &ticket), ticket);
    must(collect(store, &cx, INT64_MAX, &collected));
    durable(messages_copy(store, &cx, IN(FRED, INBOX), &first, IN(TOM, INBOX), UINT64_MAX, &copied,
                          &ticket),
            ticket);
    expect(INDEX_HEADER, "wilma", "1");
    while (strcmp(candidates(INDEX_BODY, "unicorn"), "") != 0) /* until it has followed */
        sched_yield();
    expect(INDEX_HEADER, "wilma", "1");
    expect(INDEX_BODY, "elephant", "1");
}

static void stays_over_a_restart(void **state)
{
    (void)state;
    mail_three();
    make_index();
    search_close(&s);
    s = search_open(store, directory);
    expect(INDEX_BODY, "elephant", "1");
}

static void of_another_store_it_is_nothing(void **state)
{
    int fd;

    (void)state;
    mail_three();
    fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_true(write(fd, "no index at all", 15) == 15);
    close(fd);
    expect(INDEX_BODY, "elephant", "all");
    while (strcmp(candidates(INDEX_BODY, "elephant"), "1") != 0)
        sched_yield();
}

/* It may have been found, and mended, before anybody asks. */
static void damage_is_mended(void **state)
{
    const char *found;
    struct stat st;
    int fd;

    (void)state;
    mail_three();
    make_index();
    search_close(&s);
    fd = open(path, O_RDWR);
    assert_false(fstat(fd, &st));
    for (off_t at = 2000; at < st.st_size; at += 4096)
        assert_int_equal(pwrite(fd, "\xa5\x5a", 2, at), 2);
    close(fd);
    s = search_open(store, directory);
    while (strcmp(found = candidates(INDEX_BODY, "elephant"), "1") != 0) {
        assert_true(strcmp(found, "all") == 0 || str_starts(str_from_c(found), S("1 ")));
        sched_yield();
    }
}

static void too_long_a_text_is_always_a_candidate(void **state)
{
    struct buf b = buf_make(BUF_UNLIMITED);

    (void)state;
    buf_add(&b, S("Subject: long\r\n\r\n"));
    while (b.n < 5 << 20)
        buf_add(&b, S("Nothing of interest here, line after line after line after line.\r\n"));
    buf_add(&b, S("but one elephant\r\n"));
    mail(S(""), buf_str(&b));
    mail_three();
    buf_free(&b);
    make_index();
    expect(INDEX_BODY, "elephant", "1 2");
    expect(INDEX_BODY, "unicorn", "1");
}

static void goes_with_its_account(void **state)
{
    struct ticket ticket;
    struct txn *t;

    (void)state;
    mail_three();
    make_index();
    assert_int_equal(access(path, F_OK), 0);
    t = txn_begin(engine, &(struct part){PART_ACCOUNT, TOM.v}, 1);
    state_row_delete(t, TOM, &(struct state_key){0});
    durable(txn_commit(&t, &cx, &ticket), ticket);
    make_index();
    assert_int_equal(access(path, F_OK), -1);
}

static off_t size_of_index(void)
{
    struct stat st;

    return stat(path, &st) ? 0 : st.st_size;
}

/* As large as if the others had never been, also when the index is one of former days. */
static void what_is_deleted_leaves_the_index(void **state)
{
    struct imap_set most = SET({1, 380});
    struct removed removed;
    struct ticket ticket;
    off_t full, left;

    (void)state;
    for (int k = 0; k < 380; k++) {
        scoped(buf_free) struct buf b = buf_make(BUF_UNLIMITED);

        buf_add(&b, S("Subject: dead\r\n\r\n"));
        for (int word = 0; word < 300; word++)
            buf_printf(&b, "%d\r\n", (k * 300 + word) * 7919);
        mail(S(""), buf_str(&b));
    }
    for (int k = 0; k < 20; k++)
        mail(S(""), S("Subject: alive\r\n\r\nan elephant\r\n"));
    make_index();
    full = size_of_index();
    search_close(&s);
    s = search_open(store, directory);
    durable(messages_remove(store, &cx, IN(TOM, INBOX), &most, false, &removed, &ticket), ticket);
    while ((left = size_of_index()) == 0 || left > full / 4)
        sched_yield();
    while (strcmp(candidates(INDEX_BODY, "unicorn"), "") != 0) /* until all of it is there again */
        sched_yield();
    expect(INDEX_HEADER, "dead", "");
    expect(INDEX_BODY, "elephant", "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20");
}

static void a_thousand_are_worth_an_index(void **state)
{
    (void)state;
    for (int i = 0; i < SEARCH_WORTH - 3; i++)
        mail(S(""), S("Subject: one of many\r\n\r\nnothing\r\n"));
    mail_three();
    while (strcmp(candidates(INDEX_BODY, "elephant"), "998") != 0)
        sched_yield();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(finds_what_is_there, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_not_reached_is_a_candidate, set_up, tear_down),
        cmocka_unit_test_setup_teardown(is_made_though_sessions_are_served_all_the_time, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_same_body_with_another_prefix, set_up, tear_down),
        cmocka_unit_test_setup_teardown(stays_over_a_restart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(of_another_store_it_is_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damage_is_mended, set_up, tear_down),
        cmocka_unit_test_setup_teardown(too_long_a_text_is_always_a_candidate, set_up, tear_down),
        cmocka_unit_test_setup_teardown(goes_with_its_account, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_deleted_leaves_the_index, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_thousand_are_worth_an_index, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
