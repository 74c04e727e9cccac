#include "vault/imap/news.h"

#include "base/arena.h"
#include "vault/imap/fetch.h"

#include <stdlib.h>

struct imap_news {
    struct arena *arena;
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

void news_begin(struct imap *i, const struct imap_fetch *items, const struct imap_set *uids)
{
    struct imap_news *n;

    if (i->news || !uids->count || !items->att_count)
        return;
    n = i->news = must_alloc(sizeof(*n));
    n->arena = arena_new(0);
    n->step = fetch_step(n->arena, items, uids);
}

bool news_some(struct imap *i)
{
    if (i->news && !imap_run_aside(i, &i->news->step))
        return false;
    news_end(i);
    return true;
}
