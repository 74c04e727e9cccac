/* The threads of an account: each letter's row has looks beside it, and each link counts the letters that have it. */
#include "vault/admin/check_account.h"

#include "base/scoped.h"
#include "base/sorted.h"
#include "vault/store/letters.h"
#include "vault/store/threads.h"

#include <inttypes.h>
#include <stdlib.h>

struct keys { /* of all letters; then in order, and how far the links have got */
    uint64_t *v;
    size_t n, room, at;
};

static void keys_free(struct keys *k)
{
    free(k->v);
}

static void keys_add(struct keys *k, const struct letter *l)
{
    while (k->room < k->n + l->count) {
        k->room = k->room ? k->room * 2 : 256;
        k->v = must_realloc(k->v, k->room * sizeof(*k->v));
    }
    for (size_t i = 0; i < l->count; i++)
        k->v[k->n++] = l->keys[i];
}

/* A thread of its own, if it has no message ids: under another content id, where it was elsewhere before (thread_bring()). */
static void check_own_thread(struct check *k, uint64_t body, uint64_t thread, const char *text)
{
    struct cold_row row;
    struct letter_id letter;
    bool there = false;

    if (thread == body ||
        cold_row_view(k->v, &k->row, k->account, &(struct cold_key){.body = body}, &row, &there) ||
        !there)
        return;
    letter = letter_id_of(&row, k->account, (struct body_id){body});
    if (!has_reference(k, letter.content, LEFT_PART, letter.origin.v))
        found(k, CHECK_ROWS, "message %s has no message ids, and is in another one's thread", text);
}

static void look_at_thread(struct check *k, void *arg, struct str key, struct str value)
{
    struct thread_key tk;
    struct thread_row row;
    struct letter l;
    scoped(buf_free) struct buf cold = buf_make(32);
    char text[ID_TEXT_SIZE];

    if (!thread_key_unpack(key, &tk) || !thread_unpack(k->row.arena, value, &row) ||
        !thread_keys(row.keys, &l)) {
        found(k, CHECK_UNREADABLE, "the thread of a message cannot be unpacked");
        return;
    }
    keys_add(arg, &l);
    id_text(tk.body, text);
    cold_key_pack(&cold, &(struct cold_key){.body = tk.body});
    if (!row_exists(k, cold_part(k->account), &cold, "the looks of a message"))
        found(k, CHECK_ROWS, "there is a thread of message %s, which the account does not have", text);
    if (!l.count)
        check_own_thread(k, tk.body, row.thread, text);
}

/* Keys of letters below this one lead nowhere. */
static void links_missing(struct check *k, struct keys *keys, uint64_t below)
{
    for (; keys->at < keys->n && keys->v[keys->at] < below; keys->at++)
        if (!keys->at || keys->v[keys->at - 1] != keys->v[keys->at])
            found(k, CHECK_ROWS, "a message id of a threaded message leads to no thread");
}

static void look_at_link(struct check *k, void *arg, struct str key, struct str value)
{
    struct keys *keys = arg;
    struct link_key lk;
    struct link_row row;
    uint64_t letters = 0;

    if (!link_key_unpack(key, &lk) || !link_unpack(k->row.arena, value, &row)) {
        found(k, CHECK_UNREADABLE, "what a message id leads to cannot be unpacked");
        return;
    }
    links_missing(k, keys, lk.key);
    for (; keys->at < keys->n && keys->v[keys->at] == lk.key; keys->at++)
        letters++;
    if (letters != row.letters)
        found(k, CHECK_COUNTERS,
              "a message id counts %" PRIu64 " threaded messages that have it; there are %" PRIu64,
              row.letters, letters);
}

void check_threads(struct check *k)
{
    scoped(keys_free) struct keys keys = {0};

    check_walk(k, thread_part(k->account), S("t"), S("u"), "the threads of messages", look_at_thread,
               &keys);
    sort_u64(keys.v, keys.n);
    check_walk(k, link_part(k->account), S("k"), S("l"), "what message ids lead to", look_at_link,
               &keys);
    links_missing(k, &keys, UINT64_MAX);
}
