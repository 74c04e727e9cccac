/* What the accounts share: the directory, whose rows name each other; the queue and its index by time; the trace. */
#include "vault/admin/check_impl.h"

#include "base/scoped.h"
#include "vault/queue/queue.h"
#include "vault/store/directory.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- the directory ---- */

struct ids {
    uint64_t next; /* the account id that would be given next; 0: unknown */
};

static void check_format(struct check *k)
{
    struct format_row row;
    bool there;

    if (format_row_view(k->v, &k->row, NO_ACCOUNT, &(struct format_key){0}, &row, &there))
        found(k, CHECK_UNREADABLE, "the store's format: %s", k->row.cause);
    else if (!there)
        found(k, CHECK_ROWS, "the store does not say that it has format %d", STORE_FORMAT);
}

static void read_next_account(struct check *k, struct ids *ids)
{
    struct sequence_row row;
    bool there;

    if (sequence_row_view(k->v, &k->row, NO_ACCOUNT, &(struct sequence_key){0}, &row, &there))
        found(k, CHECK_UNREADABLE, "the next account's id: %s", k->row.cause);
    else if (there)
        ids->next = row.next_account;
    else
        ids->next = 1;
}

static void check_secret(struct check *k)
{
    struct secret_row row;
    bool there;

    if (secret_row_view(k->v, &k->row, NO_ACCOUNT, &(struct secret_key){0}, &row, &there))
        found(k, CHECK_UNREADABLE, "the store's secret: %s", k->row.cause);
}

static void look_at_domain(struct check *k, void *arg, struct str key, struct str value)
{
    struct domain_key dk;
    struct domain_row row;

    (void)arg;
    if (!domain_key_unpack(key, &dk) || !domain_unpack(k->row.arena, value, &row))
        found(k, CHECK_UNREADABLE, "a domain cannot be unpacked");
}

static void check_domain_of(struct check *k, struct str address)
{
    size_t at;
    bool ours = false;

    if (!str_rfind_char(address, '@', &at) ||
        directory_is_ours(k->v, &k->row, str_from(address, at + 1), &ours) || !ours)
        found(k, CHECK_ROWS, "the domain of this address is not one of ours");
}

static void check_account_of(struct check *k, struct account_id id, struct str address)
{
    struct account_row account;
    bool there;

    if (directory_account(k->v, &k->row, id, &account, &there))
        return; /* the accounts' own walk names it */
    if (!there)
        found(k, CHECK_ROWS, "leads to account %" PRIu64 ", which does not exist", id.v);
    else if (!str_same(account.address, address))
        found(k, CHECK_ROWS, "leads to account %" PRIu64 ", whose address is %.*s", id.v,
              STR_ARG(account.address));
}

static void look_at_route(struct check *k, void *arg, struct str key, struct str value)
{
    struct route_key rk;
    struct route_row row;

    (void)arg;
    if (!route_key_unpack(key, &rk) || !route_unpack(k->row.arena, value, &row)) {
        found(k, CHECK_UNREADABLE, "an address cannot be unpacked");
        return;
    }
    k->address = rk.address;
    check_domain_of(k, rk.address);
    if (row.account.v)
        check_account_of(k, row.account, rk.address);
    k->address = STR_NONE;
}

static void check_route_to(struct check *k, struct account_id id, struct str address)
{
    struct route_row route;
    bool there;

    if (!route_row_view(k->v, &k->row, NO_ACCOUNT, &(struct route_key){.address = address}, &route,
                        &there) &&
        (!there || route.account.v != id.v))
        found(k, CHECK_ROWS, "its address does not lead to it");
}

static void look_at_account(struct check *k, void *arg, struct str key, struct str value)
{
    scoped(buf_free) struct buf state = buf_make(32);
    const struct ids *ids = arg;
    struct account_key ak;
    struct account_row row;
    struct account_id id;

    if (!account_key_unpack(key, &ak) || !account_unpack(k->row.arena, value, &row)) {
        found(k, CHECK_UNREADABLE, "an account cannot be unpacked");
        return;
    }
    id.v = ak.account;
    k->address = row.address;
    check_route_to(k, id, row.address);
    state_key_pack(&state, &(struct state_key){0});
    if (!row_exists(k, state_part(id), &state, "the account's counters"))
        found(k, CHECK_ROWS, "account %" PRIu64 " has no mailboxes", id.v);
    if (ids->next && id.v >= ids->next)
        found(k, CHECK_COUNTERS,
              "the next account would get the id %" PRIu64 ", and this one has %" PRIu64, ids->next,
              id.v);
    k->address = STR_NONE;
}

static void look_at_credential(struct check *k, void *arg, struct str key, struct str value)
{
    scoped(buf_free) struct buf account = buf_make(32);
    struct credential_key ck;
    struct credential_row row;

    (void)arg;
    if (!credential_key_unpack(key, &ck) || !credential_unpack(k->row.arena, value, &row)) {
        found(k, CHECK_UNREADABLE, "a password cannot be unpacked");
        return;
    }
    account_key_pack(&account, &(struct account_key){.account = ck.account});
    if (!row_exists(k, account_part(NO_ACCOUNT), &account, "an account"))
        found(k, CHECK_ROWS, "there is a password for account %" PRIu64 ", which does not exist",
              ck.account);
}

void check_directory(struct check *k)
{
    const struct part directory = {PART_DIRECTORY, 0};
    struct ids ids = {0};

    check_format(k);
    check_secret(k);
    read_next_account(k, &ids);
    check_walk(k, directory, S("D"), S("E"), "the directory", look_at_domain, NULL);
    check_walk(k, directory, S("A"), S("B"), "the directory", look_at_route, NULL);
    check_walk(k, directory, S("N"), S("O"), "the directory", look_at_account, &ids);
    check_walk(k, directory, S("C"), S("D"), "the directory", look_at_credential, NULL);
}

/* ---- the queue ---- */

static bool anybody_waits(const struct entry_row *row)
{
    for (size_t i = 0; i < row->rcpts_count; i++)
        if (row->rcpts[i].state == RCPT_WAITING)
            return true;
    return false;
}

static void check_entry(struct check *k, const struct entry_key *ek, const struct entry_row *row)
{
    scoped(buf_free) struct buf due = buf_make(64);
    char id[ID_TEXT_SIZE], who[64];

    entry_id_text((struct entry_id){ek->body, ek->n}, id);
    snprintf(who, sizeof(who), "entry %s", id);
    due_key_pack(&due, &(struct due_key){.due = row->due, .body = ek->body, .n = ek->n});
    if (row->held == row_exists(k, due_part(NO_ACCOUNT), &due, "the index of due entries"))
        found(k, CHECK_QUEUE, "%s is %s, and the schedule thinks otherwise", who,
              row->held ? "held" : "waiting");
    if (!has_reference(k, (struct body_id){ek->body}, QUEUE_PART, ek->n))
        found(k, CHECK_REFERENCE, "%s does not refer to its message", who);
    check_body_of(k, who, (struct body_id){ek->body}, row->size);
    if (!anybody_waits(row))
        found(k, CHECK_QUEUE, "%s waits for nobody", who);
}

static void look_at_entry(struct check *k, void *arg, struct str key, struct str value)
{
    struct entry_key ek;
    struct entry_row row;

    (void)arg;
    if (!entry_key_unpack(key, &ek) || !entry_unpack(k->row.arena, value, &row))
        found(k, CHECK_UNREADABLE, "a queue entry cannot be unpacked");
    else
        check_entry(k, &ek, &row);
}

static void look_at_due(struct check *k, void *arg, struct str key, struct str value)
{
    struct due_key dk;
    struct entry_row row;
    char id[ID_TEXT_SIZE];
    bool there;

    (void)arg;
    (void)value;
    if (!due_key_unpack(key, &dk)) {
        found(k, CHECK_UNREADABLE, "a row of the schedule cannot be unpacked");
        return;
    }
    entry_id_text((struct entry_id){dk.body, dk.n}, id);
    if (entry_read(k->v, &k->row, (struct entry_id){dk.body, dk.n}, &row, &there))
        return; /* the queue's own walk has named it */
    if (!there)
        found(k, CHECK_QUEUE, "the schedule knows an entry %s, which does not exist", id);
    else if (row.due != dk.due)
        found(k, CHECK_QUEUE, "entry %s stands in the schedule twice, or at the wrong time", id);
}

static void look_at_event(struct check *k, void *arg, struct str key, struct str value)
{
    struct event_key ek;
    struct event_row row;

    (void)arg;
    if (!event_key_unpack(key, &ek) || !event_unpack(k->row.arena, value, &row))
        found(k, CHECK_UNREADABLE, "an event of the trace cannot be unpacked");
}

void check_queue_and_trace(struct check *k)
{
    check_walk(k, entry_part(NO_ACCOUNT), S("q"), S("r"), "the queue", look_at_entry, NULL);
    check_walk(k, due_part(NO_ACCOUNT), S("d"), S("e"), "the schedule", look_at_due, NULL);
    check_walk(k, event_part(NO_ACCOUNT), S("t"), S("u"), "the trace", look_at_event, NULL);
}
