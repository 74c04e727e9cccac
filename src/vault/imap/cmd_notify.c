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
#include "vault/imap/notify.h"
#include "vault/imap/response.h"
#include "vault/imap/scope.h"
#include "vault/imap/selected.h"
#include "vault/store/acl.h"
#include "vault/store/changes.h"

#include <inttypes.h>
#include <stdlib.h>

#define ACCOUNTS_MOST 100           /* that one session listens to */
#define NEWS_MOST 2000              /* that one look may find */
#define SAID_MOST (4 * SESSION_OUT) /* by one look */

#define EVENTS_SERVED                                                                                  \
    (IMAP_EVENT_MESSAGE_NEW | IMAP_EVENT_MESSAGE_EXPUNGE | IMAP_EVENT_FLAG_CHANGE |                    \
     IMAP_EVENT_MAILBOX_NAME | IMAP_EVENT_SUBSCRIPTION_CHANGE | IMAP_EVENT_MAILBOX_METADATA_CHANGE |   \
     IMAP_EVENT_SERVER_METADATA_CHANGE)
#define EVENTS_NAMED                                                                                   \
    "BADEVENT (MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange "                   \
    "MailboxMetadataChange ServerMetadataChange)"

struct listened {
    struct account_id account;
    uint64_t modseq; /* told up to here */
};

struct notify {
    bool commanded;      /* else it is here for ENABLE METADATA alone */
    struct arena *arena; /* of the request */
    struct imap_notify set;
    const struct imap_event_group *selected; /* NULL: none */
    uint32_t events;                         /* of all groups for other mailboxes */
    bool others;                             /* some group may name mailboxes that others share */
    struct listened accounts[ACCOUNTS_MOST];
    size_t account_count;
    struct account_id watched[ACCOUNTS_MOST + 1]; /* the session's own, while it waits */
    size_t watched_count;
    struct arena *names_arena;
    struct place *names; /* as they were; only with IMAP_EVENT_MAILBOX_NAME. By account and id */
    size_t name_count;
};

static bool is_selected_group(const struct imap_event_group *g)
{
    return g->filter.kind == IMAP_FILTER_SELECTED || g->filter.kind == IMAP_FILTER_SELECTED_DELAYED;
}

static bool is_selected(const struct imap *i, struct mailbox_ref at)
{
    return i->selected && i->selected->at.account.v == at.account.v &&
           i->selected->at.mailbox.v == at.mailbox.v;
}

/* What ENABLE asked for, of every mailbox that may be read. METADATA has annotations of the server as well. */
static uint32_t enabled_events(const struct imap *i)
{
    return i->enabled & IMAP_ENABLE_METADATA
               ? IMAP_EVENT_MAILBOX_METADATA_CHANGE | IMAP_EVENT_SERVER_METADATA_CHANGE
           : i->enabled & IMAP_ENABLE_METADATA_SERVER ? IMAP_EVENT_SERVER_METADATA_CHANGE
                                                      : 0;
}

static uint32_t events_elsewhere(const struct imap *i)
{
    return i->notify->events | enabled_events(i);
}

static bool asks_others(const struct imap *i)
{
    return i->notify->others || enabled_events(i) & IMAP_EVENT_MAILBOX_METADATA_CHANGE;
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

static uint32_t events_of(const struct imap *i, const struct place *p)
{
    const struct notify *n = i->notify;
    uint32_t events = 0;

    for (size_t k = 0; k < n->set.group_count; k++) {
        const struct imap_event_group *g = &n->set.groups[k];

        if (!is_selected_group(g) && scope_has(i, &g->filter, p))
            events |= g->events;
    }
    if (is_selected(i, p->at)) /* §3.1: there only the other group counts */
        events &= ~(uint32_t)IMAP_EVENT_MESSAGE;
    return events;
}

static bool is_readable(const struct place *p)
{
    return !p->folder.no_select && p->rights & IMAP_RIGHT_READ;
}

/* ---- saying ---- */

static void say_list(struct imap *i, const struct place *p, struct str old_name)
{
    struct buf *out = &i->s->out;

    buf_add(out, S("* LIST "));
    list_entry_write(i, out, p);
    if (old_name.n) {
        buf_add(out, S(" (\"OLDNAME\" ("));
        imap_mailbox_write(out, old_name, imap_is_utf8(i));
        buf_add(out, S("))"));
    }
    buf_add(out, S("\r\n"));
}

static void say_bare_list(struct imap *i, struct str attributes, struct str name)
{
    struct buf *out = &i->s->out;

    buf_add(out, S("* LIST ("));
    buf_add(out, attributes);
    buf_add(out, S(") \"/\" "));
    imap_mailbox_write(out, name, imap_is_utf8(i));
    buf_add(out, S("\r\n"));
}

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

static bool is_subscribed(struct imap *i, struct str name)
{
    bool yes = false;

    return !place_subscribed(i, name, &yes) && yes;
}

static void say_nonexistent(struct imap *i, struct str name)
{
    say_bare_list(i, is_subscribed(i, name) ? S("\\NonExistent \\Subscribed") : S("\\NonExistent"),
                  name);
}

/* ---- names (§5.4) ---- */

static int compare_refs(struct mailbox_ref a, struct mailbox_ref b)
{
    if (a.account.v != b.account.v)
        return a.account.v < b.account.v ? -1 : 1;
    return (a.mailbox.v > b.mailbox.v) - (a.mailbox.v < b.mailbox.v);
}

static int compare_places(const void *a, const void *b)
{
    return compare_refs(((const struct place *)a)->at, ((const struct place *)b)->at);
}

static enum err gather_names(struct imap *i, struct place **out, size_t *n)
{
    struct gathered all;
    enum err e = gather_places(i, i->notify->others, IMAP_RIGHT_LOOKUP, &all);

    if (e)
        return e;
    if (all.n)
        qsort(all.v, all.n, sizeof(*all.v), compare_places);
    *out = all.v;
    *n = all.n;
    return OK;
}

static void keep_names(struct notify *n, const struct place *v, size_t count)
{
    arena_free(n->names_arena);
    n->names_arena = arena_new(0);
    n->names = arena_array(n->names_arena, struct place, count);
    n->name_count = count;
    for (size_t k = 0; k < count; k++) {
        n->names[k] = v[k];
        n->names[k].name = str_copy(n->names_arena, v[k].name);
        n->names[k].folder.name = STR_NONE;
    }
}

static const struct place *find_place(const struct place *v, size_t n, struct mailbox_ref at)
{
    const struct place wanted = {.at = at};

    return n ? bsearch(&wanted, v, n, sizeof(*v), compare_places) : NULL;
}

static bool wants_name(const struct imap *i, const struct place *p)
{
    return events_of(i, p) & IMAP_EVENT_MAILBOX_NAME;
}

/* A name that came or went: the one above it may have other attributes now. */
static void say_parent(struct imap *i, struct place *now, size_t n, struct mailbox_ref parent)
{
    const struct place *p = find_place(now, n, parent);

    if (p && wants_name(i, p) && find_place(i->notify->names, i->notify->name_count, parent))
        say_list(i, p, STR_NONE);
}

/* Was it renamed because the one above it was? */
static bool moved_along(const struct notify *n, const struct place *now, size_t count,
                        const struct place *was, const struct place *is)
{
    struct mailbox_ref above = {is->at.account, is->folder.parent};
    const struct place *before = find_place(n->names, n->name_count, above);
    const struct place *after = find_place(now, count, above);

    return before && after && was->folder.parent.v == is->folder.parent.v &&
           !str_same(before->name, after->name);
}

static void compare_name(struct imap *i, struct place *now, size_t count, const struct place *was,
                         const struct place *is)
{
    bool renamed = !str_same(was->name, is->name);

    if (renamed && (wants_name(i, is) || wants_name(i, was)) &&
        !moved_along(i->notify, now, count, was, is))
        say_list(i, is, was->name);
    else if (!renamed && is_readable(was) != is_readable(is) && wants_name(i, is))
        say_list(i, is, STR_NONE);
}

/* Did a mailbox take the place of a bare name? The name never went then. */
static bool is_replaced(const struct imap *i, const struct place *was, const struct place *now,
                        size_t count)
{
    for (size_t k = 0; was->folder.no_select && k < count; k++)
        if (str_same(now[k].name, was->name))
            return wants_name(i, &now[k]);
    return false;
}

/* Under the name that the client knows, so before others are told to have it now. */
static void say_gone(struct imap *i, struct place *now, size_t count)
{
    const struct notify *n = i->notify;

    for (size_t k = 0; k < n->name_count; k++) {
        const struct place *was = &n->names[k];

        if (!find_place(now, count, was->at) && wants_name(i, was) && !is_replaced(i, was, now, count))
            say_nonexistent(i, was->name);
    }
}

struct kept {
    const struct place *was, *is;
    bool told;
};

#define IN_ORDER_MOST 200 /* each is compared with each */

/* Does another one, not told of yet, leave this name? */
static bool is_left(const struct kept *v, size_t n, struct str name)
{
    for (size_t k = 0; k < n; k++)
        if (!v[k].told && str_same(v[k].was->name, name) && !str_same(v[k].is->name, name))
            return true;
    return false;
}

/* What leaves a name is told of before what takes it, unless they go in a circle. */
static void say_kept(struct imap *i, struct place *now, size_t count, struct kept *v, size_t n)
{
    bool in_order = n <= IN_ORDER_MOST;

    for (size_t left = n, before = n + 1; left; in_order &= left < before) {
        before = left;
        for (size_t k = 0; k < n; k++) {
            if (v[k].told || (in_order && is_left(v, n, v[k].is->name)))
                continue;
            compare_name(i, now, count, v[k].was, v[k].is);
            v[k].told = true;
            left--;
        }
    }
}

static void compare_names(struct imap *i, struct place *now, size_t count)
{
    const struct notify *n = i->notify;
    struct kept *kept = arena_array(i->s->cx->arena, struct kept, n->name_count + 1);
    size_t kept_count = 0;

    say_gone(i, now, count);
    for (size_t k = 0; k < n->name_count; k++) {
        const struct place *was = &n->names[k], *is = find_place(now, count, was->at);

        if (is && (!str_same(was->name, is->name) || is_readable(was) != is_readable(is)))
            kept[kept_count++] = (struct kept){.was = was, .is = is};
    }
    say_kept(i, now, count, kept, kept_count);
    for (size_t k = 0; k < n->name_count; k++)
        if (!find_place(now, count, n->names[k].at))
            say_parent(i, now, count,
                       (struct mailbox_ref){n->names[k].at.account, n->names[k].folder.parent});
    for (size_t k = 0; k < count; k++) {
        if (find_place(n->names, n->name_count, now[k].at))
            continue;
        if (wants_name(i, &now[k]))
            say_list(i, &now[k], STR_NONE);
        say_parent(i, now, count, (struct mailbox_ref){now[k].at.account, now[k].folder.parent});
    }
}

static enum err tell_names(struct imap *i)
{
    struct place *now;
    size_t count;
    enum err e = gather_names(i, &now, &count);

    if (e)
        return e;
    compare_names(i, now, count);
    keep_names(i->notify, now, count);
    return OK;
}

/* ---- what the change log has ---- */

struct news {
    uint32_t kind; /* CHANGE_: of messages ADDED stands for all three */
    uint32_t events;
    struct mailbox_ref at;
    struct str name;
};

struct found {
    struct arena *arena;
    bool only_metadata; /* nothing else is asked for */
    struct news *v;
    size_t n;
    struct account_id account;
    bool names;
};

static uint32_t event_of(uint32_t kind)
{
    return kind == CHANGE_ADDED     ? IMAP_EVENT_MESSAGE_NEW
           : kind == CHANGE_FLAGS   ? IMAP_EVENT_FLAG_CHANGE
           : kind == CHANGE_REMOVED ? IMAP_EVENT_MESSAGE_EXPUNGE
           : kind == CHANGE_MAILBOX ? IMAP_EVENT_FLAG_CHANGE /* another UIDVALIDITY, it may be (§5.1) */
                                    : 0;
}

static bool add_news(struct found *f, const struct news *news)
{
    for (size_t k = f->n; k-- > 0;)
        if (f->v[k].kind == news->kind && !compare_refs(f->v[k].at, news->at) &&
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
    struct found *f = arg;
    uint32_t event = event_of(c->kind);

    f->names |= c->kind == CHANGE_MAILBOX;
    return (f->only_metadata && c->kind != CHANGE_METADATA) ||
           add_news(f, &(struct news){.kind = event ? CHANGE_ADDED : c->kind,
                                      .events = event,
                                      .at = {f->account, c->mailbox},
                                      .name = event ? STR_NONE : c->name});
}

/* One account; *lost: it cannot be told what is new there, or it is too much. */
static enum err look_at_account(struct imap *i, struct listened *l, struct found *f, bool *lost)
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

static enum err tell_status(struct imap *i, const struct news *news)
{
    struct place p;
    uint32_t events;
    enum err e = gather_place(i, news->at, &p);

    if (e)
        return e == ERR_NOT_FOUND ? OK : e;
    events = events_of(i, &p) & news->events;
    if (events && is_readable(&p))
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
        p.folder.subscribed = is_subscribed(i, name);
    if (!(events_of(i, &p) & IMAP_EVENT_SUBSCRIPTION_CHANGE) &&
        !(e && i->notify->events & IMAP_EVENT_SUBSCRIPTION_CHANGE))
        return OK;
    if (e)
        say_nonexistent(i, name);
    else
        say_list(i, &p, STR_NONE);
    return OK;
}

static enum err tell_metadata(struct imap *i, const struct news *news)
{
    bool own = news->at.account.v == i->s->who.account.v, server = !news->at.mailbox.v;
    struct buf *out = &i->s->out;
    struct place p = {.at = news->at};
    uint32_t events = events_elsewhere(i);
    enum err e = OK;

    if (!own && (server || !str_starts(news->name, S("/shared/"))))
        return OK; /* what is private is not told to others */
    if (!server)
        e = gather_place(i, news->at, &p);
    if (e)
        return e == ERR_NOT_FOUND ? OK : e;
    if (!server)
        events = p.rights & IMAP_RIGHT_READ ? events_of(i, &p) | enabled_events(i) : 0;
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
        return is_selected(i, news->at) ? OK : tell_status(i, news);
    }
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
    if (!events_elsewhere(i))
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
    arena_free(n->names_arena);
    n->names_arena = NULL;
    n->names = NULL;
    n->name_count = 0;
}

/* §5.8. Annotations go on: for who did not ask for more, what is lost of them is lost. */
static void overflow(struct imap *i)
{
    if (i->notify->commanded)
        imap_say(i, "OK", "NOTIFICATIONOVERFLOW", "too much has happened: ask again");
    listen_to_nothing(i->notify);
}

static enum err tell_found(struct imap *i, const struct found *f, bool *lost)
{
    enum err e = OK;

    if (f->names && i->notify->events & IMAP_EVENT_MAILBOX_NAME)
        e = tell_names(i);
    for (size_t k = 0; k < f->n && !e && !*lost; k++) {
        e = tell_news(i, &f->v[k]);
        *lost = i->s->out.n > SAID_MOST;
    }
    return e;
}

static enum err look_and_tell(struct imap *i, struct found *f)
{
    struct notify *n = i->notify;
    size_t had = n->account_count;
    bool lost = false, too_many;
    enum err e = OK;

    f->v = arena_array(f->arena, struct news, NEWS_MOST);
    for (size_t k = 0; k < n->account_count && !e; k++)
        e = look_at_account(i, &n->accounts[k], f, &lost);
    if (!e)
        e = listen(i, &too_many);
    f->names |= n->account_count > had;
    if (!e && !lost)
        e = tell_found(i, f, &lost);
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
    struct found f = {0};
    enum err e;

    if (!i->notify || !events_elsewhere(i) || !has_changed(i))
        return OK;
    f.only_metadata = !i->notify->events;
    f.arena = arena_new(0);
    e = look_and_tell(i, &f);
    arena_free(f.arena);
    return e;
}

/* ---- the command ---- */

struct beginning {
    struct gathered all;
    size_t next;
};

/* What may not be read is said to be so (§3.1); the others' state, if that was asked for. */
static enum err begin_run(struct imap *i, void *state, bool *done)
{
    struct beginning *b = state;

    for (; b->next < b->all.n && !imap_is_enough(i); b->next++) {
        const struct place *p = &b->all.v[b->next];
        uint32_t events = events_of(i, p);

        if (!events || p->folder.no_select)
            continue;
        if (!(p->rights & IMAP_RIGHT_READ))
            say_bare_list(i, S("\\NoAccess"), p->name);
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
    if (!(n->events & IMAP_EVENT_MAILBOX_NAME))
        return OK;
    if (b->all.n)
        qsort(b->all.v, b->all.n, sizeof(*b->all.v), compare_places);
    keep_names(n, b->all.v, b->all.n);
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

    if (!enabled_events(i))
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
    arena_free(n->names_arena);
    free(n);
    i->notify = NULL;
}
