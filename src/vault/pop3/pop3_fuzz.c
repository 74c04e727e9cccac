/* POP3 after sign-on, fed anything: the first bytes choose how it is cut, and how much of the rest is a message in the
 * maildrop; what is left is what the client says. The store is a stand-in of three messages. */
#include "vault/pop3/pop3.h"

#include "base/arena.h"
#include "base/log.h"
#include "config/config.h"
#include "vault/store/messages.h"
#include "vault/store/roster_impl.h"
#include "vault/store/roster.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct str message;

static const struct config *settings(void)
{
    static const struct config config = {.scram = true, .limits = {.errors = 20}};

    return &config;
}

struct view *view_open(struct engine *e)
{
    (void)e;
    return must_alloc(1);
}

void view_close(struct view **v)
{
    free(*v);
    *v = NULL;
}

enum err roster_get(struct store *s, struct cx *cx, struct account_id account,
                    struct mailbox_id mailbox, struct roster **out)
{
    struct roster_entry v[3];
    struct roster *r = must_alloc(sizeof(*r));

    (void)s, (void)cx, (void)account, (void)mailbox;
    for (uint32_t i = 0; i < 3; i++)
        v[i] = (struct roster_entry){.body = {i + 1}, .size = message.n, .uid = i + 1};
    r->refs = 1;
    r->counts =
        (struct roster_counts){.uid_validity = 7, .uid_next = 4, .exists = 3, .bytes = 3 * message.n};
    r->known = known_new(1);
    r->known->v[0].bits = 7 << 1;
    known_number_blocks(r->known);
    r->blocks = must_alloc(sizeof(*r->blocks));
    r->blocks[0] = block_new(v, 3);
    *out = r;
    return OK;
}

/* The second has gone; the third cannot be read behind its first piece. */
enum err message_find(struct view *v, struct cx *cx, struct account_id account, struct body_id body,
                      struct message *out)
{
    (void)v, (void)account;
    if (body.v == 2)
        return fail(cx, ERR_GONE, "gone");
    *out = (struct message){
        .prefix = S("Return-Path: <>\r\n"), .body = body, .body_size = message.n, .pieces = 2};
    return OK;
}

enum err message_piece(struct view *v, struct cx *cx, const struct message *m, uint32_t n,
                       struct str *piece)
{
    (void)v;
    if (m->body.v == 3 && n == 1)
        return fail(cx, ERR_DAMAGED, "damaged");
    *piece = n ? str_from(message, message.n / 2) : str_upto(message, message.n / 2);
    return OK;
}

enum err messages_remove(struct store *s, struct cx *cx, struct mailbox_ref at,
                         const struct imap_set *uids, bool only_deleted, struct removed *out,
                         struct ticket *ticket)
{
    (void)s, (void)cx, (void)at, (void)only_deleted;
    for (size_t i = 0; i < uids->count; i++)
        if (uids->ranges[i].first == 0 || uids->ranges[i].last > 3 ||
            uids->ranges[i].first != uids->ranges[i].last ||
            (i && uids->ranges[i].first <= uids->ranges[i - 1].last))
            __builtin_trap();
    *out = (struct removed){.uids = *uids, .modseq = 1};
    ticket->v = 1;
    return OK;
}

static void take_out(struct session *s)
{
    struct str out = buf_str(&s->out);

    if (s->out.full || (out.n && !str_ends_nocase(out, S("\r\n"))))
        __builtin_trap();
    session_rest(s);
}

static enum session_wish feed(struct session *s, struct str bytes)
{
    enum session_wish wish = SESSION_MORE;

    while (wish == SESSION_MORE && bytes.n) {
        session_begin(s);
        wish = pop3_session.feed(s, &bytes);
        take_out(s);
        while (wish == SESSION_WRITE) {
            session_begin(s);
            wish = pop3_session.more(s);
            take_out(s);
        }
    }
    return wish;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str in = {(const char *)data, size};
    struct store store = {.config = settings};
    struct session s = {.store = &store, .out = buf_make(SESSION_OUT + (1 << 20))};
    enum session_wish wish = SESSION_MORE;
    size_t step;

    log_start("fuzz", LOG_ERROR + 1);
    if (size >= 3) {
        step = data[0] ? data[0] : size;
        s.modes = data[1] & 1;
        message = str_upto(str_from(in, 3), data[2]);
        in = str_from(in, 3 + message.n);
        session_begin(&s);
        if (pop3_session.open(&s))
            __builtin_trap();
        take_out(&s);
        for (; in.n && wish == SESSION_MORE; in = str_from(in, step))
            wish = feed(&s, str_upto(in, step));
        session_begin(&s);
        pop3_session.close(&s);
    }
    session_rest(&s);
    return 0;
}
