/* What asks for threads asks for those of messages that are there now, in the order of their UIDs. */
#include "vault/imap/model_letters.h"

#include "base/arena.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define SUBJECTS 3
#define UNTHREADED SIZE_MAX
#define NEARBY 20 /* letters refer to those that came shortly before */

struct letter_known {
    uint64_t
        id; /* the number in its EMAILID, and in the THREADID of the thread that it begins; 0: nobody was told */
    size_t thread;  /* the letter that begins it */
    size_t keys[8]; /* ids under this subject: places in letters.first */
    size_t keys_count;
    size_t size;
    char date[32]; /* the INTERNALDATE that was told */
};

/* ---- making them ---- */

static struct letter_known *add_letter(struct letters *all)
{
    if (all->n == all->room) {
        all->room = all->room ? all->room * 2 : 256;
        all->v = must_realloc(all->v, all->room * sizeof(*all->v));
    }
    all->v[all->n] = (struct letter_known){.thread = UNTHREADED};
    return &all->v[all->n++];
}

/* An id, in whatever field it stands. */
static void add_id(struct letter_known *l, struct buf *out, size_t id, size_t subject)
{
    buf_printf(out, " <%zu@x.test>", id);
    l->keys[l->keys_count++] = id * SUBJECTS + subject;
}

/* Of one that came shortly before, or comes soon. */
static size_t some_id(struct model *m, size_t own)
{
    size_t back = below(m, NEARBY);

    return below(m, 8) == 0 ? own + back : back < own ? own - back : own;
}

size_t letter_make(struct model *m, struct buf *out)
{
    static const struct {
        const char *text;
        size_t base;
    } subjects[] = {{"plan", 0},  {"Re: PLAN", 0},   {"[list] plan", 0},
                    {"other", 1}, {"Fwd: other", 1}, {"", 2}};
    size_t own = m->letters.n, subject = below(m, sizeof(subjects) / sizeof(*subjects));
    size_t references = below(m, 4), answered = below(m, 3), base = subjects[subject].base;
    struct letter_known *l = add_letter(&m->letters);

    buf_printf(out, "From: a@x.test\r\nSubject: %s\r\n", subjects[subject].text);
    if (below(m, 8)) {
        buf_add_c(out, "Message-ID:");
        add_id(l, out, below(m, 8) ? own : some_id(m, own), base); /* somebody sends it once more */
        buf_add_c(out, "\r\n");
    }
    buf_add_c(out, references ? "References:" : "X-None:");
    while (references--)
        add_id(l, out, some_id(m, own), base);
    buf_add_c(out, answered ? "\r\nIn-Reply-To:" : "\r\nX-None:");
    while (answered--)
        add_id(l, out, some_id(m, own), base);
    buf_add_c(out, "\r\n\r\nbody\r\n");
    l->size = out->n;
    return own;
}

void letters_free(struct model *m)
{
    free(m->letters.v);
    free(m->letters.first);
}

/* ---- their threads ---- */

/* The letter that begins the thread to which a key leads. */
static size_t *thread_of_key(struct letters *all, size_t key)
{
    while (all->first_n <= key) {
        if (all->first_n == all->first_room) {
            all->first_room = all->first_room ? all->first_room * 2 : 1024;
            all->first = must_realloc(all->first, all->first_room * sizeof(*all->first));
        }
        all->first[all->first_n++] = UNTHREADED;
    }
    return &all->first[key];
}

static void ask(struct model *m, size_t letter)
{
    struct letter_known *l = &m->letters.v[letter];

    if (l->thread != UNTHREADED)
        return;
    for (size_t i = 0; i < l->keys_count; i++) {
        size_t thread = *thread_of_key(&m->letters, l->keys[i]);

        if (thread < l->thread)
            l->thread = thread;
    }
    if (l->thread == UNTHREADED)
        l->thread = letter;
    for (size_t i = 0; i < l->keys_count; i++) {
        size_t *thread = thread_of_key(&m->letters, l->keys[i]);

        if (*thread == UNTHREADED)
            *thread = l->thread;
    }
}

/* ---- what is told of them ---- */

/* The last number in it: before that of an EMAILID stands the account in which the letter came to be, which is one. */
static bool find_id(struct str items, struct str name, uint64_t *id)
{
    size_t at;

    *id = 0;
    if (!str_find(items, name, &at))
        return false;
    items = str_from(items, at + name.n);
    for (; items.n && (hex_value(items.p[0]) >= 0 || items.p[0] == '-'); items = str_from(items, 1))
        *id = items.p[0] == '-' ? 0 : *id << 4 | (uint64_t)hex_value(items.p[0]);
    return true;
}

/* Of two letters the later one has the greater id, so no two have the same. */
static void is_told(struct model *m, const char *what, size_t letter, uint64_t id)
{
    struct letter_known *l = &m->letters.v[letter];

    if (l->id && l->id != id)
        wrong(m, "%s of letter %zu was %" PRIx64 " and is %" PRIx64, what, letter, l->id, id);
    for (size_t i = letter; !l->id && i > 0; i--)
        if (m->letters.v[i - 1].id >= id) {
            wrong(m, "%s of letter %zu is %" PRIx64 ", and %zu came before it", what, letter, id,
                  i - 1);
            return;
        } else if (m->letters.v[i - 1].id) {
            break;
        }
    l->id = id;
}

/* Neither ever changes, and a copy has the same (RFC 9051 §6.4.7). */
static void size_and_date_told(struct model *m, size_t letter, struct str items)
{
    struct letter_known *l = &m->letters.v[letter];
    struct str in = items, date;
    uint64_t size;
    size_t at;

    if (str_find(items, S("RFC822.SIZE "), &at)) {
        in = str_from(items, at + 12);
        if (!take_u64(&in, &size) || size != l->size)
            wrong(m, "RFC822.SIZE of letter %zu is not %zu", letter, l->size);
    }
    if (!str_find(items, S("INTERNALDATE \""), &at))
        return;
    in = str_from(items, at + 14);
    if (!take_until(&in, '"', &date) || date.n >= sizeof(l->date))
        wrong(m, "INTERNALDATE cannot be understood");
    else if (!l->date[0])
        memcpy(l->date, date.p, date.n);
    else if (!str_same(date, str_from_c(l->date)))
        wrong(m, "INTERNALDATE of letter %zu was %s", letter, l->date);
}

void letter_told(struct model *m, size_t letter, struct str items)
{
    const struct letter_known *l = &m->letters.v[letter];
    uint64_t id;

    size_and_date_told(m, letter, items);

    if (find_id(items, S("EMAILID (E"), &id))
        is_told(m, "EMAILID", letter, id);
    if (!find_id(items, S("THREADID (T"), &id))
        return;
    if (l->thread == UNTHREADED)
        wrong(m, "THREADID of letter %zu, for which nobody has asked", letter);
    else
        is_told(m, "THREADID: EMAILID", l->thread, id);
}

/* ---- acts ---- */

/* The truth of one in the picture. */
static const struct message *real_at(struct model *m, size_t s, size_t i)
{
    return find_uid(&box_of(m, s)->messages, m->sessions[s].messages.v[i].uid);
}

void do_threads(struct model *m, size_t s)
{
    struct picture *p = &m->sessions[s];
    size_t n = p->messages.n, first, last, wanted = 0, answers = 0, at;
    bool uids = below(m, 2);
    struct str rest;

    if (!n)
        return;
    first = below(m, n);
    last = first + below(m, n - first < 6 ? n - first : 6);
    if (uids)
        say(m, s, MAY_EXPUNGE, "UID FETCH %u:%u (EMAILID THREADID)", p->messages.v[first].uid,
            p->messages.v[last].uid);
    else
        say(m, s, 0, "FETCH %zu:%zu (EMAILID THREADID)", first + 1, last + 1);
    for (size_t i = first; i <= last; i++) {
        const struct message *real = real_at(m, s, i);

        wanted += real->alive;
        if (real->alive)
            ask(m, real->letter);
    }
    for (rest = buf_str(&m->reply); str_find(rest, S("THREADID (T"), &at);
         rest = str_from(rest, at + 1))
        answers++;
    hear_all(m, s);
    if (answers != wanted)
        wrong(m, "FETCH told %zu threads of %zu", answers, wanted);
}

/* Everybody is asked for, also whom the session was not told of yet. */
void do_search_thread(struct model *m, size_t s)
{
    struct picture *p = &m->sessions[s];
    const struct messages *all = &box_of(m, s)->messages;
    struct set_walk w;
    size_t thread, n = p->messages.n;
    uint32_t number;

    if (!n)
        return;
    thread = m->letters.v[real_at(m, s, below(m, n))->letter].thread;
    if (thread == UNTHREADED || !m->letters.v[thread].id)
        return;
    say(m, s, 0, "SEARCH RETURN (ALL) THREADID T%" PRIx64, m->letters.v[thread].id);
    for (size_t i = 0; i < all->n; i++)
        if (all->v[i].alive)
            ask(m, all->v[i].letter);
    for (size_t i = 0; i < n; i++)
        p->messages.v[i].marked = false;
    hear_all(m, s);
    w = walk_set(m->found);
    while (!m->failed && next_uid(&w, &number)) {
        if (!number || number > n || m->letters.v[real_at(m, s, number - 1)->letter].thread != thread)
            wrong(m, "SEARCH THREADID found %u", number);
        else
            p->messages.v[number - 1].marked = true;
    }
    for (size_t i = 0; i < n && !m->failed; i++)
        if (!p->messages.v[i].marked && real_at(m, s, i)->alive &&
            m->letters.v[real_at(m, s, i)->letter].thread == thread)
            wrong(m, "SEARCH THREADID did not find %zu", i + 1);
}
