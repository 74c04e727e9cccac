/* Removals come first, in a pass of their own: then message numbers are those of the picture, and the second pass tells
 * changed flags and how many messages there are now. Where nobody may be said to be gone, the first pass is left out
 * and numbers stay as the client knows them. */
#include "vault/imap/sync.h"

#include "base/arena.h"
#include "proto/imap_access.h"
#include "proto/imap_notify.h"
#include "vault/imap/context.h"
#include "vault/imap/news.h"
#include "vault/imap/notify.h"
#include "vault/imap/response.h"
#include "vault/store/acl.h"

#include <inttypes.h>
#include <stdlib.h>

enum sync_part { GOING, CONTEXTS, REMOVALS, VANISHED, CHANGES, COUNTS };

struct sync {
    struct roster *roster;
    struct known_compare compare;
    enum sync_part part;
    bool may_expunge;
    uint32_t removed, added;
    bool held_back;                /* messages are gone, and this is not the time to say so */
    struct imap_set_builder going; /* UIDs, if there are contexts to be told of them */
    size_t contexts_told;
    struct imap_set_builder vanished;
    size_t vanished_told;
    struct imap_set_builder fresh; /* UIDs of new messages, if more than their number is to be told */
    struct imap_set_builder moved; /* … and of changed ones, if there are contexts */
    struct flag_text flags;
};

void sync_forget(struct selected *s)
{
    if (!s->sync)
        return;
    roster_drop(&s->sync->roster);
    imap_set_builder_free(&s->sync->going);
    imap_set_builder_free(&s->sync->vanished);
    imap_set_builder_free(&s->sync->fresh);
    imap_set_builder_free(&s->sync->moved);
    free(s->sync);
    s->sync = NULL;
}

static bool says_vanished(const struct imap *i)
{
    return imap_has_qresync(i) || imap_is_uidonly(i);
}

/* ---- beginning ---- */

/* All there is are changes of flags that the last command made and told of itself: of a hundred thousand messages, mostly. */
static bool is_told(const struct selected *s, const struct roster *r)
{
    const struct roster_counts *c = roster_counts(r);

    return s->told_modseq && c->modseq == s->told_modseq && known_modseq(s->known) == s->told_after &&
           known_count(s->known) == c->exists && !s->contexts;
}

static struct sync *begin(struct imap *i, struct roster *r, bool may_expunge)
{
    struct sync *y = must_alloc(sizeof(*y));

    y->roster = r;
    y->may_expunge = may_expunge;
    y->part = is_told(i->selected, r) ? COUNTS
              : !may_expunge          ? CHANGES
              : i->selected->contexts ? GOING
                                      : REMOVALS;
    y->compare = may_expunge ? known_compare_removed(i->selected->known, r)
                             : known_compare(i->selected->known, r);
    flag_text_begin(&y->flags, r);
    mailbox_flags_tell(i, r);
    return y;
}

/* Who has lost the right to read it is told nothing new of it (RFC 5465 §5.9: MUST). Rights are looked at when there is
 * something to tell; what the client knows already it may go on asking for (RFC 4314 §5.1.1). */
static enum err look_at_rights(struct imap *i)
{
    struct selected *s = i->selected;
    uint32_t rights;
    struct view *v;
    enum err e = imap_view(i, &v);

    if (!e)
        e = acl_rights(v, i->s->cx, s->at.account, s->at.mailbox, i->s->who.account, &rights);
    s->forbidden = !e && !(rights & IMAP_RIGHT_READ);
    return e;
}

/* NULL: there is nothing to tell. */
static enum err begin_if_news(struct imap *i, bool may_expunge, struct sync **out)
{
    struct roster *r;
    enum err e = selected_roster(i, &r);

    *out = NULL;
    if (e)
        return e;
    if (!known_is_current(i->selected->known, r)) {
        e = look_at_rights(i);
        if (!e && !i->selected->forbidden) {
            *out = begin(i, r, may_expunge);
            return OK;
        }
    }
    roster_drop(&r);
    return e;
}

/* ---- the parts; false: enough for one step ---- */

static bool find_going(struct imap *i, struct sync *y)
{
    struct known_news news;

    while (!imap_is_enough(i)) {
        if (!known_news(&y->compare, &news)) {
            y->part = CONTEXTS;
            y->compare = known_compare_removed(i->selected->known, y->roster);
            return true;
        }
        imap_set_add(&y->going, news.uid);
    }
    return false;
}

/* RFC 5267 §4.3.4: what goes, before it is said to be gone. */
static bool tell_contexts(struct imap *i, struct sync *y)
{
    struct imap_set set = imap_set_built(&y->going);

    if (!contexts_removed(i, &set, &y->contexts_told))
        return false;
    y->part = REMOVALS;
    return true;
}

static bool tell_removals(struct imap *i, struct sync *y)
{
    struct known_news news;
    unsigned looks = 0;

    while (!imap_is_enough_among(i, &looks)) {
        if (!known_news(&y->compare, &news)) {
            y->part = VANISHED;
            y->compare = known_compare(i->selected->known, y->roster);
            return true;
        }
        if (says_vanished(i))
            imap_set_add(&y->vanished, news.uid);
        else
            buf_printf(&i->s->out, "* %" PRIu32 " EXPUNGE\r\n", news.number_before - y->removed);
        y->removed++;
    }
    return false;
}

static bool tell_vanished(struct imap *i, struct sync *y)
{
    struct imap_set set = imap_set_built(&y->vanished);

    if (!vanished_write(i, &set, false, &y->vanished_told))
        return false;
    y->part = CHANGES;
    return true;
}

static void tell_change(struct imap *i, struct sync *y, const struct known_news *news)
{
    struct buf *out = &i->s->out;

    if (news->entry->modseq == i->selected->told_modseq)
        return;
    fetch_begin(i, out, y->may_expunge ? news->number_after : news->number_before, news->uid, true);
    flag_text_write(&y->flags, i, out, news->entry);
    if (imap_has_condstore(i))
        modseq_write(out, news->entry->modseq);
    fetch_end(out);
}

static bool tell_changes(struct imap *i, struct sync *y)
{
    bool tells_flags = notify_selected_events(i) & IMAP_EVENT_FLAG_CHANGE;
    const struct imap_fetch *items = notify_items_of_new(i);
    struct known_news news;
    unsigned looks = 0;

    while (!imap_is_enough_among(i, &looks)) {
        if (!known_news(&y->compare, &news)) {
            y->part = COUNTS;
            return true;
        }
        if (news.kind == KNOWN_CHANGED && tells_flags)
            tell_change(i, y, &news);
        y->added += news.kind == KNOWN_ADDED;
        y->held_back |= news.kind == KNOWN_REMOVED && !y->may_expunge;
        if (news.kind != KNOWN_REMOVED && i->selected->contexts)
            imap_set_add(&y->moved, news.uid);
        if (news.kind == KNOWN_ADDED && items && !selected_is_own(i, news.uid))
            imap_set_add(&y->fresh, news.uid);
    }
    return false;
}

static void tell_counts(struct imap *i, struct sync *y)
{
    struct selected *s = i->selected;
    struct buf *out = &i->s->out;

    if (!y->added)
        return;
    buf_printf(out, "* %" PRIu32 " EXISTS\r\n", known_count(s->known) - y->removed + y->added);
    if (imap_is_rev2(i))
        return;
    if (selected_take_recent(i, y->roster))
        imap_log_failure(i, ERR_STORE); /* fewer are \Recent, and nothing else is lost */
    buf_printf(out, "* %" PRIu32 " RECENT\r\n", selected_recent_count(i, y->roster));
}

/* RFC 7162 §3.2, §6: a client that has heard of modseqs higher than those of removals it has not heard of must not ask from
 * there on, should the connection break now. When it has heard of them as well, it may. */
static void tell_how_far(struct imap *i, const struct sync *y)
{
    struct selected *s = i->selected;

    if (!y->held_back)
        s->told_whole = roster_counts(y->roster)->modseq;
    if (imap_has_qresync(i) && (y->held_back || s->told_less))
        buf_printf(&i->s->out, "* OK [HIGHESTMODSEQ %" PRIu64 "] %s\r\n", s->told_whole,
                   y->held_back ? "up to here all was told" : "now all is told");
    s->told_less = y->held_back;
}

static bool tell(struct imap *i, struct sync *y)
{
    if (y->part == GOING && !find_going(i, y))
        return false;
    if (y->part == CONTEXTS && !tell_contexts(i, y))
        return false;
    if (y->part == REMOVALS && !tell_removals(i, y))
        return false;
    if (y->part == VANISHED && !tell_vanished(i, y))
        return false;
    if (y->part == CHANGES && !tell_changes(i, y))
        return false;
    tell_counts(i, y);
    tell_how_far(i, y);
    return true;
}

static void begin_news(struct imap *i, const struct sync *y, uint32_t first_new)
{
    const struct imap_fetch *items = notify_items_of_new(i);
    struct imap_set fresh = imap_set_built(&y->fresh), moved = imap_set_built(&y->moved);

    if (items)
        news_want(i, items, &fresh);
    contexts_moved(i, &moved, first_new);
    selected_forget_own(i, first_new);
}

enum err sync_some(struct imap *i, bool may_expunge, bool *done)
{
    struct selected *s = i->selected;
    struct known *newer;
    uint32_t first_new;
    enum err e = OK;

    *done = true;
    if (!s->sync)
        e = begin_if_news(i, may_expunge, &s->sync);
    if (e == ERR_NOT_FOUND) {
        s->gone = true;
        return OK;
    }
    if (e || !s->sync)
        return e;
    *done = tell(i, s->sync);
    if (*done) {
        first_new = known_last_uid(s->known) + 1;
        newer = known_after(s->known, s->sync->roster, s->sync->may_expunge);
        known_drop(&s->known);
        s->known = newer;
        begin_news(i, s->sync, first_new);
        sync_forget(s);
    }
    return OK;
}
