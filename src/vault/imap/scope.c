#include "vault/imap/scope.h"

#include "base/arena.h"
#include "vault/imap/gather.h"
#include "vault/imap/selected.h"

#include <stdlib.h>

static bool is_named(const struct imap_mailbox_filter *f, struct str name)
{
    for (size_t k = 0; k < f->mailbox_count; k++) {
        struct str at = f->mailboxes[k];

        if (str_same(at, name))
            return true;
        if (f->kind == IMAP_FILTER_SUBTREE && imap_name_is_below(name, at))
            return true;
        if (f->kind == IMAP_FILTER_SUBTREE_ONE && str_same(imap_name_parent(name), at))
            return true;
    }
    return false;
}

bool scope_has(const struct imap *i, const struct imap_mailbox_filter *f, const struct place *p)
{
    bool own = p->at.account.v == i->s->who.account.v;

    switch (f->kind) {
    case IMAP_FILTER_SELECTED:
    case IMAP_FILTER_SELECTED_DELAYED:
        return selected_is(i, p->at);
    case IMAP_FILTER_INBOXES: /* RFC 5465 §6.3: where mail comes in by itself */
        return own && p->at.mailbox.v == INBOX.v;
    case IMAP_FILTER_PERSONAL:
        return own;
    case IMAP_FILTER_SUBSCRIBED:
        return p->folder.subscribed;
    case IMAP_FILTER_SUBTREE:
    case IMAP_FILTER_SUBTREE_ONE:
    case IMAP_FILTER_MAILBOXES:
        return is_named(f, p->name);
    }
    return false;
}

static bool wants_others(const struct imap_mailbox_filter *f)
{
    return f->kind != IMAP_FILTER_INBOXES && f->kind != IMAP_FILTER_PERSONAL;
}

/* RFC 7377 §2.2: what is named itself need not be seen to be searched. */
static bool is_sought(const struct imap *i, const struct imap_mailbox_filter *f, const struct place *p)
{
    bool named = f->kind == IMAP_FILTER_SELECTED || f->kind == IMAP_FILTER_MAILBOXES;

    return (named || p->rights & IMAP_RIGHT_LOOKUP) && scope_has(i, f, p);
}

bool scope_find(struct imap *i, const struct imap_mailbox_filter *filters, size_t count,
                struct scope_list *out, enum err *e)
{
    static const struct imap_mailbox_filter selected = {.kind = IMAP_FILTER_SELECTED};
    struct gathered all = {0};
    bool others = false;

    *e = OK;
    *out = (struct scope_list){0};
    if (!count) {
        filters = &selected;
        count = 1;
    }
    for (size_t k = 0; k < count; k++) {
        if (filters[k].kind == IMAP_FILTER_SELECTED && !i->selected) {
            reply_bad(i, "select a mailbox first");
            return false;
        }
        others |= wants_others(&filters[k]);
    }
    *e = gather_places(i, others, IMAP_RIGHT_LOOKUP | IMAP_RIGHT_READ, &all);
    if (*e)
        return false;
    out->v = arena_array(i->arena, struct scope_place, all.n);
    for (size_t n = 0; n < all.n; n++) {
        const struct place *p = &all.v[n];
        bool wanted = false;

        for (size_t k = 0; k < count && !wanted; k++)
            wanted = is_sought(i, &filters[k], p);
        if (wanted && !p->folder.no_select && p->rights & IMAP_RIGHT_READ)
            out->v[out->n++] = (struct scope_place){.at = p->at, .name = p->name};
    }
    return true;
}
