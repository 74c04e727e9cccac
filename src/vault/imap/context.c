#include "vault/imap/context.h"

#include "base/arena.h"
#include "vault/imap/commands.h"
#include "vault/imap/news.h"

#include <inttypes.h>
#include <stdlib.h>

#define TOLD_AT_ONCE 2000 /* members of a list, by one response */
#define REMOVED_AT_ONCE                                                                                \
    CONTEXT_SORTED_MOST /* a sorted list goes whole: its positions are one picture's */

struct context {
    struct arena *arena;
    struct str tag;
    enum result_kind kind;
    bool uid;
    struct imap_search search; /* message numbers are UIDs in it (§4.3) */
    struct imap_sort sort;
    uint32_t *uids; /* what the client has, in its order */
    size_t n;
    bool pending; /* not yet asked about what has moved */
    bool lost;    /* a search failed, and the client was told so: it stays only for CANCELUPDATE */
};

struct contexts {
    struct context *v[CONTEXTS_MOST];
    size_t n;
    struct arena *arena; /* of moved */
    struct imap_set moved;
    uint32_t first_new;
    struct imap_step step; /* of the one that is being asked */
};

static struct contexts *contexts_of(const struct imap *i)
{
    return i->selected ? i->selected->contexts : NULL;
}

static bool is_sorted(const struct context *c)
{
    return c->kind == RESULT_SORT;
}

/* ---- lists of numbers ---- */

/* RFC 9586 §3: no numbers any more, not even for a search that asked for them before ENABLE UIDONLY. */
static bool tells_uids(const struct imap *i, const struct context *c)
{
    return c->uid || imap_is_uidonly(i);
}

static uint32_t name_of(const struct imap *i, const struct context *c, uint32_t uid)
{
    return tells_uids(i, c) ? uid : known_number(i->selected->known, uid);
}

/* In this order; what counts up by one is a range. Those the client does not know are left out. */
static void write_names(struct imap *i, const struct context *c, const uint32_t *uids, size_t n)
{
    struct buf *out = &i->s->out;
    const char *before = "";

    for (size_t k = 0; k < n;) {
        uint32_t first = name_of(i, c, uids[k]), last = first;

        while (++k < n && first && name_of(i, c, uids[k]) == last + 1)
            last++;
        if (!first)
            continue;
        buf_printf(out, last > first ? "%s%" PRIu32 ":%" PRIu32 : "%s%" PRIu32, before, first, last);
        before = ",";
    }
}

static void write_head(struct imap *i, const struct context *c)
{
    buf_printf(&i->s->out, "* ESEARCH (TAG \"%.*s\")%s", STR_ARG(c->tag),
               tells_uids(i, c) ? " UID" : "");
}

/* A list, and those of its members that are told of. */
struct marked {
    const char *what;
    const uint32_t *list;
    bool *is;
    size_t n, count;
    bool backwards; /* from its end on */
    size_t next;    /* so many have been looked at */
};

static size_t place_of(const struct marked *m, size_t k)
{
    return m->backwards ? m->n - 1 - k : k;
}

/* Those that follow one another, as many as may be said at once: *length of them, from the one given on. */
static size_t take_run(struct marked *m, size_t most, size_t *length)
{
    size_t from = m->next, first;

    while (m->next < m->n && *length < most && m->is[place_of(m, m->next)])
        m->next++, ++*length;
    first = place_of(m, from);
    if (m->next == from)
        m->next++;
    return m->backwards && *length ? first + 1 - *length : first;
}

/* Some of them, as the pairs of one ADDTO or REMOVEFROM: by position, the first or the last first, or all at position 0
 * where the order is the mailbox's. Pairs are done one after the other, so more of them may follow in another response. */
static void write_some(struct imap *i, const struct context *c, struct marked *m)
{
    struct buf *out = &i->s->out;
    uint32_t *run = arena_array(i->arena, uint32_t, TOLD_AT_ONCE);
    size_t told = 0;

    write_head(i, c);
    buf_printf(out, " %s (%s", m->what, is_sorted(c) ? "" : "0 ");
    while (m->next < m->n && told < TOLD_AT_ONCE) {
        size_t length = 0, first = take_run(m, TOLD_AT_ONCE - told, &length);

        if (!length)
            continue;
        if (is_sorted(c)) {
            buf_printf(out, "%s%zu ", told ? " " : "", first + 1);
            write_names(i, c, m->list + first, length);
        } else {
            memcpy(run + told, m->list + first, length * sizeof(*run));
        }
        told += length;
    }
    if (!is_sorted(c))
        write_names(i, c, run, told);
    buf_add(out, S(")\r\n"));
    m->count -= told;
}

/* ---- what is in one list and not in the other ---- */

static int compare_uids(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

/* Of those that are not among `others`, which are in order. */
static struct marked mark_missing(struct arena *a, const char *what, const uint32_t *list, size_t n,
                                  const uint32_t *others, size_t other_count)
{
    struct marked m = {.what = what, .list = list, .n = n, .is = arena_array(a, bool, n)};

    for (size_t k = 0; k < n; k++) {
        m.is[k] =
            !other_count || !bsearch(&list[k], others, other_count, sizeof(*others), compare_uids);
        m.count += m.is[k];
    }
    return m;
}

static uint32_t *ordered(struct arena *a, const uint32_t *list, size_t n)
{
    uint32_t *copy = arena_array(a, uint32_t, n);

    if (n) {
        memcpy(copy, list, n * sizeof(*copy));
        qsort(copy, n, sizeof(*copy), compare_uids);
    }
    return copy;
}

/* New ones that are shown because they are new (RFC 5465 §7). */
static void show_new(struct imap *i, const struct context *c, const struct marked *added)
{
    struct imap_set_builder fresh = {0};
    uint32_t first = i->selected->contexts->first_new;
    uint32_t *uids = arena_array(i->arena, uint32_t, added->n);
    struct imap_set set;
    size_t count = 0;

    if (!c->search.returns.update.att_count)
        return;
    for (size_t k = 0; k < added->n; k++)
        if (added->is[k] && added->list[k] >= first && !selected_is_own(i, added->list[k]))
            uids[count++] = added->list[k];
    uids = ordered(i->arena, uids, count);
    for (size_t k = 0; k < count; k++)
        imap_set_add(&fresh, uids[k]);
    set = imap_set_built(&fresh);
    news_want(i, &c->search.returns.update, &set);
    imap_set_builder_free(&fresh);
}

/* What makes one list out of the other. Content does not change, so what stays keeps its order. */
struct context_news {
    struct context *c;
    const uint32_t *now;
    size_t n;
    struct marked gone, added;
};

static struct context_news *compare(struct imap *i, struct context *c, const uint32_t *now, size_t n)
{
    struct context_news *news = arena_alloc(i->arena, sizeof(*news));

    *news = (struct context_news){.c = c, .now = now, .n = n};
    news->gone = mark_missing(i->arena, "REMOVEFROM", c->uids, c->n, ordered(i->arena, now, n), n);
    /* Where no position is told, the mailbox's own order makes the shortest set (§4.3.4). */
    news->gone.backwards = is_sorted(c);
    news->added = mark_missing(i->arena, "ADDTO", now, n, ordered(i->arena, c->uids, c->n), c->n);
    return news;
}

/* True: that was all, and the client has the new list. */
static bool tell_some(struct imap *i, struct context_news *news)
{
    struct context *c = news->c;
    bool more = news->added.count || news->gone.count;

    if (news->gone.count)
        write_some(i, c, &news->gone);
    else if (news->added.count)
        write_some(i, c, &news->added);
    if (news->gone.count || news->added.count)
        return false;
    if (!more)
        return true;
    show_new(i, c, &news->added);
    free(c->uids);
    c->uids = must_alloc(news->n * sizeof(*c->uids));
    if (news->n)
        memcpy(c->uids, news->now, news->n * sizeof(*c->uids));
    c->n = news->n;
    return true;
}

/* ---- messages that go ---- */

/* At most REMOVED_AT_ONCE of them, so that a step and its output are bounded; true: that was all. */
static bool remove_some(struct imap *i, struct context *c, const struct imap_set *uids)
{
    struct arena *arena = arena_new(0);
    uint32_t *left = arena_array(arena, uint32_t, c->n);
    size_t n = 0, most = 0;

    for (size_t m = 0; m < c->n; m++)
        if (most < REMOVED_AT_ONCE && imap_set_has(uids, c->uids[m]))
            most++;
        else
            left[n++] = c->uids[m];
    if (most)
        for (struct context_news *news = compare(i, c, left, n); !tell_some(i, news);)
            ;
    arena_free(arena);
    return most < REMOVED_AT_ONCE;
}

bool contexts_removed(struct imap *i, const struct imap_set *uids, size_t *next)
{
    struct contexts *all = contexts_of(i);

    while (all && *next < all->n && uids->count) {
        if (imap_is_enough(i))
            return false;
        *next += remove_some(i, all->v[*next], uids);
    }
    return true;
}

/* ---- messages that come or change ---- */

void contexts_moved(struct imap *i, const struct imap_set *uids, uint32_t first_new)
{
    struct contexts *all = contexts_of(i);

    if (!all || !all->n || !uids->count)
        return;
    arena_release(all->arena);
    all->moved = imap_set_copy(all->arena, uids);
    all->first_new = first_new;
    for (size_t k = 0; k < all->n; k++)
        all->v[k]->pending = true;
}

/* Those that fit now, instead of those among the moved ones that did. */
static size_t merge(const struct context *c, const struct imap_set *moved,
                    const struct search_result *r, uint32_t *out)
{
    size_t a = 0, b = 0, n = 0;

    while (a < c->n || b < r->n) {
        if (a < c->n && imap_set_has(moved, c->uids[a]))
            a++;
        else if (b == r->n || (a < c->n && c->uids[a] < r->v[b].uid))
            out[n++] = c->uids[a++];
        else
            out[n++] = r->v[b++].uid;
    }
    return n;
}

struct context_news *context_found(struct imap *i, struct context *c, const struct search_result *r)
{
    uint32_t *now = arena_array(i->arena, uint32_t, c->n + r->n);
    size_t n = 0;

    if (!is_sorted(c))
        n = merge(c, &i->selected->contexts->moved, r, now);
    else
        for (; n < r->n; n++)
            now[n] = r->v[n].uid;
    return compare(i, c, now, n);
}

static void refuse(struct imap *i, struct str tag, const char *why)
{
    buf_printf(&i->s->out, "* NO [NOUPDATE \"%.*s\"] %s\r\n", STR_ARG(tag), why);
}

/* What has moved since is not known any more. */
void context_lost(struct imap *i, struct context *c)
{
    refuse(i, c->tag, "this search could not be done again");
    free(c->uids);
    c->uids = NULL;
    c->n = 0;
    c->lost = true;
}

bool context_tell(struct imap *i, struct context_news *news)
{
    while (!imap_is_enough(i))
        if (tell_some(i, news))
            return true;
    return false;
}

static enum err ask_again(struct imap *i, void *state, bool *done)
{
    struct context *c = state;

    (void)done;
    return search_again(
        i, &(struct search_again){.context = c,
                                  .kind = c->kind,
                                  .uid = c->uid,
                                  .search = &c->search,
                                  .sort = &c->sort,
                                  .among = is_sorted(c) ? NULL : &i->selected->contexts->moved});
}

static bool ask_next(struct contexts *all)
{
    for (size_t k = 0; k < all->n; k++)
        if (all->v[k]->pending && !all->v[k]->lost) {
            all->v[k]->pending = false;
            all->step = (struct imap_step){.run = ask_again, .state = all->v[k]};
            return true;
        }
    return false;
}

bool contexts_some(struct imap *i)
{
    struct contexts *all = contexts_of(i);

    while (all && (all->step.run || ask_next(all)))
        if (!imap_run_aside(i, &all->step))
            return false;
    return news_some(i);
}

/* ---- beginning and end ---- */

bool context_has_tag(const struct imap *i, struct str tag)
{
    const struct contexts *all = contexts_of(i);

    for (size_t k = 0; all && k < all->n; k++)
        if (str_same(all->v[k]->tag, tag))
            return true;
    return false;
}

/* §4.3: message numbers, and "$", mean what they meant when the command came; and so do filters. */
static const struct imap_key *with_uids(struct imap *i, struct arena *a, const struct imap_key *keys,
                                        size_t n)
{
    struct imap_key *copy = arena_array(a, struct imap_key, n);

    for (size_t k = 0; k < n; k++) {
        copy[k] = keys[k];
        copy[k].text = str_copy(a, keys[k].text);
        copy[k].field = str_copy(a, keys[k].field);
        if (keys[k].kind == IMAP_KEY_SEQUENCE || (keys[k].kind == IMAP_KEY_UID && keys[k].set.saved)) {
            struct imap_set uids = selected_meant(i, &keys[k].set, keys[k].kind == IMAP_KEY_UID);

            copy[k].set = imap_set_copy(a, &uids);
            copy[k].kind = IMAP_KEY_UID;
        } else {
            copy[k].set = imap_set_copy(a, &keys[k].set);
        }
        if (keys[k].key_count)
            copy[k].keys = with_uids(i, a, keys[k].keys, keys[k].key_count);
    }
    return copy;
}

static void context_free(struct context *c)
{
    arena_free(c->arena);
    free(c->uids);
    free(c);
}

/* Its options and criteria from the arguments, and the program as it was searched for. */
static bool read_again(struct imap *i, struct context *c, struct str args,
                       const struct imap_search *search)
{
    struct imap_parse p = imap_parse_make(c->arena, imap_is_utf8(i));
    struct str text = str_copy(c->arena, args);

    if (is_sorted(c)) {
        if (!parse_imap_sort(&p, text, &c->sort))
            return false;
        c->search = c->sort.search;
    } else if (!parse_imap_search(&p, text, &c->search)) {
        return false;
    }
    c->search.program = *with_uids(i, c->arena, &search->program, 1);
    c->search.needs = search->needs;
    return true;
}

void context_begin(struct imap *i, const struct search_result *r, struct str args,
                   const struct imap_search *search)
{
    struct contexts *all = contexts_of(i);
    struct context *c;

    if (!all) {
        all = i->selected->contexts = must_alloc(sizeof(*all));
        all->arena = arena_new(0);
    }
    if (all->n == CONTEXTS_MOST || (r->kind == RESULT_SORT && r->n > CONTEXT_SORTED_MOST)) {
        refuse(i, r->tag,
               all->n == CONTEXTS_MOST ? "too many contexts" : "that is too much to keep sorted");
        return;
    }
    c = must_alloc(sizeof(*c));
    c->arena = arena_new(0);
    c->kind = r->kind;
    c->uid = r->uid;
    c->tag = str_copy(c->arena, r->tag);
    if (!read_again(i, c, args, search)) { /* it was read before: no other reason is known */
        context_free(c);
        refuse(i, r->tag, "this search cannot be kept");
        return;
    }
    c->uids = must_alloc((r->n ? r->n : 1) * sizeof(*c->uids));
    for (c->n = 0; c->n < r->n; c->n++)
        c->uids[c->n] = r->v[c->n].uid;
    all->v[all->n++] = c;
}

void contexts_end(struct imap *i)
{
    struct contexts *all = contexts_of(i);

    if (!all)
        return;
    if (all->step.end)
        all->step.end(all->step.state);
    for (size_t k = 0; k < all->n; k++)
        context_free(all->v[k]);
    arena_free(all->arena);
    free(all);
    i->selected->contexts = NULL;
}

static bool cancel(struct contexts *all, struct str tag)
{
    for (size_t k = 0; all && k < all->n; k++)
        if (str_same(all->v[k]->tag, tag)) {
            context_free(all->v[k]);
            all->v[k] = all->v[--all->n];
            return true;
        }
    return false;
}

/* CANCELUPDATE (§4.3.5) */
enum err cmd_cancelupdate(struct imap *i, const struct imap_command *c)
{
    struct imap_cancel_update a;

    if (!parse_imap_cancel_update(imap_parsing(i), c->args, &a))
        return reply_misread(i);
    for (size_t k = 0; k < a.count; k++)
        if (!context_has_tag(i, a.tags[k]))
            return reply_bad(i, "no search with this tag has updates");
    for (size_t k = 0; k < a.count; k++)
        cancel(contexts_of(i), a.tags[k]);
    return OK;
}
