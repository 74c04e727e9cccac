/* Counters that jump by the clock. Milliseconds times 1,024 are more than any counter of a store gets to by being counted
 * up, since nobody changes an account a million times a second; and a second restore, from the same backup or another,
 * jumps further than the first. They stay below 2^53, which a number of JSON holds exactly.
 *
 * UIDVALIDITY has 32 bits: seconds, and a day beyond. So it is new even if the time that was lost saw more mailboxes made
 * than it had seconds, for as long as those are not 86,400 more. */
#include "vault/store/renew.h"

#include "base/scoped.h"

#include <inttypes.h>
#include <stdlib.h>

#define A_DAY 86400

static uint64_t jump(uint64_t counter, int64_t now)
{
    uint64_t by_clock = (uint64_t)now << 10;

    return by_clock > counter ? by_clock : counter + ((uint64_t)1 << 30);
}

static enum err jump_uid_validity(struct cx *cx, struct account_id account, int64_t now, uint32_t *v)
{
    uint64_t seconds = (uint64_t)now / 1000;
    uint64_t next = (seconds > *v ? seconds : *v) + A_DAY;

    if (next >= UINT32_MAX)
        return fail(cx, ERR_LIMIT, "account %" PRIu64 ": no UIDVALIDITY is left", account.v);
    *v = (uint32_t)next;
    return OK;
}

struct mailboxes {
    uint64_t *ids;
    size_t n, room;
};

static void free_mailboxes(struct mailboxes *m)
{
    free(m->ids);
}

static enum err find_mailboxes(struct txn *t, struct cx *cx, struct account_id account,
                               struct mailboxes *m)
{
    scoped(scan_close) struct scan *scan = NULL;
    struct mailbox_key key;
    struct str k, value;
    enum err e = txn_scan(t, cx, mailbox_part(account), S("b"), S("c"), false, &scan);

    while (!e && scan_next(scan, &k, &value)) {
        if (!mailbox_key_unpack(k, &key))
            return fail(cx, ERR_DAMAGED, "account %" PRIu64 ": a mailbox's key makes no sense",
                        account.v);
        if (m->n == m->room) {
            m->room = m->room ? m->room * 2 : 64;
            m->ids = must_realloc(m->ids, m->room * sizeof(*m->ids));
        }
        m->ids[m->n++] = key.mailbox;
    }
    return e ? e : scan_error(scan, cx);
}

/* A \Noselect one has no counts, and may become a mailbox again. */
static enum err renew_mailbox(struct txn *t, struct cx *cx, struct account_id account, uint64_t id,
                              const struct state_row *state)
{
    struct mailbox_key key = {.mailbox = id};
    struct counts_key counts_key = {.mailbox = id};
    struct mailbox_row row;
    struct counts_row counts;
    bool found, has_counts;
    enum err e = mailbox_row_txn(t, cx, account, &key, &row, &found);

    if (!e)
        e = counts_row_txn(t, cx, account, &counts_key, &counts, &has_counts);
    if (e || !found)
        return e;
    row.uid_validity = state->uid_validity;
    mailbox_row_put(t, account, &key, &row);
    if (has_counts) {
        counts.modseq = state->modseq;
        counts_row_put(t, account, &counts_key, &counts);
    }
    return OK;
}

/* All of it: nobody can ask since anything that it tells of. */
static void empty_change_log(struct txn *t, struct account_id account, uint64_t upto)
{
    scoped(buf_free) struct buf from = buf_make(32), to = buf_make(32);

    change_key_pack(&from, &(struct change_key){.modseq = 0});
    change_key_pack(&to, &(struct change_key){.modseq = upto + 1});
    txn_delete_range(t, change_part(account), buf_str(&from), buf_str(&to));
}

enum err account_renew(struct store *s, struct cx *cx, struct account_id account, int64_t now,
                       uint64_t *mailboxes, struct ticket *ticket)
{
    scoped(txn_rollback) struct txn *t =
        txn_begin(s->engine, &(struct part){PART_ACCOUNT, account.v}, 1);
    scoped(free_mailboxes) struct mailboxes m = {0};
    struct state_row state;
    bool found;
    enum err e = state_row_txn(t, cx, account, &(struct state_key){0}, &state, &found);

    *ticket = (struct ticket){0};
    if (e || !found)
        return e;
    state.modseq = state.log_floor = jump(state.modseq, now);
    state.next_email = jump(state.next_email, now);
    state.next_mailbox = jump(state.next_mailbox, now);
    e = jump_uid_validity(cx, account, now, &state.uid_validity);
    if (!e)
        e = find_mailboxes(t, cx, account, &m);
    for (size_t i = 0; !e && i < m.n; i++)
        e = renew_mailbox(t, cx, account, m.ids[i], &state);
    if (e)
        return e;
    empty_change_log(t, account, state.modseq);
    state_row_put(t, account, &(struct state_key){0}, &state);
    *mailboxes += m.n;
    return txn_commit(&t, cx, ticket);
}

enum err directory_renew(struct store *s, struct cx *cx, int64_t now, struct ticket *ticket)
{
    scoped(txn_rollback) struct txn *t = txn_begin(s->engine, &(struct part){PART_DIRECTORY, 0}, 1);
    struct sequence_row row;
    bool found;
    enum err e = sequence_row_txn(t, cx, NO_ACCOUNT, &(struct sequence_key){0}, &row, &found);

    *ticket = (struct ticket){0};
    if (e || !found)
        return e;
    row.next_account = jump(row.next_account, now);
    sequence_row_put(t, NO_ACCOUNT, &(struct sequence_key){0}, &row);
    return txn_commit(&t, cx, ticket);
}
