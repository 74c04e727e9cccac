#include "vault/imap/gather.h"

#include "base/arena.h"
#include "proto/imap_name.h"
#include "vault/store/acl.h"
#include "vault/store/directory.h"

#include <inttypes.h>

static void add(struct imap *i, struct gathered *g, const struct place *p)
{
    if (g->n == g->room) {
        struct place *grown = arena_array(i->arena, struct place, g->room = g->room ? g->room * 2 : 32);

        if (g->n)
            memcpy(grown, g->v, g->n * sizeof(*grown));
        g->v = grown;
    }
    g->v[g->n++] = *p;
}

static enum err gather_own(struct imap *i, struct cx *cx, struct view *v, struct gathered *g)
{
    struct folder *list;
    size_t n;
    enum err e = folder_list(v, cx, i->s->who.account, &list, &n);

    for (size_t k = 0; k < n && !e; k++)
        add(i, g,
            &(struct place){.at = {i->s->who.account, list[k].id},
                            .folder = list[k],
                            .name = list[k].name,
                            .rights = IMAP_RIGHTS_ALL});
    return e;
}

static struct str join(struct imap *i, struct str space, struct str address, struct str name)
{
    struct buf joined = buf_make(BUF_UNLIMITED);
    struct str out;

    buf_add(&joined, space);
    buf_add_char(&joined, IMAP_DELIMITER);
    buf_add(&joined, address);
    buf_add_char(&joined, IMAP_DELIMITER);
    buf_add(&joined, name);
    out = str_copy(i->arena, buf_str(&joined));
    buf_free(&joined);
    return out;
}

/* Where others share, \HasChildren tells of what this user may see (RFC 9051 §6.3.9.5; RFC 3348 §6). They are in the order of
 * a tree. */
static void note_children(struct place *v, size_t n)
{
    size_t above[IMAP_NAME_LEVELS_MAX], depth = 0;

    for (size_t k = 0; k < n; k++) {
        v[k].folder.has_children = false;
        while (depth && !imap_name_is_below(v[k].name, v[above[depth - 1]].name))
            depth--;
        if (depth)
            v[above[depth - 1]].folder.has_children = true;
        if (depth < IMAP_NAME_LEVELS_MAX)
            above[depth++] = k;
    }
}

/* One other account. */
static enum err gather_owner(struct imap *i, struct cx *cx, struct view *v, struct account_id owner,
                             uint32_t rights, struct gathered *g)
{
    struct account_row row;
    struct folder *list;
    struct str space;
    size_t n, from = g->n;
    bool found;
    enum err e = directory_account(v, cx, owner, &row, &found);

    if (e || !found)
        return e;
    e = place_space(v, cx, owner, &space);
    if (!e)
        e = folder_list(v, cx, owner, &list, &n);
    for (size_t k = 0; !e && k < n; k++) {
        struct place p = {.at = {owner, list[k].id}, .folder = list[k]};

        e = acl_rights(v, cx, owner, list[k].id, i->s->who.account, &p.rights);
        if (e || !(p.rights & rights))
            continue;
        p.name = join(i, space, row.address, list[k].name);
        p.rights &= IMAP_RIGHTS_ALL;
        p.folder.roles = 0;
        e = place_subscribed(i, p.name, &p.folder.subscribed);
        add(i, g, &p);
    }
    if (g->n > from)
        note_children(g->v + from, g->n - from);
    return e;
}

static enum err gather_others(struct imap *i, struct cx *cx, struct view *v, uint32_t rights,
                              struct gathered *g)
{
    struct account_id *owners;
    size_t n = 0;
    enum err e = acl_owners(v, cx, i->s->who.account, &owners, &n);

    for (size_t k = 0; k < n && !e; k++)
        e = gather_owner(i, cx, v, owners[k], rights, g);
    return e;
}

enum err gather_places(struct imap *i, bool others, uint32_t rights, struct gathered *out)
{
    struct cx cx = {.arena = i->arena}; /* what is gathered outlives the step */
    struct view *v;
    enum err e = imap_view(i, &v);

    *out = (struct gathered){0};
    if (e)
        return e;
    e = gather_own(i, &cx, v, out);
    if (!e && others)
        e = gather_others(i, &cx, v, rights, out);
    return e ? fail(i->s->cx, e, "%s", cx.cause) : OK;
}

/* "Shared/info@acompany.test/Sent" */
static enum err name_of_others(struct imap *i, struct cx *cx, struct view *v, struct place *p)
{
    struct account_row row;
    struct str space;
    bool found;
    enum err e = directory_account(v, cx, p->at.account, &row, &found);

    if (!e && !found)
        return fail(cx, ERR_NOT_FOUND, "account %" PRIu64 " was removed", p->at.account.v);
    if (!e)
        e = place_space(v, cx, p->at.account, &space);
    p->folder.roles = 0;
    if (!e)
        p->name = join(i, space, row.address, p->folder.name);
    return e ? e : place_subscribed(i, p->name, &p->folder.subscribed);
}

enum err gather_place(struct imap *i, struct mailbox_ref at, struct place *out)
{
    struct cx cx = {.arena = i->arena};
    struct place p = {.at = at};
    struct view *v;
    enum err e = imap_view(i, &v);

    if (e)
        return e;
    e = folder_of(v, &cx, at.account, at.mailbox, &p.folder);
    if (!e)
        e = acl_rights(v, &cx, at.account, at.mailbox, i->s->who.account, &p.rights);
    if (!e && !(p.rights & IMAP_RIGHT_LOOKUP))
        e = fail(&cx, ERR_NOT_FOUND, "a mailbox that may not be seen");
    p.name = p.folder.name;
    p.rights &= IMAP_RIGHTS_ALL;
    if (!e && at.account.v != i->s->who.account.v)
        e = name_of_others(i, &cx, v, &p);
    if (e)
        return fail(i->s->cx, e, "%s", cx.cause);
    *out = p;
    return OK;
}

enum err gather_children(struct imap *i, struct place *p)
{
    struct folder *list;
    struct view *v;
    size_t n = 0;
    enum err e = OK;

    if (p->at.account.v == i->s->who.account.v || !p->folder.has_children)
        return OK;
    p->folder.has_children = false;
    e = imap_view(i, &v);
    if (!e)
        e = folder_list(v, i->s->cx, p->at.account, &list, &n);
    for (size_t k = 0; !e && k < n && !p->folder.has_children; k++) {
        uint32_t rights = 0;

        if (imap_name_is_below(list[k].name, p->folder.name))
            e = acl_rights(v, i->s->cx, p->at.account, list[k].id, i->s->who.account, &rights);
        p->folder.has_children = rights & IMAP_RIGHT_LOOKUP;
    }
    return e;
}
