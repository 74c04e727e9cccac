/* A chained hash table. The key is random, so its own low bits are the hash and nobody can aim at a chain. */
#include "vault/signon/handles.h"

#include "base/arena.h"
#include "base/codec.h"
#include "base/scoped.h"

#include <stdlib.h>

#define FIRST_BUCKETS 1024 /* a power of two */

struct entry {
    struct entry *next;
    struct handle handle;
    struct signed_on who;
    bool attached; /* its connection was handed over */
};

struct handles {
    pthread_mutex_t lock; /* guards everything below */
    struct entry **buckets;
    size_t bucket_count, n, most;
};

struct handles *handles_new(size_t most)
{
    struct handles *h = must_alloc(sizeof(*h));

    pthread_mutex_init(&h->lock, NULL);
    h->bucket_count = FIRST_BUCKETS;
    h->buckets = must_alloc(h->bucket_count * sizeof(*h->buckets));
    h->most = most;
    return h;
}

static struct entry **bucket_of(struct handles *h, struct handle handle)
{
    return &h->buckets[handle.lo & (h->bucket_count - 1)];
}

static void entry_add(struct handles *h, struct entry *e)
{
    struct entry **at = bucket_of(h, e->handle);

    e->next = *at;
    *at = e;
}

static void entry_remove(struct handles *h, struct entry **at)
{
    struct entry *e = *at;

    *at = e->next;
    h->n--;
    free(e);
}

static void grow(struct handles *h)
{
    struct entry **old = h->buckets;
    size_t old_count = h->bucket_count;

    h->bucket_count *= 2;
    h->buckets = must_alloc(h->bucket_count * sizeof(*h->buckets));
    for (size_t i = 0; i < old_count; i++) {
        for (struct entry *e = old[i], *next; e; e = next) {
            next = e->next;
            entry_add(h, e);
        }
    }
    free(old);
}

/* Where the pointer to the entry is; it points to NULL if there is none. */
static struct entry **entry_find(struct handles *h, struct handle handle)
{
    struct entry **at = bucket_of(h, handle);

    while (*at && ((*at)->handle.lo != handle.lo || (*at)->handle.hi != handle.hi))
        at = &(*at)->next;
    return at;
}

/* Removes what `matches` says, in all buckets. */
static void remove_if(struct handles *h, bool (*matches)(const struct signed_on *who, uint64_t value),
                      uint64_t value)
{
    for (size_t i = 0; i < h->bucket_count; i++) {
        struct entry **at = &h->buckets[i];

        while (*at) {
            if (matches(&(*at)->who, value))
                entry_remove(h, at);
            else
                at = &(*at)->next;
        }
    }
}

static bool is_anyone(const struct signed_on *who, uint64_t value)
{
    (void)who, (void)value;
    return true;
}

void handles_free(struct handles *h)
{
    if (!h)
        return;
    remove_if(h, is_anyone, 0);
    pthread_mutex_destroy(&h->lock);
    free(h->buckets);
    free(h);
}

enum err handle_give(struct handles *h, struct cx *cx, const struct signed_on *who, struct handle *out)
{
    struct entry *e;
    HOLD(&h->lock);

    if (h->n == h->most)
        return fail(cx, ERR_AUTH_BUSY, "%zu are signed on already", h->n);
    if (h->n >= h->bucket_count)
        grow(h);
    e = must_alloc(sizeof(*e));
    e->who = *who;
    do
        random_bytes(&e->handle, sizeof(e->handle));
    while (e->handle.hi == 0 || *entry_find(h, e->handle)); /* all zero means "none" in a call */
    entry_add(h, e);
    h->n++;
    *out = e->handle;
    return OK;
}

bool handle_find(struct handles *h, struct handle handle, uint64_t gate, struct signed_on *out)
{
    HOLD(&h->lock);
    struct entry *e = *entry_find(h, handle);

    if (!e || e->who.gate != gate)
        return false;
    *out = e->who;
    return true;
}

bool handle_attach(struct handles *h, struct handle handle, uint64_t gate, struct signed_on *out)
{
    HOLD(&h->lock);
    struct entry *e = *entry_find(h, handle);

    if (!e || e->who.gate != gate || e->attached)
        return false;
    e->attached = true;
    *out = e->who;
    return true;
}

void handle_end(struct handles *h, struct handle handle)
{
    HOLD(&h->lock);
    struct entry **at = entry_find(h, handle);

    if (*at)
        entry_remove(h, at);
}

static bool is_of_account(const struct signed_on *who, uint64_t account)
{
    return who->account.v == account;
}

void handles_end_account(struct handles *h, struct account_id account)
{
    HOLD(&h->lock);
    remove_if(h, is_of_account, account.v);
}

static bool is_of_gate(const struct signed_on *who, uint64_t gate)
{
    return who->gate == gate;
}

void handles_end_gate(struct handles *h, uint64_t gate)
{
    HOLD(&h->lock);
    remove_if(h, is_of_gate, gate);
}

size_t handles_count(struct handles *h)
{
    HOLD(&h->lock);
    return h->n;
}
