/* A name is there because a mailbox has it, because it is subscribed to, or because it is above such a name. The last is seen
 * where others share a mailbox and not the one above it. */
#include "vault/imap/listing.h"

#include "base/arena.h"
#include "vault/imap/gather.h"

#include <stdlib.h>

static int compare_strs(const void *a, const void *b)
{
    return str_compare(*(const struct str *)a, *(const struct str *)b);
}

static bool is_subscribed(const struct listing *l, struct str name)
{
    return l->subscription_count &&
           bsearch(&name, l->subscriptions, l->subscription_count, sizeof(name), compare_strs);
}

static bool is_anothers(const struct imap *i, const struct list_entry *at)
{
    return at->p.at.mailbox.v && at->p.at.account.v != i->s->who.account.v;
}

/* ---- adding ---- */

static struct list_entry *add_entry(struct imap *i, struct listing *l)
{
    if (l->n == l->room) {
        size_t room = l->room ? l->room * 2 : 64;
        struct list_entry *grown = arena_array(i->arena, struct list_entry, room);

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
    *add_entry(i, l) = (struct list_entry){.p = {.name = name,
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

        if (!is_anothers(i, &l->v[k]) || !take_imap_name_level(&rest, &space) ||
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
        *add_entry(i, l) = (struct list_entry){
            .p = all.v[k], .exists = true, .subscribed = is_subscribed(l, all.v[k].name)};
    if (!e)
        add_spaces(i, l);
    return e;
}

/* ---- in the order of names ---- */

static int compare_entries(const void *a, const void *b)
{
    return str_compare((*(struct list_entry *const *)a)->p.name,
                       (*(struct list_entry *const *)b)->p.name);
}

static void sort_by_name(struct imap *i, struct listing *l)
{
    l->by_name = arena_array(i->arena, struct list_entry *, l->n);
    for (size_t k = 0; k < l->n; k++)
        l->by_name[k] = &l->v[k];
    qsort(l->by_name, l->n, sizeof(*l->by_name), compare_entries);
    l->sorted = l->n;
}

static struct list_entry *find_entry(const struct listing *l, struct str name)
{
    struct list_entry wanted = {.p = {.name = name}}, *key = &wanted;
    struct list_entry **found =
        l->sorted ? bsearch(&key, l->by_name, l->sorted, sizeof(*l->by_name), compare_entries) : NULL;

    return found ? *found : NULL;
}

/* ---- names that lead nowhere ---- */

struct names {
    struct str *v;
    size_t n, room;
};

/* The name and those above it, as far as they are not there. */
static void note_missing(const struct listing *l, struct str name, struct names *missing)
{
    for (; name.n && !find_entry(l, name); name = imap_name_parent(name)) {
        if (missing->n == missing->room)
            missing->v =
                must_realloc(missing->v, (missing->room = missing->room ? missing->room * 2 : 64) *
                                             sizeof(*missing->v));
        missing->v[missing->n++] = name;
    }
}

/* \NonExistent (RFC 5258 §3): names that are subscribed to, and names above what may be seen, which are as if they did not
 * exist (RFC 4314 §4). There may be as many as there are subscriptions, so they are put in order once. */
static void add_nonexistent(struct imap *i, struct listing *l)
{
    struct names missing = {0};

    sort_by_name(i, l);
    for (size_t k = 0; l->a.select & IMAP_LIST_SUBSCRIBED && k < l->subscription_count; k++)
        note_missing(l, l->subscriptions[k], &missing);
    for (size_t k = 0; k < l->n; k++)
        if (is_anothers(i, &l->v[k]))
            note_missing(l, imap_name_parent(l->v[k].p.name), &missing);
    if (!missing.n)
        return;
    qsort(missing.v, missing.n, sizeof(*missing.v), compare_strs);
    for (size_t k = 0; k < missing.n; k++)
        if (!k || !str_same(missing.v[k], missing.v[k - 1]))
            add_name(i, l, missing.v[k], false);
    free(missing.v);
    sort_by_name(i, l);
}

/* \HasChildren, of what leads nowhere itself. */
static void note_children(struct imap *i, struct listing *l)
{
    for (size_t k = 0; k < l->n; k++) {
        struct str name = is_anothers(i, &l->v[k]) ? l->v[k].p.name : STR_NONE;
        struct list_entry *parent;

        while ((name = imap_name_parent(name)).n && (parent = find_entry(l, name)) &&
               !parent->p.folder.has_children)
            parent->p.folder.has_children = true;
    }
}

enum err listing_gather(struct imap *i, struct listing *l)
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
    add_nonexistent(i, l);
    note_children(i, l);
    return OK;
}

/* ---- which of them ---- */

static bool matches(const struct listing *l, struct str name)
{
    for (size_t k = 0; k < l->a.pattern_count; k++)
        if (imap_pattern_matches(l->patterns[k], name))
            return true;
    return false;
}

bool listing_is_chosen(const struct listing *l, const struct list_entry *at)
{
    if (l->a.select & IMAP_LIST_SUBSCRIBED && !at->subscribed)
        return false;
    if (l->a.select & IMAP_LIST_SPECIAL_USE && !at->p.folder.roles)
        return false;
    return at->exists || l->a.select & IMAP_LIST_SUBSCRIBED;
}

/* A pattern that ends with "%" matches levels of hierarchy as well (RFC 9051 §6.3.9). */
static bool is_level(const struct listing *l, const struct list_entry *at)
{
    if (at->exists || !at->p.folder.has_children ||
        l->a.select & (IMAP_LIST_SUBSCRIBED | IMAP_LIST_SPECIAL_USE))
        return false;
    for (size_t k = 0; k < l->a.pattern_count; k++) {
        struct str pattern = l->patterns[k];

        if (pattern.n && pattern.p[pattern.n - 1] == '%' && imap_pattern_matches(pattern, at->p.name))
            return true;
    }
    return false;
}

bool listing_tells_of(const struct listing *l, const struct list_entry *at)
{
    return matches(l, at->p.name) &&
           (listing_is_chosen(l, at) || at->has_unmatched_below || is_level(l, at));
}

bool listing_note_parents(struct imap *i, struct listing *l)
{
    for (; l->noted < l->n; l->noted++) {
        struct list_entry *at = &l->v[l->noted], *parent;
        bool unmatched;

        if (imap_is_enough(i))
            return false;
        if (!listing_is_chosen(l, at))
            continue;
        unmatched = !matches(l, at->p.name);
        for (struct str name = imap_name_parent(at->p.name); name.n; name = imap_name_parent(name))
            if ((parent = find_entry(l, name))) {
                parent->has_chosen_below = true;
                parent->has_unmatched_below |= unmatched;
            }
    }
    return true;
}
