#include "vault/imap/place.h"

#include "vault/store/acl.h"
#include "vault/store/directory.h"

#define ANY_RIGHT                                                                                      \
    (IMAP_RIGHT_LOOKUP | IMAP_RIGHT_READ | IMAP_RIGHT_INSERT | IMAP_RIGHT_CREATE | IMAP_RIGHT_DELETE | \
     IMAP_RIGHT_ADMIN)
#define RIGHTS_OF_MESSAGES                                                                             \
    (IMAP_RIGHT_READ | IMAP_RIGHT_SEEN | IMAP_RIGHT_WRITE | IMAP_RIGHT_INSERT |                        \
     IMAP_RIGHT_DELETE_MSG | IMAP_RIGHT_EXPUNGE)

enum err place_space(struct view *v, struct cx *cx, struct account_id owner, struct str *space)
{
    struct credential_row row;
    bool found;
    enum err e = account_credential(v, cx, owner, &row, &found);

    *space = !e && found ? S(OTHER_USERS) : S(SHARED);
    return e;
}

/* Each account but one's own stands in one of the two spaces, and is not found in the other; nor by another spelling of its
 * address: what is there is what LIST tells of, one name for each. */
static enum err find_owner(struct imap *i, struct str space, struct str address,
                           struct account_id *account, bool *found)
{
    struct account_row row;
    struct str right;
    struct view *v;
    enum err e = imap_view(i, &v);

    if (!e)
        e = directory_find_account(i->s->store, v, i->s->cx, address, account, &row, found);
    if (e || !*found)
        return e;
    e = place_space(v, i->s->cx, *account, &right);
    *found =
        account->v != i->s->who.account.v && str_same(space, right) && str_same(address, row.address);
    return e;
}

enum err place_owner(struct imap *i, struct str name, struct account_id *account, struct str *inside,
                     bool *found)
{
    struct str rest = name, space, address;

    *found = true;
    if (!take_imap_name_level(&rest, &space) ||
        (!str_same(space, S(OTHER_USERS)) && !str_same(space, S(SHARED)))) {
        *account = i->s->who.account;
        *inside = name;
        return OK;
    }
    *found = false;
    if (!take_imap_name_level(&rest, &address) || !rest.n)
        return OK;
    *inside = rest; /* INBOX in capitals: only one's own goes by others (RFC 9051 §5.1) */
    return find_owner(i, space, address, account, found);
}

enum err place_subscribed(struct imap *i, struct str name, bool *yes)
{
    struct subscription_row row;
    struct view *v;
    enum err e = imap_view(i, &v);

    return e ? e
             : subscription_row_view(v, i->s->cx, i->s->who.account,
                                     &(struct subscription_key){.name = name}, &row, yes);
}

enum err place_find(struct imap *i, struct str name, uint32_t rights, struct place *out)
{
    uint32_t needed =
        rights & IMAP_RIGHTS_ALL ? rights & ~(PLACE_ALONE | PLACE_ANY) : IMAP_RIGHT_LOOKUP;
    bool alone = rights & PLACE_ALONE, lacks;
    struct cx *cx = i->s->cx;
    struct place p = {.name = name};
    struct str inside;
    struct view *v;
    bool found;
    enum err e = place_owner(i, name, &p.at.account, &inside, &found);

    if (!e && !found)
        return fail(cx, ERR_NOT_FOUND, "nobody's mailbox");
    if (!e)
        e = imap_view(i, &v);
    if (!e)
        e = alone ? folder_find_alone(v, cx, p.at.account, inside, &p.folder)
                  : folder_find(v, cx, p.at.account, inside, &p.folder);
    p.at.mailbox = p.folder.id;
    if (!e)
        e = acl_rights(v, cx, p.at.account, p.at.mailbox, i->s->who.account, &p.rights);
    if (!e && p.at.account.v != i->s->who.account.v) {
        p.folder.roles = 0; /* place.h */
        if (!alone)
            e = place_subscribed(i, name, &p.folder.subscribed);
    }
    if (e)
        return e;
    lacks = rights & PLACE_ANY ? !(p.rights & ANY_RIGHT) : needed & ~p.rights;
    if (lacks && !(p.rights & IMAP_RIGHT_LOOKUP))
        return fail(cx, ERR_NOT_FOUND, "a mailbox that may not be seen");
    if (p.folder.no_select && needed & RIGHTS_OF_MESSAGES)
        return fail(cx, ERR_NOT_FOUND, "a \\Noselect mailbox");
    if (lacks)
        return fail(cx, ERR_DENIED, "rights 0x%x of 0x%x", p.rights & needed, needed);
    p.rights &= IMAP_RIGHTS_ALL;
    *out = p;
    return OK;
}

static bool find(struct imap *i, struct str name, uint32_t needed, const char *code, struct place *out,
                 enum err *e)
{
    *e = place_find(i, name, needed, out);
    if (*e == ERR_NOT_FOUND)
        *e = reply_no(i, code, "there is no such mailbox");
    else if (*e == ERR_DENIED)
        *e = reply_no(i, "NOPERM", "you may not do that with this mailbox");
    else if (!*e)
        return true;
    return false;
}

bool place_for(struct imap *i, struct str name, uint32_t needed, struct place *out, enum err *e)
{
    return find(i, name, needed, "NONEXISTENT", out, e);
}

bool place_for_target(struct imap *i, struct str name, struct place *out, enum err *e)
{
    return find(i, name, IMAP_RIGHT_INSERT | PLACE_ALONE,
                imap_name_check(name) ? "CANNOT" : "TRYCREATE", out, e);
}

/* ---- what it is called ---- */

/* In front of it may stand the space and the owner's address. Where it cannot be read, the name itself will do. */
static struct str spelling(struct imap *i, struct mailbox_ref at, struct str name)
{
    struct cx *cx = i->s->cx;
    struct account_id owner;
    struct str inside, own;
    struct view *v;
    bool found;

    if (place_owner(i, name, &owner, &inside, &found) || !found || imap_view(i, &v) ||
        folder_spelling(v, cx, at.account, at.mailbox, &own))
        return name;
    return str_join(cx->arena, str_upto(name, name.n - inside.n), own);
}

void place_name_write(struct imap *i, struct buf *out, struct mailbox_ref at, struct str name)
{
    bool utf8 = imap_is_utf8(i);

    if (!utf8 && at.mailbox.v && !is_ascii(name))
        name = spelling(i, at, name);
    imap_mailbox_write(out, name, utf8);
}
