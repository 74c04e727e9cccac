/* A hash of contents, and the texts in chunks that never move. The keys of SORT stand beside the slots, a column for each
 * criterion, and count as long as nothing is added. */
#include "vault/imap/facts_table.h"

#include "base/arena.h"
#include "base/scoped.h"

#include <stdlib.h>

#define ALL_MOST ((size_t)64 * 1024 * 1024)
#define TABLE_MOST ((size_t)48 * 1024 * 1024)
#define CHUNK ((size_t)64 * 1024)
#define TABLES_MOST 256

struct slot {
    uint64_t body; /* 0: free */
    const char *p;
    uint32_t n;
};

#define COLUMNS (IMAP_SORT_RELEVANCY + 1)

struct column {
    uint64_t *keys; /* of each slot; NULL: none */
    size_t count;   /* of messages when they were made */
};

struct chunk {
    struct chunk *next;
    size_t used, room;
    char bytes[];
};

struct facts_table {
    struct mailbox_ref at;
    pthread_mutex_t lock; /* held by who took it: guards the slots and chunks */
    struct slot *slots;
    size_t count, room; /* room: a power of two */
    struct column columns[COLUMNS];
    struct chunk *chunks;
    size_t bytes;
    unsigned holders; /* guarded by the list's lock, and so are the links */
    struct facts_table *next;
};

static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static struct facts_table *list; /* the one asked for last is first */
static size_t list_bytes, list_count;

static void free_table(struct facts_table *t)
{
    while (t->chunks) {
        struct chunk *c = t->chunks;

        t->chunks = c->next;
        free(c);
    }
    for (size_t i = 0; i < COLUMNS; i++)
        free(t->columns[i].keys);
    free(t->slots);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

static struct facts_table *unlink_table(struct mailbox_ref at)
{
    for (struct facts_table **t = &list; *t; t = &(*t)->next)
        if ((*t)->at.account.v == at.account.v && (*t)->at.mailbox.v == at.mailbox.v) {
            struct facts_table *found = *t;

            *t = found->next;
            return found;
        }
    return NULL;
}

/* The last one that nobody holds. */
static bool drop_oldest(void)
{
    struct facts_table **oldest = NULL, *t;

    for (struct facts_table **at = &list; *at; at = &(*at)->next)
        if (!(*at)->holders)
            oldest = at;
    if (!oldest)
        return false;
    t = *oldest;
    *oldest = t->next;
    list_bytes -= t->bytes;
    list_count--;
    free_table(t);
    return true;
}

struct facts_table *facts_table_take(struct mailbox_ref at)
{
    struct facts_table *t;

    {
        HOLD(&list_lock);

        t = unlink_table(at);
        if (!t) {
            t = must_alloc(sizeof(*t));
            t->at = at;
            pthread_mutex_init(&t->lock, NULL);
            list_count++;
        }
        t->holders++;
        t->next = list;
        list = t;
    }
    pthread_mutex_lock(&t->lock);
    return t;
}

void facts_table_give_back(struct facts_table **t)
{
    if (!*t)
        return;
    pthread_mutex_unlock(&(*t)->lock);
    HOLD(&list_lock);
    (*t)->holders--;
    while ((list_bytes > ALL_MOST || list_count > TABLES_MOST) && drop_oldest())
        ;
    *t = NULL;
}

static size_t place_of(const struct facts_table *t, uint64_t body)
{
    size_t at = (size_t)(body * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (t->room - 1);

    while (t->slots[at].body && t->slots[at].body != body)
        at = (at + 1) & (t->room - 1);
    return at;
}

struct str facts_table_find(const struct facts_table *t, struct body_id body)
{
    const struct slot *s;

    if (!t->room)
        return STR_NONE;
    s = &t->slots[place_of(t, body.v)];
    return s->body ? (struct str){s->p, s->n} : STR_NONE;
}

static void count_bytes(struct facts_table *t, int64_t n)
{
    HOLD(&list_lock);

    t->bytes += (size_t)n;
    list_bytes += (size_t)n;
}

static void forget_columns(struct facts_table *t)
{
    for (size_t i = 0; i < COLUMNS; i++) {
        if (t->columns[i].keys)
            count_bytes(t, -(int64_t)(t->room * sizeof(*t->columns[i].keys)));
        free(t->columns[i].keys);
        t->columns[i] = (struct column){0};
    }
}

static void grow_slots(struct facts_table *t)
{
    struct slot *old = t->slots;
    size_t room = t->room;

    if (t->count * 4 < t->room * 3)
        return;
    forget_columns(t);
    t->room = room ? room * 2 : 256;
    t->slots = must_alloc(t->room * sizeof(*t->slots));
    for (size_t i = 0; i < room; i++)
        if (old[i].body)
            t->slots[place_of(t, old[i].body)] = old[i];
    free(old);
    count_bytes(t, (int64_t)((t->room - room) * sizeof(*old)));
}

static char *take_room(struct facts_table *t, size_t n)
{
    if (!t->chunks || t->chunks->room - t->chunks->used < n) {
        size_t room = n > CHUNK ? n : CHUNK;
        struct chunk *c = must_alloc(sizeof(*c) + room);

        c->room = room;
        c->next = t->chunks;
        t->chunks = c;
        count_bytes(t, (int64_t)(sizeof(*c) + room));
    }
    t->chunks->used += n;
    return t->chunks->bytes + t->chunks->used - n;
}

void facts_table_add(struct facts_table *t, struct body_id body, struct str packed)
{
    struct slot *s;
    char *p;

    if (!packed.n || packed.n > UINT32_MAX || t->bytes + packed.n > TABLE_MOST)
        return;
    grow_slots(t);
    s = &t->slots[place_of(t, body.v)];
    if (s->body)
        return;
    p = take_room(t, packed.n);
    memcpy(p, packed.p, packed.n);
    *s = (struct slot){.body = body.v, .n = (uint32_t)packed.n, .p = p};
    t->count++;
}

/* ---- what SORT compares ---- */

size_t facts_table_count(const struct facts_table *t)
{
    return t->count;
}

static void make_column(struct facts_table *t, enum imap_sort_key criterion)
{
    struct column *c = &t->columns[criterion];
    struct str *packed = must_alloc(t->count * sizeof(*packed));
    uint64_t *keys = must_alloc(t->count * sizeof(*keys));
    size_t n = 0;

    if (!c->keys) {
        c->keys = must_alloc(t->room * sizeof(*c->keys));
        count_bytes(t, (int64_t)(t->room * sizeof(*c->keys)));
    }
    for (size_t i = 0; i < t->room; i++)
        if (t->slots[i].body)
            packed[n++] = (struct str){t->slots[i].p, t->slots[i].n};
    sort_keys(criterion, packed, n, keys);
    n = 0;
    for (size_t i = 0; i < t->room; i++)
        if (t->slots[i].body)
            c->keys[i] = keys[n++];
    c->count = t->count;
    free(packed);
    free(keys);
}

void facts_table_order(struct facts_table *t, const struct imap_sort_criterion *criteria, size_t n)
{
    for (size_t i = 0; i < n && t->count; i++)
        if (sort_needs_facts(&criteria[i], 1) && t->columns[criteria[i].key].count != t->count)
            make_column(t, criteria[i].key);
}

bool facts_table_keys(const struct facts_table *t, struct body_id body,
                      const struct imap_sort_criterion *criteria, size_t n, uint64_t *keys)
{
    size_t at;

    if (!t->room)
        return false;
    at = place_of(t, body.v);
    if (!t->slots[at].body)
        return false;
    for (size_t i = 0; i < n; i++) {
        const struct column *c = &t->columns[criteria[i].key];

        if (!sort_needs_facts(&criteria[i], 1))
            continue;
        if (c->count != t->count)
            return false;
        keys[i] = c->keys[at];
    }
    return true;
}
