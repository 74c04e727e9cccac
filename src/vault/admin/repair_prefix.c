/* The lines before a message, Return-Path and Delivered-To, were in the row that was lost. The trace tells who sent the
 * message and to whom, and the mailbox how large it was with them. What is made from the one and fits the other to the byte
 * is what was there; else nothing is. */
#include "vault/admin/repair_impl.h"

#include "base/arena.h"
#include "base/scoped.h"
#include "mail/received.h"
#include "vault/trace/trace.h"

#define MOST_EVENTS 10000 /* behind the message's beginning: of others that were under way with it */

/* "<>" is nobody (path_text). */
static struct mailbox mailbox_of(struct str text)
{
    size_t at;

    if (str_same(text, S("<>")))
        return (struct mailbox){STR_NONE, STR_NONE};
    if (!str_rfind_char(text, '@', &at))
        return (struct mailbox){text, STR_NONE};
    return (struct mailbox){str_upto(text, at), str_from(text, at + 1)};
}

/* Is it the account's address, in whatever case, or a subaddress of it? */
static bool leads_to(struct str text, struct str address)
{
    struct mailbox to = mailbox_of(text), own = mailbox_of(address);
    size_t plus;

    if (str_find_char(to.local_part, '+', &plus))
        to.local_part = str_upto(to.local_part, plus);
    return str_same_nocase(to.local_part, own.local_part) && str_same_nocase(to.domain, own.domain);
}

/* What the trace says of its acceptance, in r->row.arena. */
static bool find_acceptance(struct repair *r, struct body_id body, struct event_row *found)
{
    scoped(buf_free) struct buf from = buf_make(64);
    scoped(scan_close) struct scan *scan = NULL;
    struct str k, value;

    event_key_pack(&from, &(struct event_key){.time = repair_time_of(body)});
    if (view_scan(r->v, &r->row, event_part(NO_ACCOUNT), buf_str(&from), S("u"), false, &scan))
        return false;
    for (unsigned n = 0; n < MOST_EVENTS && scan_next(scan, &k, &value); n++) {
        struct event_key key;

        if (event_key_unpack(k, &key) && key.message == body.v &&
            event_unpack(r->row.arena, str_copy(r->row.arena, value), found) &&
            found->event == TRACE_ACCEPTED)
            return true;
    }
    return false;
}

static bool is_prefix(struct buf *out, struct str from, struct str to, size_t size)
{
    struct mailbox reverse_path = mailbox_of(from);

    buf_clear(out);
    delivery_prefix_write(out, &reverse_path, to);
    return out->n == size;
}

/* The account is known by what it was called in this message, or else, as who followed an alias, by its address. */
static bool make_prefix(struct buf *out, const struct event_row *accepted, struct str address,
                        size_t size)
{
    struct str rest = accepted->to, to;

    while (rest.n) {
        if (!take_until(&rest, ' ', &to)) {
            to = rest;
            rest = STR_NONE;
        }
        if (leads_to(to, address) && is_prefix(out, accepted->from, to, size))
            return true;
    }
    return is_prefix(out, accepted->from, address, size);
}

struct str repair_prefix(struct repair *r, struct body_id body, uint64_t size)
{
    scoped(buf_free) struct buf b = buf_make(BUF_UNLIMITED);
    struct event_row accepted;

    if (size && r->address.n && find_acceptance(r, body, &accepted) &&
        make_prefix(&b, &accepted, r->address, size))
        return str_copy(r->row.arena, buf_str(&b));
    return STR_NONE;
}
