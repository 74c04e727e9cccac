/* LIST with all its options (RFC 9051 §6.3.9; RFC 5258, 5819, 6154, 8440, 9590), LSUB (RFC 3501 §6.3.9) and STATUS
 * (RFC 9051 §6.3.11). What there is to list is gathered first (listing.h); then each is looked at and written, as many as a
 * step may say. */
#include "vault/imap/commands.h"

#include "base/arena.h"
#include "config/config.h"
#include "vault/imap/listing.h"
#include "vault/imap/mailbox_answers.h"
#include "vault/imap/response.h"
#include "vault/store/messages.h"

#include <inttypes.h>

/* ---- STATUS ---- */

/* What came since a session had a look (mailbox_recent); some of those may be gone again. */
static uint32_t recent_count(struct imap *i, const struct place *p)
{
    const struct folder *f = &p->folder;
    uint32_t first = f->first_recent;

    if (first < f->uid_next && mailbox_recent(i->s->store, i->s->cx, p->at, false, &first))
        first = f->first_recent; /* it is gone by now, or cannot be read */
    if (first >= f->uid_next)
        return 0;
    return f->uid_next - first < f->exists ? f->uid_next - first : f->exists;
}

void status_write(struct imap *i, const struct place *p, uint32_t items)
{
    const struct folder *f = &p->folder;
    struct buf *out = &i->s->out;
    const char *before = "";
    uint64_t n;

    if (f->damaged)
        return;
    buf_add(out, S("* STATUS "));
    place_name_write(i, out, p->at, p->name);
    buf_add(out, S(" ("));
    for (uint32_t item = 1; item <= IMAP_STATUS_DELETED_STORAGE; item <<= 1) {
        if (!(items & item))
            continue;
        n = item == IMAP_STATUS_MESSAGES          ? f->exists
            : item == IMAP_STATUS_RECENT          ? recent_count(i, p)
            : item == IMAP_STATUS_UIDNEXT         ? f->uid_next
            : item == IMAP_STATUS_UIDVALIDITY     ? f->uid_validity
            : item == IMAP_STATUS_UNSEEN          ? f->unseen
            : item == IMAP_STATUS_DELETED         ? f->deleted
            : item == IMAP_STATUS_SIZE            ? f->bytes
            : item == IMAP_STATUS_HIGHESTMODSEQ   ? f->modseq
            : item == IMAP_STATUS_APPENDLIMIT     ? i->s->store->config()->limits.message_size
            : item == IMAP_STATUS_DELETED_STORAGE ? f->deleted_bytes
                                                  : 0;
        buf_add_c(out, before);
        buf_add(out, imap_status_name(item));
        before = " ";
        if (item == IMAP_STATUS_MAILBOXID) {
            buf_add(out, S(" ("));
            mailbox_id_write(out, p->at);
            buf_add(out, S(")"));
        } else {
            buf_printf(out, " %" PRIu64, n);
        }
    }
    buf_add(out, S(")\r\n"));
}

enum err cmd_status(struct imap *i, const struct imap_command *c)
{
    struct imap_status a;
    struct place p;
    enum err e;

    if (!parse_imap_status(imap_parsing(i), c->args, &a))
        return reply_misread(i);
    if (!place_for(i, a.mailbox, IMAP_RIGHT_READ, &p, &e))
        return e;
    if (a.items & IMAP_STATUS_HIGHESTMODSEQ) /* RFC 7162 §3.1: a command that enables it */
        imap_enable(i, IMAP_ENABLE_CONDSTORE);
    if (p.folder.damaged)
        return fail(i->s->cx, ERR_DAMAGED, "the counts of mailbox %" PRIu64 " cannot be read",
                    p.at.mailbox.v);
    status_write(i, &p, a.items);
    return OK;
}

/* ---- saying it ---- */

static void write_attributes(const struct listing *l, struct buf *out, const struct list_entry *at)
{
    const struct folder *f = &at->p.folder;
    bool first = true;

    if (!at->exists)
        list_attribute_write(out, l->a.extended ? S("\\NonExistent") : S("\\Noselect"), &first);
    else if (f->no_select || !(at->p.rights & IMAP_RIGHT_READ) || (l->lsub && !at->subscribed))
        list_attribute_write(out, S("\\Noselect"), &first);
    if (at->exists || f->has_children || l->a.returns & IMAP_LIST_RETURN_CHILDREN)
        list_attribute_write(out, f->has_children ? S("\\HasChildren") : S("\\HasNoChildren"), &first);
    if (at->subscribed && !l->lsub &&
        (l->a.select & IMAP_LIST_SUBSCRIBED || l->a.returns & IMAP_LIST_RETURN_SUBSCRIBED))
        list_attribute_write(out, S("\\Subscribed"), &first);
    for (uint32_t bit = 1; bit && bit <= f->roles; bit <<= 1)
        if (f->roles & bit)
            list_attribute_write(out, imap_use_name(bit), &first);
}

static void write_rights(struct imap *i, const struct place *p)
{
    struct buf *out = &i->s->out;

    buf_add(out, S("* MYRIGHTS "));
    place_name_write(i, out, p->at, p->name);
    buf_add_char(out, ' ');
    imap_rights_write(out, p->rights);
    buf_add(out, S("\r\n"));
}

static enum err write_entry(struct imap *i, const struct listing *l, const struct list_entry *at)
{
    struct buf *out = &i->s->out;
    bool readable = at->exists && !at->p.folder.no_select && at->p.rights & IMAP_RIGHT_READ;
    uint32_t returns =
        listing_is_chosen(l, at) ? l->a.returns : 0; /* else only for what is below (§6.3.9.2) */

    buf_add(out, l->lsub ? S("* LSUB (") : S("* LIST ("));
    write_attributes(l, out, at);
    buf_add(out, S(") \"/\" "));
    place_name_write(i, out, at->p.at, at->p.name);
    if (at->has_chosen_below && !l->lsub)
        buf_add(out, S(" (\"CHILDINFO\" (\"SUBSCRIBED\"))"));
    buf_add(out, S("\r\n"));
    if (returns & IMAP_LIST_RETURN_STATUS && readable)
        status_write(i, &at->p, l->a.status_items);
    if (returns & IMAP_LIST_RETURN_MYRIGHTS && at->p.at.mailbox.v)
        write_rights(i, &at->p);
    if (returns & IMAP_LIST_RETURN_METADATA && at->p.at.mailbox.v)
        return metadata_write(i, &at->p, l->a.metadata_entries, l->a.metadata_entry_count);
    return OK;
}

static enum err list_on(struct imap *i, void *state, bool *done)
{
    struct listing *l = state;
    enum err e = OK;

    if (l->a.select & IMAP_LIST_RECURSIVEMATCH && !listing_note_parents(i, l))
        return OK;
    for (; l->next < l->n && !e && !imap_is_enough(i); l->next++) {
        const struct list_entry *at = &l->v[l->next];

        if (listing_tells_of(l, at))
            e = write_entry(i, l, at);
    }
    *done = l->next == l->n;
    return e;
}

static enum err list(struct imap *i, const struct imap_list *a, bool lsub)
{
    struct listing *l = arena_alloc(i->arena, sizeof(*l));
    struct str *patterns = arena_array(i->arena, struct str, a->pattern_count + 1);
    enum err e;

    *l = (struct listing){.a = *a, .patterns = patterns, .lsub = lsub};
    for (size_t k = 0; k < a->pattern_count; k++)
        patterns[k] = imap_pattern_join(i->arena, a->reference, a->patterns[k]);
    if (lsub) /* the same, but for what it says of parents (RFC 3501 §6.3.9) */
        l->a.select = IMAP_LIST_SUBSCRIBED | IMAP_LIST_RECURSIVEMATCH;
    e = listing_gather(i, l);
    if (e)
        return e;
    if (l->a.returns & IMAP_LIST_RETURN_STATUS && l->a.status_items & IMAP_STATUS_HIGHESTMODSEQ)
        imap_enable(i, IMAP_ENABLE_CONDSTORE);
    imap_go_on(i, &(struct imap_step){.run = list_on, .state = l});
    return OK;
}

enum err cmd_list(struct imap *i, const struct imap_command *c)
{
    struct imap_list a;

    if (!parse_imap_list(imap_parsing(i), c->args, &a))
        return reply_misread(i);
    if (!a.extended && a.pattern_count == 1 && !a.patterns[0].n) { /* a question for the delimiter */
        buf_add(&i->s->out, S("* LIST (\\Noselect) \"/\" \"\"\r\n"));
        return OK;
    }
    return list(i, &a, false);
}

enum err cmd_lsub(struct imap *i, const struct imap_command *c)
{
    struct imap_list a;

    if (!parse_imap_lsub(imap_parsing(i), c->args, &a))
        return reply_misread(i);
    return list(i, &a, true);
}
