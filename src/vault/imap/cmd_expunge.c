/* EXPUNGE and UID EXPUNGE (RFC 9051 §6.4.3, §6.4.9; RFC 4315 §2.1; RFC 7162 §3.2.7). That the messages are gone is told
 * by sync.c, like what others remove. */
#include "vault/imap/commands.h"

#include "proto/imap_access.h"
#include "vault/imap/selected.h"

#include <inttypes.h>

static bool read_args(struct imap *i, const struct imap_command *c, struct imap_set *uids)
{
    struct imap_set set;

    if (!c->uid)
        return parse_imap_no_args(imap_parsing(i), c->args) || (reply_misread(i), false);
    if (!parse_imap_uid_expunge(imap_parsing(i), c->args, &set))
        return reply_misread(i), false;
    return selected_set(i, &set, true, uids);
}

enum err cmd_expunge(struct imap *i, const struct imap_command *c)
{
    struct removed removed;
    struct imap_set uids;
    uint64_t left_out;
    enum err e;

    if (!read_args(i, c, &uids))
        return OK;
    if (i->selected->read_only)
        return reply_read_only(i);
    if (!(i->selected->rights & IMAP_RIGHT_EXPUNGE))
        return reply_no(i, "NOPERM", "you may not remove messages here");
    if (c->uid) {
        e = selected_cut(i, &uids, 1, FLAG_DELETED, &uids, &left_out);
        if (e)
            return e;
    }
    e = messages_remove(i->s->store, i->s->cx, i->selected->at, c->uid ? &uids : NULL, true, &removed,
                        &i->s->ticket);
    if (!e && removed.modseq && imap_has_condstore(i))
        buf_printf(reply_code(i), "HIGHESTMODSEQ %" PRIu64, removed.modseq);
    return e;
}
