/* The first criterion's beginning is a number that sits beside the message, so that most comparisons look nowhere else. */
#include "mail/sort.h"

#include "mail/order.h"

#include <assert.h>

enum kind { NUMBER, TEXT };

static enum kind kind_of(enum imap_sort_key key)
{
    return key == IMAP_SORT_ARRIVAL || key == IMAP_SORT_DATE || key == IMAP_SORT_SIZE ||
                   key == IMAP_SORT_RELEVANCY
               ? NUMBER
               : TEXT;
}

/* Only these have keys of sort_keys(). */
static bool asks_for_facts(enum imap_sort_key key)
{
    return kind_of(key) == TEXT || key == IMAP_SORT_DATE;
}

bool sort_needs_facts(const struct imap_sort_criterion *criteria, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (asks_for_facts(criteria[i].key))
            return true;
    return false;
}

size_t sort_room(size_t criterion_count)
{
    return criterion_count * sizeof(struct str) + sizeof(uint32_t) + 2 * sizeof(struct order);
}

struct sort sort_begin(struct arena *a, const struct imap_sort_criterion *criteria,
                       size_t criterion_count, size_t most)
{
    return (struct sort){.arena = a,
                         .criteria = criteria,
                         .criterion_count = criterion_count,
                         .most = most,
                         .values = arena_array(a, struct str, most * criterion_count),
                         .numbers = arena_array(a, uint32_t, most)};
}

static struct str number(uint64_t v)
{
    return (struct str){NULL, (size_t)v};
}

/* A copy that compares as RFC 5255 §4.6 (c) orders texts: those of which something could not be read stand behind all
 * others. No text in UTF-8 has a byte 255. */
static struct str comparable(struct arena *a, struct str text)
{
    size_t at;
    char *copy;

    if (!text.n || !str_find(text, S("\xef\xbf\xbd"), &at))
        return text.n ? str_copy(a, text) : STR_NONE;
    copy = arena_array(a, char, text.n + 1);
    copy[0] = (char)0xff;
    memcpy(copy + 1, text.p, text.n);
    return (struct str){copy, text.n + 1};
}

static struct str value_of(const struct sort_message *m, enum imap_sort_key key)
{
    switch (key) {
    case IMAP_SORT_ARRIVAL:
        return number(order_key(m->internal_ms));
    case IMAP_SORT_DATE:
        return number(order_key(facts_date(m->facts, m->internal_ms)));
    case IMAP_SORT_SIZE:
        return number(m->size);
    case IMAP_SORT_RELEVANCY: /* the highest first */
        return number(UINT32_MAX - m->relevancy);
    case IMAP_SORT_CC:
        return m->facts->cc.mailbox;
    case IMAP_SORT_FROM:
        return m->facts->from.mailbox;
    case IMAP_SORT_TO:
        return m->facts->to.mailbox;
    case IMAP_SORT_SUBJECT:
        return m->facts->base_subject;
    case IMAP_SORT_DISPLAYFROM:
        return m->facts->from.display;
    case IMAP_SORT_DISPLAYTO:
        return m->facts->to.display;
    }
    return STR_NONE;
}

/* A date that is not there stands behind none: 0. */
static struct str value_of_key(const struct sort_message *m, enum imap_sort_key criterion, uint64_t key)
{
    return number(criterion == IMAP_SORT_DATE && !key ? order_key(m->internal_ms) : key);
}

void sort_add(struct sort *s, const struct sort_message *m)
{
    struct str *values = &s->values[s->count * s->criterion_count];

    assert(s->count < s->most);
    s->has_keys = m->keys;
    for (size_t i = 0; i < s->criterion_count; i++) {
        if (m->keys && asks_for_facts(s->criteria[i].key)) {
            values[i] = value_of_key(m, s->criteria[i].key, m->keys[i]);
            continue;
        }
        values[i] = value_of(m, s->criteria[i].key);
        if (kind_of(s->criteria[i].key) == TEXT)
            values[i] = comparable(s->arena, values[i]);
    }
    s->numbers[s->count++] = m->number;
}

static int compare_values(enum kind kind, struct str a, struct str b)
{
    if (kind == TEXT)
        return str_compare(a, b);
    return a.n < b.n ? -1 : a.n > b.n;
}

static enum kind kind_in(const struct sort *s, size_t i)
{
    return s->has_keys ? NUMBER : kind_of(s->criteria[i].key);
}

static int compare_messages(const void *ctx, uint32_t a, uint32_t b)
{
    const struct sort *s = ctx;
    const struct str *left = &s->values[a * s->criterion_count],
                     *right = &s->values[b * s->criterion_count];

    for (size_t i = 0; i < s->criterion_count; i++) {
        int c = compare_values(kind_in(s, i), left[i], right[i]);

        if (c)
            return s->criteria[i].reverse ? -c : c;
    }
    return 0;
}

static uint64_t first_key(const struct sort *s, size_t i)
{
    struct str value = s->values[i * s->criterion_count];
    uint64_t key = kind_in(s, 0) == TEXT ? order_key_of_text(value) : value.n;

    return s->criteria[0].reverse ? ~key : key;
}

void sort_end(struct sort *s, uint32_t *numbers)
{
    struct order *order = arena_array(s->arena, struct order, s->count);
    struct order *room = arena_array(s->arena, struct order, s->count);

    for (size_t i = 0; i < s->count; i++)
        order[i] = (struct order){s->criterion_count ? first_key(s, i) : 0, (uint32_t)i};
    order_sort(order, room, s->count, compare_messages, s);
    for (size_t i = 0; i < s->count; i++)
        numbers[i] = s->numbers[order[i].index];
}

/* ---- keys ---- */

static int compare_texts(const void *ctx, uint32_t a, uint32_t b)
{
    const struct str *texts = ctx;

    return str_compare(texts[a], texts[b]);
}

static void rank_texts(const struct str *texts, size_t n, struct order *order, struct order *room,
                       uint64_t *keys)
{
    uint64_t rank = 0;

    for (size_t i = 0; i < n; i++)
        order[i] = (struct order){order_key_of_text(texts[i]), (uint32_t)i};
    order_sort(order, room, n, compare_texts, texts);
    for (size_t i = 0; i < n; i++) {
        if (i && compare_texts(texts, order[i - 1].index, order[i].index) != 0)
            rank++;
        keys[order[i].index] = rank;
    }
}

void sort_keys(enum imap_sort_key criterion, const struct str *packed, size_t n, uint64_t *keys)
{
    struct arena *a = arena_new(0);
    struct str *texts = arena_array(a, struct str, n);
    struct facts f;

    for (size_t i = 0; i < n; i++) {
        facts_read(packed[i], &f);
        if (criterion == IMAP_SORT_DATE)
            keys[i] = f.has_date ? order_key(f.date_ms) : 0;
        else
            texts[i] = comparable(a, value_of(&(struct sort_message){.facts = &f}, criterion));
    }
    if (criterion != IMAP_SORT_DATE)
        rank_texts(texts, n, arena_array(a, struct order, n), arena_array(a, struct order, n), keys);
    arena_free(a);
}
