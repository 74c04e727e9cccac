/* With children in lists, as the RFC speaks of them, and recursion. */
#include "mail/thread_naive.h"

#include <assert.h>
#include <stdlib.h>

#define MOST 1200

struct message {
    const struct thread_item *item; /* NULL: a dummy */
    uint64_t id;
    struct message *parent;
    struct message *children[MOST];
    size_t count;
};

static struct message *all[MOST];
static size_t all_count;

static struct message *make(const struct thread_item *item, uint64_t id)
{
    struct message *m = must_alloc(sizeof(*m));

    assert(all_count < MOST);
    m->item = item;
    m->id = id;
    return all[all_count++] = m;
}

static void take_away(struct message *m)
{
    struct message *p = m->parent;
    size_t i = 0;

    if (!p)
        return;
    while (p->children[i] != m)
        i++;
    memmove(&p->children[i], &p->children[i + 1], (p->count - i - 1) * sizeof(*p->children));
    p->count--;
    m->parent = NULL;
}

static void give(struct message *parent, struct message *m)
{
    take_away(m);
    m->parent = parent;
    parent->children[parent->count++] = m;
}

static bool is_below(const struct message *m, const struct message *above)
{
    for (; m; m = m->parent)
        if (m == above)
            return true;
    return false;
}

static struct message *find(uint64_t id)
{
    for (size_t i = 0; i < all_count; i++)
        if (id && all[i]->id == id)
            return all[i];
    return make(NULL, id);
}

static void step_1(struct message *m)
{
    struct str references = m->item->references;
    struct message *before = NULL;

    for (size_t i = 0; i < facts_reference_count(references); i++) {
        struct message *r = find(facts_reference(references, i));

        if (before && !r->parent && !is_below(before, r))
            give(before, r);
        before = r;
    }
    take_away(m);
    if (before && !is_below(before, m))
        give(before, m);
}

static void step_3(struct message *m, struct message *root)
{
    for (size_t i = 0; i < m->count;) {
        struct message *c = m->children[i];

        step_3(c, root);
        if (c->item || (m == root && c->count > 1)) {
            i++;
            continue;
        }
        if (c->count == 0) {
            take_away(c);
            continue;
        }
        while (c->count)
            give(m, c->children[0]);
        take_away(c);
    }
}

/* The one by whose date a message is sorted. */
static const struct thread_item *dated(const struct message *m)
{
    return m->item ? m->item : m->children[0]->item;
}

static void sort(struct message *m)
{
    for (size_t i = 0; i < m->count; i++)
        for (size_t k = i; k > 0; k--) {
            struct message *a = m->children[k - 1], *b = m->children[k];

            if (dated(a)->date_ms < dated(b)->date_ms ||
                (dated(a)->date_ms == dated(b)->date_ms && dated(a) < dated(b)))
                break;
            m->children[k - 1] = b;
            m->children[k] = a;
        }
}

static struct message *subjects[MOST];
static size_t subject_count;

static struct message **find_subject(const struct message *m)
{
    for (size_t i = 0; i < subject_count; i++)
        if (str_same(dated(subjects[i])->base_subject, dated(m)->base_subject))
            return &subjects[i];
    return NULL;
}

static void step_5_b(struct message *root)
{
    for (size_t i = 0; i < root->count; i++) {
        struct message *m = root->children[i], **t = find_subject(m);

        if (dated(m)->base_subject.n == 0)
            continue;
        if (!t)
            subjects[subject_count++] = m;
        else if ((*t)->item && (!m->item || ((*t)->item->is_reply && !m->item->is_reply)))
            *t = m;
    }
}

static void step_5_c(struct message *root, struct message *m)
{
    struct message **t = find_subject(m);

    if (dated(m)->base_subject.n == 0 || *t == m)
        return;
    if (!(*t)->item && !m->item) {
        while (m->count)
            give(*t, m->children[0]);
        take_away(m);
    } else if (!(*t)->item || (m->item->is_reply && !(*t)->item->is_reply)) {
        give(*t, m);
    } else {
        struct message *dummy = make(NULL, 0);

        give(root, dummy);
        give(dummy, *t);
        give(dummy, m);
        *t = dummy;
    }
}

static void step_6(struct message *m)
{
    for (size_t i = 0; i < m->count; i++)
        step_6(m->children[i]);
    sort(m);
}

static void write_list(struct buf *out, const struct message *m)
{
    buf_add_char(out, '(');
    while (m->item) {
        buf_printf(out, "%u", m->item->number);
        if (m->count)
            buf_add_char(out, ' ');
        if (m->count != 1)
            break;
        m = m->children[0];
    }
    for (size_t i = 0; i < m->count; i++)
        write_list(out, m->children[i]);
    buf_add_char(out, ')');
}

void thread_naively(struct buf *out, const struct thread_item *items, size_t n)
{
    struct message *root = must_alloc(sizeof(*root)), *heads[MOST];
    size_t count;

    all_count = subject_count = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t id = items[i].message_id;

        for (size_t k = 0; k < i; k++)
            if (items[k].message_id == id)
                id = 0;
        make(&items[i], id);
    }
    for (size_t i = 0; i < n; i++)
        step_1(all[i]);
    for (size_t i = 0; i < all_count; i++)
        if (!all[i]->parent)
            give(root, all[i]);
    step_3(root, root);
    for (size_t i = 0; i < root->count; i++)
        if (!root->children[i]->item)
            sort(root->children[i]);
    sort(root);
    step_5_b(root);
    memcpy(heads, root->children, sizeof(heads));
    count = root->count;
    for (size_t i = 0; i < count; i++)
        if (heads[i]->parent == root)
            step_5_c(root, heads[i]);
    step_6(root);
    for (size_t i = 0; i < root->count; i++)
        write_list(out, root->children[i]);
    for (size_t i = 0; i < all_count; i++)
        free(all[i]);
    free(root);
}
