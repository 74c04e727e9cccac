#include "vault/admin/repair_world.h"

#include "base/arena.h"
#include "vault/store/directory.h"
#include "vault/store/email.h"
#include "vault/store/letters.h"
#include "vault/store/mailbox.h"
#include "vault/store/threads.h"

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

struct str contents_text(struct world *w, struct engine *e, struct str third)
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

void repair_all(struct world *w, struct repaired *out)
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

struct str check_repaired(struct world *w, struct repaired *r)
{
    struct engine *before = w->vault.engine;
    struct str said;

    w->vault.engine = r->engine;
    said = check_text(w);
    w->vault.engine = before;
    return said;
}

/* ---- before ---- */

void deliver_to_tom(struct world *w)
{
    struct txn *t = txn_begin(w->vault.engine, &(struct part){PART_ACCOUNT, w->tom.v}, 1);
    struct ticket ticket;

    put_email(w, t, w->tom, put_body(t, S("Subject: mor\r\n\r\n")), 16);
    durable(w, txn_commit(&t, &w->c.cx, &ticket), ticket);
}

void thread_both(struct world *w)
{
    const struct letter v[] = {{.body = w->first, .count = 2, .keys = {7, 9}},
                               {.body = w->second, .count = 1, .keys = {9}}};
    struct ticket t;

    durable(w, threads_assign(w->vault.store, &w->c.cx, w->tom, v, 2, &t), t);
}

struct body_id copy_to_fred(struct world *w)
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

void send_again(struct world *w)
{
    struct txn *t = txn_begin(w->vault.engine, &(struct part){PART_ACCOUNT, w->fred.v}, 1);
    struct cold_row looks = {0};
    struct new_email n = {.body = w->second, .body_size = 16, .looks = &looks, .again = true};
    struct placed at;
    struct ticket ticket;

    must(w, email_add(t, &w->c.cx, w->fred, INBOX, &n, &at));
    durable(w, txn_commit(&t, &w->c.cx, &ticket), ticket);
}

struct body_id twin_of(struct world *w, struct engine *e)
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
