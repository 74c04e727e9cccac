/* What an account's change log has that is new, and how it is told (RFC 5465 §5.1 to §5.7, RFC 5464 §4.4). */
#include "vault/imap/notify_impl.h"

#include "base/arena.h"
#include "proto/imap_list.h"
#include "vault/imap/gather.h"
#include "vault/imap/mailbox_answers.h"
#include "vault/store/changes.h"

#define NEWS_MOST 2000              /* that one look may find */
#define SAID_MOST (4 * SESSION_OUT) /* by one look */

/* ---- what the change log has ---- */

struct news {
    uint32_t kind; /* CHANGE_: of messages ADDED stands for all three */
    uint32_t events;
    struct mailbox_ref at;
    struct str name;
};

struct notify_found notify_found_make(bool only_metadata)
{
    struct notify_found f = {.arena = arena_new(0), .only_metadata = only_metadata};

    f.v = arena_array(f.arena, struct news, NEWS_MOST);
    return f;
}

void notify_found_free(struct notify_found *f)
{
    arena_free(f->arena);
}

static uint32_t event_of(uint32_t kind)
{
    return kind == CHANGE_ADDED     ? IMAP_EVENT_MESSAGE_NEW
           : kind == CHANGE_FLAGS   ? IMAP_EVENT_FLAG_CHANGE
           : kind == CHANGE_REMOVED ? IMAP_EVENT_MESSAGE_EXPUNGE
           : kind == CHANGE_MAILBOX ? IMAP_EVENT_FLAG_CHANGE /* another UIDVALIDITY, it may be (§5.1) */
                                    : 0;
}

static bool add_news(struct notify_found *f, const struct news *news)
{
    for (size_t k = f->n; k-- > 0;)
        if (f->v[k].kind == news->kind && mailbox_ref_same(f->v[k].at, news->at) &&
            str_same(f->v[k].name, news->name)) {
            f->v[k].events |= news->events;
            return true;
        }
    if (f->n == NEWS_MOST)
        return false;
    f->v[f->n] = *news;
    f->v[f->n++].name = str_copy(f->arena, news->name);
    return true;
}

static bool look(void *arg, const struct change *c)
{
    struct notify_found *f = arg;
    uint32_t event = event_of(c->kind);

    f->names |= c->kind == CHANGE_MAILBOX;
    return (f->only_metadata && c->kind != CHANGE_METADATA) ||
           add_news(f, &(struct news){.kind = event ? CHANGE_ADDED : c->kind,
                                      .events = event,
                                      .at = {f->account, c->mailbox},
                                      .name = event ? STR_NONE : c->name});
}

enum err notify_find(struct imap *i, struct listened *l, struct notify_found *f, bool *lost)
{
    struct account_figures figures;
    struct view *v;
    bool complete = true;
    enum err e = imap_view(i, &v);

    if (!e)
        e = account_figures(v, i->s->cx, l->account, &figures);
    if (e)
        return e == ERR_NOT_FOUND ? OK : e;
    if (figures.modseq == l->modseq)
        return OK;
    f->account = l->account;
    e = changes_since(v, i->s->cx, l->account, l->modseq, look, f, &l->modseq, &complete);
    *lost |= !complete || l->modseq < figures.modseq;
    return e;
}

/* ---- telling ---- */

/* §5.1 to §5.3; with UNSEEN, so that flags are told to those without CONDSTORE too. */
static uint32_t status_items(const struct imap *i, uint32_t events)
{
    uint32_t items = 0;

    if (events & (IMAP_EVENT_MESSAGE_NEW | IMAP_EVENT_MESSAGE_EXPUNGE))
        items |= IMAP_STATUS_MESSAGES | IMAP_STATUS_UIDNEXT;
    if (events & IMAP_EVENT_FLAG_CHANGE)
        items |= IMAP_STATUS_UNSEEN | IMAP_STATUS_UIDVALIDITY;
    if (imap_has_condstore(i))
        items |= IMAP_STATUS_HIGHESTMODSEQ;
    return items;
}

static enum err tell_status(struct imap *i, const struct news *news)
{
    struct place p;
    uint32_t events;
    enum err e = gather_place(i, news->at, &p);

    if (e)
        return e == ERR_NOT_FOUND ? OK : e;
    events = notify_events_of(i, &p) & news->events;
    if (events && notify_is_readable(&p))
        status_write(i, &p, status_items(i, events));
    return OK;
}

static enum err tell_subscription(struct imap *i, struct str name)
{
    struct place p = {.name = name};
    enum err e = place_find(i, name, 0, &p);

    if (!e)
        e = gather_children(i, &p);
    if (e && e != ERR_NOT_FOUND)
        return e;
    if (e)
        p.folder.subscribed = notify_is_subscribed(i, name);
    if (!(notify_events_of(i, &p) & IMAP_EVENT_SUBSCRIPTION_CHANGE) &&
        !(e && i->notify->events & IMAP_EVENT_SUBSCRIPTION_CHANGE))
        return OK;
    if (e)
        notify_say_nonexistent(i, name);
    else
        notify_say_list(i, &p, STR_NONE);
    return OK;
}

static enum err tell_metadata(struct imap *i, const struct news *news)
{
    bool own = news->at.account.v == i->s->who.account.v, server = !news->at.mailbox.v;
    struct buf *out = &i->s->out;
    struct place p = {.at = news->at};
    uint32_t events = notify_events_elsewhere(i);
    enum err e = OK;

    if (!own && (server || !str_starts(news->name, S("/shared/"))))
        return OK; /* what is private is not told to others */
    if (!server)
        e = gather_place(i, news->at, &p);
    if (e)
        return e == ERR_NOT_FOUND ? OK : e;
    if (!server)
        events = p.rights & IMAP_RIGHT_READ ? notify_events_of(i, &p) | notify_enabled_events(i) : 0;
    if (!(events & (server ? IMAP_EVENT_SERVER_METADATA_CHANGE : IMAP_EVENT_MAILBOX_METADATA_CHANGE)))
        return OK;
    buf_add(out, S("* METADATA "));
    place_name_write(i, out, p.at, p.name);
    buf_add_char(out, ' ');
    imap_astring_write(out, news->name, imap_is_utf8(i));
    buf_add(out, S("\r\n"));
    return OK;
}

static enum err tell_news(struct imap *i, const struct news *news)
{
    switch (news->kind) {
    case CHANGE_SUBSCRIPTION:
        return news->at.account.v == i->s->who.account.v ? tell_subscription(i, news->name) : OK;
    case CHANGE_METADATA:
        return tell_metadata(i, news);
    default:
        return selected_is(i, news->at) ? OK : tell_status(i, news);
    }
}

enum err notify_tell(struct imap *i, const struct notify_found *f, bool *lost)
{
    enum err e = OK;

    if (f->names && i->notify->events & IMAP_EVENT_MAILBOX_NAME)
        e = notify_tell_names(i);
    for (size_t k = 0; k < f->n && !e && !*lost; k++) {
        e = tell_news(i, &f->v[k]);
        *lost = i->s->out.n > SAID_MOST;
    }
    return e;
}
