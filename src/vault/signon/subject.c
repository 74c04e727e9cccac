#include "vault/signon/subject.h"

#include "base/arena.h"
#include "base/codec.h"
#include "base/scoped.h"
#include "mail/idna.h"
#include "vault/signon/password.h"

static const struct part directory_part = {PART_DIRECTORY, 0};

static enum err open_view(struct store *s, struct cx *cx, struct view **out)
{
    *out = view_open(s->engine);
    return *out ? OK : fail(cx, ERR_STORE, "the store is down");
}

enum err subject_find(struct store *s, struct cx *cx, struct str name, struct subject *out)
{
    scoped(view_close) struct view *v = NULL;
    bool found = false, has_credential;
    enum err e = open_view(s, cx, &v);

    *out = (struct subject){0};
    if (!e)
        e = directory_find_account(s, v, cx, name, &out->account, &out->row, &found);
    if (!found)
        out->account = NO_ACCOUNT;
    if (e || !found)
        return e;
    e = account_credential(v, cx, out->account, &out->credential, &has_credential);
    if (!e && !has_credential)
        out->credential = (struct credential_row){0};
    return e;
}

enum err subject_stands(struct store *s, struct cx *cx, struct account_id account, uint64_t version,
                        bool *stands)
{
    scoped(view_close) struct view *v = NULL;
    struct credential_row credential;
    struct account_row row;
    bool is_there = false, has_credential = false;
    enum err e = open_view(s, cx, &v);

    if (!e)
        e = directory_account(v, cx, account, &row, &is_there);
    if (!e && is_there)
        e = account_credential(v, cx, account, &credential, &has_credential);
    *stands = !e && is_there && has_credential && !row.suspended && credential.version == version;
    return e;
}

struct str canonical_name(struct cx *cx, struct str name)
{
    struct mailbox m;
    struct address_key key;
    struct buf b = buf_make(4096);
    struct str out;

    if (!is_mailbox(name, ADDRESS_UTF8 | ADDRESS_NO_DOMAIN, &m) || !address_key(cx->arena, &m, &key))
        return str_lower(cx->arena, name);
    address_key_write(&b, &key);
    out = str_copy(cx->arena, buf_str(&b));
    buf_free(&b);
    return out;
}

enum err store_secret(struct store *s, struct cx *cx, struct keyed *out)
{
    scoped(txn_rollback) struct txn *t = txn_begin(s->engine, &directory_part, 1);
    struct secret_key key = {0};
    struct secret_row row;
    struct ticket ticket;
    bool found;
    enum err e = secret_row_txn(t, cx, NO_ACCOUNT, &key, &row, &found);

    if (e)
        return e;
    if (found && row.key.n != sizeof(out->v))
        return fail(cx, ERR_DAMAGED, "the store's secret has %zu bytes", row.key.n);
    if (found) {
        memcpy(out->v, row.key.p, row.key.n);
        return OK;
    }
    *out = keyed_random();
    row = (struct secret_row){.key = {(const char *)out->v, sizeof(out->v)}};
    secret_row_put(t, NO_ACCOUNT, &key, &row);
    e = txn_commit(&t, cx, &ticket);
    return e ? e : engine_wait(s->engine, cx, ticket);
}

#define MADE_UP_SALT 18 /* as long as password_make()'s */

static struct scram_keys made_up_keys(struct cx *cx, const struct keyed *secret, struct str name)
{
    struct keyed salt = keyed_digest(secret, S("scram-salt"), name);
    char *random = arena_alloc(cx->arena, 2 * SCRAM_KEY);

    random_bytes(random, 2 * SCRAM_KEY);
    return (struct scram_keys){
        .iterations = SCRAM_ITERATIONS,
        .salt = str_copy(cx->arena, (struct str){(const char *)salt.v, MADE_UP_SALT}),
        .stored_key = {random, SCRAM_KEY},
        .server_key = {random + SCRAM_KEY, SCRAM_KEY},
    };
}

struct scram_keys subject_scram_keys(struct cx *cx, const struct keyed *secret,
                                     const struct subject *subject, struct str name)
{
    const struct credential_row *c = &subject->credential;
    struct scram_keys made_up = made_up_keys(cx, secret, canonical_name(cx, name));

    if (c->scram_stored_key.n != SCRAM_KEY || c->scram_server_key.n != SCRAM_KEY)
        return made_up;
    return (struct scram_keys){c->scram_iterations, c->scram_salt, c->scram_stored_key,
                               c->scram_server_key};
}
