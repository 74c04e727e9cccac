/* Keys are asked of one message, and what they need of it is read. */
#include "vault/imap/match_impl.h"

#include "base/arena.h"
#include "mail/casemap.h"
#include "mail/header.h"
#include "mail/words.h"
#include "vault/search/search.h"
#include "vault/store/reader.h"

/* ---- what a message holds ---- */

struct asker asker_make(struct message_reader *stored, struct facts_table *table)
{
    return (struct asker){.stored = stored,
                          .table = table,
                          .cx = {.arena = arena_new(0)},
                          .header = buf_make(BUF_UNLIMITED),
                          .folded = buf_make(BUF_UNLIMITED),
                          .twins = buf_make(BUF_UNLIMITED),
                          .text = message_text_make()};
}

void asker_free(struct asker *a)
{
    buf_free(&a->header);
    buf_free(&a->folded);
    buf_free(&a->twins);
    message_text_free(&a->text);
    arena_free(a->cx.arena);
}

struct asked asked_make(const struct roster_entry *entry, struct asker *by)
{
    buf_clear(&by->header);
    return (struct asked){.entry = entry, .by = by};
}

void asked_end(struct asked *a)
{
    arena_reset(a->by->cx.arena);
}

static enum err open_message(struct asked *a)
{
    enum err e = a->is_open ? OK : reading_open(&a->reading, a->by->stored, &a->by->cx, a->entry->body);

    a->is_open = !e;
    return e;
}

/* The prefix is a part of the header. */
static enum err read_header(struct asked *a)
{
    enum err e = a->has_header ? OK : open_message(a);

    if (e || a->has_header)
        return e;
    buf_add(&a->by->header, a->reading.m.prefix);
    if (!mime_read_header(a->reading.parts, 0, &a->reading.source, &a->by->header))
        return a->reading.failed;
    a->has_header = true;
    return OK;
}

/* From the row, or, if it is an older version's or there is none, from the header. */
static enum err read_facts(struct asked *a, struct str *packed)
{
    struct facts_row row;
    struct buf made = buf_make(BUF_UNLIMITED);
    bool found;
    enum err e = reader_facts(a->by->stored, &a->by->cx, a->entry->body, &row, &found);

    if (!e && found && facts_read(row.raw, &a->own_facts)) {
        *packed = row.raw;
        return OK;
    }
    if (!e || e == ERR_DAMAGED)
        e = read_header(a);
    if (!e) {
        facts_write(&made, buf_str(&a->by->header));
        *packed = str_copy(a->by->cx.arena, buf_str(&made));
        facts_read(*packed, &a->own_facts);
    }
    buf_free(&made);
    return e;
}

enum err asked_facts(struct asked *a, const struct facts **out)
{
    struct str packed =
        a->by->table && !a->facts ? facts_table_find(a->by->table, a->entry->body) : STR_NONE;
    enum err e = OK;

    if (!a->facts && (!packed.n || !facts_read(packed, &a->own_facts))) {
        e = read_facts(a, &packed);
        if (!e && a->by->table)
            facts_table_add(a->by->table, a->entry->body, packed);
    }
    if (e)
        return e;
    a->facts = &a->own_facts;
    *out = a->facts;
    return OK;
}

/* ---- asking ---- */

static bool in_range(const struct node *n, int64_t x)
{
    return x >= n->from && x < n->to;
}

static bool is_found(struct str text, struct str needle)
{
    size_t at;

    return !needle.n || find_bytes(text, needle, &at);
}

/* Any field of that name holds the words, decoded and on one line. */
static enum err ask_header(const struct node *n, struct asked *a, bool *fits)
{
    struct buf line = buf_make(BUF_UNLIMITED), text = buf_make(BUF_UNLIMITED),
               fold = buf_make(BUF_UNLIMITED);
    struct header_field f;
    enum err e = read_header(a);
    struct str rest = buf_str(&a->by->header);

    *fits = false;
    while (!e && !*fits && take_header_field(&rest, &f)) {
        if (!str_same_nocase(f.name, n->field))
            continue;
        buf_clear(&line);
        buf_clear(&text);
        buf_clear(&fold);
        header_unfold(&line, f.body);
        words_decode(&text, buf_str(&line));
        casemap(&fold, buf_str(&text));
        *fits = is_found(buf_str(&fold), n->needle);
    }
    buf_free(&line);
    buf_free(&text);
    buf_free(&fold);
    return e;
}

static bool is_candidate(const struct match *m, const struct node *n, const struct asked *a)
{
    return !n->may || search_is_candidate(n->may, roster_number(m->scope.roster, a->entry->uid));
}

static enum err ask_fact(const struct match *m, const struct node *n, struct asked *a, bool *fits)
{
    enum facts_answer answer;
    const struct facts *f;
    enum err e = asked_facts(a, &f);

    if (e)
        return e;
    answer = facts_search(f, n->fact, n->needle);
    *fits = answer == FACTS_YES;
    return answer == FACTS_ASK_HEADER && is_candidate(m, n, a) ? ask_header(n, a, fits) : OK;
}

static enum err ask_sent(const struct node *n, struct asked *a, bool *fits)
{
    const struct facts *f;
    enum err e = asked_facts(a, &f);

    if (!e)
        *fits = in_range(n, f->has_date ? f->sent_day : a->entry->internal_date / DAY_MS);
    return e;
}

/* Most messages are told by a glance at what is stored, and nothing else of them is read. What that cannot tell, failures
 * among it, is left to whoever takes the message apart. */
static bool may_hold(const struct node *n, struct asked *a)
{
    unsigned what = n->kind == IMAP_KEY_TEXT ? TEXT_ALL : TEXT_BODY;
    struct cx cx = {.arena = a->by->cx.arena};
    struct str raw, prefix = STR_NONE;
    bool found;

    if (!n->word.needle.n ||
        a->entry->size > BODY_PIECE) /* the others may be large, and most of them no text */
        return true;
    if (reader_first_piece(a->by->stored, &cx, a->entry->body, &raw, &found) || !found)
        return true;
    if (what == TEXT_ALL && raw.n < a->entry->size) {
        if (open_message(a))
            return true;
        prefix = a->reading.m.prefix;
    }
    return glance(raw, &n->word, what) || (prefix.n && glance(prefix, &n->word, TEXT_HEADER));
}

static enum err ask_text(const struct node *n, struct asked *a, bool *fits)
{
    struct finder finder = finder_make(n->needle);
    struct buf *room = &a->by->folded;
    struct message_text *t = &a->by->text;
    struct casemap fold = {0};
    struct str piece;
    enum err e = open_message(a);

    if (e)
        return e;
    if (n->kind == IMAP_KEY_TEXT)
        finder_feed(&finder, casemap_next(&fold, a->reading.m.prefix, room));
    message_text_begin(t, a->reading.parts, a->reading.count, &a->reading.source,
                       n->kind == IMAP_KEY_TEXT ? TEXT_ALL : TEXT_BODY);
    while (!finder.found && message_text_next(t, &piece))
        finder_feed(&finder, casemap_next(&fold, piece, room));
    if (!finder.found)
        finder_feed(&finder, casemap_end(&fold, room));
    *fits = finder.found || !n->needle.n;
    finder_free(&finder);
    return t->failed ? a->reading.failed : OK;
}

static enum err find_twins(struct asker *by, struct body_id content)
{
    enum err e;

    if (by->twins_of.v == content.v)
        return OK;
    buf_clear(&by->twins);
    e = reader_twins(by->stored, &by->cx, content, &by->twins);
    by->twins_of.v = e ? 0 : content.v;
    return e;
}

static bool is_among(struct str twins, struct body_id body)
{
    struct body_id twin;

    for (; twins.n; twins = str_from(twins, sizeof(twin))) {
        memcpy(&twin, twins.p, sizeof(twin));
        if (twin.v == body.v)
            return true;
    }
    return false;
}

/* Only of those with the content, or of its twins, is asked whether they are that letter. */
static enum err ask_email(const struct match *m, const struct node *n, struct asked *a, bool *fits)
{
    struct cold_row looks;
    enum err e = OK;

    *fits = false;
    if (n->letter.content.v)
        e = find_twins(a->by, n->letter.content);
    if (n->letter.content.v && !e)
        *fits =
            a->entry->body.v == n->letter.content.v || is_among(buf_str(&a->by->twins), a->entry->body);
    if (*fits && !e)
        e = reader_looks(a->by->stored, &a->by->cx, a->entry->body, &looks, fits);
    if (*fits && !e)
        *fits = letter_id_same(letter_id_of(&looks, m->scope.at.account, a->entry->body), n->letter);
    return e;
}

/* By then the letters are threaded (threads.h). */
static enum err ask_thread(const struct node *n, struct asked *a, bool *fits)
{
    bool found = a->thread != 0;
    enum err e = a->has_thread
                     ? OK
                     : reader_thread(a->by->stored, &a->by->cx, a->entry->body, &a->thread, &found);

    if (!e && !found)
        a->thread = 0;
    a->has_thread = !e;
    *fits = !e && a->thread && a->thread == n->thread;
    return e;
}

static enum err ask(const struct match *m, const struct node *n, struct asked *a, bool *fits);

/* All of them (AND), or one (OR): asked until that is decided.
 * RFC-GAP: scores would use all of 1 to 100 (RFC 6203 §4, SHOULD); ours are two, since the words are there or not. */
static enum err ask_children(const struct match *m, const struct node *n, struct asked *a, bool until,
                             bool *fits)
{
    enum err e = OK;

    *fits = !until;
    for (size_t c = 0; c < n->count && !e && *fits != until; c++) {
        e = ask(m, n->children[c], a, fits);
        if (!e && *fits && n->either) {
            a->fuzzy_count++;
            a->fuzzy_sum += c ? 50 : 100;
        }
    }
    return e;
}

static enum err ask(const struct match *m, const struct node *n, struct asked *a, bool *fits)
{
    const struct roster_entry *entry = a->entry;
    enum err e;

    switch (n->kind) {
    case IMAP_KEY_AND:
        return ask_children(m, n, a, false, fits);
    case IMAP_KEY_OR:
        return ask_children(m, n, a, true, fits);
    case IMAP_KEY_NOT:
        e = ask(m, n->children[0], a, fits);
        *fits = !*fits;
        return e;
    case IMAP_KEY_UID:
        *fits = n->set.count && imap_set_has(&n->set, entry->uid);
        return OK;
    case IMAP_KEY_FLAG:
        *fits = entry->flags & n->mask;
        return OK;
    case IMAP_KEY_RECENT:
        *fits = m->recent.count && imap_set_has(&m->recent, entry->uid);
        return OK;
    case IMAP_KEY_LARGER:
        *fits = in_range(n, (int64_t)entry->size);
        return OK;
    case IMAP_KEY_ON:
        *fits = in_range(n, entry->internal_date);
        return OK;
    case IMAP_KEY_SAVED_ON:
        *fits = in_range(n, entry->save_date);
        return OK;
    case IMAP_KEY_MODSEQ:
        *fits = in_range(n, (int64_t)entry->modseq);
        return OK;
    case IMAP_KEY_EMAILID:
        return ask_email(m, n, a, fits);
    case IMAP_KEY_THREADID:
        return ask_thread(n, a, fits);
    case IMAP_KEY_SENT_ON:
        return ask_sent(n, a, fits);
    case IMAP_KEY_HEADER:
        if (n->fact)
            return ask_fact(m, n, a, fits);
        *fits = is_candidate(m, n, a);
        return *fits ? ask_header(n, a, fits) : OK;
    case IMAP_KEY_BODY:
    case IMAP_KEY_TEXT:
        *fits = is_candidate(m, n, a) && may_hold(n, a);
        return *fits ? ask_text(n, a, fits) : OK;
    default:
        *fits = true;
        return OK;
    }
}

enum err match_ask(const struct match *m, struct asked *a, bool *fits)
{
    enum err e = ask(m, m->root, a, fits);

    if (!e)
        return OK;
    *fits = false;
    return e == ERR_GONE || e == ERR_DAMAGED
               ? OK
               : e; /* what cannot be read is not found; `check` names it */
}
