/* Messages in the order in which they were added, which is mostly that of the mailbox: so the next one that is asked for is
 * mostly the next one here, and only where it is not a hash of contents is asked. Texts stand in chunks that never move;
 * the keys of SORT in columns, one for each criterion, which count as long as nothing is added. */
#include "vault/imap/facts_table.h"

#include "base/arena.h"
#include "base/scoped.h"

#include <stdlib.h>

#define MIB ((size_t)1024 * 1024)
#define ALL_LEAST (64 * MIB) /* some hundred thousand messages */
#define ALL_MOST (512 * MIB)
#define SHARE 32 /* of the memory there is, between the two */
#define CHUNK ((size_t)64 * 1024)
#define TABLES_MOST 256

struct kept {
    uint64_t body;
    const char *p;
    uint32_t n;
};
#define NOWHERE SIZE_MAX

#define COLUMNS (IMAP_SORT_RELEVANCY + 1)

struct column {
    uint64_t *keys; /* of each message; NULL: none */
    size_t count;   /* of messages when they were made */
};

struct chunk {
    struct chunk *next;
    size_t used, room;
    char bytes[];
};

struct facts_table {
    struct mailbox_ref at;
    pthread_mutex_t lock; /* held by who took it: guards what follows, down to bytes */
    struct kept *kept;
    size_t count, room;
    size_t likely;      /* in kept: what is probably asked for next */
    uint32_t *places;   /* the hash: 1 and where it stands in kept; 0: free */
    size_t place_count; /* a power of two */
    struct column columns[COLUMNS];
    struct chunk *chunks;
    size_t bytes;
    unsigned holders; /* guarded by the list's lock, and so are the links */
    struct facts_table *next;
};

static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static struct facts_table *list; /* the one asked for last is first */
static size_t list_bytes, list_count;
static size_t all_most = ALL_LEAST; /* bytes */

void facts_tables_begin(uint64_t memory)
{
    uint64_t share = memory / SHARE;

    all_most = share < ALL_LEAST ? ALL_LEAST : share > ALL_MOST ? ALL_MOST : (size_t)share;
}

/* Of all, for one table: another one is made while it is still held. */
static size_t table_most(void)
{
    return all_most / 4 * 3;
}

static void free_table(struct facts_table *t)
{
    while (t->chunks) {
        struct chunk *c = t->chunks;

        t->chunks = c->next;
        free(c);
    }
    for (size_t i = 0; i < COLUMNS; i++)
        free(t->columns[i].keys);
    free(t->kept);
    free(t->places);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

static struct facts_table *unlink_table(struct mailbox_ref at)
{
    for (struct facts_table **t = &list; *t; t = &(*t)->next)
        if (mailbox_ref_same((*t)->at, at)) {
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
    while ((list_bytes > all_most || list_count > TABLES_MOST) && drop_oldest())
        ;
    *t = NULL;
}

static size_t place_of(const struct facts_table *t, uint64_t body)
{
    size_t at = (size_t)(body * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (t->place_count - 1);

    while (t->places[at] && t->kept[t->places[at] - 1].body != body)
        at = (at + 1) & (t->place_count - 1);
    return at;
}

/* In kept. */
static size_t find(struct facts_table *t, uint64_t body)
{
    uint32_t place;

    if (t->likely < t->count && t->kept[t->likely].body == body)
        return t->likely++;
    place = t->count ? t->places[place_of(t, body)] : 0;
    if (!place)
        return NOWHERE;
    t->likely = place;
    return place - 1;
}

struct str facts_table_find(struct facts_table *t, struct body_id body)
{
    size_t at = find(t, body.v);

    return at == NOWHERE ? STR_NONE : (struct str){t->kept[at].p, t->kept[at].n};
}

static void count_bytes(struct facts_table *t, size_t n)
{
    HOLD(&list_lock);

    t->bytes += n;
    list_bytes += n;
}

static void grow(struct facts_table *t)
{
    size_t room = t->room ? t->room * 2 : 128;

    if (t->count < t->room)
        return;
    t->kept = must_realloc(t->kept, room * sizeof(*t->kept));
    free(t->places);
    t->place_count = 2 * room;
    t->places = must_alloc(t->place_count * sizeof(*t->places));
    for (size_t i = 0; i < t->count; i++)
        t->places[place_of(t, t->kept[i].body)] = (uint32_t)i + 1;
    count_bytes(t, (room - t->room) * (sizeof(*t->kept) + 2 * sizeof(*t->places)));
    t->room = room;
}

static char *take_room(struct facts_table *t, size_t n)
{
    if (!t->chunks || t->chunks->room - t->chunks->used < n) {
        size_t room = n > CHUNK ? n : CHUNK;
        struct chunk *c = must_alloc(sizeof(*c) + room);

        c->room = room;
        c->next = t->chunks;
        t->chunks = c;
        count_bytes(t, sizeof(*c) + room);
    }
    t->chunks->used += n;
    return t->chunks->bytes + t->chunks->used - n;
}

void facts_table_add(struct facts_table *t, struct body_id body, struct str packed)
{
    char *p;

    if (!packed.n || packed.n > UINT32_MAX || t->bytes + packed.n > table_most() ||
        find(t, body.v) != NOWHERE)
        return;
    grow(t);
    p = take_room(t, packed.n);
    memcpy(p, packed.p, packed.n);
    t->places[place_of(t, body.v)] = (uint32_t)t->count + 1;
    t->kept[t->count++] = (struct kept){.body = body.v, .n = (uint32_t)packed.n, .p = p};
    t->likely = t->count;
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

    for (size_t i = 0; i < t->count; i++)
        packed[i] = (struct str){t->kept[i].p, t->kept[i].n};
    c->keys = must_realloc(c->keys, t->count * sizeof(*c->keys));
    count_bytes(t, (t->count - c->count) * sizeof(*c->keys));
    c->count = t->count;
    sort_keys(criterion, packed, t->count, c->keys);
    free(packed);
}

void facts_table_order(struct facts_table *t, const struct imap_sort_criterion *criteria, size_t n)
{
    for (size_t i = 0; i < n && t->count; i++)
        if (sort_needs_facts(&criteria[i], 1) && t->columns[criteria[i].key].count != t->count)
            make_column(t, criteria[i].key);
}

bool facts_table_keys(struct facts_table *t, struct body_id body,
                      const struct imap_sort_criterion *criteria, size_t n, uint64_t *keys)
{
    size_t at = find(t, body.v);

    if (at == NOWHERE)
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
