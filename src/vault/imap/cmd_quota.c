/* GETQUOTA, GETQUOTAROOT, SETQUOTA (RFC 9208). An account is one quota root, named by its address; what it may hold is for
 * the operator to say. */
#include "vault/imap/commands.h"

#include "vault/imap/place.h"
#include "vault/store/changes.h"
#include "vault/store/directory.h"

#include <inttypes.h>

#define STORAGE_UNIT 1024 /* §5.1, §5.4: what is counted in units of 1024 octets */

/* What there is of an account that its limits are about. MESSAGE and MAILBOX are exact (§5.2, §5.3): the row of the account
 * counts them, in the transaction that makes one or takes it away.
 * The inherent limits (§3.2) are those of mailboxes and annotations. UIDs are none: they limit how many messages a mailbox
 * can be given in its life, not how many there are, and §4.2.1 would have what is named here be limited in the root. */
struct resource {
    const char *name;
    uint64_t used, limit, unit;
    uint32_t right; /* to know how much there is (§6) */
};

static void write_resources(struct buf *out, const struct resource *r, size_t n, uint32_t rights)
{
    const char *between = "";

    for (size_t i = 0; i < n; i++) {
        if (!r[i].limit || (rights & r[i].right) != r[i].right) /* none: not told of (§4.2.1) */
            continue;
        /* both rounded up: what is not over the limit does not look like it, and no limit becomes 0 */
        buf_printf(out, "%s%s %" PRIu64 " %" PRIu64, between, r[i].name,
                   (r[i].used + r[i].unit - 1) / r[i].unit, (r[i].limit + r[i].unit - 1) / r[i].unit);
        between = " ";
    }
}

/* "* QUOTA root (STORAGE 10 512)" */
static enum err write_quota(struct imap *i, struct view *v, struct account_id account, struct str root,
                            uint32_t rights)
{
    struct account_figures used;
    struct account_limits limits;
    struct buf *out = &i->s->out;
    enum err e = account_figures(v, i->s->cx, account, &used);

    if (!e)
        e = account_limits(v, i->s->cx, account, &limits);
    if (e)
        return e;
    const struct resource all[] = {
        {"STORAGE", used.mail.bytes, limits.mail.bytes, STORAGE_UNIT, IMAP_RIGHT_READ},
        {"MESSAGE", used.mail.messages, limits.mail.messages, 1, IMAP_RIGHT_READ},
        {"MAILBOX", used.mailboxes, limits.mailboxes, 1, 0},
        {"ANNOTATION-STORAGE", used.metadata, limits.metadata, STORAGE_UNIT, IMAP_RIGHT_READ},
    };

    buf_add(out, S("* QUOTA "));
    imap_astring_write(out, root, imap_is_utf8(i));
    buf_add(out, S(" ("));
    write_resources(out, all, sizeof(all) / sizeof(all[0]), rights);
    buf_add(out, S(")\r\n"));
    return OK;
}

enum err cmd_getquota(struct imap *i, const struct imap_command *c)
{
    struct account_id account = i->s->who.account;
    struct account_row row;
    struct str root;
    struct view *v;
    bool found;
    enum err e;

    if (!parse_imap_quota_root(imap_parsing(i), c->args, &root))
        return reply_misread(i);
    e = imap_view(i, &v);
    if (!e)
        e = directory_account(v, i->s->cx, account, &row, &found);
    if (e)
        return e;
    if (!found || !str_same(root, row.address)) /* whose else there are is not told */
        return reply_no(i, "NONEXISTENT", "there is no such quota root");
    return write_quota(i, v, account, root, IMAP_RIGHTS_ALL);
}

/* Whose root a mailbox would have that need not exist (§4.1.2): among one's own names that is known. Another's has to be one
 * that may be seen, or else anybody could learn who there is (§8). False: *e, or the reply is set. */
static bool find_place(struct imap *i, struct str name, struct place *p, enum err *e)
{
    struct place bare = {.name = name, .rights = IMAP_RIGHTS_ALL};
    struct str inside;
    bool found;

    *e = place_owner(i, name, &bare.at.account, &inside, &found);
    if (*e || !found || bare.at.account.v != i->s->who.account.v)
        return !*e && place_for(i, name, IMAP_RIGHT_LOOKUP, p, e);
    *e = place_find(i, name, PLACE_ALONE, p);
    if (*e == ERR_NOT_FOUND) {
        *p = bare;
        *e = OK;
    }
    return !*e;
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
    place_name_write(i, &i->s->out, p.at, p.name);
    buf_add_char(&i->s->out, ' ');
    imap_astring_write(&i->s->out, row.address, imap_is_utf8(i));
    buf_add(&i->s->out, S("\r\n"));
    return write_quota(i, v, p.at.account, row.address, p.rights);
}

enum err cmd_setquota(struct imap *i, const struct imap_command *c)
{
    struct imap_set_quota a;

    if (!parse_imap_set_quota(imap_parsing(i), c->args, &a))
        return reply_misread(i);
    return reply_no(i, "NOPERM", "quotas are the postmaster's to set");
}
