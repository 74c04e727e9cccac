/* A letter keeps its thread (RFC 8474 §5.2), if its row can be read; one whose row was lost is threaded when somebody asks.
 * The links are counted anew, and where one was lost the first letter that has it says where it leads. */
#include "vault/admin/repair_account.h"

#include "vault/store/threads.h"

#define LINK_BYTES 32

static enum err copy_link(struct repair *r, uint64_t key, uint64_t thread)
{
    struct link_key k = {.key = key};
    struct link_row row, old;
    bool found, had = false;
    enum err e = link_row_txn(repair_out(r, LINK_BYTES), &r->row, r->account, &k, &row, &found);

    if (e)
        return e;
    if (!found) {
        if (link_row_view(r->v, &r->row, r->account, &k, &old, &had))
            had = false;
        row = (struct link_row){.thread = had ? old.thread : thread};
    }
    row.letters++;
    link_row_put(repair_out(r, LINK_BYTES), r->account, &k, &row);
    return OK;
}

/* Without message ids it is a thread of its own; which another content id tells of where it was elsewhere. */
static bool makes_sense(struct repair *r, struct body_id body, const struct cold_row *cold,
                        uint64_t thread)
{
    struct ref_key left = {.body = body.v, .part = LEFT_PART, .owner = r->account.v};
    struct ref_row row;
    bool there = false;

    return thread == body.v || cold->origin.v || cold->letter.v ||
           (!ref_row_view(r->v, &r->row, NO_ACCOUNT, &left, &row, &there) && there);
}

void repair_thread(struct account *a, struct body_id body, const struct cold_row *cold)
{
    struct repair *r = a->r;
    struct thread_key key = {.body = body.v};
    struct thread_row row;
    struct letter l;
    bool found;

    if (thread_row_view(r->v, &r->row, r->account, &key, &row, &found)) {
        tell(r, CHECK_UNREADABLE, "the thread of a message was lost");
        return;
    }
    if (!found || !thread_keys(row.keys, &l) || (!l.count && !makes_sense(r, body, cold, row.thread)))
        return;
    for (size_t i = 0; i < l.count; i++)
        if (copy_link(r, l.keys[i], row.thread))
            return;
    thread_row_put(repair_out(r, LINK_BYTES + row.keys.n), r->account, &key, &row);
}
