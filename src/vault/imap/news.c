/* A FETCH that no command asked for: its step is run with a stand-in for the command, so that what it says of its
 * outcome does not become the reply of the one that is being done. */
#include "vault/imap/news.h"

#include "base/arena.h"
#include "base/clock.h"
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
    struct imap_running command = i->run;
    struct imap_news *n = i->news;
    bool done = false;
    enum err e = OK;

    if (!n)
        return true;
    i->run = (struct imap_running){.step = n->step, .code = buf_make(IMAP_CODE_MAX)};
    i->run.since = i->run.told = monotonic_ms();
    while (!e && !done && i->phase != LEAVING && !imap_is_enough(i)) {
        arena_reset(i->s->cx.arena);
        e = i->run.step.run(i, i->run.step.state, &done);
    }
    n->step = i->run.step;
    buf_free(&i->run.code);
    i->run = command;
    if (e)
        imap_log_failure(i, e);
    if (e || done)
        news_end(i);
    return e || done;
}
