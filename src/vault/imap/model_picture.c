/* A reply is looked at line by line, each as RFC 9051 §7 allows it at this moment, and what it tells must be true. */
#include "vault/imap/model_letters.h"

#include "base/arena.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

const char *const box_names[BOXES] = {"INBOX", "one", "two"};

/* ---- the truth, and pictures of it ---- */

struct message *add_message(struct messages *all, uint32_t uid, unsigned flags)
{
    if (all->n == all->room) {
        all->room = all->room ? all->room * 2 : 64;
        all->v = must_realloc(all->v, all->room * sizeof(*all->v));
    }
    all->v[all->n] = (struct message){.uid = uid, .flags = flags, .alive = true};
    return &all->v[all->n++];
}

static void drop_message(struct messages *all, size_t at)
{
    memmove(all->v + at, all->v + at + 1, (all->n - at - 1) * sizeof(*all->v));
    all->n--;
}

void copy_messages(struct messages *to, const struct messages *from)
{
    to->n = 0;
    for (size_t i = 0; i < from->n; i++)
        *add_message(to, 0, 0) = from->v[i];
}

struct message *find_uid(const struct messages *all, uint32_t uid)
{
    size_t low = 0, high = all->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (all->v[middle].uid < uid)
            low = middle + 1;
        else
            high = middle;
    }
    return low < all->n && all->v[low].uid == uid ? &all->v[low] : NULL;
}

uint64_t below(struct model *m, uint64_t n)
{
    m->random = m->random * 6364136223846793005u + 1442695040888963407u;
    return (m->random >> 33) % n;
}

void note_line(struct model *m, size_t s, const char *who, struct str text)
{
    snprintf(m->lines[m->line_count++ % KEPT_LINES], sizeof(m->lines[0]), "%" PRIu64 " %zu%s %.*s",
             m->step, s, who, (int)(text.n > 220 ? 220 : text.n), text.p ? text.p : "");
}

void wrong(struct model *m, const char *format, ...)
{
    char text[300];
    va_list args;

    if (m->failed)
        return;
    m->failed = true;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    snprintf(m->trouble, MODEL_TROUBLE, "step %" PRIu64 ": %s", m->step, text);
    for (size_t i = m->line_count > KEPT_LINES ? m->line_count - KEPT_LINES : 0; i < m->line_count; i++)
        fprintf(stderr, "    %s\n", m->lines[i % KEPT_LINES]);
}

struct box *box_of(struct model *m, size_t s)
{
    return &m->boxes[m->sessions[s].box];
}

/* ---- numbers and sets in replies ---- */

static bool take_number(struct str *in, uint32_t *n)
{
    uint64_t v;

    if (!take_u64(in, &v) || v > UINT32_MAX)
        return false;
    *n = (uint32_t)v;
    return true;
}

/* "4", "4:7"; moves past a comma behind. */
static bool take_range(struct str *in, uint32_t *first, uint32_t *last)
{
    if (!take_number(in, first))
        return false;
    *last = *first;
    if (take_char(in, ':') && !take_number(in, last))
        return false;
    if (*last < *first) {
        uint32_t swap = *last;

        *last = *first;
        *first = swap;
    }
    take_char(in, ',');
    return true;
}

/* Each UID of a set in turn, in the order written. */
bool next_uid(struct set_walk *w, uint32_t *uid)
{
    uint32_t first, last;

    if (w->next > w->last || !w->last) {
        if (!take_range(&w->rest, &first, &last))
            return false;
        w->next = first;
        w->last = last;
    }
    *uid = (uint32_t)w->next++;
    return true;
}

struct set_walk walk_set(struct str set)
{
    return (struct set_walk){.rest = set, .next = 1};
}

/* ---- untagged replies ---- */

static void told_exists(struct model *m, size_t s, uint32_t n)
{
    struct picture *p = &m->sessions[s];
    struct box *b = box_of(m, s);
    size_t at = 0;

    if (n < p->messages.n) {
        wrong(m, "EXISTS shrank from %zu to %u", p->messages.n, n);
        return;
    }
    /* New ones are those of the truth behind the last one known, in order; they may be gone again already, and
     * then they were never told of, so only living ones are counted. */
    if (p->messages.n)
        while (at < b->messages.n && b->messages.v[at].uid <= p->messages.v[p->messages.n - 1].uid)
            at++;
    for (; at < b->messages.n && p->messages.n < n; at++)
        if (b->messages.v[at].alive)
            add_message(&p->messages, b->messages.v[at].uid, 0);
    if (p->messages.n < n)
        wrong(m, "EXISTS says %u, and there are %zu at most", n, p->messages.n);
}

static void told_expunge(struct model *m, size_t s, uint32_t number)
{
    struct picture *p = &m->sessions[s];
    struct message *real;

    if (!(m->may & MAY_EXPUNGE)) {
        wrong(m, "EXPUNGE during a command that forbids it");
    } else if (p->qresync) {
        wrong(m, "EXPUNGE to a session that enabled QRESYNC");
    } else if (!number || number > p->messages.n) {
        wrong(m, "EXPUNGE of %u, and %zu are known", number, p->messages.n);
    } else {
        real = find_uid(&box_of(m, s)->messages, p->messages.v[number - 1].uid);
        if (real && real->alive)
            wrong(m, "EXPUNGE of %u (uid %u), which is there", number, real->uid);
        drop_message(&p->messages, number - 1);
    }
}

static void told_vanished(struct model *m, size_t s, struct str rest)
{
    struct picture *p = &m->sessions[s];
    bool earlier = take_text_nocase(&rest, S("(EARLIER) "));
    struct set_walk w = walk_set(rest);
    uint32_t uid;

    if (!p->qresync)
        wrong(m, "VANISHED to a session without QRESYNC");
    if (!earlier && !(m->may & MAY_EXPUNGE))
        wrong(m, "VANISHED during a command that forbids it");
    while (next_uid(&w, &uid)) {
        struct message *real = find_uid(&box_of(m, s)->messages, uid);
        struct message *known = find_uid(&p->messages, uid);

        if (real && real->alive)
            wrong(m, "VANISHED uid %u, which is there", uid);
        if (!known && !earlier)
            wrong(m, "VANISHED uid %u, which the session does not know", uid);
        if (known)
            drop_message(&p->messages, (size_t)(known - p->messages.v));
    }
}

/* With QRESYNC, FETCH may tell of a UID that the picture does not have yet, while a mailbox is selected. */
static struct message *fetched(struct model *m, size_t s, uint32_t number, uint32_t uid)
{
    struct picture *p = &m->sessions[s];

    if (m->may & SELECTING) {
        struct message *known = find_uid(&p->messages, uid);

        if (!known && p->messages.n && uid < p->messages.v[p->messages.n - 1].uid)
            wrong(m, "FETCH of uid %u, which came between what was known", uid);
        return known ? known : add_message(&p->messages, uid, 0);
    }
    if (!number || number > p->messages.n) {
        wrong(m, "FETCH of %u, and %zu are known", number, p->messages.n);
        return NULL;
    }
    if (uid && p->messages.v[number - 1].uid != uid) {
        wrong(m, "FETCH of %u says uid %u, which was %u", number, uid, p->messages.v[number - 1].uid);
        return NULL;
    }
    return &p->messages.v[number - 1];
}

static void told_flags(struct model *m, size_t s, struct message *known, struct str list)
{
    struct message *real = find_uid(&box_of(m, s)->messages, known->uid);
    unsigned flags = parse_flags(list);

    if (!real)
        wrong(m, "a message of uid %u never was", known->uid);
    else if (real->alive && real->flags != flags)
        wrong(m, "uid %u: flags %02x are told, %02x is true", known->uid, flags, real->flags);
    if (real)
        told_flag_list(m, s, real, list);
    known->flags = flags;
    known->knows_flags = known->marked = true;
}

static void told_fetch(struct model *m, size_t s, uint32_t number, struct str items)
{
    struct str list = STR_NONE;
    struct message *known, *real;
    uint32_t uid = 0;
    uint64_t modseq;
    bool has_flags = false;
    size_t at;

    if (str_find(items, S("UID "), &at)) {
        struct str in = str_from(items, at + 4);

        take_number(&in, &uid);
    }
    if (str_find(items, S("FLAGS ("), &at)) {
        struct str in = str_from(items, at + 7);

        has_flags = take_until(&in, ')', &list);
    }
    if (str_find(items, S("MODSEQ ("), &at)) {
        struct str in = str_from(items, at + 8);

        if (take_u64(&in, &modseq) && modseq > m->sessions[s].highest)
            m->sessions[s].highest = modseq;
    }
    known = fetched(m, s, number, uid);
    if (known && (real = find_uid(&box_of(m, s)->messages, known->uid)))
        letter_told(m, real->letter, items);
    if (known && has_flags)
        told_flags(m, s, known, list);
}

static void told_code(struct model *m, size_t s, struct str line)
{
    struct picture *p = &m->sessions[s];
    struct box *b = box_of(m, s);
    struct str code, list;
    uint64_t v;
    size_t at;

    if (!str_find_char(line, '[', &at))
        return;
    code = str_from(line, at + 1);
    if (take_text_nocase(&code, S("UIDVALIDITY ")) && take_u64(&code, &v)) {
        if (b->uid_validity && b->uid_validity != v)
            wrong(m, "UIDVALIDITY changed from %" PRIu64 " to %" PRIu64, b->uid_validity, v);
        b->uid_validity = v;
    } else if (take_text_nocase(&code, S("UIDNEXT ")) && take_u64(&code, &v)) {
        if (v < b->uid_next)
            wrong(m, "UIDNEXT is %" PRIu64 ", and %u was given", v, b->uid_next - 1);
        b->uid_next = (uint32_t)v;
    } else if (take_text_nocase(&code, S("HIGHESTMODSEQ ")) && take_u64(&code, &v) && v > p->highest) {
        p->highest = v;
    } else if (take_text_nocase(&code, S("PERMANENTFLAGS (")) && take_until(&code, ')', &list)) {
        told_permanent_flags(m, s, list);
    }
}

static void untagged(struct model *m, size_t s, struct str line)
{
    struct str list;
    uint32_t n;
    size_t at;

    if (take_text_nocase(&line, S("SEARCH"))) {
        m->found = line;
    } else if (take_text_nocase(&line, S("ESEARCH"))) {
        m->found = str_find(line, S("ALL "), &at) ? str_from(line, at + 4) : STR_NONE;
    } else if (take_text_nocase(&line, S("VANISHED "))) {
        told_vanished(m, s, line);
    } else if (take_text_nocase(&line, S("FLAGS (")) && take_until(&line, ')', &list)) {
        told_named_flags(m, s, list);
    } else if (take_text_nocase(&line, S("OK"))) {
        told_code(m, s, line);
    } else if (take_number(&line, &n)) {
        if (str_same_nocase(line, S(" EXISTS"))) {
            if (m->may & SELECTING && m->sessions[s].kept[m->sessions[s].box].modseq)
                return; /* the picture is made of what was kept, and of what follows */
            told_exists(m, s, n);
        } else if (str_same_nocase(line, S(" EXPUNGE"))) {
            told_expunge(m, s, n);
        } else if (take_text_nocase(&line, S(" FETCH "))) {
            told_fetch(m, s, n, line);
        }
    }
}

/* ---- a command ---- */

static enum outcome tagged(struct model *m, size_t s, struct str line)
{
    struct str code;

    m->code = STR_NONE;
    if (str_starts_nocase(line, S("OK [")) || str_starts_nocase(line, S("NO ["))) {
        code = str_from(line, 4);
        take_until(&code, ']', &m->code);
        told_code(m, s, line);
    }
    return str_starts_nocase(line, S("OK"))   ? OUT_OK
           : str_starts_nocase(line, S("NO")) ? OUT_NO
                                              : OUT_BAD;
}

/* Looks at every line of the reply. */
enum outcome hear(struct model *m, size_t s, struct str tag)
{
    struct str rest = buf_str(&m->reply), line;
    enum outcome out = OUT_NONE;

    while (!m->failed && take_until(&rest, '\n', &line)) {
        line = str_upto(line, line.n - (line.n && line.p[line.n - 1] == '\r'));
        note_line(m, s, " <", line);
        if (take_text(&line, S("* ")))
            untagged(m, s, line);
        else if (tag.n && take_text(&line, tag) && take_char(&line, ' '))
            out = tagged(m, s, line);
        else if (!str_starts(line, S("+ ")))
            wrong(m, "an unexpected line");
    }
    return out;
}

/* Says it and keeps the whole reply, unread. */
void say(struct model *m, size_t s, unsigned may, const char *format, ...)
{
    struct buf text = buf_make(BUF_UNLIMITED);
    char words[4096];
    va_list args;

    va_start(args, format);
    vsnprintf(words, sizeof(words), format, args);
    va_end(args);
    buf_printf(&text, "t%u %s\r\n", ++m->sessions[s].tag, words);
    note_line(m, s, ">", str_upto(buf_str(&text), text.n - 2));
    m->may = may;
    m->found = m->code = STR_NONE;
    buf_clear(&m->reply);
    m->wire->say(m->wire->arg, s, buf_str(&text), &m->reply);
    buf_free(&text);
}

/* What stands in a response code such as COPYUID, wherever in the reply: the truth is changed by it before the lines
 * are looked at, which tell of the change already. */
bool find_code(struct model *m, struct str name, struct str *code)
{
    struct str rest = buf_str(&m->reply);
    size_t at;

    if (!str_find(rest, name, &at))
        return false;
    rest = str_from(rest, at + name.n);
    return take_until(&rest, ']', code);
}

enum outcome hear_all(struct model *m, size_t s)
{
    char tag[16];
    enum outcome out;

    snprintf(tag, sizeof(tag), "t%u", m->sessions[s].tag);
    out = hear(m, s, str_from_c(tag));
    if (out == OUT_NONE)
        wrong(m, "no tagged reply");
    if (out == OUT_BAD)
        wrong(m, "BAD to a good command");
    return out;
}

/* ---- what a picture must be when it is whole ---- */

void check_whole(struct model *m, size_t s)
{
    struct picture *p = &m->sessions[s];
    struct box *b = box_of(m, s);
    size_t at = 0;

    for (size_t i = 0; i < b->messages.n && !m->failed; i++) {
        struct message *real = &b->messages.v[i], *known;

        if (!real->alive)
            continue;
        known = at < p->messages.n ? &p->messages.v[at++] : NULL;
        if (!known)
            wrong(m, "the session was not told of uid %u", real->uid);
        else if (known->uid != real->uid)
            wrong(m, "the session believes in uid %u where %u is", known->uid, real->uid);
        else if (known->knows_flags && known->flags != real->flags)
            wrong(m, "uid %u: the session believes flags %02x, true is %02x", real->uid, known->flags,
                  real->flags);
    }
    if (!m->failed && at != p->messages.n)
        wrong(m, "the session believes in %zu messages, there are %zu", p->messages.n, at);
}

void keep(struct model *m, size_t s)
{
    struct picture *p = &m->sessions[s];
    struct kept *k = &p->kept[p->box];

    copy_messages(&k->messages, &p->messages);
    k->uid_validity = box_of(m, s)->uid_validity;
    k->modseq = p->qresync ? p->highest : 0;
    for (size_t i = 0; i < k->messages.n && k->modseq; i++)
        if (!k->messages.v[i].knows_flags)
            k->modseq = 0; /* a client that does not know all flags cannot ask for changes alone */
}
