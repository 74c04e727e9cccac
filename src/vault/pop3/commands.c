#include "vault/pop3/pop3.h"

#include "base/arena.h"
#include "base/log.h"
#include "config/config.h"
#include "proto/pop3_capa.h"
#include "vault/store/messages.h"

#include <inttypes.h>

/* ---- which message ---- */

/* NULL: it has replied why not. */
static const struct roster_entry *find_message(struct pop3 *p, struct str text, uint32_t *number)
{
    uint64_t v;

    if (!parse_u64(text, &v)) {
        mistake(p, "-ERR a message is named by its number");
        return NULL;
    }
    if (v == 0 || v > p->counts->exists) {
        say(p, "-ERR there are %" PRIu32 " messages only", p->counts->exists);
        return NULL;
    }
    if (p->deleted[v]) {
        say(p, "-ERR message %" PRIu64 " is deleted", v);
        return NULL;
    }
    *number = (uint32_t)v;
    return roster_at(p->roster, *number);
}

/* ---- STAT, LIST, UIDL ---- */

static enum err cmd_stat(struct pop3 *p, const struct args *a)
{
    (void)a;
    say(p, "+OK %zu %" PRIu64, p->left, p->left_bytes);
    return OK;
}

/* "1.7": unlike that of any other message that was ever in this mailbox (RFC 1939 §7, RFC 9051 §2.3.1.1). */
static void write_uid(const struct pop3 *p, uint32_t number, const struct roster_entry *m)
{
    buf_printf(&p->s->out, "%" PRIu32 " %" PRIu32 ".%" PRIu32 "\r\n", number, p->counts->uid_validity,
               m->uid);
}

static void write_size(const struct pop3 *p, uint32_t number, const struct roster_entry *m)
{
    buf_printf(&p->s->out, "%" PRIu32 " %" PRIu64 "\r\n", number, m->size);
}

void list_on(struct pop3 *p)
{
    const struct roster_entry *m;

    while (p->s->out.n < SESSION_OUT) {
        m = roster_next(&p->walk);
        if (!m) {
            buf_add(&p->s->out, S(".\r\n"));
            p->state = COMMANDS;
            return;
        }
        if (!p->deleted[p->walk.number])
            (p->with_uids ? write_uid : write_size)(p, p->walk.number, m);
    }
}

static enum err list(struct pop3 *p, const struct args *a, bool with_uids)
{
    const struct roster_entry *m;
    uint32_t number;

    if (a->n) {
        m = find_message(p, a->v[0], &number);
        if (m) {
            buf_add(&p->s->out, S("+OK "));
            (with_uids ? write_uid : write_size)(p, number, m);
        }
        return OK;
    }
    say(p, "+OK %zu messages (%" PRIu64 " octets)", p->left, p->left_bytes);
    p->state = LISTING;
    p->with_uids = with_uids;
    p->walk = roster_walk(p->roster, NULL);
    list_on(p);
    return OK;
}

static enum err cmd_list(struct pop3 *p, const struct args *a)
{
    return list(p, a, false);
}

static enum err cmd_uidl(struct pop3 *p, const struct args *a)
{
    return list(p, a, true);
}

/* ---- RETR, TOP ---- */

void send_on(struct pop3 *p)
{
    struct view *v;
    bool done = false;
    enum err e = pop3_view(p, &v);

    while (!e && !done && p->s->out.n < SESSION_OUT)
        e = sending_next(&p->sending, v, p->s->cx, &p->s->out, &done);
    if (e) {
        log_failure(p, e);
        p->state = LEAVING;
    } else if (done) {
        p->state = COMMANDS;
    }
}

/* The first piece, or all if there are more: whatever may fail comes before "+OK". */
static enum err find_whole(struct pop3 *p, struct body_id body, struct message *m, struct str *first)
{
    struct view *v;
    enum err e = pop3_view(p, &v);

    if (!e)
        e = message_find(v, p->s->cx, p->s->who.account, body, m);
    if (!e && m->pieces > 1)
        e = message_check(v, p->s->cx, m);
    if (!e && m->pieces)
        e = message_piece(v, p->s->cx, m, 0, first);
    return e;
}

static enum err send_message(struct pop3 *p, const struct roster_entry *at, bool whole, uint64_t lines)
{
    struct message m;
    struct str first = STR_NONE;
    enum err e = find_whole(p, at->body, &m, &first);

    if (e)
        return e;
    if (whole)
        say(p, "+OK %" PRIu64 " octets", at->size);
    else
        say(p, "+OK");
    p->state = SENDING;
    p->sending = (struct sending){.message = m, .whole = whole, .lines = lines, .as_it_is = p->utf8};
    p->sending.message.prefix = STR_NONE;
    sending_add(&p->sending, &p->s->out, m.prefix);
    if (m.pieces) {
        sending_add(&p->sending, &p->s->out, first);
        p->sending.next = 1;
    }
    send_on(p);
    return OK;
}

static enum err cmd_retr(struct pop3 *p, const struct args *a)
{
    uint32_t number;
    const struct roster_entry *m = find_message(p, a->v[0], &number);

    return m ? send_message(p, m, true, 0) : OK;
}

static enum err cmd_top(struct pop3 *p, const struct args *a)
{
    const struct roster_entry *m;
    uint32_t number;
    uint64_t lines;

    if (!parse_u64(a->v[1], &lines)) {
        mistake(p, "-ERR say TOP, a message's number, and how many lines");
        return OK;
    }
    m = find_message(p, a->v[0], &number);
    return m ? send_message(p, m, false, lines) : OK;
}

/* ---- DELE, RSET, QUIT ---- */

static enum err cmd_dele(struct pop3 *p, const struct args *a)
{
    uint32_t number;
    const struct roster_entry *m = find_message(p, a->v[0], &number);

    if (!m)
        return OK;
    p->deleted[number] = true;
    p->left--;
    p->left_bytes -= m->size;
    say(p, "+OK message %" PRIu32 " deleted", number);
    return OK;
}

static enum err cmd_rset(struct pop3 *p, const struct args *a)
{
    (void)a;
    memset(p->deleted, 0, ((size_t)p->counts->exists + 1) * sizeof(*p->deleted));
    p->left = p->counts->exists;
    p->left_bytes = p->counts->bytes;
    say(p, "+OK %zu messages (%" PRIu64 " octets)", p->left, p->left_bytes);
    return OK;
}

/* The UPDATE state (RFC 1939 §6): all that was marked goes, in one transaction, or nothing does. "+OK" leaves when
 * that is durable. */
static enum err cmd_quit(struct pop3 *p, const struct args *a)
{
    struct imap_range *marked =
        arena_array(p->s->cx->arena, struct imap_range, p->counts->exists - p->left);
    struct imap_set uids = {.ranges = marked};
    struct mailbox_ref inbox = {p->s->who.account, INBOX};
    struct roster_walk walk = roster_walk(p->roster, NULL);
    const struct roster_entry *m;
    struct removed removed;
    enum err e = OK;

    (void)a;
    p->state = LEAVING;
    while (p->left < p->counts->exists && (m = roster_next(&walk)))
        if (p->deleted[walk.number])
            marked[uids.count++] = (struct imap_range){m->uid, m->uid};
    if (uids.count)
        e = messages_remove(p->s->store, p->s->cx, inbox, &uids, false, &removed, &p->s->ticket);
    if (e)
        return e;
    say(p, "+OK bye");
    return OK;
}

/* ---- the others ---- */

static enum err cmd_noop(struct pop3 *p, const struct args *a)
{
    (void)a;
    say(p, "+OK");
    return OK;
}

/* The same as before sign-on (RFC 2449 §5), but for STLS, which is not permitted any more (RFC 2595 §8). */
static enum err cmd_capa(struct pop3 *p, const struct args *a)
{
    struct pop3_offer offer = {.passwords = true, .scram = p->s->store->config()->scram};

    (void)a;
    say(p, "+OK");
    pop3_capa_write(&p->s->out, &offer);
    return OK;
}

static const struct pop3_command commands[] = {
    /* RFC 1939; least and most arguments */
    {"STAT", TRANSACTION, 0, 0, cmd_stat},
    {"LIST", TRANSACTION, 0, 1, cmd_list},
    {"RETR", TRANSACTION, 1, 1, cmd_retr},
    {"DELE", TRANSACTION, 1, 1, cmd_dele},
    {"NOOP", TRANSACTION, 0, 0, cmd_noop},
    {"RSET", TRANSACTION, 0, 0, cmd_rset},
    {"QUIT", AUTHORIZATION | TRANSACTION, 0, 0, cmd_quit},
    {"TOP", TRANSACTION, 2, 2, cmd_top},
    {"UIDL", TRANSACTION, 0, 1, cmd_uidl},
    {"CAPA", AUTHORIZATION | TRANSACTION, 0, 0, cmd_capa}, /* RFC 2449 §5 */
    {"USER", AUTHORIZATION, 0, 2, NULL},                   /* these are gate's */
    {"PASS", AUTHORIZATION, 0, 2, NULL},
    {"AUTH", AUTHORIZATION, 0, 2, NULL},
    {"STLS", AUTHORIZATION, 0, 2, NULL},
    {"UTF8", AUTHORIZATION, 0, 2, NULL},
};

const struct pop3_command *pop3_command_find(struct str name)
{
    for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
        if (str_same_nocase(name, str_from_c(commands[i].name)))
            return &commands[i];
    return NULL;
}
