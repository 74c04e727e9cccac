#include "vault/imap/vanished.h"

#include "base/arena.h"
#include "base/scoped.h"
#include "vault/store/changes.h"

struct imap_set vanished_all(struct arena *a, const struct roster *r)
{
    struct imap_range *range = arena_alloc(a, sizeof(*range));
    uint32_t next = roster_counts(r)->uid_next;

    *range = (struct imap_range){1, next - 1};
    return (struct imap_set){.ranges = range, .count = next > 1};
}

static uint32_t greater(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

/* What is in both, from `least` on. */
static void add_common(struct imap_set_builder *out, const struct imap_set *a, const struct imap_set *b,
                       uint32_t least)
{
    size_t x = 0, y = 0;

    while (x < a->count && y < b->count) {
        struct imap_range p = a->ranges[x], q = b->ranges[y];
        uint32_t first = greater(greater(p.first, q.first), least);
        uint32_t last = p.last < q.last ? p.last : q.last;

        if (first <= last)
            imap_set_add_range(out, first, last);
        if (p.last < q.last)
            x++;
        else
            y++;
    }
}

static void add_gaps(struct imap_set_builder *out, const struct roster *r)
{
    struct roster_walk w = roster_walk(r, NULL);
    const struct roster_entry *entry;
    uint32_t next = 1;

    while ((entry = roster_next(&w))) {
        if (entry->uid > next)
            imap_set_add_range(out, next, entry->uid - 1);
        next = entry->uid + 1;
    }
    if (next < roster_counts(r)->uid_next)
        imap_set_add_range(out, next, roster_counts(r)->uid_next - 1);
}

/* What is in the roster was removed after that was made, if at all: sync.c will tell it. */
static void add_absent(struct imap_set_builder *out, const struct imap_set *gone,
                       const struct roster *r)
{
    struct roster_walk w = roster_walk(r, gone);
    const struct roster_entry *entry = roster_next(&w);

    for (size_t k = 0; k < gone->count; k++) {
        uint32_t next = gone->ranges[k].first, last = gone->ranges[k].last;

        for (; entry && entry->uid <= last; entry = roster_next(&w)) {
            if (entry->uid > next)
                imap_set_add_range(out, next, entry->uid - 1);
            next = entry->uid + 1;
        }
        if (next <= last)
            imap_set_add_range(out, next, last);
    }
}

/* The command's own view may be older than the roster, and would not know all that the roster misses. */
static enum err removed_since(struct imap *i, uint64_t since, struct imap_set *gone, bool *complete)
{
    struct mailbox_ref at = i->selected->at;
    scoped(view_close) struct view *v = view_open(i->s->store->engine);

    if (!v)
        return fail(i->s->cx, ERR_STORE, "the store is down");
    return changes_removed(v, i->s->cx, at.account, at.mailbox, since, gone, complete);
}

enum err vanished_since(struct imap *i, const struct roster *r, const struct imap_set *within,
                        uint64_t since, uint32_t known_up_to, struct imap_set *out)
{
    struct imap_set_builder absent = {0}, common = {0};
    struct imap_set gone;
    bool complete;
    enum err e = removed_since(i, since, &gone, &complete);

    if (e)
        return e;
    if (complete)
        add_absent(&absent, &gone, r);
    else
        add_gaps(&absent, r);
    gone = imap_set_built(&absent);
    add_common(&common, &gone, within, known_up_to + 1);
    gone = imap_set_built(&common);
    *out = imap_set_copy(i->arena, &gone);
    imap_set_builder_free(&absent);
    imap_set_builder_free(&common);
    return OK;
}
