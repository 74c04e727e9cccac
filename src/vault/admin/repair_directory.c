/* The directory. An account is whatever has an entry, an address that leads to it, or mail: its entry is made again from
 * its address; without one it gets an address by which the postmaster finds it. The ways from addresses to accounts are
 * written from the accounts, and aliases copied. */
#include "vault/admin/repair_impl.h"

#include "base/arena.h"
#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const struct part directory = {PART_DIRECTORY, 0};

/* ---- which accounts there are ---- */

/* Where it stands, or belongs. */
static size_t place_of(const struct repair *r, uint64_t id)
{
    size_t least = 0, most = r->account_count;

    while (least < most) {
        size_t middle = (least + most) / 2;

        if (r->accounts[middle].id < id)
            least = middle + 1;
        else
            most = middle;
    }
    return least;
}

struct known_account *repair_account_of(struct repair *r, uint64_t id)
{
    size_t at = place_of(r, id);

    return at < r->account_count && r->accounts[at].id == id ? &r->accounts[at] : NULL;
}

static struct known_account *know_account(struct repair *r, uint64_t id)
{
    size_t at = place_of(r, id);

    if (at < r->account_count && r->accounts[at].id == id)
        return &r->accounts[at];
    if (r->account_count == r->account_room) {
        r->account_room = r->account_room ? r->account_room * 2 : 64;
        r->accounts = must_realloc(r->accounts, r->account_room * sizeof(*r->accounts));
    }
    memmove(&r->accounts[at + 1], &r->accounts[at], (r->account_count - at) * sizeof(*r->accounts));
    r->account_count++;
    r->accounts[at] = (struct known_account){.id = id};
    return &r->accounts[at];
}

static void note_entry(struct repair *r, void *arg, struct str key, struct str value)
{
    struct known_account *a;
    struct account_key ak;
    struct account_row row;

    (void)arg;
    if (!account_key_unpack(key, &ak) || !account_unpack(r->row.arena, value, &row) || !ak.account)
        return; /* told when it is to be copied */
    a = know_account(r, ak.account);
    a->address = str_copy(r->arena, row.address);
    a->has_entry = true;
}

static void note_route(struct repair *r, void *arg, struct str key, struct str value)
{
    struct known_account *a;
    struct route_key rk;
    struct route_row row;

    (void)arg;
    if (!route_key_unpack(key, &rk) || !route_unpack(r->row.arena, value, &row) || !row.account.v)
        return;
    a = know_account(r, row.account.v);
    if (!a->address.n)
        a->address = str_copy(r->arena, rk.address);
}

static void note_parts(struct repair *r)
{
    uint64_t id = 0;
    bool there = true;

    while (there && !view_next_account(r->v, &r->row, id, &id, &there) && there)
        know_account(r, id);
}

void repair_find_accounts(struct repair *r)
{
    repair_walk(r, directory, S("N"), S("O"), "the directory", note_entry, NULL);
    repair_walk(r, directory, S("A"), S("B"), "the directory", note_route, NULL);
    note_parts(r);
}

/* ---- writing it ---- */

static void put_domain(struct repair *r, struct str name, uint64_t created)
{
    struct domain_row row;
    bool there;

    if (domain_row_txn(repair_out(r, 300), &r->row, NO_ACCOUNT, &(struct domain_key){.name = name},
                       &row, &there) ||
        there)
        return;
    row.created = created;
    domain_row_put(r->t, NO_ACCOUNT, &(struct domain_key){.name = name}, &row);
}

static void copy_domain(struct repair *r, void *arg, struct str key, struct str value)
{
    struct domain_key dk;
    struct domain_row row;

    (void)arg;
    if (domain_key_unpack(key, &dk) && domain_unpack(r->row.arena, value, &row))
        put_domain(r, dk.name, row.created);
    else
        tell(r, CHECK_UNREADABLE, "a domain cannot be unpacked");
}

/* The domain of an address that we have is one of ours, whether its own row was lost or not. */
static void put_domain_of(struct repair *r, struct str address)
{
    size_t at;

    if (str_rfind_char(address, '@', &at))
        put_domain(r, str_from(address, at + 1), (uint64_t)now_ms());
}

static bool is_taken(struct repair *r, struct str address)
{
    struct route_row row;
    bool there = false;

    return route_row_txn(repair_out(r, 300), &r->row, NO_ACCOUNT,
                         &(struct route_key){.address = address}, &row, &there) ||
           there;
}

static struct str made_up_address(struct repair *r, uint64_t id)
{
    char text[512];
    size_t at = 0;

    str_rfind_char(r->postmaster, '@', &at);
    snprintf(text, sizeof(text), "lost-%" PRIu64 "%.*s", id, STR_ARG(str_from(r->postmaster, at)));
    return str_copy(r->arena, str_from_c(text));
}

static void choose_address(struct repair *r, struct known_account *a)
{
    if (a->address.n && !is_taken(r, a->address))
        return;
    a->address = made_up_address(r, a->id);
    r->address = a->address;
    tell(r, CHECK_ROWS,
         "the address of account %" PRIu64
         " was lost: it has this one now. Delivered-To in its mail says "
         "whose it was",
         a->id);
}

static void copy_account(struct repair *r, struct known_account *a)
{
    struct account_row row;
    bool there = false;

    if (account_row_view(r->v, &r->row, NO_ACCOUNT, &(struct account_key){.account = a->id}, &row,
                         &there) ||
        !there) {
        row = (struct account_row){.created = (uint64_t)now_ms(), .suspended = true};
        tell(
            r, CHECK_ROWS,
            "its entry in the directory was lost: its name, its limits, and whether it takes mail from "
            "outside. It is suspended until \"posthorn account resume\"");
    }
    row.address = a->address;
    put_domain_of(r, a->address);
    account_row_put(repair_out(r, 1000), NO_ACCOUNT, &(struct account_key){.account = a->id}, &row);
    route_row_put(r->t, NO_ACCOUNT, &(struct route_key){.address = a->address},
                  &(struct route_row){.account = {a->id}});
}

static void copy_credential(struct repair *r, struct known_account *a)
{
    struct credential_key key = {.account = a->id};
    struct credential_row row;
    bool there;

    if (credential_row_view(r->v, &r->row, NO_ACCOUNT, &key, &row, &there))
        tell(r, CHECK_UNREADABLE, "its password was lost: give it a new one");
    else if (there)
        credential_row_put(repair_out(r, 1000), NO_ACCOUNT, &key, &row);
}

static void copy_accounts(struct repair *r)
{
    for (size_t i = 0; i < r->account_count; i++) {
        struct known_account *a = &r->accounts[i];

        choose_address(r, a);
        r->address = a->address;
        copy_account(r, a);
        copy_credential(r, a);
        arena_reset(r->row.arena);
    }
    r->address = STR_NONE;
}

static void copy_alias(struct repair *r, void *arg, struct str key, struct str value)
{
    struct route_key rk;
    struct route_row row;

    (void)arg;
    if (!route_key_unpack(key, &rk) || !route_unpack(r->row.arena, value, &row)) {
        tell(r, CHECK_UNREADABLE, "an address cannot be unpacked");
        return;
    }
    if (row.account.v)
        return;
    if (is_taken(r, rk.address)) {
        tell(r, CHECK_ROWS, "the alias %.*s is the address of an account", STR_ARG(rk.address));
        return;
    }
    put_domain_of(r, rk.address);
    route_row_put(repair_out(r, value.n + 300), NO_ACCOUNT, &rk, &row);
}

static void copy_secret(struct repair *r)
{
    struct secret_row row;
    bool there;

    if (secret_row_view(r->v, &r->row, NO_ACCOUNT, &(struct secret_key){0}, &row, &there))
        tell(r, CHECK_UNREADABLE, "the store's secret was lost, and is made anew");
    else if (there)
        secret_row_put(repair_out(r, 100), NO_ACCOUNT, &(struct secret_key){0}, &row);
}

/* No id is given a second time, also none of an account whose number only its mail tells. */
static void put_sequence(struct repair *r)
{
    uint64_t last = r->account_count ? r->accounts[r->account_count - 1].id : 0;
    struct sequence_row row = {.next_account = 1};
    bool there = false;

    if (sequence_row_view(r->v, &r->row, NO_ACCOUNT, &(struct sequence_key){0}, &row, &there)) {
        row.next_account = last + 1000; /* some may have been removed meanwhile */
        tell(r, CHECK_UNREADABLE, "the next account's id was lost: it is %" PRIu64 " now",
             row.next_account);
    }
    if (!there && !row.next_account)
        row.next_account = 1;
    if (row.next_account <= last)
        row.next_account = last + 1;
    sequence_row_put(repair_out(r, 100), NO_ACCOUNT, &(struct sequence_key){0}, &row);
}

static void put_format(struct repair *r)
{
    struct format_row row;
    bool there = false;

    if (format_row_view(r->v, &r->row, NO_ACCOUNT, &(struct format_key){0}, &row, &there) || !there)
        row = (struct format_row){.created = (uint64_t)now_ms()};
    row.version = STORE_FORMAT;
    format_row_put(repair_out(r, 100), NO_ACCOUNT, &(struct format_key){0}, &row);
}

void repair_directory(struct repair *r)
{
    put_format(r);
    copy_secret(r);
    put_sequence(r);
    repair_walk(r, directory, S("D"), S("E"), "the directory", copy_domain, NULL);
    copy_accounts(r);
    repair_walk(r, directory, S("A"), S("B"), "the directory", copy_alias, NULL);
}
