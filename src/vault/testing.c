#include "vault/testing.h"

#include "base/arena.h"
#include "config/config.h"
#include "vault/accept/transactions.h"
#include "vault/engine/memory.h"
#include "vault/queue/queue.h"
#include "vault/session.h"
#include "vault/signon/handles.h"
#include "vault/store/directory.h"
#include "vault/store/mailbox.h"

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

struct account_id add_account(struct world *w, const char *address, uint64_t quota, bool internal_only)
{
    struct new_account n = {
        .address = str_from_c(address), .limit.bytes = quota, .internal_only = internal_only};
    struct account_id id;
    struct ticket t;

    durable(w, account_create(w->vault.store, &w->c.cx, &n, &id, &t), t);
    return id;
}

static const char config_text[] =
    "hostname = \"mail.acompany.test\"\n"
    "postmaster = \"postmaster@acompany.test\"\n"
    "queue { retry = {\"1h\"} warn-after = \"6h\" give-up-after = \"1d\" }\n"
    "limits { message-size = \"1M\" }\n"
    "network \"office\" { from = {\"192.0.2.0/24\"} relay = true }\n";

int set_up(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    struct engine_options options = {0};
    struct signed_on who = {.gate = GATE, .protocol = PROTOCOL_SMTP};
    struct ticket ticket;

    w->c = (struct caller){.cx = {.arena = arena_new(0)}, .vault = &w->vault, .room = MX, .gate = GATE};
    must(w, config_parse(&w->c.cx, str_from_c(config_text), "test", w->c.cx.arena, &the_config));
    must(w, engine_open_memory(&w->c.cx, &options, &w->vault.engine));
    must(w, store_open(&w->c.cx, w->vault.engine, settings, &w->vault.store));
    durable(w, domain_create(w->vault.store, &w->c.cx, S("acompany.test"), &ticket), ticket);
    w->vault.handles = handles_new(100);
    w->vault.transactions = transactions_new(100);
    w->fred = add_account(w, "fred@acompany.test", 0, false);
    w->tom = add_account(w, "tom@acompany.test", 0, false);
    w->full = add_account(w, "full@acompany.test", 100, false);
    w->inside = add_account(w, "inside@acompany.test", 0, true);
    who.account = w->fred;
    must(w, handle_give(w->vault.handles, &w->c.cx, &who, &w->fred_on));
    w->vault.queue = queue_open(&w->vault);
    *state = w;
    return 0;
}

int tear_down(void **state)
{
    struct world *w = *state;

    queue_close(w->vault.queue);
    transactions_free(w->vault.transactions);
    handles_free(w->vault.handles);
    store_close(w->vault.store);
    engine_close(w->vault.engine);
    arena_free(w->c.cx.arena);
    free(w);
    return 0;
}

void set_limit(struct world *w, struct account_id account, struct amount limit)
{
    struct account_change change = {.most_bytes = &limit.bytes, .most_messages = &limit.messages};
    struct ticket t;

    durable(w, account_change(w->vault.store, &w->c.cx, account, &change, &t), t);
}

struct path path_of(const char *text)
{
    struct str s = str_from_c(text);
    size_t at;

    return str_rfind_char(s, '@', &at) ? (struct path){str_upto(s, at), str_from(s, at + 1)}
                                       : (struct path){s, STR_NONE};
}

/* ---- one message, as a gate sends it ---- */

enum err begin_mail(struct world *w, struct mail *m)
{
    struct rcpt rcpt = {.to = path_of(m->to), .notify = m->notify};
    struct envelope_request q = {.session = m->session,
                                 .client = str_from_c(m->client ? m->client : "198.51.100.1"),
                                 .reverse_path = path_of(m->from),
                                 .params = {.size = m->text.n},
                                 .rcpts = &rcpt,
                                 .rcpts_count = 1};
    struct envelope_reply r = {0};
    enum err e;

    e = serve_envelope(&w->c, &q, &r);
    if (e || r.mail)
        return e ? e : r.mail;
    m->id = r.transaction;
    return r.rcpts[0].answer;
}

enum err end_mail(struct world *w, const struct mail *m)
{
    struct rcpt rcpt = {.to = path_of(m->to), .notify = m->notify};
    struct body_part part = {.end = m->text.n, .body = m->text.n};
    struct deliver_request q = {.transaction = m->id,
                                .session = m->session,
                                .client = str_from_c(m->client ? m->client : "198.51.100.1"),
                                .helo = S("client.test"),
                                .reverse_path = path_of(m->from),
                                .params = {.ret = m->ret},
                                .rcpts = &rcpt,
                                .rcpts_count = 1,
                                .last = m->text,
                                .parts = &part,
                                .parts_count = 1};
    struct deliver_reply r;
    enum err e = serve_deliver(&w->c, &q, &r);

    return e ? e : engine_wait(w->vault.engine, &w->c.cx, w->c.ticket);
}

enum err send_mail(struct world *w, struct mail *m)
{
    enum err e = begin_mail(w, m);

    return e ? e : end_mail(w, m);
}

size_t count_in(struct world *w, struct account_id account)
{
    struct view *v = view_open(w->vault.engine);
    struct listed *l;
    size_t n, damaged;

    must(w, mailbox_list(v, &w->c.cx, account, INBOX, 0, &l, &n, &damaged));
    view_close(&v);
    free(l);
    return n;
}

struct str message_in(struct world *w, struct account_id account, size_t at)
{
    struct view *v = view_open(w->vault.engine);
    struct buf b = buf_make(1 << 20);
    struct message m;
    struct listed *l;
    size_t n, damaged;
    struct str s;

    must(w, mailbox_list(v, &w->c.cx, account, INBOX, 0, &l, &n, &damaged));
    assert_true(at < n);
    must(w, message_find(v, &w->c.cx, account, l[at].body, &m));
    buf_add(&b, m.prefix);
    must(w, message_piece(v, &w->c.cx, &m, 0, &s));
    buf_add(&b, s);
    s = str_copy(w->c.cx.arena, buf_str(&b));
    buf_free(&b);
    free(l);
    view_close(&v);
    return s;
}

bool holds(struct str text, const char *what)
{
    size_t at;

    return str_find(text, str_from_c(what), &at);
}

struct queue_list_reply queue_now(struct world *w)
{
    struct queue_list_reply r = {0};

    must(w, serve_queue_list(&w->c, &(struct queue_list_request){0}, &r));
    return r;
}
