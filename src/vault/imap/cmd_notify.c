/* NOTIFY (RFC 5465), and annotations that others change, for who said ENABLE METADATA (RFC 5464 §4.4).
 *
 * RFC-GAP: RFC 5465 §5 would not tell a client what it did itself (SHOULD). In the selected mailbox it is so; elsewhere the
 * change log does not say whose a change was, and the client hears what it knows already.
 * RFC-GAP: RFC 5465 §5.9 would tell of the loss of "l" with \NoAccess (SHOULD). It is told with \NonExistent, which §5.4 wants
 * (MUST) of who asked for MailboxName, and others not at all: \NoAccess would say that the mailbox is still there. */
#include "vault/imap/commands.h"

#include "base/arena.h"
#include "proto/imap_list.h"
#include "vault/imap/gather.h"
#include "vault/imap/mailbox_answers.h"
#include "vault/imap/notify_impl.h"
#include "vault/imap/scope.h"
#include "vault/store/acl.h"
#include "vault/store/changes.h"

#include <inttypes.h>
#include <stdlib.h>

#define EVENTS_SERVED                                                                                  \
    (IMAP_EVENT_MESSAGE_NEW | IMAP_EVENT_MESSAGE_EXPUNGE | IMAP_EVENT_FLAG_CHANGE |                    \
     IMAP_EVENT_MAILBOX_NAME | IMAP_EVENT_SUBSCRIPTION_CHANGE | IMAP_EVENT_MAILBOX_METADATA_CHANGE |   \
     IMAP_EVENT_SERVER_METADATA_CHANGE)
#define EVENTS_NAMED                                                                                   \
    "BADEVENT (MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange "                   \
    "MailboxMetadataChange ServerMetadataChange)"

static bool is_selected_group(const struct imap_event_group *g)
{
    return g->filter.kind == IMAP_FILTER_SELECTED || g->filter.kind == IMAP_FILTER_SELECTED_DELAYED;
}

uint32_t notify_enabled_events(const struct imap *i)
{
    return i->enabled & IMAP_ENABLE_METADATA
               ? IMAP_EVENT_MAILBOX_METADATA_CHANGE | IMAP_EVENT_SERVER_METADATA_CHANGE
           : i->enabled & IMAP_ENABLE_METADATA_SERVER ? IMAP_EVENT_SERVER_METADATA_CHANGE
                                                      : 0;
}

uint32_t notify_events_elsewhere(const struct imap *i)
{
    return i->notify->events | notify_enabled_events(i);
}

static bool asks_others(const struct imap *i)
{
    return i->notify->others || notify_enabled_events(i) & IMAP_EVENT_MAILBOX_METADATA_CHANGE;
}

/* ---- the selected mailbox ---- */

uint32_t notify_selected_events(const struct imap *i)
{
    if (!i->notify || !i->notify->commanded)
        return IMAP_EVENT_MESSAGE;
    return i->notify->selected ? i->notify->selected->events : 0;
}

bool notify_tells_selected(const struct imap *i, bool *may_expunge)
{
    const struct imap_event_group *g = i->notify ? i->notify->selected : NULL;

    *may_expunge = g && g->filter.kind == IMAP_FILTER_SELECTED;
    return i->selected && g && g->events;
}

const struct imap_fetch *notify_items_of_new(const struct imap *i)
{
    const struct imap_event_group *g = i->notify ? i->notify->selected : NULL;

    return g && g->has_atts ? &g->atts : NULL;
}

/* ---- which events of a mailbox ---- */

uint32_t notify_events_of(const struct imap *i, const struct place *p)
{
    const struct notify *n = i->notify;
    uint32_t events = 0;

    for (size_t k = 0; k < n->set.group_count; k++) {
        const struct imap_event_group *g = &n->set.groups[k];

        if (!is_selected_group(g) && scope_has(i, &g->filter, p))
            events |= g->events;
    }
    if (selected_is(i, p->at)) /* §3.1: there only the other group counts */
        events &= ~(uint32_t)IMAP_EVENT_MESSAGE;
    return events;
}

/* ---- whom to listen to ---- */

static bool listens_to(const struct notify *n, struct account_id account)
{
    for (size_t k = 0; k < n->account_count; k++)
        if (n->accounts[k].account.v == account.v)
            return true;
    return false;
}

static enum err listen_to(struct imap *i, struct account_id account, bool *too_many)
{
    struct notify *n = i->notify;
    struct account_figures figures;
    struct view *v;
    enum err e = OK;

    if (listens_to(n, account))
        return OK;
    *too_many = n->account_count == ACCOUNTS_MOST;
    if (*too_many)
        return OK;
    e = imap_view(i, &v);
    if (!e)
        e = account_figures(v, i->s->cx, account, &figures);
    if (!e)
        n->accounts[n->account_count++] = (struct listened){account, figures.modseq};
    return e == ERR_NOT_FOUND ? OK : e;
}

/* Others who begin to share something are found with the next look. */
static enum err listen(struct imap *i, bool *too_many)
{
    struct account_id *owners = NULL;
    size_t count = 0;
    struct view *v;
    enum err e = OK;

    *too_many = false;
    if (!notify_events_elsewhere(i))
        return OK;
    e = listen_to(i, i->s->who.account, too_many);
    if (!e && asks_others(i))
        e = imap_view(i, &v);
    if (!e && asks_others(i))
        e = acl_owners(v, i->s->cx, i->s->who.account, &owners, &count);
    for (size_t k = 0; k < count && !e && !*too_many; k++)
        e = listen_to(i, owners[k], too_many);
    return e;
}

void notify_watch(struct imap *i)
{
    struct notify *n = i->notify;
    struct account_id wanted[ACCOUNTS_MOST + 1];
    size_t count = 0;

    if (!n)
        return;
    for (size_t k = 0; k < n->account_count; k++)
        wanted[count++] = n->accounts[k].account;
    if (i->selected && notify_selected_events(i) && !listens_to(n, i->selected->at.account))
        wanted[count++] = i->selected->at.account;
    if (i->s->watched == n->watched && i->s->watched_count == count &&
        (!count || !memcmp(wanted, n->watched, count * sizeof(*wanted))))
        return;
    memcpy(n->watched, wanted, count * sizeof(*wanted));
    i->s->watched = n->watched;
    i->s->watched_count = count;
    i->s->watch_changed = true;
}

/* ---- the news ---- */

static void listen_to_nothing(struct notify *n)
{
    n->set = (struct imap_notify){.none = true};
    n->selected = NULL;
    n->events = 0;
    n->account_count = 0;
    notify_forget_names(n);
}

/* §5.8. Annotations go on: for who did not ask for more, what is lost of them is lost. */
static void overflow(struct imap *i)
{
    if (i->notify->commanded)
        imap_say(i, "OK", "NOTIFICATIONOVERFLOW", "too much has happened: ask again");
    listen_to_nothing(i->notify);
}

static enum err look_and_tell(struct imap *i, struct notify_found *f)
{
    struct notify *n = i->notify;
    size_t had = n->account_count;
    bool lost = false, too_many;
    enum err e = OK;

    for (size_t k = 0; k < n->account_count && !e; k++)
        e = notify_find(i, &n->accounts[k], f, &lost);
    if (!e)
        e = listen(i, &too_many);
    f->names |= n->account_count > had;
    if (!e && !lost)
        e = notify_tell(i, f, &lost);
    if (lost || (too_many && n->commanded))
        overflow(i);
    return e;
}

static bool has_changed(struct imap *i)
{
    const struct notify *n = i->notify;
    struct account_figures figures;
    struct view *v;

    for (size_t k = 0; k < n->account_count; k++)
        if (!imap_view(i, &v) && !account_figures(v, i->s->cx, n->accounts[k].account, &figures) &&
            figures.modseq != n->accounts[k].modseq)
            return true;
    return asks_others(i) || !n->account_count;
}

enum err notify_some(struct imap *i)
{
    struct notify_found f;
    enum err e;

    if (!i->notify || !notify_events_elsewhere(i) || !has_changed(i))
        return OK;
    f = notify_found_make(!i->notify->events);
    e = look_and_tell(i, &f);
    notify_found_free(&f);
    return e;
}

/* ---- the command ---- */

struct beginning {
    struct gathered all;
    size_t next;
};

/* §3.1: with NOTIFY SET STATUS */
static uint32_t first_status_items(uint32_t events)
{
    uint32_t items = 0;

    if (events & IMAP_EVENT_MESSAGE_NEW)
        items |= IMAP_STATUS_MESSAGES | IMAP_STATUS_UIDNEXT | IMAP_STATUS_UIDVALIDITY;
    if (events & IMAP_EVENT_MESSAGE_EXPUNGE)
        items |= IMAP_STATUS_MESSAGES;
    if (events & IMAP_EVENT_FLAG_CHANGE)
        items |= IMAP_STATUS_UIDVALIDITY | IMAP_STATUS_HIGHESTMODSEQ;
    return items;
}

/* What may not be read is said to be so (§3.1); the others' state, if that was asked for. */
static enum err begin_run(struct imap *i, void *state, bool *done)
{
    struct beginning *b = state;

    for (; b->next < b->all.n && !imap_is_enough(i); b->next++) {
        const struct place *p = &b->all.v[b->next];
        uint32_t events = notify_events_of(i, p);

        if (!events || p->folder.no_select)
            continue;
        if (!(p->rights & IMAP_RIGHT_READ))
            notify_say_bare_list(i, S("\\NoAccess"), p->at, p->name);
        else if (i->notify->set.status && events & IMAP_EVENT_MESSAGE)
            status_write(i, p, first_status_items(events));
    }
    *done = b->next == b->all.n;
    return OK;
}

static enum err begin(struct imap *i)
{
    struct beginning *b = arena_alloc(i->arena, sizeof(*b));
    struct notify *n = i->notify;
    bool too_many;
    enum err e = listen(i, &too_many);

    if (!e && too_many) {
        listen_to_nothing(n);
        return reply_no(i, "NOTIFICATIONOVERFLOW", "that is too much to listen to");
    }
    if (!e && n->events)
        e = gather_places(i, n->others, IMAP_RIGHT_LOOKUP, &b->all);
    if (e) {
        listen_to_nothing(n);
        return e;
    }
    imap_go_on(i, &(struct imap_step){.run = begin_run, .state = b});
    if (n->events & IMAP_EVENT_MAILBOX_NAME)
        notify_keep_names(n, b->all.v, b->all.n);
    return OK;
}

static struct notify *replace_notify(struct imap *i)
{
    notify_end(i);
    i->notify = must_alloc(sizeof(*i->notify));
    i->notify->arena = arena_new(0);
    return i->notify;
}

static bool names_others(const struct imap_mailbox_filter *f)
{
    return f->kind != IMAP_FILTER_INBOXES && f->kind != IMAP_FILTER_PERSONAL;
}

enum err cmd_notify(struct imap *i, const struct imap_command *c)
{
    struct imap_parse again;
    struct imap_notify a;
    struct notify *n;

    if (!parse_imap_notify(imap_parsing(i), c->args, &a))
        return reply_misread(i);
    for (size_t k = 0; k < a.group_count; k++)
        if (a.groups[k].events & ~(uint32_t)EVENTS_SERVED)
            return reply_no(i, EVENTS_NAMED, "this event is not known here");
    n = replace_notify(i);
    n->commanded = true;
    again = imap_parse_make(n->arena, imap_is_utf8(i));
    if (!parse_imap_notify(&again, str_copy(n->arena, c->args), &n->set))
        return fail(i->s->cx, ERR_BUG, "NOTIFY is read once and not twice");
    for (size_t k = 0; k < n->set.group_count; k++) {
        const struct imap_event_group *g = &n->set.groups[k];

        if (is_selected_group(g)) {
            n->selected = g;
            continue;
        }
        n->events |= g->events;
        n->others |= names_others(&g->filter);
    }
    return begin(i);
}

enum err notify_enabled(struct imap *i)
{
    bool too_many; /* then some of them are not listened to */

    if (!notify_enabled_events(i))
        return OK;
    if (!i->notify)
        replace_notify(i);
    return listen(i, &too_many);
}

void notify_end(struct imap *i)
{
    struct notify *n = i->notify;

    if (!n)
        return;
    if (i->s->watched == n->watched) {
        i->s->watched = NULL;
        i->s->watched_count = 0;
        i->s->watch_changed = true;
    }
    arena_free(n->arena);
    notify_forget_names(n);
    free(n);
    i->notify = NULL;
}
