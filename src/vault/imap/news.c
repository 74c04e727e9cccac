#include "vault/imap/news.h"

#include "base/arena.h"
#include "vault/imap/context.h"
#include "vault/imap/fetch.h"

#include <stdlib.h>

#define WISHES_MOST (CONTEXTS_MOST + 1) /* NOTIFY's as well */

struct wish {
    const struct imap_fetch *items;
    struct imap_set uids;
    size_t next; /* of its ranges: those before it have been told */
};

struct imap_news {
    struct arena *arena;
    struct wish wishes[WISHES_MOST];
    size_t count;
    uint32_t told; /* of every message up to this UID all is told, or under way */
    struct imap_step step;
};

void news_end(struct imap *i)
{
    struct imap_news *n = i->news;

    if (!n)
        return;
    if (n->step.end)
        n->step.end(n->step.state);
    arena_free(n->arena);
    free(n);
    i->news = NULL;
}

void news_want(struct imap *i, const struct imap_fetch *items, const struct imap_set *uids)
{
    struct imap_news *n = i->news;

    if (!uids->count || !items->att_count || (n && n->count == WISHES_MOST))
        return;
    if (!n) {
        n = i->news = must_alloc(sizeof(*n));
        n->arena = arena_new(0);
    }
    n->wishes[n->count++] = (struct wish){.items = items, .uids = imap_set_copy(n->arena, uids)};
}

/* ---- all wishes of one message together ---- */

static struct str name_of(struct arena *a, const struct imap_fetch_att *att)
{
    struct buf name = buf_make(BUF_UNLIMITED);
    struct str copy;

    imap_fetch_att_write(&name, att, true);
    copy = str_copy(a, buf_str(&name));
    buf_free(&name);
    return copy;
}

/* A response spells the name of a partial item without its length. */
static bool is_same(struct arena *a, const struct imap_fetch_att *x, const struct imap_fetch_att *y)
{
    return x->att == y->att && (x->att < IMAP_ATT_RFC822 || (x->partial_count == y->partial_count &&
                                                             str_same(name_of(a, x), name_of(a, y))));
}

static bool has_item(struct arena *a, const struct imap_fetch *f, const struct imap_fetch_att *att)
{
    for (size_t k = 0; f->items & IMAP_ATT_BIT(att->att) && k < f->att_count; k++)
        if (is_same(a, &f->atts[k], att))
            return true;
    return false;
}

static void add_item(struct arena *a, struct imap_fetch *f, struct imap_fetch_att *atts,
                     const struct imap_fetch_att *att)
{
    if (has_item(a, f, att))
        return;
    atts[f->att_count++] = *att;
    f->items |= IMAP_ATT_BIT(att->att);
}

/* RFC 7162 §3.2.4: what is told unasked has UID and MODSEQ, once CONDSTORE is enabled. */
static struct imap_fetch wished_together(const struct imap *i, struct imap_news *n, unsigned wishes)
{
    static const struct imap_fetch_att uid = {.att = IMAP_ATT_UID}, modseq = {.att = IMAP_ATT_MODSEQ};
    struct imap_fetch all = {.att_count = 0};
    struct imap_fetch_att *atts;
    size_t most = 2;

    for (size_t k = 0; k < n->count; k++)
        most += wishes & 1u << k ? n->wishes[k].items->att_count : 0;
    atts = arena_array(n->arena, struct imap_fetch_att, most);
    all.atts = atts;
    if (imap_has_condstore(i) && !imap_is_uidonly(i))
        add_item(n->arena, &all, atts, &uid);
    for (size_t k = 0; k < n->count; k++)
        for (size_t m = 0; wishes & 1u << k && m < n->wishes[k].items->att_count; m++)
            add_item(n->arena, &all, atts, &n->wishes[k].items->atts[m]);
    if (imap_has_condstore(i))
        add_item(n->arena, &all, atts, &modseq);
    return all;
}

/* ---- one after the other, by UID ---- */

/* The lowest UID above the one that was told of last that somebody wants; 0: none. */
static uint32_t next_wanted(struct imap_news *n)
{
    uint32_t lowest = 0;

    for (size_t k = 0; k < n->count; k++) {
        struct wish *w = &n->wishes[k];
        uint32_t uid;

        while (w->next < w->uids.count && w->uids.ranges[w->next].last <= n->told)
            w->next++;
        if (w->next == w->uids.count)
            continue;
        uid = w->uids.ranges[w->next].first;
        if (uid <= n->told)
            uid = n->told + 1;
        lowest = !lowest || uid < lowest ? uid : lowest;
    }
    return lowest;
}

/* Of the message that next_wanted() named. */
static unsigned wishes_for(const struct imap_news *n, uint32_t uid)
{
    unsigned wishes = 0;

    for (size_t k = 0; k < n->count; k++) {
        const struct wish *w = &n->wishes[k];

        if (w->next < w->uids.count && w->uids.ranges[w->next].first <= uid)
            wishes |= 1u << k;
    }
    return wishes;
}

/* Of messages that follow one another and have the same wishes. False: there are none left. */
static bool next_step(struct imap *i, struct imap_news *n)
{
    struct imap_set_builder uids = {0};
    uint32_t uid = next_wanted(n);
    unsigned wishes = wishes_for(n, uid);
    struct imap_fetch items;
    struct imap_set set;

    if (!uid)
        return false;
    for (; uid && wishes_for(n, uid) == wishes; uid = next_wanted(n)) {
        imap_set_add(&uids, uid);
        n->told = uid;
    }
    set = imap_set_built(&uids);
    items = wished_together(i, n, wishes);
    n->step = fetch_step(n->arena, &items, &set);
    imap_set_builder_free(&uids);
    return true;
}

bool news_some(struct imap *i)
{
    struct imap_news *n = i->news;

    while (n && (n->step.run || next_step(i, n)))
        if (!imap_run_aside(i, &n->step))
            return false;
    news_end(i);
    return true;
}
