/* APPEND (RFC 9051 §6.3.12), of several messages (RFC 3502), joined from parts (RFC 4469), and REPLACE (RFC 8508).
 *
 * The data of messages comes before the command is whole: each literal is an upload. When the command is there, uploads
 * and what it says of them (flags, dates, URLs) come together, and one transaction takes all of them or none. */
#include "vault/imap/commands.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/scoped.h"
#include "config/config.h"
#include "vault/imap/catenate.h"
#include "vault/imap/looking.h"
#include "vault/imap/place.h"
#include "vault/imap/response.h"
#include "vault/imap/selected.h"
#include "vault/store/changes.h"
#include "vault/store/quota.h"

#include <inttypes.h>
#include <stdlib.h>

#define KEPT_MOST                                                                                      \
    ((size_t)4 * 1024 * 1024) /* of the messages of one command in memory; the rest goes ahead */
#define LOOKS_MOST ((size_t)64 * 1024 * 1024) /* of what they look like */

struct imap_uploads {
    struct upload **v; /* one a literal, in order */
    size_t n, room;
    struct looking *looking; /* at those that are not the command's first; NULL: there are none yet */
    size_t kept;
    uint32_t message; /* which message the last one belongs to */
    uint64_t size;    /* of that message, so far announced */
    uint64_t all_sizes;
    struct account_id account; /* that is to receive them, as it was when the first was announced: */
    struct amount limit, used;
};

/* ---- while it comes ---- */

static const char *answer_to(enum err e)
{
    switch (e) {
    case ERR_NOT_FOUND:
        return "NO [TRYCREATE] there is no such mailbox";
    case ERR_DENIED:
        return "NO [NOPERM] you may not do that with this mailbox";
    case ERR_OVER_QUOTA:
        return "NO [OVERQUOTA] there is not enough room left for it";
    case ERR_NO_SPACE:
        return "NO [UNAVAILABLE] not enough space on disk, try again later";
    case ERR_NO_MEMORY: /* of others */
        return "NO [UNAVAILABLE] too many large messages at once, try again later";
    case ERR_TOO_MUCH:
        return "NO [LIMIT] this account has too much under way at once, let some of it end and try "
               "again";
    default:
        return "NO [UNAVAILABLE] try again later";
    }
}

static enum err find_room(struct imap *i, struct str mailbox, struct imap_uploads *all)
{
    struct account_figures used;
    struct account_limits limits;
    struct place p;
    struct view *v;
    enum err e = place_find(i, mailbox, IMAP_RIGHT_INSERT | PLACE_ALONE, &p);

    if (!e && !engine_has_room(i->s->store->engine))
        return ERR_NO_SPACE;
    if (!e)
        e = imap_view(i, &v);
    if (!e)
        e = account_figures(v, i->s->cx, p.at.account, &used);
    if (!e)
        e = account_limits(v, i->s->cx, p.at.account, &limits);
    if (e)
        return e;
    all->account = p.at.account;
    all->limit = limits.mail;
    all->used = used.mail;
    return OK;
}

/* What can be said before the first byte: better than after fifty million. */
static enum err may_come(struct imap *i, const struct imap_append_seen *seen, uint64_t size)
{
    struct imap_uploads *all = i->uploads;
    enum err e = all->n ? OK : find_room(i, seen->mailbox, all);

    all->all_sizes += size;
    if (e || seen->replace) /* RFC 8508 §3.4: of which only the difference counts, known in the end */
        return e;
    return quota_check(i->s->cx, all->account, &all->limit, &all->used,
                       &(struct amount){all->all_sizes, (uint64_t)seen->message + 1});
}

static struct upload *add_upload(struct imap *i)
{
    struct imap_uploads *all = i->uploads;

    if (!all)
        all = i->uploads = must_alloc(sizeof(*all));
    if (all->n == all->room) {
        all->room = all->room ? all->room * 2 : 4;
        all->v = must_realloc(all->v, all->room * sizeof(struct upload *));
    }
    return all->v[all->n] = must_alloc(sizeof(struct upload));
}

static const char *begin(struct imap *i, const struct imap_append_seen *seen,
                         const struct imap_literal *l)
{
    struct imap_uploads *all;
    struct upload *u;
    enum err e;

    if (!i->uploads)
        i->uploads = must_alloc(sizeof(*i->uploads));
    all = i->uploads;
    if (!all->n || seen->message != all->message)
        all->size = 0;
    all->message = seen->message;
    if (!l->size && !seen->catenate) /* RFC 3502 §6.3.11: so a client takes all of it back */
        return "NO a message without a byte: none of them was appended";
    if (l->size > i->s->store->config()->limits.message_size - all->size)
        return "NO [TOOBIG] the message is larger than this server takes";
    all->size += l->size;
    e = may_come(i, seen, l->size);
    if (e == ERR_NOT_FOUND && imap_name_check(seen->mailbox))
        return "NO [CANNOT] there is no such mailbox, and there cannot be one";
    if (e) {
        imap_log_failure(i, e);
        return answer_to(e);
    }
    u = add_upload(i);
    e = upload_begin(u, i->s, l->size, !seen->catenate);
    if (!e) {
        all->n++;
        return NULL;
    }
    free(u);
    imap_log_failure(i, e);
    return answer_to(e);
}

static const char *data(struct imap *i, struct str piece)
{
    size_t at;
    enum err e;

    if (str_find_char(piece, '\0', &at)) /* RFC 3516 §4.3: what is kept must be fit for every client */
        return i->reader.literal.is_literal8 ? "NO [UNKNOWN-CTE] the message holds a NUL byte"
                                             : "NO [CANNOT] the message holds a NUL byte";
    e = upload_feed(i->uploads->v[i->uploads->n - 1], i->s->cx, piece);
    if (!e)
        return NULL;
    imap_log_failure(i, e);
    return answer_to(e);
}

/* A letter beside others, all of which is in memory, need not be looked at right now. */
static bool can_wait(const struct imap_uploads *all, const struct upload *u)
{
    return all->n > 1 && u->is_message && !u->ahead && all->kept + u->last.n <= KEPT_MOST;
}

static const char *end(struct imap *i)
{
    struct imap_uploads *all = i->uploads;
    struct upload *u = all->v[all->n - 1];
    struct cx cx = {.arena = i->arena};
    enum err e;

    if (can_wait(all, u)) {
        if (!all->looking)
            all->looking = looking_new(LOOKS_MOST);
        all->kept += u->last.n;
        looking_add(all->looking, u);
        return NULL;
    }
    e = upload_end(u, &cx);
    if (!e && arena_size(i->arena) > LOOKS_MOST)
        return "NO [LIMIT] too many messages in one command";
    if (!e && all->kept + u->last.n > KEPT_MOST)
        e = upload_put_away(u, &cx);
    all->kept += u->last.n;
    if (!e)
        return NULL;
    imap_log_failure(i, e);
    return answer_to(e);
}

static void forget(struct imap *i)
{
    struct imap_uploads *all = i->uploads;

    if (!all)
        return;
    looking_free(&all->looking, i->s->cx);
    for (size_t k = 0; k < all->n; k++) {
        upload_forget(all->v[k], i->s->cx);
        free(all->v[k]);
    }
    free(all->v);
    free(all);
    i->uploads = NULL;
}

const struct imap_mail_ops append_mail_ops = {
    .begin = begin, .data = data, .end = end, .forget = forget};

/* ---- when the command is there ---- */

/* RFC 4314 §4: flags that this user may not set are left away. */
static struct flag_names allowed_flags(const struct imap_flags *f, uint32_t rights)
{
    uint64_t system = f->system & IMAP_SYSTEM_FLAGS;

    if (!(rights & IMAP_RIGHT_SEEN))
        system &= ~(uint64_t)FLAG_SEEN;
    if (!(rights & IMAP_RIGHT_DELETE_MSG))
        system &= ~(uint64_t)FLAG_DELETED;
    if (!(rights & IMAP_RIGHT_WRITE))
        return (struct flag_names){.system = system & (FLAG_SEEN | FLAG_DELETED)};
    return (struct flag_names){
        .system = system, .keywords = f->keywords, .keyword_count = f->keyword_count};
}

/* The upload that becomes the message: the literal's own, or one that is joined here. NULL: the reply is set, or *e. */
static struct upload *whole_message(struct imap *i, const struct imap_append_message *m, enum err *e)
{
    struct imap_uploads *all = i->uploads;

    *e = OK;
    if (m->catenate)
        return catenate(i, m, all ? all->v : NULL, all ? all->n : 0, e);
    if (!all || m->parts[0].data.index >= all->n || !all->v[m->parts[0].data.index]->is_message) {
        *e = fail(i->s->cx, ERR_BUG, "a literal went astray");
        return NULL;
    }
    return all->v[m->parts[0].data.index];
}

/* What came in `joined` is to be forgotten like the literals, whatever becomes of it. */
static struct upload *keep_joined(struct imap *i, struct upload *joined)
{
    struct upload *u = add_upload(i);

    *u = *joined;
    i->uploads->n++;
    return u;
}

static bool make_message(struct imap *i, const struct imap_append_message *m, uint32_t rights,
                         struct new_message *out, struct upload **upload, enum err *e)
{
    struct upload *u = whole_message(i, m, e);

    if (!u)
        return false;
    if (m->catenate)
        u = keep_joined(i, u);
    *upload = u;
    out->flags = allowed_flags(&m->flags, rights);
    out->internal_date = m->has_date ? m->date_ms : now_ms();
    return true;
}

/* RFC 6855 §4: a header of UTF-8 is for who has said that they know what it is. False: the reply is set. */
static bool may_have_headers(struct imap *i, struct upload **uploads, size_t n)
{
    if (i->enabled & IMAP_ENABLE_UTF8 || i->s->store->config()->imap_8bit_headers)
        return true;
    for (size_t k = 0; k < n; k++)
        if (uploads[k]->utf8_header) {
            reply_no(i, "CANNOT",
                     "8-bit characters in the header: ENABLE UTF8=ACCEPT first, or ask the "
                     "postmaster for imap-8bit-headers");
            return false;
        }
    return true;
}

/* All have to be looked at by now, so what points into them is set last. */
static enum err point_to(struct imap *i, struct new_message *v, struct upload **uploads, size_t n)
{
    struct cx cx = {.arena = i->arena};
    enum err e = i->uploads->looking ? looking_end(i->uploads->looking, &cx) : OK;

    for (size_t k = 0; k < n && !e; k++) {
        v[k].body = upload_body(uploads[k]);
        v[k].looks = &uploads[k]->looks;
        v[k].facts = uploads[k]->facts;
    }
    return e;
}

static void mark_taken(struct upload **uploads, size_t n)
{
    for (size_t k = 0; k < n; k++)
        uploads[k]->taken = true;
}

static void say_uid(struct buf *code, const struct added *a, size_t n)
{
    struct imap_range range = {a->first_uid, a->first_uid + (uint32_t)n - 1};

    imap_code_appenduid(code, a->uid_validity, &(struct imap_set){.ranges = &range, .count = 1});
}

struct appending {
    struct imap_append a;
    struct str given; /* the mailbox's name, as the client spelled it */
    size_t next;
    struct new_message *v;
    struct upload **uploads;
    struct place p;
};

static enum err take_all(struct imap *i, struct appending *x)
{
    struct added added;
    enum err e = point_to(i, x->v, x->uploads, x->a.count);

    if (e == ERR_TOO_BIG)
        return reply_no(i, "LIMIT", "too many messages in one command");
    if (!e && !may_have_headers(i, x->uploads, x->a.count))
        return OK;
    if (!e)
        e = messages_append(i->s->store, i->s->cx, x->p.at, x->v, x->a.count, &added, &i->s->ticket);
    if (e == ERR_NOT_FOUND)
        return reply_no(i, "TRYCREATE", "there is no such mailbox");
    if (e)
        return e;
    mark_taken(x->uploads, x->a.count);
    selected_note_own(i, x->p.at, added.first_uid, added.first_uid + (uint32_t)x->a.count - 1);
    if (x->p.rights & IMAP_RIGHT_READ) /* RFC 4315 §3: who may not look need not know */
        say_uid(reply_code(i), &added, x->a.count);
    oldname_say(i, "", x->a.mailbox, x->given);
    return OK;
}

static enum err append_on(struct imap *i, void *state, bool *done)
{
    struct appending *x = state;
    enum err e = OK;

    for (; x->next < x->a.count && !imap_is_enough(i); x->next++)
        if (!make_message(i, &x->a.messages[x->next], x->p.rights, &x->v[x->next], &x->uploads[x->next],
                          &e)) {
            *done = true;
            return e;
        }
    if (x->next < x->a.count)
        return OK;
    *done = true;
    return take_all(i, x);
}

static bool is_joined(const struct imap_append *a)
{
    for (size_t k = 0; k < a->count; k++)
        if (a->messages[k].catenate)
            return true;
    return false;
}

enum err cmd_append(struct imap *i, const struct imap_command *c)
{
    struct appending *x = arena_alloc(i->arena, sizeof(*x));
    bool done = false;
    enum err e;

    if (!parse_imap_append(imap_parsing(i), c->args, &x->a))
        return reply_misread(i);
    x->given = i->parse.given;
    if (!place_for_target(i, x->a.mailbox, &x->p, &e) || imap_too_many(i, x->a.count))
        return e;
    x->v = arena_array(i->arena, struct new_message, x->a.count);
    x->uploads = arena_array(i->arena, struct upload *, x->a.count);
    if (is_joined(&x->a)) {
        imap_go_on(i, &(struct imap_step){.run = append_on, .state = x, .is_long = true});
        return OK;
    }
    e = append_on(i, x, &done);
    if (!e && !done) /* what is in `out` has to leave first */
        imap_go_on(i, &(struct imap_step){.run = append_on, .state = x});
    return e;
}

/* ---- REPLACE ---- */

struct replacing {
    struct imap_replace a;
    uint32_t uid;
    struct place p;
};

/* The message that goes, as a UID. False: the reply is set. */
static bool find_replaced(struct imap *i, const struct imap_replace *a, bool by_uid, uint32_t *uid)
{
    struct imap_range range = {a->number, a->number};
    struct imap_set_walk w = {0};
    struct imap_set uids;

    if (!selected_set(i, &(struct imap_set){.ranges = &range, .count = 1}, by_uid, &uids))
        return false;
    w.set = &uids;
    if (imap_set_next(&w, uid))
        return true;
    reply_no(i, NULL, "there is no such message");
    return false;
}

/* The untagged OK with APPENDUID leaves before sync.c says that the message is gone (RFC 8508 §4.3); that it is gone is
 * told as after UID EXPUNGE (§4.5, RFC 7162 §3.2.9). */
static void say_replaced(struct imap *i, const struct place *to, const struct added *added)
{
    struct buf code = buf_make(200);

    if (to->rights & IMAP_RIGHT_READ) { /* RFC 4315 §3, as after APPEND */
        say_uid(&code, added, 1);
        buf_add_char(&code, '\0');
        imap_say(i, "OK", code.p, "in its place");
    }
    if (added->removed_modseq && imap_has_condstore(i))
        buf_printf(reply_code(i), "HIGHESTMODSEQ %" PRIu64, added->removed_modseq);
    buf_free(&code);
}

static enum err replace_on(struct imap *i, void *state, bool *done)
{
    struct replacing *x = state;
    struct new_message m = {0};
    struct added added;
    struct upload *upload;
    enum err e;

    *done = true;
    if (!make_message(i, &x->a.message, x->p.rights, &m, &upload, &e))
        return e;
    e = point_to(i, &m, &upload, 1);
    if (!e && !may_have_headers(i, &upload, 1))
        return OK;
    if (!e)
        e = messages_replace(i->s->store, i->s->cx, i->selected->at, x->uid, x->p.at, &m, &added,
                             &i->s->ticket);
    if (e == ERR_GONE)
        return reply_no(i, "EXPUNGEISSUED", "the message that was to be replaced has gone");
    if (e)
        return e;
    mark_taken(&upload, 1);
    selected_note_own(i, x->p.at, added.first_uid, added.first_uid);
    say_replaced(i, &x->p, &added);
    return OK;
}

enum err cmd_replace(struct imap *i, const struct imap_command *c)
{
    struct replacing *x = arena_alloc(i->arena, sizeof(*x));
    enum err e;

    if (!parse_imap_replace(imap_parsing(i), c->args, &x->a))
        return reply_misread(i);
    if (i->selected->read_only)
        return reply_read_only(i);
    if ((i->selected->rights & (IMAP_RIGHT_DELETE_MSG | IMAP_RIGHT_EXPUNGE)) !=
        (IMAP_RIGHT_DELETE_MSG | IMAP_RIGHT_EXPUNGE))
        return reply_no(i, "NOPERM", "you may not remove messages here");
    if (!find_replaced(i, &x->a, c->uid, &x->uid))
        return OK;
    if (!place_for_target(i, x->a.mailbox, &x->p, &e))
        return e;
    imap_go_on(i, &(struct imap_step){.run = replace_on, .state = x, .is_long = x->a.message.catenate});
    return OK;
}
