#include "vault/imap/context.h"

#include "base/arena.h"
#include "vault/imap/commands.h"
#include "vault/imap/news.h"

#include <inttypes.h>
#include <stdlib.h>

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

static uint32_t name_of(const struct imap *i, const struct context *c, uint32_t uid)
{
    return c->uid ? uid : known_number(i->selected->known, uid);
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
    buf_printf(&i->s->out, "* ESEARCH (TAG \"%.*s\")%s", STR_ARG(c->tag), c->uid ? " UID" : "");
}

/* The members of `list` that are marked, as the pairs of one ADDTO or REMOVEFROM: by position, the first or the last
 * first, or all at position 0 where the order is the mailbox's. */
static void write_marked(struct imap *i, const struct context *c, const char *what,
                         const uint32_t *list, size_t n, const bool *marked, bool backwards)
{
    struct buf *out = &i->s->out;
    uint32_t *run = arena_array(i->arena, uint32_t, n);
    size_t count = 0;
    const char *before = "";

    buf_printf(out, " %s (", what);
    if (!is_sorted(c)) {
        for (size_t k = 0; k < n; k++)
            if (marked[k])
                run[count++] = list[k];
        buf_add(out, S("0 "));
        write_names(i, c, run, count);
    }
    for (size_t k = 0; is_sorted(c) && k < n;) {
        size_t first = backwards ? n - 1 - k : k, length = 0;

        while (k < n && marked[backwards ? n - 1 - k : k])
            k++, length++;
        if (!length) {
            k++;
            continue;
        }
        if (backwards)
            first = first + 1 - length;
        buf_printf(out, "%s%zu ", before, first + 1);
        write_names(i, c, list + first, length);
        before = " ";
    }
    buf_add_char(out, ')');
}

/* ---- what is in one list and not in the other ---- */

static int compare_uids(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

/* marked[k]: list[k] is not among `others`, which are in order. */
static size_t mark_missing(const uint32_t *list, size_t n, const uint32_t *others, size_t other_count,
                           bool *marked)
{
    size_t count = 0;

    for (size_t k = 0; k < n; k++) {
        marked[k] =
            !other_count || !bsearch(&list[k], others, other_count, sizeof(*others), compare_uids);
        count += marked[k];
    }
    return count;
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
static void show_new(struct imap *i, const struct context *c, const uint32_t *now, size_t n,
                     const bool *added)
{
    struct imap_set_builder fresh = {0};
    uint32_t first = i->selected->contexts->first_new;
    uint32_t *uids = arena_array(i->arena, uint32_t, n);
    struct imap_set set;
    size_t count = 0;

    if (!c->search.returns.update.att_count)
        return;
    for (size_t k = 0; k < n; k++)
        if (added[k] && now[k] >= first && !selected_is_own(i, now[k]))
            uids[count++] = now[k];
    uids = ordered(i->arena, uids, count);
    for (size_t k = 0; k < count; k++)
        imap_set_add(&fresh, uids[k]);
    set = imap_set_built(&fresh);
    news_begin(i, &c->search.returns.update, &set);
    imap_set_builder_free(&fresh);
}

/* Tells what makes the one list out of the other. Content does not change, so what stays keeps its order. */
static void become(struct imap *i, struct context *c, const uint32_t *now, size_t n)
{
    bool *gone = arena_array(i->arena, bool, c->n), *added = arena_array(i->arena, bool, n);
    size_t less = mark_missing(c->uids, c->n, ordered(i->arena, now, n), n, gone);
    size_t more = mark_missing(now, n, ordered(i->arena, c->uids, c->n), c->n, added);

    if (!less && !more)
        return;
    write_head(i, c);
    if (less)
        write_marked(i, c, "REMOVEFROM", c->uids, c->n, gone, true);
    if (more)
        write_marked(i, c, "ADDTO", now, n, added, false);
    buf_add(&i->s->out, S("\r\n"));
    show_new(i, c, now, n, added);
    free(c->uids);
    c->uids = must_alloc(n * sizeof(*now));
    if (n)
        memcpy(c->uids, now, n * sizeof(*now));
    c->n = n;
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
        become(i, c, left, n);
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

void context_found(struct imap *i, struct context *c, const struct search_result *r)
{
    uint32_t *now = arena_array(i->arena, uint32_t, c->n + r->n);
    size_t n = 0;

    if (!is_sorted(c))
        n = merge(c, &i->selected->contexts->moved, r, now);
    else
        for (; n < r->n; n++)
            now[n] = r->v[n].uid;
    become(i, c, now, n);
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
        if (all->v[k]->pending) {
            all->v[k]->pending = false;
            all->step = (struct imap_step){.run = ask_again, .state = all->v[k]};
            return true;
        }
    return false;
}

bool contexts_some(struct imap *i)
{
    struct contexts *all = contexts_of(i);

    for (;;) {
        if (!news_some(i))
            return false;
        if (!all || (!all->step.run && !ask_next(all)))
            return true;
        if (!imap_run_aside(i, &all->step))
            return false;
    }
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

/* §4.3: message numbers, and "$", mean what they meant when the command came. */
static const struct imap_key *with_uids(struct imap *i, struct arena *a, const struct imap_key *keys,
                                        size_t n)
{
    struct imap_key *copy = arena_array(a, struct imap_key, n);

    for (size_t k = 0; k < n; k++) {
        copy[k] = keys[k];
        if (keys[k].kind == IMAP_KEY_SEQUENCE || (keys[k].kind == IMAP_KEY_UID && keys[k].set.saved)) {
            struct imap_set uids = selected_meant(i, &keys[k].set, keys[k].kind == IMAP_KEY_UID);

            copy[k].set = imap_set_copy(a, &uids);
            copy[k].kind = IMAP_KEY_UID;
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

static bool read_again(struct imap *i, struct context *c, struct str args)
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
    c->search.program = *with_uids(i, c->arena, &c->search.program, 1);
    return true;
}

static void refuse(struct imap *i, const struct search_result *r, const char *why)
{
    buf_printf(&i->s->out, "* NO [NOUPDATE \"%.*s\"] %s\r\n", STR_ARG(r->tag), why);
}

void context_begin(struct imap *i, const struct search_result *r, struct str args)
{
    struct contexts *all = contexts_of(i);
    struct context *c;

    if (!all) {
        all = i->selected->contexts = must_alloc(sizeof(*all));
        all->arena = arena_new(0);
    }
    if (all->n == CONTEXTS_MOST || (r->kind == RESULT_SORT && r->n > CONTEXT_SORTED_MOST)) {
        refuse(i, r, all->n == CONTEXTS_MOST ? "too many contexts" : "that is too much to keep sorted");
        return;
    }
    c = must_alloc(sizeof(*c));
    c->arena = arena_new(0);
    c->kind = r->kind;
    c->uid = r->uid;
    c->tag = str_copy(c->arena, r->tag);
    if (!read_again(i, c, args)) { /* it was read before: no other reason is known */
        context_free(c);
        refuse(i, r, "this search cannot be kept");
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
