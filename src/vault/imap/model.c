/* Every command is one function that says it, looks at the reply line by line, and then does to the truth what the
 * reply says was done. */
#include "vault/imap/model_letters.h"

#include "base/arena.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

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

/* Nothing more is put into a mailbox of so many: else they grow with the steps, and so does the time of each. */
#define FULL 1000

static void do_append(struct model *m, size_t s)
{
    struct box *b;
    struct str code;
    uint64_t validity, uid;
    unsigned flags = (unsigned)below(m, 1u << FLAGS) & ~DELETED;
    size_t at = below(m, BOXES);
    struct buf words = buf_make(4096), text = buf_make(4096);
    size_t letter;

    if (m->boxes[at].alive >= FULL)
        return;
    write_flags(&words, flags);
    letter = letter_make(m, &text);
    say(m, s, MAY_EXPUNGE, "APPEND %s %.*s {%zu+}\r\n%.*s", box_names[at], (int)words.n, words.p,
        text.n, (int)text.n, text.p);
    buf_free(&words);
    buf_free(&text);
    b = &m->boxes[at];
    if (!find_code(m, S("[APPENDUID "), &code) || !take_u64(&code, &validity) ||
        !take_char(&code, ' ') || !take_u64(&code, &uid)) {
        wrong(m, "APPEND without APPENDUID");
    } else if (uid < b->uid_next || (b->uid_validity && validity != b->uid_validity)) {
        wrong(m, "APPENDUID %" PRIu64 " %" PRIu64 " where %u is next", validity, uid, b->uid_next);
    } else {
        add_message(&b->messages, (uint32_t)uid, flags)->letter = letter;
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
        size_t letter = real ? real->letter : 0;

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
        add_message(&target->messages, made, flags)->letter =
            letter; /* real is not valid any more, if it is the same mailbox */
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

    if (m->boxes[to].alive >= FULL || !choose(m, s, &c))
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
    command(m, s, c.uids ? MAY_EXPUNGE : 0, "%sFETCH %s (FLAGS UID%s%s)", c.uids ? "UID " : "", c.set,
            p->condstore ? " MODSEQ" : "", below(m, 4) ? "" : " RFC822.SIZE INTERNALDATE");
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
    p->read_only = read_only;
    p->named_flags = 0;
    p->selection = ++m->selections;
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
    {3, true, do_idle},     {14, false, do_noop},    {6, true, do_threads}, {2, true, do_search_thread},
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
    letters_free(m);
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
