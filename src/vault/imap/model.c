/* Every command is one function that says it, looks at the reply line by line, and then does to the truth what the
 * reply says was done. */
#include "vault/imap/model.h"

#include "base/arena.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define BOXES 3
#define MOST_SESSIONS 8
#define KEPT_LINES 60 /* of the conversation, for who has to find out */

static const char *const box_names[BOXES] = {"INBOX", "one", "two"};

/* ---- flags ---- */

static const char *const flag_names[] = {"\\Seen",  "\\Answered", "\\Flagged", "\\Deleted",
                                         "\\Draft", "$Forwarded", "blue"};
#define FLAGS 7
#define DELETED 8u

static unsigned parse_flags(struct str list)
{
    unsigned flags = 0;
    struct str word;

    while (list.n) {
        if (!take_until(&list, ' ', &word)) {
            word = list;
            list = STR_NONE;
        }
        for (unsigned i = 0; i < FLAGS; i++)
            if (str_same_nocase(word, str_from_c(flag_names[i])))
                flags |= 1u << i;
    }
    return flags;
}

static void write_flags(struct buf *out, unsigned flags)
{
    const char *before = "(";

    for (unsigned i = 0; i < FLAGS; i++)
        if (flags & 1u << i) {
            buf_printf(out, "%s%s", before, flag_names[i]);
            before = " ";
        }
    buf_add_c(out, before[0] == '(' ? "()" : ")");
}

/* ---- the truth, and pictures of it ---- */

struct message {
    uint32_t uid;
    unsigned flags;
    bool alive, knows_flags; /* alive: in the truth; knows_flags: in a picture */
    bool marked;             /* while one reply is looked at */
};

struct messages {
    struct message *v;
    size_t n, room;
};

static struct message *add_message(struct messages *all, uint32_t uid, unsigned flags)
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

static void copy_messages(struct messages *to, const struct messages *from)
{
    to->n = 0;
    for (size_t i = 0; i < from->n; i++)
        *add_message(to, 0, 0) = from->v[i];
}

static struct message *find_uid(const struct messages *all, uint32_t uid)
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

struct box {
    struct messages messages; /* also those that are gone, which stay known */
    uint64_t uid_validity;    /* 0: nobody was told yet */
    uint32_t uid_next;
    size_t alive;
};

/* What a client kept of a mailbox when it left it. */
struct kept {
    struct messages messages;
    uint64_t uid_validity, modseq; /* modseq 0: nothing kept */
};

struct picture {
    bool open, selected, read_only, idle, condstore, qresync;
    size_t box;
    struct messages messages;
    uint64_t highest; /* the highest modseq that was told */
    struct kept kept[BOXES];
    unsigned tag;
};

/* Which untagged replies may come with what runs now. */
enum { MAY_EXPUNGE = 1, SELECTING = 2, MUST_ANSWER_FLAGS = 4 };

struct model {
    const struct model_wire *wire;
    uint64_t random, step;
    struct box boxes[BOXES];
    struct picture sessions[MOST_SESSIONS];
    size_t session_count;
    struct buf reply;
    char lines[KEPT_LINES][256];
    size_t line_count;
    char *trouble;
    bool failed;
    /* of the command that runs */
    unsigned may;
    struct str code;  /* of the tagged reply, without brackets */
    struct str found; /* numbers of SEARCH */
};

static uint64_t below(struct model *m, uint64_t n)
{
    m->random = m->random * 6364136223846793005u + 1442695040888963407u;
    return (m->random >> 33) % n;
}

static void note_line(struct model *m, size_t s, const char *who, struct str text)
{
    snprintf(m->lines[m->line_count++ % KEPT_LINES], sizeof(m->lines[0]), "%" PRIu64 " %zu%s %.*s",
             m->step, s, who, (int)(text.n > 220 ? 220 : text.n), text.p ? text.p : "");
}

__attribute__((format(printf, 2, 3))) static void wrong(struct model *m, const char *format, ...)
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

static struct box *box_of(struct model *m, size_t s)
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
struct set_walk {
    struct str rest;
    uint64_t next, last;
};

static bool next_uid(struct set_walk *w, uint32_t *uid)
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

static struct set_walk walk_set(struct str set)
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

static void told_flags(struct model *m, size_t s, struct message *known, unsigned flags)
{
    struct message *real = find_uid(&box_of(m, s)->messages, known->uid);

    if (!real)
        wrong(m, "a message of uid %u never was", known->uid);
    else if (real->alive && real->flags != flags)
        wrong(m, "uid %u: flags %02x are told, %02x is true", known->uid, flags, real->flags);
    known->flags = flags;
    known->knows_flags = known->marked = true;
}

static void told_fetch(struct model *m, size_t s, uint32_t number, struct str items)
{
    struct str list = STR_NONE;
    struct message *known;
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
    if (known && has_flags)
        told_flags(m, s, known, parse_flags(list));
}

static void told_code(struct model *m, size_t s, struct str line)
{
    struct picture *p = &m->sessions[s];
    struct box *b = box_of(m, s);
    struct str code;
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
    }
}

static void untagged(struct model *m, size_t s, struct str line)
{
    uint32_t n;
    size_t at;

    if (take_text_nocase(&line, S("SEARCH"))) {
        m->found = line;
    } else if (take_text_nocase(&line, S("ESEARCH"))) {
        m->found = str_find(line, S("ALL "), &at) ? str_from(line, at + 4) : STR_NONE;
    } else if (take_text_nocase(&line, S("VANISHED "))) {
        told_vanished(m, s, line);
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

enum outcome { OUT_OK, OUT_NO, OUT_BAD, OUT_NONE };

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
static enum outcome hear(struct model *m, size_t s, struct str tag)
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
__attribute__((format(printf, 4, 5))) static void say(struct model *m, size_t s, unsigned may,
                                                      const char *format, ...)
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
static bool find_code(struct model *m, struct str name, struct str *code)
{
    struct str rest = buf_str(&m->reply);
    size_t at;

    if (!str_find(rest, name, &at))
        return false;
    rest = str_from(rest, at + name.n);
    return take_until(&rest, ']', code);
}

static enum outcome hear_all(struct model *m, size_t s)
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

#define command(m, s, ...) (say(m, s, __VA_ARGS__), hear_all(m, s))

/* ---- what a picture must be when it is whole ---- */

static void check_whole(struct model *m, size_t s)
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

static void keep(struct model *m, size_t s)
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

static void do_noop(struct model *m, size_t s)
{
    command(m, s, MAY_EXPUNGE, "NOOP");
    if (m->sessions[s].selected && !m->failed) {
        check_whole(m, s);
        keep(m, s);
    }
}

/* ---- choosing messages ---- */

struct choice {
    char set[1024];
    bool uids;
};

/* One range or two of what the session knows; marks them in its picture. */
static bool choose(struct model *m, size_t s, struct choice *c)
{
    struct picture *p = &m->sessions[s];
    size_t n = p->messages.n, used = 0;

    c->uids = below(m, 2);
    for (size_t i = 0; i < n; i++)
        p->messages.v[i].marked = false;
    if (!n)
        return false;
    for (uint64_t parts = 1 + below(m, 2); parts; parts--) {
        size_t first = below(m, n), last = first + below(m, n - first < 6 ? n - first : 6);

        for (size_t i = first; i <= last; i++)
            p->messages.v[i].marked = true;
        used += (size_t)snprintf(c->set + used, sizeof(c->set) - used, "%s%" PRIu64 ":%" PRIu64,
                                 used ? "," : "",
                                 c->uids ? (uint64_t)p->messages.v[first].uid : (uint64_t)first + 1,
                                 c->uids ? (uint64_t)p->messages.v[last].uid : (uint64_t)last + 1);
    }
    /* A range of UIDs also takes what the session was not told of yet; nothing stands between two known ones. */
    return true;
}

/* The marked ones, as UIDs: the picture itself changes with the reply. */
static size_t chosen_uids(const struct picture *p, uint32_t *uids, size_t most)
{
    size_t n = 0;

    for (size_t i = 0; i < p->messages.n && n < most; i++)
        if (p->messages.v[i].marked)
            uids[n++] = p->messages.v[i].uid;
    return n;
}

#define MOST_CHOSEN 64

/* ---- commands that change something ---- */

static void do_append(struct model *m, size_t s)
{
    static const char text[] = "From: a@x.test\r\nSubject: s\r\n\r\nbody\r\n";
    struct box *b;
    struct str code;
    uint64_t validity, uid;
    unsigned flags = (unsigned)below(m, 1u << FLAGS) & ~DELETED;
    size_t at = below(m, BOXES);
    struct buf words = buf_make(4096);

    write_flags(&words, flags);
    say(m, s, MAY_EXPUNGE, "APPEND %s %.*s {%zu+}\r\n%s", box_names[at], (int)words.n, words.p,
        sizeof(text) - 1, text);
    buf_free(&words);
    b = &m->boxes[at];
    if (!find_code(m, S("[APPENDUID "), &code) || !take_u64(&code, &validity) ||
        !take_char(&code, ' ') || !take_u64(&code, &uid)) {
        wrong(m, "APPEND without APPENDUID");
    } else if (uid < b->uid_next || (b->uid_validity && validity != b->uid_validity)) {
        wrong(m, "APPENDUID %" PRIu64 " %" PRIu64 " where %u is next", validity, uid, b->uid_next);
    } else {
        add_message(&b->messages, (uint32_t)uid, flags);
        b->uid_next = (uint32_t)uid + 1;
        b->alive++;
    }
    if (hear_all(m, s) != OUT_OK)
        wrong(m, "APPEND was refused");
}

static unsigned change(unsigned flags, char how, unsigned with)
{
    return how == '+' ? flags | with : how == '-' ? flags & ~with : with;
}

/* The truth changes first, for the reply tells of it. A read-only session changes nothing, and hears NO. */
static void do_store(struct model *m, size_t s)
{
    static const char hows[] = {'+', '-', ' '};
    struct picture *p = &m->sessions[s];
    struct buf words = buf_make(4096);
    unsigned with = (unsigned)below(m, 1u << FLAGS);
    char how = hows[below(m, 3)];
    bool silent = below(m, 3) == 0;
    struct choice c;
    uint32_t uids[MOST_CHOSEN];
    size_t n;

    if (!choose(m, s, &c))
        return;
    if (below(m, 3)) /* else everything would soon be deleted */
        with &= ~DELETED;
    n = chosen_uids(p, uids, MOST_CHOSEN);
    for (size_t i = 0; i < n && !p->read_only; i++) {
        struct message *real = find_uid(&box_of(m, s)->messages, uids[i]);

        if (real && real->alive)
            real->flags = change(real->flags, how, with);
        if (silent && p->messages.v) {
            struct message *known = find_uid(&p->messages, uids[i]);

            known->flags = change(known->flags, how, with);
            known->knows_flags |= how == ' ';
        }
    }
    write_flags(&words, with);
    for (size_t i = 0; i < p->messages.n; i++)
        p->messages.v[i].marked = false;
    command(m, s, c.uids ? MAY_EXPUNGE : 0, "%sSTORE %s %sFLAGS%s %.*s", c.uids ? "UID " : "", c.set,
            how == ' '   ? ""
            : how == '+' ? "+"
                         : "-",
            silent ? ".SILENT" : "", (int)words.n, words.p);
    for (size_t i = 0; i < n && !m->failed && !silent && !p->read_only; i++) {
        struct message *real = find_uid(&box_of(m, s)->messages, uids[i]);
        struct message *known = find_uid(&p->messages, uids[i]);

        if (real && real->alive && known && known->knows_flags && known->flags != real->flags)
            wrong(m, "STORE did not tell the flags of uid %u", uids[i]);
    }
    buf_free(&words);
}

static void kill_message(struct box *b, struct message *real)
{
    if (real->alive) {
        real->alive = false;
        b->alive--;
    }
}

static void do_expunge(struct model *m, size_t s)
{
    struct picture *p = &m->sessions[s];
    struct box *b = box_of(m, s);
    uint32_t uids[MOST_CHOSEN];
    struct choice c;
    bool by_uid = below(m, 3) == 0;
    size_t n = 0;

    if (by_uid && (!choose(m, s, &c) || !c.uids))
        return;
    if (by_uid)
        n = chosen_uids(p, uids, MOST_CHOSEN);
    for (size_t i = 0; i < b->messages.n && !p->read_only; i++) {
        struct message *real = &b->messages.v[i];
        bool is_meant = !by_uid;

        for (size_t k = 0; k < n; k++)
            is_meant |= uids[k] == real->uid;
        if (is_meant && real->flags & DELETED)
            kill_message(b, real);
    }
    if ((by_uid ? command(m, s, MAY_EXPUNGE, "UID EXPUNGE %s", c.set)
                : command(m, s, MAY_EXPUNGE, "EXPUNGE")) != OUT_OK &&
        !p->read_only)
        wrong(m, "EXPUNGE was refused");
}

/* "uidvalidity source-set destination-set". Each living chosen one must be named, in order, and no other. */
static void copied(struct model *m, size_t s, struct str code, const uint32_t *uids, size_t n,
                   size_t to, bool move)
{
    struct box *from = box_of(m, s), *target = &m->boxes[to];
    struct set_walk source, destination;
    struct str list;
    uint32_t uid, made;
    uint64_t validity;
    size_t at = 0;

    if (!take_u64(&code, &validity) || !take_char(&code, ' ') || !take_until(&code, ' ', &list)) {
        wrong(m, "COPYUID cannot be understood");
        return;
    }
    source = walk_set(list);
    destination = walk_set(code);
    while (next_uid(&source, &uid) && !m->failed) {
        struct message *real = find_uid(&from->messages, uid);
        unsigned flags = real ? real->flags : 0;

        while (at < n && uids[at] != uid)
            at++;
        if (at == n || !real)
            wrong(m, "COPYUID names uid %u, which was not asked for", uid);
        else if (!next_uid(&destination, &made) || made < target->uid_next)
            wrong(m, "COPYUID gives uid %u, and %u is next", made, target->uid_next);
        if (m->failed)
            return;
        if (move)
            kill_message(from, real);
        add_message(&target->messages, made,
                    flags); /* real is not valid any more, if it is the same mailbox */
        target->uid_next = made + 1;
        target->alive++;
    }
}

static void do_copy(struct model *m, size_t s)
{
    struct picture *p = &m->sessions[s];
    bool move = below(m, 2) && !p->read_only;
    size_t to = below(m, BOXES), n;
    uint32_t uids[MOST_CHOSEN];
    struct choice c;
    struct str code;

    if (!choose(m, s, &c))
        return;
    n = chosen_uids(p, uids, MOST_CHOSEN);
    say(m, s, MAY_EXPUNGE, "%s%s %s %s", c.uids ? "UID " : "", move ? "MOVE" : "COPY", c.set,
        box_names[to]);
    if (find_code(m, S("[COPYUID "), &code))
        copied(m, s, code, uids, n, to, move);
    if (!m->failed && hear_all(m, s) != OUT_OK)
        return; /* RFC 6851 §3.3, RFC 9051 §6.4.7: some were gone */
    for (size_t i = 0; i < n && move && !m->failed; i++) {
        struct message *real = find_uid(&box_of(m, s)->messages, uids[i]);

        if (real && real->alive)
            wrong(m, "MOVE left uid %u where it was", uids[i]);
    }
}

/* ---- commands that look ---- */

static void do_fetch(struct model *m, size_t s)
{
    struct picture *p = &m->sessions[s];
    uint32_t uids[MOST_CHOSEN];
    struct choice c;
    size_t n;

    if (!choose(m, s, &c))
        return;
    n = chosen_uids(p, uids, MOST_CHOSEN);
    for (size_t i = 0; i < p->messages.n; i++)
        p->messages.v[i].marked = false;
    command(m, s, c.uids ? MAY_EXPUNGE : 0, "%sFETCH %s (FLAGS UID%s)", c.uids ? "UID " : "", c.set,
            p->condstore ? " MODSEQ" : "");
    for (size_t i = 0; i < n && !m->failed; i++) {
        struct message *real = find_uid(&box_of(m, s)->messages, uids[i]);
        struct message *known = find_uid(&p->messages, uids[i]);

        if (real && real->alive && known && !known->marked)
            wrong(m, "FETCH did not answer for uid %u", uids[i]);
    }
}

static void do_fetch_all(struct model *m, size_t s)
{
    if (m->sessions[s].messages.n)
        command(m, s, 0, "FETCH 1:* (UID FLAGS%s)", m->sessions[s].condstore ? " MODSEQ" : "");
}

/* A server may search what it has told or what is true now, so only what is both must hold. */
static void do_search(struct model *m, size_t s)
{
    static const char *const keys[] = {"SEEN", "ANSWERED", "FLAGGED", "DELETED", "DRAFT"};
    unsigned key = (unsigned)below(m, 5), bit = 1u << key;
    struct messages before = {0};
    struct set_walk w;
    uint32_t uid;

    copy_messages(&before, &m->sessions[s].messages);
    for (size_t i = 0; i < before.n; i++)
        before.v[i].marked = false;
    command(m, s, MAY_EXPUNGE, "UID SEARCH RETURN (ALL) %s", keys[key]);
    w = walk_set(m->found);
    while (next_uid(&w, &uid) && !m->failed) {
        struct message *known = find_uid(&before, uid), *real = find_uid(&box_of(m, s)->messages, uid);
        bool believed = known && (!known->knows_flags || known->flags & bit);

        if (known)
            known->marked = true;
        if (!real || (real->alive && !(real->flags & bit) && !believed))
            wrong(m, "SEARCH %s found uid %u", keys[key], uid);
    }
    for (size_t i = 0; i < before.n && !m->failed; i++) {
        struct message *known = &before.v[i], *real = find_uid(&box_of(m, s)->messages, known->uid);

        if (real && real->alive && known->knows_flags && real->flags & known->flags & bit &&
            !known->marked)
            wrong(m, "SEARCH %s did not find uid %u", keys[key], real->uid);
    }
    free(before.v);
}

static void do_status(struct model *m, size_t s)
{
    size_t at = below(m, BOXES), found;
    uint64_t n, next;
    struct str in;

    if (m->sessions[s].selected &&
        m->sessions[s].box == at) /* RFC 9051 §6.3.11: not for the selected one */
        return;
    if (command(m, s, MAY_EXPUNGE, "STATUS %s (MESSAGES UIDNEXT)", box_names[at]) != OUT_OK)
        return;
    in = buf_str(&m->reply);
    if (!str_find(in, S("(MESSAGES "), &found)) {
        wrong(m, "STATUS said nothing");
        return;
    }
    in = str_from(in, found + 10);
    if (!take_u64(&in, &n) || !take_text(&in, S(" UIDNEXT ")) || !take_u64(&in, &next) ||
        n != m->boxes[at].alive || next < m->boxes[at].uid_next)
        wrong(m, "STATUS of %s: %zu messages, %u next, are true", box_names[at], m->boxes[at].alive,
              m->boxes[at].uid_next);
}

/* ---- selecting ---- */

static void leave(struct model *m, size_t s)
{
    m->sessions[s].selected = false;
    m->sessions[s].messages.n = 0;
}

static void do_select(struct model *m, size_t s)
{
    struct picture *p = &m->sessions[s];
    size_t at = below(m, BOXES);
    struct kept *k = &p->kept[at];
    bool read_only = below(m, 6) == 0;
    const char *verb = read_only ? "EXAMINE" : "SELECT";
    enum outcome out;

    leave(m, s);
    p->box = at;
    p->highest = 0;
    if (!p->qresync)
        k->modseq = 0;
    if (k->modseq) {
        copy_messages(&p->messages, &k->messages);
        out = command(m, s, MAY_EXPUNGE | SELECTING, "%s %s (QRESYNC (%" PRIu64 " %" PRIu64 "))", verb,
                      box_names[at], k->uid_validity, k->modseq);
    } else {
        out = command(m, s, MAY_EXPUNGE | SELECTING, "%s %s%s", verb, box_names[at],
                      p->condstore ? " (CONDSTORE)" : "");
    }
    p->selected = out == OUT_OK;
    p->read_only = read_only;
    if (!p->selected && !m->failed)
        wrong(m, "%s was refused", verb);
    if (!m->failed)
        check_whole(m, s);
}

static void do_close(struct model *m, size_t s)
{
    struct picture *p = &m->sessions[s];
    struct box *b = box_of(m, s);
    bool expunges = below(m, 2);

    for (size_t i = 0; i < b->messages.n && expunges && !p->read_only; i++)
        if (b->messages.v[i].flags & DELETED)
            kill_message(b, &b->messages.v[i]);
    command(m, s, MAY_EXPUNGE, expunges ? "CLOSE" : "UNSELECT");
    leave(m, s);
}

static void do_enable(struct model *m, size_t s)
{
    struct picture *p = &m->sessions[s];

    if (p->selected || p->qresync) /* RFC 7162 §3.2.3: not while a mailbox is selected */
        return;
    if (below(m, 2)) {
        command(m, s, MAY_EXPUNGE, "ENABLE QRESYNC CONDSTORE");
        p->qresync = true;
    } else {
        command(m, s, MAY_EXPUNGE, "ENABLE CONDSTORE");
    }
    p->condstore = true;
}

/* A client that lost its connection knows what it knew at its last NOOP. */
static void do_reconnect(struct model *m, size_t s)
{
    struct picture *p = &m->sessions[s];

    note_line(m, s, ">", S("(lost its connection)"));
    m->wire->close(m->wire->arg, s);
    m->wire->open(m->wire->arg, s);
    leave(m, s);
    p->qresync = p->condstore = false;
    if (below(m, 2)) {
        command(m, s, MAY_EXPUNGE, "ENABLE QRESYNC");
        p->qresync = p->condstore = true;
    }
}

static void do_idle(struct model *m, size_t s)
{
    struct picture *p = &m->sessions[s];
    char text[32], tag[16];

    snprintf(tag, sizeof(tag), "t%u", p->idle ? p->tag : ++p->tag);
    snprintf(text, sizeof(text), p->idle ? "DONE\r\n" : "%s IDLE\r\n", tag);
    note_line(m, s, ">", str_upto(str_from_c(text), strlen(text) - 2));
    m->may = MAY_EXPUNGE;
    buf_clear(&m->reply);
    m->wire->say(m->wire->arg, s, str_from_c(text), &m->reply);
    if (hear(m, s, str_from_c(tag)) != (p->idle ? OUT_OK : OUT_NONE) && !m->failed)
        wrong(m, p->idle ? "no OK to DONE" : "an end of IDLE before DONE");
    p->idle = !p->idle;
}

/* ---- a run ---- */

static const struct {
    unsigned weight;
    bool selected; /* only while a mailbox is */
    void (*run)(struct model *m, size_t s);
} acts[] = {
    {12, false, do_append}, {14, true, do_store},    {5, true, do_expunge}, {6, true, do_copy},
    {8, true, do_fetch},    {2, true, do_fetch_all}, {4, true, do_search},  {3, false, do_status},
    {8, false, do_select},  {2, true, do_close},     {2, false, do_enable}, {1, false, do_reconnect},
    {3, true, do_idle},     {14, false, do_noop},
};
#define ACTS (sizeof(acts) / sizeof(acts[0]))

/* Those who idle hear at once: what they are told must be true now, not some commands later. */
static void hear_idlers(struct model *m)
{
    for (size_t s = 0; s < m->session_count && !m->failed; s++) {
        if (!m->sessions[s].idle)
            continue;
        m->may = MAY_EXPUNGE;
        buf_clear(&m->reply);
        m->wire->say(m->wire->arg, s, STR_NONE, &m->reply);
        hear(m, s, STR_NONE);
        if (m->sessions[s].selected && !m->failed)
            check_whole(m, s);
    }
}

static void act(struct model *m)
{
    size_t s = below(m, m->session_count), i = 0;
    unsigned total = 0;
    uint64_t pick;

    if (m->sessions[s].idle) { /* some steps later, on average */
        if (below(m, 3) == 0)
            do_idle(m, s);
        return;
    }
    for (i = 0; i < ACTS; i++)
        total += acts[i].weight;
    pick = below(m, total);
    for (i = 0; pick >= acts[i].weight; i++)
        pick -= acts[i].weight;
    if (!acts[i].selected || m->sessions[s].selected)
        acts[i].run(m, s);
}

static void free_model(struct model *m)
{
    for (size_t i = 0; i < BOXES; i++)
        free(m->boxes[i].messages.v);
    for (size_t s = 0; s < MOST_SESSIONS; s++) {
        free(m->sessions[s].messages.v);
        for (size_t i = 0; i < BOXES; i++)
            free(m->sessions[s].kept[i].messages.v);
    }
    buf_free(&m->reply);
    free(m);
}

bool model_run(const struct model_wire *wire, const struct model_settings *settings,
               char trouble[MODEL_TROUBLE])
{
    struct model *m = must_alloc(sizeof(*m));
    bool fine;

    *m = (struct model){.wire = wire,
                        .random = settings->seed * 2862933555777941757u + 3037000493u,
                        .session_count =
                            settings->sessions > MOST_SESSIONS ? MOST_SESSIONS : settings->sessions,
                        .reply = buf_make(BUF_UNLIMITED),
                        .trouble = trouble};
    trouble[0] = '\0';
    for (size_t s = 0; s < m->session_count; s++)
        wire->open(wire->arg, s);
    for (size_t i = 1; i < BOXES; i++)
        command(m, 0, MAY_EXPUNGE, "CREATE %s", box_names[i]);
    for (m->step = 1; m->step <= settings->steps && !m->failed; m->step++) {
        act(m);
        hear_idlers(m);
    }
    for (size_t s = 0; s < m->session_count && !m->failed; s++) {
        if (m->sessions[s].idle)
            do_idle(m, s);
        if (!m->failed)
            do_noop(m, s);
    }
    for (size_t s = 0; s < m->session_count; s++)
        wire->close(wire->arg, s);
    fine = !m->failed;
    free_model(m);
    return fine;
}
