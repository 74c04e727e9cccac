/* GETACL, SETACL, DELETEACL, LISTRIGHTS, MYRIGHTS (RFC 4314 §3). Identifiers are addresses of accounts, or "anyone"; a
 * "-" in front speaks of negative rights. */
#include "vault/imap/commands.h"

#include "vault/imap/place.h"
#include "vault/store/acl.h"
#include "vault/store/directory.h"

/* "* ACL name", "* LISTRIGHTS name": the head of each of these responses. */
static void begin(struct imap *i, const char *what, const struct place *p)
{
    buf_printf(&i->s->out, "* %s ", what);
    place_name_write(i, &i->s->out, p->at, p->name);
}

/* Whom an identifier means. False: *e, or the reply is set. */
static bool find_identifier(struct imap *i, struct str identifier, struct account_id *who,
                            bool *negative, enum err *e)
{
    struct account_row row;
    struct view *v;
    bool found;

    *negative = take_char(&identifier, '-');
    *who = ANYONE;
    *e = OK;
    if (str_same(identifier, S("anyone")))
        return true;
    *e = imap_view(i, &v);
    if (!*e)
        *e = directory_find_account(i->s->store, v, i->s->cx, identifier, who, &row, &found);
    if (*e)
        return false;
    if (!found)
        reply_no(i, "NONEXISTENT", "nobody here has this address");
    return found;
}

static enum err write_entry(struct imap *i, struct view *v, struct account_id who, bool negative,
                            uint32_t rights)
{
    struct buf name = buf_make(1024);
    struct account_row row = {.address = S("anyone")};
    bool found = true;
    enum err e = who.v ? directory_account(v, i->s->cx, who, &row, &found) : OK;

    if (!e && found && rights) {
        if (negative)
            buf_add_char(&name, '-');
        buf_add(&name, row.address);
        buf_add_char(&i->s->out, ' ');
        imap_astring_write(&i->s->out, buf_str(&name), imap_is_utf8(i));
        buf_add_char(&i->s->out, ' ');
        imap_rights_write(&i->s->out, rights);
    }
    buf_free(&name);
    return e;
}

enum err cmd_getacl(struct imap *i, const struct imap_command *c)
{
    struct acl_entry *list;
    struct place p;
    struct str name;
    struct view *v;
    size_t n = 0;
    enum err e;

    if (!parse_imap_mailbox(imap_parsing(i), c->args, &name))
        return reply_misread(i);
    if (!place_for(i, name, IMAP_RIGHT_ADMIN, &p, &e))
        return e;
    e = imap_view(i, &v);
    if (!e)
        e = acl_list(v, i->s->cx, p.at.account, p.at.mailbox, &list, &n);
    if (e)
        return e;
    begin(i, "ACL", &p);
    e = write_entry(i, v, p.at.account, false, IMAP_RIGHTS_ALL);
    for (size_t k = 0; k < n && !e; k++) {
        e = write_entry(i, v, list[k].who, false, list[k].rights);
        if (!e)
            e = write_entry(i, v, list[k].who, true, list[k].negative);
    }
    buf_add(&i->s->out, S("\r\n"));
    return e;
}

static enum err set(struct imap *i, struct str mailbox, struct str identifier, enum acl_how how,
                    uint32_t rights)
{
    struct account_id who;
    struct place p;
    bool negative;
    enum err e;

    if (!place_for(i, mailbox, IMAP_RIGHT_ADMIN, &p, &e) ||
        !find_identifier(i, identifier, &who, &negative, &e))
        return e;
    e = acl_set(i->s->store, i->s->cx, p.at.account, p.at.mailbox, who, negative, how, rights,
                &i->s->ticket);
    return e == ERR_DENIED ? reply_no(i, "CANNOT", "the owner has every right, always") : e;
}

enum err cmd_setacl(struct imap *i, const struct imap_command *c)
{
    static const enum acl_how hows[] = {
        [IMAP_ACL_REPLACE] = ACL_REPLACE, [IMAP_ACL_ADD] = ACL_ADD, [IMAP_ACL_REMOVE] = ACL_REMOVE};
    struct imap_set_acl a;

    if (!parse_imap_set_acl(imap_parsing(i), c->args, &a))
        return reply_misread(i);
    return set(i, a.mailbox, a.identifier, hows[a.how], a.rights);
}

enum err cmd_deleteacl(struct imap *i, const struct imap_command *c)
{
    struct imap_acl_of a;

    if (!parse_imap_acl_of(imap_parsing(i), c->args, &a))
        return reply_misread(i);
    return set(i, a.mailbox, a.identifier, ACL_REPLACE, 0);
}

/* Every right can be given and taken on its own; the owner's are all there, and stay (§3.7). */
enum err cmd_listrights(struct imap *i, const struct imap_command *c)
{
    struct imap_acl_of a;
    struct account_id who;
    struct place p;
    bool negative;
    enum err e;

    if (!parse_imap_acl_of(imap_parsing(i), c->args, &a))
        return reply_misread(i);
    if (!place_for(i, a.mailbox, IMAP_RIGHT_ADMIN, &p, &e) ||
        !find_identifier(i, a.identifier, &who, &negative, &e))
        return e;
    begin(i, "LISTRIGHTS", &p);
    buf_add_char(&i->s->out, ' ');
    imap_astring_write(&i->s->out, a.identifier, imap_is_utf8(i));
    buf_add_char(&i->s->out, ' ');
    if (who.v == p.at.account.v)
        imap_rights_write(&i->s->out, IMAP_RIGHTS_ALL);
    else
        buf_add(&i->s->out, S("\"\" l r s w i p k x t e a c d"));
    buf_add(&i->s->out, S("\r\n"));
    return OK;
}

enum err cmd_myrights(struct imap *i, const struct imap_command *c)
{
    struct place p;
    struct str name;
    enum err e;

    if (!parse_imap_mailbox(imap_parsing(i), c->args, &name))
        return reply_misread(i);
    if (!place_for(i, name, PLACE_ANY, &p, &e))
        return e;
    begin(i, "MYRIGHTS", &p);
    buf_add_char(&i->s->out, ' ');
    imap_rights_write(&i->s->out, p.rights);
    buf_add(&i->s->out, S("\r\n"));
    return OK;
}
