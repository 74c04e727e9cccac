#include "vault/admin/test_world.h"

#include "base/arena.h"
#include "base/scoped.h"
#include "config/config.h"
#include "vault/store/directory.h"
#include "vault/store/email.h"
#include "vault/store/messages.h"

#include <stdio.h>
#include <stdlib.h>

static struct config *the_config;

const struct config *settings(void)
{
    return the_config;
}

void must(struct world *w, enum err e)
{
    if (e)
        fail_msg("%s: %s", err_row(e)->name, w->c.cx.cause);
}

void durable(struct world *w, enum err e, struct ticket t)
{
    must(w, e);
    must(w, engine_wait(w->vault.engine, &w->c.cx, t));
}

static struct account_id add_account(struct world *w, const char *address)
{
    struct credential_row credential = {.argon2 = S("?")};
    struct new_account n = {.address = str_from_c(address), .credential = &credential};
    struct account_id id;
    struct ticket t;

    durable(w, account_create(w->vault.store, &w->c.cx, &n, &id, &t), t);
    return id;
}

struct body_id put_body(struct txn *t, struct str text)
{
    struct new_body b = {.id = {fresh_id()}, .last = text, .size = text.n};

    digest_of(text, b.sha256);
    body_put(t, &b);
    return b.id;
}

void put_email(struct world *w, struct txn *t, struct account_id account, struct body_id body,
               uint64_t size)
{
    struct cold_row looks = {0};
    struct new_email n = {
        .body = body, .body_size = size, .prefix = S("Return-Path: <>\r\n"), .looks = &looks};
    struct placed at;

    must(w, email_add(t, &w->c.cx, account, INBOX, &n, &at));
}

static void put_mail(struct world *w)
{
    const struct part parts[] = {{PART_ACCOUNT, w->fred.v}, {PART_ACCOUNT, w->tom.v}};
    scoped(txn_rollback) struct txn *t = txn_begin(w->vault.engine, parts, 2);
    struct entry_rcpt rcpt = {.to = {S("b"), S("other.test")}, .state = RCPT_WAITING};
    const struct imap_range first = {1, 1};
    const struct imap_set gone_uids = {.ranges = &first, .count = 1};
    struct removed removed;
    struct ticket ticket;

    w->gone = put_body(t, S("Subject: gone\r\n\r\n"));
    w->first = put_body(t, S("Subject: one\r\n\r\n"));
    w->second = put_body(t, S("Subject: two\r\n\r\n"));
    w->queued = put_body(t, S("Subject: out\r\n\r\n"));
    put_email(w, t, w->tom, w->gone, 17);
    put_email(w, t, w->tom, w->first, 16);
    put_email(w, t, w->tom, w->second, 16);
    put_email(w, t, w->fred, w->second, 16);
    queue_add(t, settings(),
              &(struct new_entry){.id = {w->queued.v, 1},
                                  .destination = S("other.test"),
                                  .size = 16,
                                  .rcpts = &rcpt,
                                  .rcpts_count = 1});
    trace_put(t, &(struct trace_event){.kind = TRACE_QUEUED, .message = w->queued, .entry = 1});
    durable(w, txn_commit(&t, &w->c.cx, &ticket), ticket);
    durable(w,
            messages_remove(w->vault.store, &w->c.cx, (struct mailbox_ref){w->tom, INBOX}, &gone_uids,
                            false, &removed, &ticket),
            ticket);
}

int world_open(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    struct engine_options options = {0};
    struct target fred = {{S("fred"), S("acompany.test")}};
    struct ticket t;

    w->c = (struct caller){.cx = {.arena = arena_new(0)}, .vault = &w->vault, .room = CONTROL};
    must(w, config_parse(&w->c.cx,
                         S("hostname = \"mail.acompany.test\"\n"
                           "postmaster = \"postmaster@acompany.test\"\n"),
                         "test", w->c.cx.arena, &the_config));
    must(w, engine_open_memory(&w->c.cx, &options, &w->vault.engine));
    must(w, store_open(&w->c.cx, w->vault.engine, settings, &w->vault.store));
    durable(w, domain_create(w->vault.store, &w->c.cx, S("acompany.test"), &t), t);
    w->fred = add_account(w, "fred@acompany.test");
    w->tom = add_account(w, "tom@acompany.test");
    durable(w, alias_write(w->vault.store, &w->c.cx, ALIAS_NEW, S("sales@acompany.test"), &fred, 1, &t),
            t);
    put_mail(w);
    *state = w;
    return 0;
}

int world_close(void **state)
{
    struct world *w = *state;

    store_close(w->vault.store);
    engine_close(w->vault.engine);
    arena_free(w->c.cx.arena);
    free(w);
    return 0;
}

void few_read(struct world *w, struct account_id account, uint64_t mailbox, struct few *few)
{
    READ(counts, account, row, .mailbox = mailbox);
    few->counts = row;
    assert_true(tail_unpack(row.tail, few->v, &few->n));
}

void few_write(struct world *w, struct account_id account, uint64_t mailbox, struct few *few)
{
    few->counts.tail = tail_pack(w->c.cx.arena, few->v, few->n);
    counts_row_put(w->t, account, AT(counts, .mailbox = mailbox), &few->counts);
}

struct str check_text(struct world *w)
{
    struct check_request q = {0};
    struct buf b = buf_make(1 << 20);
    struct str s;

    do {
        struct check_reply r = {0};

        must(w, serve_check(&w->c, &q, &r));
        for (size_t i = 0; i < r.found_count; i++)
            buf_printf(&b, "%.*s: %.*s\n", STR_ARG(r.found[i].address), STR_ARG(r.found[i].text));
        q.after_account = r.next_account;
    } while (q.after_account != UINT64_MAX);
    s = str_copy(w->c.cx.arena, buf_str(&b));
    buf_free(&b);
    return s;
}
