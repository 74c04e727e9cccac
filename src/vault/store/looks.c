/* Cold rows lie in the order of their bodies' ids, and so do, mostly, the messages of a mailbox. So after each row a scan
 * stands before what is probably asked for next. Where it is not, a row is got by itself; and when that happens often, no
 * scan is opened any more for a while. */
#include "vault/store/messages.h"

#include "base/scoped.h"

#include <stdlib.h>

#define STEPS_MOST 4 /* rows of others that are passed over on the way to the next one */
#define PATIENCE 16  /* rows got one by one after the scan was of no use */

struct looks {
    struct view *v;
    struct account_id account;
    struct scan *scan;
    uint64_t at;      /* body of the row where it stands; 0: none */
    struct str value; /* of that row */
    uint64_t last;    /* asked for before */
    unsigned one_by_one;
};

struct looks *looks_open(struct view *v, struct account_id account)
{
    struct looks *l = must_alloc(sizeof(*l));

    *l = (struct looks){.v = v, .account = account};
    return l;
}

void looks_close(struct looks **l)
{
    if (!*l)
        return;
    scan_close(&(*l)->scan);
    free(*l);
    *l = NULL;
}

/* False: the end, or something that cannot be read. */
static bool step(struct looks *l)
{
    struct cold_key k;
    struct str key;

    if (!scan_next(l->scan, &key, &l->value) || !cold_key_unpack(key, &k))
        return false;
    l->at = k.body;
    return true;
}

static bool open_scan(struct looks *l, struct cx *cx, uint64_t body)
{
    scoped(buf_free) struct buf from = buf_make(32);

    scan_close(&l->scan);
    cold_key_pack(&from, &(struct cold_key){.body = body});
    return !view_scan(l->v, cx, cold_part(l->account), buf_str(&from), S("f"), false, &l->scan) &&
           step(l);
}

static void give_up_scan(struct looks *l)
{
    scan_close(&l->scan);
    l->one_by_one = PATIENCE;
}

/* The scan stands on the row that is wanted. */
static bool move_scan(struct looks *l, struct cx *cx, uint64_t body)
{
    if (l->one_by_one || body <= l->last)
        return false;
    if (!l->scan && !open_scan(l, cx, body)) {
        give_up_scan(l);
        return false;
    }
    for (int i = 0; l->at < body && i < STEPS_MOST; i++)
        if (!step(l))
            break;
    if (l->at < body)
        give_up_scan(l);
    return l->scan && l->at == body;
}

enum err looks_of(struct looks *l, struct cx *cx, struct body_id body, struct cold_row *row,
                  bool *found)
{
    bool there = l->last && move_scan(l, cx, body.v);

    l->last = body.v;
    if (!there) {
        l->one_by_one -= l->one_by_one > 0;
        return cold_row_view(l->v, cx, l->account, &(struct cold_key){.body = body.v}, row, found);
    }
    *found = true;
    return cold_unpack(cx->arena, str_copy(cx->arena, l->value), row)
               ? OK
               : fail(cx, ERR_DAMAGED, "a message's looks cannot be unpacked");
}
