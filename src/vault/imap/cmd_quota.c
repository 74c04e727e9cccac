/* GETQUOTA, GETQUOTAROOT, SETQUOTA (RFC 9208). An account is one quota root, named by its address; what it may hold is for
 * the operator to say. */
#include "vault/imap/commands.h"

#include "vault/imap/place.h"
#include "vault/store/changes.h"
#include "vault/store/directory.h"

#include <inttypes.h>

#define STORAGE_UNIT 1024 /* §5.1: STORAGE counts units of 1024 octets */

static void resource(struct buf *out, const char *name, uint64_t used, uint64_t limit, bool *first)
{
    if (!limit) /* none: not told of (§4.2.1) */
        return;
    buf_printf(out, "%s%s %" PRIu64 " %" PRIu64, *first ? "" : " ", name, used, limit);
    *first = false;
}

/* "* QUOTA root (STORAGE 10 512)" */
static enum err write_quota(struct imap *i, struct view *v, struct account_id account, struct str root)
{
    struct account_figures used;
    struct account_limits limits;
    struct buf *out = &i->s->out;
    bool first = true;
    enum err e = account_figures(v, i->s->cx, account, &used);

    if (!e)
        e = account_limits(v, i->s->cx, account, &limits);
    if (e)
        return e;
    buf_add(out, S("* QUOTA "));
    imap_astring_write(out, root, imap_is_utf8(i));
    buf_add(out, S(" ("));
    resource(out, "STORAGE", (used.bytes + STORAGE_UNIT - 1) / STORAGE_UNIT,
             limits.bytes / STORAGE_UNIT, &first);
    resource(out, "MESSAGE", used.emails, limits.emails, &first);
    resource(out, "MAILBOX", used.mailboxes, limits.mailboxes, &first);
    resource(out, "ANNOTATION-STORAGE", (used.metadata + STORAGE_UNIT - 1) / STORAGE_UNIT,
             limits.metadata / STORAGE_UNIT, &first);
    buf_add(out, S(")\r\n"));
    return OK;
}

enum err cmd_getquota(struct imap *i, const struct imap_command *c)
{
    struct account_id account;
    struct account_row row;
    struct str root;
    struct view *v;
    bool found;
    enum err e;

    if (!parse_imap_quota_root(imap_parsing(i), c->args, &root))
        return reply_misread(i);
    e = imap_view(i, &v);
    if (!e)
        e = directory_find_account(i->s->store, v, i->s->cx, root, &account, &row, &found);
    if (e)
        return e;
    if (!found || account.v != i->s->who.account.v) /* whose else there are is not told */
        return reply_no(i, "NONEXISTENT", "there is no such quota root");
    return write_quota(i, v, account, root);
}

/* Whose root a mailbox would have that need not exist (§4.1.2): among one's own names that is known. False: *e, or the reply
 * is set. */
static bool find_place(struct imap *i, struct str name, struct place *p, enum err *e)
{
    struct str inside;
    bool found;

    *p = (struct place){.name = name};
    *e = place_owner(i, name, &p->at.account, &inside, &found);
    if (!*e && found && p->at.account.v == i->s->who.account.v)
        return true;
    return !*e && place_for(i, name, IMAP_RIGHT_READ, p, e);
}

enum err cmd_getquotaroot(struct imap *i, const struct imap_command *c)
{
    struct account_row row;
    struct place p;
    struct str name;
    struct view *v;
    bool found;
    enum err e;

    if (!parse_imap_mailbox(imap_parsing(i), c->args, &name))
        return reply_misread(i);
    if (!find_place(i, name, &p, &e))
        return e;
    e = imap_view(i, &v);
    if (!e)
        e = directory_account(v, i->s->cx, p.at.account, &row, &found);
    if (e || !found)
        return e ? e : fail(i->s->cx, ERR_NOT_FOUND, "the account was removed");
    buf_add(&i->s->out, S("* QUOTAROOT "));
    imap_mailbox_write(&i->s->out, p.name, imap_is_utf8(i));
    buf_add_char(&i->s->out, ' ');
    imap_astring_write(&i->s->out, row.address, imap_is_utf8(i));
    buf_add(&i->s->out, S("\r\n"));
    return write_quota(i, v, p.at.account, row.address);
}

enum err cmd_setquota(struct imap *i, const struct imap_command *c)
{
    struct imap_set_quota a;

    if (!parse_imap_set_quota(imap_parsing(i), c->args, &a))
        return reply_misread(i);
    return reply_no(i, "NOPERM", "quotas are the postmaster's to set");
}
