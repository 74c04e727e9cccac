/* LIST with all its options (RFC 9051 §6.3.9; RFC 5258, 5819, 6154, 8440, 9590), LSUB (RFC 3501 §6.3.9) and STATUS
 * (RFC 9051 §6.3.11).
 *
 * What there is to list is gathered first, under one view: the user's own mailboxes, what others share, and names that
 * are only subscribed to. Then each is looked at and written, as many as a step may say. */
#include "vault/imap/commands.h"

#include "base/arena.h"
#include "config/config.h"
#include "proto/imap_list.h"
#include "vault/imap/gather.h"
#include "vault/imap/mailbox_answers.h"
#include "vault/imap/response.h"

#include <inttypes.h>
#include <stdlib.h>

/* ---- STATUS ---- */

void status_write(struct imap *i, const struct place *p, uint32_t items)
{
    const struct folder *f = &p->folder;
    struct buf *out = &i->s->out;
    const char *before = "";

    if (f->damaged)
        return;
    buf_add(out, S("* STATUS "));
    place_name_write(i, out, p->at, p->name);
    buf_add(out, S(" ("));
    for (uint32_t item = 1; item <= IMAP_STATUS_DELETED_STORAGE; item <<= 1) {
        uint64_t n = item == IMAP_STATUS_MESSAGES          ? f->exists
                     : item == IMAP_STATUS_RECENT          ? f->recent
                     : item == IMAP_STATUS_UIDNEXT         ? f->uid_next
                     : item == IMAP_STATUS_UIDVALIDITY     ? f->uid_validity
                     : item == IMAP_STATUS_UNSEEN          ? f->unseen
                     : item == IMAP_STATUS_DELETED         ? f->deleted
                     : item == IMAP_STATUS_SIZE            ? f->bytes
                     : item == IMAP_STATUS_HIGHESTMODSEQ   ? f->modseq
                     : item == IMAP_STATUS_APPENDLIMIT     ? i->s->store->config()->limits.message_size
                     : item == IMAP_STATUS_DELETED_STORAGE ? f->deleted_bytes
                                                           : 0;

        if (!(items & item))
            continue;
        buf_add_c(out, before);
        buf_add(out, imap_status_name(item));
        before = " ";
        if (item == IMAP_STATUS_MAILBOXID) {
            buf_add(out, S(" ("));
            mailbox_id_write(out, p->at);
            buf_add(out, S(")"));
        } else {
            buf_printf(out, " %" PRIu64, n);
        }
    }
    buf_add(out, S(")\r\n"));
}

enum err cmd_status(struct imap *i, const struct imap_command *c)
{
    struct imap_status a;
    struct place p;
    enum err e;

    if (!parse_imap_status(imap_parsing(i), c->args, &a))
        return reply_misread(i);
    if (!place_for(i, a.mailbox, IMAP_RIGHT_READ, &p, &e))
        return e;
    if (a.items & IMAP_STATUS_HIGHESTMODSEQ) /* RFC 7162 §3.1: a command that enables it */
        imap_enable(i, IMAP_ENABLE_CONDSTORE);
    if (p.folder.damaged)
        return fail(i->s->cx, ERR_DAMAGED, "the counts of mailbox %" PRIu64 " cannot be read",
                    p.at.mailbox.v);
    status_write(i, &p, a.items);
    return OK;
}

/* ---- what there is ---- */

struct entry {
    struct place p;
    bool exists; /* else only subscribed to, or above such a name */
    bool subscribed;
    bool has_chosen_below; /* CHILDINFO: something below is chosen that no pattern matches */
};

struct listing {
    struct imap_list a;
    const struct str *patterns; /* joined with the reference */
    struct entry *v;
    size_t n, room, next;
    size_t noted;           /* RECURSIVEMATCH: so many have told those above them */
    struct entry **by_name; /* sorted */
    size_t sorted;          /* how many those are */
    const struct str *subscriptions;
    size_t subscription_count;
    bool lsub;
};

static int compare_strs(const void *a, const void *b)
{
    return str_compare(*(const struct str *)a, *(const struct str *)b);
}

static bool is_subscribed(const struct listing *l, struct str name)
{
    return l->subscription_count &&
           bsearch(&name, l->subscriptions, l->subscription_count, sizeof(name), compare_strs);
}

static struct entry *add_entry(struct imap *i, struct listing *l)
{
    if (l->n == l->room) {
        size_t room = l->room ? l->room * 2 : 64;
        struct entry *grown = arena_array(i->arena, struct entry, room);

        if (l->n)
            memcpy(grown, l->v, l->n * sizeof(*grown));
        l->v = grown;
        l->room = room;
    }
    return &l->v[l->n++];
}

/* A name above others that has no mailbox itself. */
static void add_name(struct imap *i, struct listing *l, struct str name, bool exists)
{
    *add_entry(i, l) = (struct entry){.p = {.name = name,
                                            .rights = IMAP_RIGHT_LOOKUP,
                                            .folder = {.no_select = true, .has_children = exists}},
                                      .exists = exists,
                                      .subscribed = is_subscribed(l, name)};
}

static bool may_match_below(const struct listing *l, struct str name)
{
    for (size_t k = 0; k < l->a.pattern_count; k++)
        if (imap_pattern_matches(l->patterns[k], name) ||
            imap_pattern_may_match_below(l->patterns[k], name))
            return true;
    return false;
}

static void add_space(struct imap *i, struct listing *l, size_t from, struct str name)
{
    for (size_t k = from; k < l->n; k++)
        if (str_same(l->v[k].p.name, name))
            return;
    add_name(i, l, name, true);
}

/* The names above what others share: "Shared", "Shared/info@acompany.test". */
static void add_spaces(struct imap *i, struct listing *l)
{
    for (size_t k = 0, n = l->n; k < n; k++) {
        struct str name = l->v[k].p.name, rest = name, space, owner;

        if (l->v[k].p.at.account.v == i->s->who.account.v || !take_imap_name_level(&rest, &space) ||
            !take_imap_name_level(&rest, &owner))
            continue;
        add_space(i, l, n, space);
        add_space(i, l, n, str_upto(name, space.n + 1 + owner.n));
    }
}

static enum err add_places(struct imap *i, struct listing *l)
{
    struct gathered all;
    enum err e = gather_places(i, may_match_below(l, S(OTHER_USERS)) || may_match_below(l, S(SHARED)),
                               IMAP_RIGHT_LOOKUP, &all);

    for (size_t k = 0; k < all.n && !e; k++)
        *add_entry(i, l) = (struct entry){
            .p = all.v[k], .exists = true, .subscribed = is_subscribed(l, all.v[k].name)};
    if (!e)
        add_spaces(i, l);
    return e;
}

/* ---- in the order of names ---- */

static int compare_entries(const void *a, const void *b)
{
    return str_compare((*(struct entry *const *)a)->p.name, (*(struct entry *const *)b)->p.name);
}

static void sort_by_name(struct imap *i, struct listing *l)
{
    l->by_name = arena_array(i->arena, struct entry *, l->n);
    for (size_t k = 0; k < l->n; k++)
        l->by_name[k] = &l->v[k];
    qsort(l->by_name, l->n, sizeof(*l->by_name), compare_entries);
    l->sorted = l->n;
}

static struct entry *find_entry(const struct listing *l, struct str name)
{
    struct entry wanted = {.p = {.name = name}}, *key = &wanted;
    struct entry **found =
        l->sorted ? bsearch(&key, l->by_name, l->sorted, sizeof(*l->by_name), compare_entries) : NULL;

    return found ? *found : NULL;
}

/* Names that are subscribed to and lead nowhere, and those above them: \NonExistent (RFC 5258 §3). There may be as many
 * as there are subscriptions, so they are put in order once. */
static void add_nonexistent(struct imap *i, struct listing *l)
{
    struct str *names = NULL;
    size_t n = 0, room = 0;

    sort_by_name(i, l);
    for (size_t k = 0; k < l->subscription_count; k++)
        for (struct str name = l->subscriptions[k]; name.n && !find_entry(l, name);
             name = imap_name_parent(name)) {
            if (n == room)
                names = must_realloc(names, (room = room ? room * 2 : 64) * sizeof(*names));
            names[n++] = name;
        }
    if (!n)
        return;
    qsort(names, n, sizeof(*names), compare_strs);
    for (size_t k = 0; k < n; k++)
        if (!k || !str_same(names[k], names[k - 1]))
            add_name(i, l, names[k], false);
    free(names);
    sort_by_name(i, l);
}

/* ---- which of them ---- */

static bool matches(const struct listing *l, struct str name)
{
    for (size_t k = 0; k < l->a.pattern_count; k++)
        if (imap_pattern_matches(l->patterns[k], name))
            return true;
    return false;
}

/* By the selection options, whatever the patterns say. */
static bool is_chosen(const struct listing *l, const struct entry *at)
{
    if (l->a.select & IMAP_LIST_SUBSCRIBED && !at->subscribed)
        return false;
    if (l->a.select & IMAP_LIST_SPECIAL_USE && !at->p.folder.roles)
        return false;
    return at->exists || l->a.select & IMAP_LIST_SUBSCRIBED;
}

/* RFC 5258 §3.1, RECURSIVEMATCH; and LSUB, where "%" tells of a parent that is not subscribed to itself. False: enough
 * for one step. */
static bool note_parents(struct imap *i, struct listing *l)
{
    for (; l->noted < l->n; l->noted++) {
        struct entry *at = &l->v[l->noted], *parent;

        if (imap_is_enough(i))
            return false;
        if (!is_chosen(l, at) || matches(l, at->p.name))
            continue;
        for (struct str name = imap_name_parent(at->p.name); name.n; name = imap_name_parent(name))
            if ((parent = find_entry(l, name)))
                parent->has_chosen_below = true;
    }
    return true;
}

static enum err gather(struct imap *i, struct listing *l)
{
    struct cx cx = {.arena = i->arena};
    struct str *names;
    struct view *v;
    enum err e = imap_view(i, &v);

    if (!e)
        e = folder_subscriptions(v, &cx, i->s->who.account, &names, &l->subscription_count);
    if (e)
        return fail(i->s->cx, e, "%s", cx.cause);
    l->subscriptions = names;
    e = add_places(i, l);
    if (e)
        return e;
    if (l->a.select & IMAP_LIST_SUBSCRIBED)
        add_nonexistent(i, l);
    else
        sort_by_name(i, l);
    return OK;
}

/* ---- saying it ---- */

static void attribute(struct buf *out, struct str name, bool *first)
{
    if (!*first)
        buf_add_char(out, ' ');
    buf_add(out, name);
    *first = false;
}

static void write_attributes(const struct listing *l, struct buf *out, const struct entry *at)
{
    const struct folder *f = &at->p.folder;
    bool first = true;

    if (!at->exists)
        attribute(out, l->lsub ? S("\\Noselect") : S("\\NonExistent"), &first);
    else if (f->no_select || !(at->p.rights & IMAP_RIGHT_READ) || (l->lsub && !at->subscribed))
        attribute(out, S("\\Noselect"), &first);
    if (at->exists || l->a.returns & IMAP_LIST_RETURN_CHILDREN)
        attribute(out, f->has_children ? S("\\HasChildren") : S("\\HasNoChildren"), &first);
    if (at->subscribed && !l->lsub &&
        (l->a.select & IMAP_LIST_SUBSCRIBED || l->a.returns & IMAP_LIST_RETURN_SUBSCRIBED))
        attribute(out, S("\\Subscribed"), &first);
    for (uint32_t bit = 1; bit && bit <= f->roles; bit <<= 1)
        if (f->roles & bit)
            attribute(out, imap_use_name(bit), &first);
}

static void write_rights(struct imap *i, const struct place *p)
{
    struct buf *out = &i->s->out;

    buf_add(out, S("* MYRIGHTS "));
    place_name_write(i, out, p->at, p->name);
    buf_add_char(out, ' ');
    imap_rights_write(out, p->rights);
    buf_add(out, S("\r\n"));
}

static enum err write_entry(struct imap *i, const struct listing *l, const struct entry *at)
{
    struct buf *out = &i->s->out;
    bool readable = at->exists && !at->p.folder.no_select && at->p.rights & IMAP_RIGHT_READ;
    uint32_t returns = is_chosen(l, at) ? l->a.returns : 0; /* else only for what is below (§6.3.9.2) */

    buf_add(out, l->lsub ? S("* LSUB (") : S("* LIST ("));
    write_attributes(l, out, at);
    buf_add(out, S(") \"/\" "));
    place_name_write(i, out, at->p.at, at->p.name);
    if (at->has_chosen_below && !l->lsub)
        buf_add(out, S(" (\"CHILDINFO\" (\"SUBSCRIBED\"))"));
    buf_add(out, S("\r\n"));
    if (returns & IMAP_LIST_RETURN_STATUS && readable)
        status_write(i, &at->p, l->a.status_items);
    if (returns & IMAP_LIST_RETURN_MYRIGHTS && at->p.at.mailbox.v)
        write_rights(i, &at->p);
    if (returns & IMAP_LIST_RETURN_METADATA && at->p.at.mailbox.v)
        return metadata_write(i, &at->p, l->a.metadata_entries, l->a.metadata_entry_count);
    return OK;
}

static enum err list_on(struct imap *i, void *state, bool *done)
{
    struct listing *l = state;
    enum err e = OK;

    if (l->a.select & IMAP_LIST_RECURSIVEMATCH && !note_parents(i, l))
        return OK;
    for (; l->next < l->n && !e && !imap_is_enough(i); l->next++) {
        const struct entry *at = &l->v[l->next];

        if (matches(l, at->p.name) && (is_chosen(l, at) || at->has_chosen_below))
            e = write_entry(i, l, at);
    }
    *done = l->next == l->n;
    return e;
}

static enum err list(struct imap *i, const struct imap_list *a, bool lsub)
{
    struct listing *l = arena_alloc(i->arena, sizeof(*l));
    struct str *patterns = arena_array(i->arena, struct str, a->pattern_count + 1);
    enum err e;

    *l = (struct listing){.a = *a, .patterns = patterns, .lsub = lsub};
    for (size_t k = 0; k < a->pattern_count; k++)
        patterns[k] = imap_pattern_join(i->arena, a->reference, a->patterns[k]);
    if (lsub) /* the same, but for what it says of parents (RFC 3501 §6.3.9) */
        l->a.select = IMAP_LIST_SUBSCRIBED | IMAP_LIST_RECURSIVEMATCH;
    e = gather(i, l);
    if (e)
        return e;
    if (l->a.returns & IMAP_LIST_RETURN_STATUS && l->a.status_items & IMAP_STATUS_HIGHESTMODSEQ)
        imap_enable(i, IMAP_ENABLE_CONDSTORE);
    imap_go_on(i, &(struct imap_step){.run = list_on, .state = l});
    return OK;
}

enum err cmd_list(struct imap *i, const struct imap_command *c)
{
    struct imap_list a;

    if (!parse_imap_list(imap_parsing(i), c->args, &a))
        return reply_misread(i);
    if (!a.extended && a.pattern_count == 1 && !a.patterns[0].n) { /* a question for the delimiter */
        buf_add(&i->s->out, S("* LIST (\\Noselect) \"/\" \"\"\r\n"));
        return OK;
    }
    return list(i, &a, false);
}

enum err cmd_lsub(struct imap *i, const struct imap_command *c)
{
    struct imap_list a;

    if (!parse_imap_lsub(imap_parsing(i), c->args, &a))
        return reply_misread(i);
    return list(i, &a, true);
}
