#include "vault/imap/selected.h"

#include "base/arena.h"
#include "base/scoped.h"
#include "config/config.h"
#include "proto/imap_access.h"
#include "vault/imap/context.h"
#include "vault/imap/news.h"
#include "vault/imap/sync.h"

#include <inttypes.h>
#include <stdlib.h>

void selected_end(struct imap *i)
{
    struct selected *s = i->selected;

    if (!s)
        return;
    news_end(i);
    contexts_end(i);
    i->selected = NULL;
    sync_forget(s);
    known_drop(&s->known);
    imap_set_builder_free(&s->recent);
    imap_set_builder_free(&s->saved);
    imap_set_builder_free(&s->own);
    free(s);
}

enum err selected_roster(struct imap *i, struct roster **out)
{
    struct selected *s = i->selected;

    return roster_get(i->s->store, i->s->cx, s->at.account, s->at.mailbox, out);
}

struct imap_set selected_meant(struct imap *i, const struct imap_set *set, bool uid)
{
    const struct known *known = i->selected->known;
    struct imap_set numbers;

    if (set->saved)
        return imap_set_built(&i->selected->saved);
    if (uid)
        return imap_set_resolve(i->arena, set, known_last_uid(known), false);
    numbers = imap_set_resolve(i->arena, set, known_count(known), true);
    return known_uids_of(i->arena, known, &numbers);
}

bool selected_set(struct imap *i, const struct imap_set *set, bool uid, struct imap_set *uids)
{
    uint32_t count = known_count(i->selected->known);

    /* RFC 9051 §9 seq-number: beyond EXISTS is an error, and so is "*" in an empty mailbox */
    if (!set->saved && !uid && (imap_set_highest(set) > count || (!count && imap_set_is_star(set)))) {
        reply_bad(i, "there is no message of this number");
        return false;
    }
    *uids = selected_meant(i, set, uid);
    return true;
}

uint64_t selected_numbers(struct imap *i, const struct imap_set *set, bool uid)
{
    struct imap_set numbers;

    if (uid || set->saved)
        return 0;
    numbers = imap_set_resolve(i->arena, set, known_count(i->selected->known), true);
    return imap_set_size(&numbers);
}

/* ---- the most that one command may work on (RFC 9738) ---- */

static bool is_in_all(const struct imap_set *sets, size_t n, const struct roster_entry *entry)
{
    for (size_t k = 0; k < n; k++)
        if (!imap_set_has(&sets[k], entry->uid))
            return false;
    return true;
}

/* From this one on, of those that are meant; NULL out: only counted. */
static uint64_t take_from(struct imap *i, struct roster *r, const struct imap_set *sets, size_t n,
                          uint64_t flags, uint64_t from, struct imap_set_builder *out)
{
    struct numbers numbers = numbers_of(i, r);
    struct roster_walk w = roster_walk(r, n ? &sets[0] : NULL);
    const struct roster_entry *entry;
    uint64_t count = 0;

    while ((entry = roster_next(&w))) {
        if ((entry->flags & flags) != flags || !is_in_all(sets, n, entry) ||
            !number_of(&numbers, &w, entry))
            continue;
        if (out && count >= from)
            imap_set_add(out, entry->uid);
        count++;
    }
    return count;
}

enum err selected_cut(struct imap *i, const struct imap_set *sets, size_t n, uint64_t flags,
                      struct imap_set *uids, uint64_t *left_out)
{
    scoped(roster_drop) struct roster *r = NULL;
    uint32_t most = i->s->store->config()->limits.imap_messages;
    struct imap_set_builder left = {0};
    struct imap_set set;
    uint64_t count;
    enum err e;

    *left_out = 0;
    if (!most)
        return OK;
    e = selected_roster(i, &r);
    if (e)
        return e;
    count = take_from(i, r, sets, n, flags, 0, NULL);
    if (count <= most)
        return OK;
    *left_out = count - most;
    take_from(i, r, sets, n, flags, *left_out, &left);
    set = imap_set_built(&left);
    *uids = imap_set_copy(i->arena, &set);
    imap_set_builder_free(&left);
    i->run.lowest = uids->ranges[0].first;
    return OK;
}

bool imap_too_many(struct imap *i, uint64_t messages)
{
    uint32_t most = i->s->store->config()->limits.imap_messages;
    struct buf code = buf_make(100);

    if (!most || messages <= most)
        return false;
    buf_printf(&code, "MESSAGELIMIT %" PRIu32, most);
    buf_add_char(&code, '\0');
    reply_no(i, code.p, "that is too much for one command");
    buf_free(&code);
    return true;
}

bool selected_too_many(struct imap *i, const struct imap_set *uids, enum err *e)
{
    struct imap_set left;
    uint64_t left_out;

    *e = selected_cut(i, uids, 1, 0, &left, &left_out);
    i->run.lowest = 0;
    return *e || (left_out && imap_too_many(i, UINT64_MAX));
}

struct numbers numbers_of(const struct imap *i, const struct roster *r)
{
    const struct known *known = i->selected->known;

    return (struct numbers){known_is_current(known, r) ? NULL : known};
}

/* ---- the session's own messages ---- */

void selected_tells(struct imap *i, const struct flags_result *change)
{
    i->selected->told_modseq = change->modseq;
    i->selected->told_after = change->modseq_before;
}

void selected_note_own(struct imap *i, struct mailbox_ref at, uint32_t first, uint32_t last)
{
    if (i->notify && selected_is(i, at))
        imap_set_add_range(&i->selected->own, first, last);
}

bool selected_is_own(const struct imap *i, uint32_t uid)
{
    struct imap_set set = imap_set_built(&i->selected->own);

    return set.count && imap_set_has(&set, uid);
}

void selected_forget_own(struct imap *i, uint32_t before)
{
    struct imap_set_builder *own = &i->selected->own;
    size_t n = 0;

    while (n < own->count && own->ranges[n].last < before)
        n++;
    if (n)
        memmove(own->ranges, own->ranges + n, (own->count - n) * sizeof(*own->ranges));
    own->count -= n;
}

/* ---- \Recent ---- */

bool selected_is_recent(const struct imap *i, uint32_t uid)
{
    struct imap_set set = imap_set_built(&i->selected->recent);

    return set.count && imap_set_has(&set, uid);
}

enum err selected_take_recent(struct imap *i, const struct roster *r)
{
    struct selected *s = i->selected;
    uint32_t first, next = roster_counts(r)->uid_next;
    bool takes = !s->read_only && s->rights & IMAP_RIGHT_SEEN;
    enum err e;

    if (imap_is_rev2(i)) /* RFC 9051 §2.3.2 knows it no more */
        return OK;
    e = mailbox_recent(i->s->store, i->s->cx, s->at, takes, &first);
    if (!e && first < next)
        imap_set_add_range(&s->recent, first, next - 1);
    return e;
}

uint32_t selected_recent_count(const struct imap *i, const struct roster *r)
{
    struct imap_set set = imap_set_built(&i->selected->recent);
    struct roster_walk w = roster_walk(r, &set);
    uint32_t n = 0;

    while (set.count && roster_next(&w))
        n++;
    return n;
}
