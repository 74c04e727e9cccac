/* CREATE, DELETE, RENAME, SUBSCRIBE and UNSUBSCRIBE (RFC 9051 §6.3.4 to §6.3.8), and the rights they need (RFC 4314 §4). */
#include "vault/imap/commands.h"

#include "base/arena.h"
#include "vault/imap/response.h"
#include "vault/imap/selected.h"
#include "vault/store/acl.h"
#include "vault/store/folders_edit.h"

/* The right "k" on the nearest mailbox above that is there (RFC 4314 §4); it need not be seen. False: *e. */
static bool may_make_below(struct imap *i, struct account_id owner, struct str inside, enum err *e)
{
    struct folder above;
    uint32_t rights = 0;
    struct view *v;

    *e = imap_view(i, &v);
    while (!*e && (inside = imap_name_parent(inside)).n) {
        *e = folder_find_alone(v, i->s->cx, owner, inside, &above);
        if (!*e) {
            *e = acl_rights(v, i->s->cx, owner, above.id, i->s->who.account, &rights);
            break;
        }
        if (*e == ERR_NOT_FOUND)
            *e = OK;
    }
    return !*e && rights & IMAP_RIGHT_CREATE;
}

/* A name that is to be made: whose mailboxes it joins, and may this user make it? Among one's own, yes. The refusal is the
 * same whether there is such an account or not (RFC 4314 §6). False: *e, or the reply is set. */
static bool may_make(struct imap *i, struct str name, struct account_id *account, struct str *inside,
                     enum err *e)
{
    const char *why = imap_name_check(name);
    bool found;

    *e = OK;
    if (why) {
        reply_no(i, "CANNOT", why);
        return false;
    }
    *e = place_owner(i, name, account, inside, &found);
    if (*e)
        return false;
    if (found && account->v == i->s->who.account.v)
        return true;
    if (found && may_make_below(i, *account, *inside, e))
        return true;
    if (!*e)
        reply_no(i, "NOPERM", "names here are those of other people's mailboxes");
    return false;
}

/* In modified UTF-7 the client's spelling is kept (RFC 3501 §5.1.3): as much of it as stands in its owner's account. */
static struct new_name new_name(const struct imap *i, struct str inside)
{
    struct new_name n = {inside, i->parse.given};
    size_t above = imap_name_levels(n.spelled) - imap_name_levels(inside);
    struct str level;

    if (imap_is_utf8(i))
        return spelled_so(inside);
    while (above-- && take_imap_name_level(&n.spelled, &level))
        ;
    return n;
}

enum err cmd_create(struct imap *i, const struct imap_command *c)
{
    struct imap_create a;
    struct mailbox_ref at;
    struct str inside;
    enum err e;

    if (!parse_imap_create(imap_parsing(i), c->args, &a))
        return reply_misread(i);
    if (a.special_uses & VIRTUAL_USES)
        return reply_no(i, "USEATTR", "no mailbox can be made for that use");
    if (!may_make(i, a.mailbox, &at.account, &inside, &e))
        return e;
    if (a.special_uses && at.account.v != i->s->who.account.v) /* place.h */
        return reply_no(i, "USEATTR", "special uses are those of one's own mailboxes");
    e = folder_create(i->s->store, i->s->cx, at.account, new_name(i, inside), a.special_uses,
                      &at.mailbox, &i->s->ticket);
    if (e == ERR_EXISTS)
        return reply_no(i, "ALREADYEXISTS", "there is a mailbox of that name");
    if (e)
        return e;
    buf_add(reply_code(i), S("MAILBOXID ("));
    mailbox_id_write(reply_code(i), at);
    buf_add_char(reply_code(i), ')');
    oldname_say(i, "", a.mailbox, i->parse.given);
    return OK;
}

enum err cmd_delete(struct imap *i, const struct imap_command *c)
{
    struct place p;
    struct str name;
    enum err e;

    if (!parse_imap_mailbox(imap_parsing(i), c->args, &name))
        return reply_misread(i);
    if (str_same(name, S("INBOX")))
        return reply_no(i, "CANNOT", "INBOX stays");
    if (!place_for(i, name, IMAP_RIGHT_DELETE, &p, &e))
        return e;
    e = folder_delete(i->s->store, i->s->cx, p.at.account, p.at.mailbox, &i->s->ticket);
    if (e == ERR_EXISTS)
        return reply_no(i, "HASCHILDREN", "there are mailboxes below this name");
    if (e == ERR_DENIED)
        return reply_no(i, "CANNOT", "INBOX stays");
    if (!e && selected_is(i, p.at)) {
        selected_end(i); /* its own: no reason to hang up, as when others delete it */
        imap_say(i, "OK", "CLOSED", "that was the selected mailbox");
    }
    if (!e)
        oldname_say(i, p.folder.has_children ? "\\Noselect" : "\\NonExistent", name, i->parse.given);
    return e;
}

enum err cmd_rename(struct imap *i, const struct imap_command *c)
{
    struct imap_rename a;
    struct account_id account;
    struct place from;
    struct str inside;
    enum err e;

    if (!parse_imap_rename(imap_parsing(i), c->args, &a))
        return reply_misread(i);
    if (!place_for(i, a.from, IMAP_RIGHT_DELETE, &from, &e) ||
        !may_make(i, a.to, &account, &inside, &e))
        return e;
    if (account.v != from.at.account.v)
        return reply_no(i, "CANNOT", "a mailbox stays with the account it belongs to");
    e = folder_rename(i->s->store, i->s->cx, account, from.at.mailbox, new_name(i, inside),
                      &i->s->ticket);
    if (e == ERR_EXISTS)
        return reply_no(i, "ALREADYEXISTS", "there is a mailbox of that name");
    if (e == ERR_BAD_VALUE)
        return reply_no(i, "CANNOT", "a mailbox cannot be put below itself");
    if (!e && !(str_same(a.from, a.from_given) && str_same(a.to, i->parse.given)))
        oldname_say(i, "", a.to, a.from_given);
    return e;
}

/* ---- subscriptions ---- */

static enum err subscribe(struct imap *i, const struct imap_command *c, bool yes)
{
    struct str name;

    if (!parse_imap_mailbox(imap_parsing(i), c->args, &name))
        return reply_misread(i);
    if (imap_name_check(name)) /* what cannot be is not subscribed to either */
        return yes ? reply_no(i, "CANNOT", imap_name_check(name)) : OK;
    return folder_subscribe(i->s->store, i->s->cx, i->s->who.account, name, yes, &i->s->ticket);
}

enum err cmd_subscribe(struct imap *i, const struct imap_command *c)
{
    return subscribe(i, c, true);
}

enum err cmd_unsubscribe(struct imap *i, const struct imap_command *c)
{
    return subscribe(i, c, false);
}
