#include "vault/imap/threads.h"

#include "base/arena.h"
#include "base/scoped.h"
#include "vault/imap/match.h"
#include "vault/store/reader.h"
#include "vault/store/threads.h"

struct gathered {
    struct letter *v; /* THREADS_AT_ONCE */
    size_t n, keys;
};

static bool is_full(const struct gathered *g)
{
    return g->n == THREADS_AT_ONCE || g->keys >= THREAD_KEYS_AT_ONCE;
}

/* What is gone, or cannot be read, is left out. */
static enum err gather_one(struct gathered *g, struct asker *asker, const struct roster_entry *entry)
{
    struct asked a = asked_make(entry, asker);
    const struct facts *f;
    uint64_t thread;
    bool found;
    enum err e = reader_thread(asker->stored, &asker->cx, entry->body, &thread, &found);

    if (!e && !found)
        e = asked_facts(&a, &f);
    if (!e && !found) {
        g->v[g->n] = letter_of(entry->body, f);
        g->keys += g->v[g->n++].count;
    }
    asked_end(&a);
    return e == ERR_GONE || e == ERR_DAMAGED ? OK : e;
}

enum err thread_pass_some(struct imap *i, struct thread_pass *p, struct mailbox_ref at,
                          const struct roster *r, const struct imap_set *uids, bool *through)
{
    struct gathered g = {.v = arena_array(i->s->cx->arena, struct letter, THREADS_AT_ONCE)};
    scoped(asker_free) struct asker asker = asker_make(NULL, NULL);
    const struct roster_entry *entry = NULL;
    unsigned looks = 0;
    enum err e = OK;

    if (!p->begun)
        *p = (struct thread_pass){.begun = true, .walk = roster_walk(r, uids)};
    if (!p->over)
        e = imap_stored(i, at.account, roster_counts(r)->exists, &asker.stored);
    while (!e && !p->over && !is_full(&g)) {
        entry = roster_next(&p->walk);
        p->over = !entry;
        if (entry)
            e = gather_one(&g, &asker, entry);
        if (imap_is_enough_among(i, &looks))
            break;
    }
    if (!e && g.n)
        e = threads_assign(i->s->store, i->s->cx, at.account, g.v, g.n, &i->s->ticket);
    *through = !e && p->over && !g.n;
    return e;
}
