/* A search program is made ready: its words folded, its sets and times looked up; and the index is asked. */
#include "vault/imap/match_impl.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/scoped.h"
#include "mail/casemap.h"
#include "mail/charset.h"
#include "mail/received.h"
#include "mail/text.h"
#include "vault/imap/response.h"
#include "vault/imap/selected.h"
#include "vault/search/search.h"
#include "vault/vault.h"

#include <assert.h>
#include <stdlib.h>

#define FUZZY_WORDS_MOST                                                                               \
    50 /* each is looked for in the whole text; what goes beyond is not asked for (RFC 6203 §8) */

/* ---- making it ready ---- */

struct making {
    struct imap *i;
    struct match *m;
    const struct charset *charset;
};

static struct node *new_node(struct making *k, enum imap_key_kind kind, enum match_cost cost)
{
    struct node *n = arena_alloc(k->m->scope.arena, sizeof(*n));

    n->kind = kind;
    n->cost = cost;
    return n;
}

static struct str folded(struct making *k, struct str text)
{
    struct buf utf8 = buf_make(BUF_UNLIMITED), fold = buf_make(BUF_UNLIMITED);
    struct charset_decoder d = charset_begin(k->charset);
    struct buf room = buf_make(BUF_UNLIMITED);
    struct str out;

    buf_add(&utf8, charset_decode(&d, text, &room));
    buf_add(&utf8, charset_end(&d, &room));
    casemap(&fold, buf_str(&utf8));
    out = str_copy(k->m->scope.arena, buf_str(&fold));
    buf_free(&utf8);
    buf_free(&fold);
    buf_free(&room);
    return out;
}

static int compare_costs(const void *a, const void *b)
{
    const struct node *x = *(struct node *const *)a, *y = *(struct node *const *)b;

    return (x->cost > y->cost) - (x->cost < y->cost);
}

static void settle_children(struct node *n)
{
    if (n->count)
        qsort(n->children, n->count, sizeof(*n->children), compare_costs);
    for (size_t c = 0; c < n->count; c++)
        n->cost = n->children[c]->cost > n->cost ? n->children[c]->cost : n->cost;
}

static struct node *make(struct making *k, const struct imap_key *key);

static struct node *make_group(struct making *k, const struct imap_key *key)
{
    struct node *n = new_node(k, key->kind, MATCH_PICTURE);

    n->count = key->key_count;
    n->children = arena_array(k->m->scope.arena, struct node *, n->count);
    for (size_t c = 0; c < n->count; c++)
        n->children[c] = make(k, &key->keys[c]);
    settle_children(n);
    return n;
}

/* What is not selected is numbered as a SELECT would find it. */
static struct imap_set numbered(const struct match_scope *scope, const struct imap_set *set)
{
    struct known *all = known_of(scope->roster);
    struct imap_set numbers = imap_set_resolve(scope->arena, set, known_count(all), true), uids;

    uids = known_uids_of(scope->arena, all, &numbers);
    known_drop(&all);
    return uids;
}

static struct node *make_set(struct making *k, const struct imap_key *key)
{
    const struct match_scope *scope = &k->m->scope;
    struct node *n = new_node(k, IMAP_KEY_UID, MATCH_PICTURE);

    if (scope->selected)
        n->set = selected_meant(k->i, &key->set, key->kind == IMAP_KEY_UID);
    else if (key->set.saved)
        n->set = (struct imap_set){0}; /* these are messages of another mailbox */
    else if (key->kind == IMAP_KEY_UID)
        n->set = imap_set_resolve(scope->arena, &key->set, roster_counts(scope->roster)->uid_next - 1,
                                  false);
    else
        n->set = numbered(scope, &key->set);
    return n;
}

static struct node *make_range(struct making *k, enum imap_key_kind kind, int64_t from, int64_t to)
{
    struct node *n = new_node(k, kind, kind == IMAP_KEY_SENT_ON ? MATCH_FACTS : MATCH_PICTURE);

    n->from = from;
    n->to = to;
    return n;
}

/* before, on or since a day: 0, 1, 2; in units of `unit`. */
static struct node *make_days(struct making *k, enum imap_key_kind kind, unsigned which, int32_t date,
                              int64_t unit)
{
    int64_t from = (int64_t)date * unit, to = ((int64_t)date + 1) * unit;

    return which == 0   ? make_range(k, kind, INT64_MIN, from)
           : which == 1 ? make_range(k, kind, from, to)
                        : make_range(k, kind, from, INT64_MAX);
}

/* RFC 5032 §2: to the second, as INTERNALDATE tells it; what is as old as that is both older and younger. */
static struct node *make_within(struct making *k, const struct imap_key *key)
{
    int64_t target = now_ms() / 1000 - (int64_t)(key->number < UINT32_MAX ? key->number : UINT32_MAX);

    return key->kind == IMAP_KEY_OLDER ? make_range(k, IMAP_KEY_ON, INT64_MIN, (target + 1) * 1000)
                                       : make_range(k, IMAP_KEY_ON, target * 1000, INT64_MAX);
}

static struct node *make_text(struct making *k, const struct imap_key *key, struct str needle)
{
    struct node *n = new_node(k, key->kind, key->kind == IMAP_KEY_HEADER ? MATCH_HEADER : MATCH_BODY);

    n->needle = needle;
    n->word = glance_word(needle);
    n->field = key->field;
    n->fact = key->kind == IMAP_KEY_HEADER ? facts_field(key->field) : 0;
    if (n->fact)
        n->cost = MATCH_FACTS;
    k->m->asks_index |= !n->fact || !facts_can_tell(n->fact, needle);
    return n;
}

/* Up to the next space; or what stands between two quotes, as people write what they want found in one piece. */
static struct str take_word(struct str *in)
{
    struct str s = *in, word = s;

    if (take_char(&s, '"') && take_until(&s, '"', &word))
        *in = s;
    else if (!take_until(in, ' ', &word))
        *in = STR_NONE;
    return word;
}

/* RFC 6203: what is looked for as it stands fits best; all its words, wherever they stand, fit too. */
static struct node *make_fuzzy(struct making *k, const struct imap_key *key, struct str needle)
{
    struct node *n = new_node(k, IMAP_KEY_OR, MATCH_PICTURE),
                *words = new_node(k, IMAP_KEY_AND, MATCH_PICTURE);
    struct str rest = needle, word;

    words->children = arena_array(k->m->scope.arena, struct node *, FUZZY_WORDS_MOST);
    while (rest.n && words->count < FUZZY_WORDS_MOST) {
        word = take_word(&rest);
        if (word.n)
            words->children[words->count++] = make_text(k, key, word);
    }
    settle_children(words);
    n->either = true;
    n->children = arena_array(k->m->scope.arena, struct node *, 2);
    n->count = 2;
    n->children[0] = make_text(k, key, needle);
    n->children[1] = words;
    n->cost = words->cost > n->children[0]->cost ? words->cost : n->children[0]->cost;
    return n;
}

static struct node *make_texts(struct making *k, const struct imap_key *key)
{
    struct str needle = folded(k, key->text);

    return key->fuzzy && needle.n ? make_fuzzy(k, key, needle) : make_text(k, key, needle);
}

/* With all that are known here (RFC 9051 §7.1). */
static void reply_bad_charset(struct imap *i)
{
    struct buf *code = reply_code(i);
    const struct charset *known;

    buf_add(code, S("BADCHARSET "));
    for (size_t n = 0; (known = charset_at(n)); n++) {
        buf_add_char(code, n ? ' ' : '(');
        buf_add(code, charset_name(known));
    }
    buf_add_char(code, ')');
    reply_no(i, NULL, "this charset is not known here");
}

static bool choose_charset(struct making *k, const struct imap_search *s)
{
    k->charset = charset_find(s->charset);
    if (!k->charset)
        reply_bad_charset(k->i);
    return k->charset;
}

static uint64_t take_hex(struct str *in)
{
    uint64_t v = 0;

    for (size_t k = 0; k < 16 && in->n && hex_value(in->p[0]) >= 0; k++) {
        v = v << 4 | (unsigned)hex_value(in->p[0]);
        *in = str_from(*in, 1);
    }
    return v;
}

/* As thread_id_write() writes it, and no other way (RFC 8474 §7: case is significant). */
static uint64_t thread_id_read(struct str id)
{
    scoped(buf_free) struct buf same = buf_make(64);
    struct str in = str_from(id, 1);
    uint64_t v = take_hex(&in);

    thread_id_write(&same, v);
    return str_same(buf_str(&same), id) ? v : 0;
}

/* As email_id_write() writes it, and no other way. */
static void email_id_read(struct node *n, struct str id)
{
    scoped(buf_free) struct buf same = buf_make(64);
    struct str in = str_from(id, 1);

    n->letter.origin.v = take_hex(&in);
    if (in.n)
        in = str_from(in, 1);
    n->letter.content.v = take_hex(&in);
    email_id_write(&same, n->letter);
    if (!str_same(buf_str(&same), id))
        n->letter.content.v = 0;
}

static struct node *make(struct making *k, const struct imap_key *key)
{
    struct node *n;

    switch (key->kind) {
    case IMAP_KEY_AND:
    case IMAP_KEY_OR:
    case IMAP_KEY_NOT:
        return make_group(k, key);
    case IMAP_KEY_SEQUENCE:
    case IMAP_KEY_UID:
        return make_set(k, key);
    case IMAP_KEY_FLAG:
        n = new_node(k, key->kind, MATCH_PICTURE);
        n->mask = key->flags;
        return n;
    case IMAP_KEY_KEYWORD:
        n = new_node(k, IMAP_KEY_FLAG, MATCH_PICTURE);
        n->mask = roster_keyword_mask(k->m->scope.roster, key->text);
        return n;
    case IMAP_KEY_LARGER:
        return make_range(k, key->kind, key->number < INT64_MAX ? (int64_t)key->number + 1 : INT64_MAX,
                          INT64_MAX);
    case IMAP_KEY_SMALLER:
        return make_range(k, IMAP_KEY_LARGER, 0,
                          key->number < INT64_MAX ? (int64_t)key->number : INT64_MAX);
    case IMAP_KEY_BEFORE:
    case IMAP_KEY_ON:
    case IMAP_KEY_SINCE:
        return make_days(k, IMAP_KEY_ON, key->kind - IMAP_KEY_BEFORE, key->date, DAY_MS);
    case IMAP_KEY_SAVED_BEFORE:
    case IMAP_KEY_SAVED_ON:
    case IMAP_KEY_SAVED_SINCE:
        return make_days(k, IMAP_KEY_SAVED_ON, key->kind - IMAP_KEY_SAVED_BEFORE, key->date, DAY_MS);
    case IMAP_KEY_SENT_BEFORE:
    case IMAP_KEY_SENT_ON:
    case IMAP_KEY_SENT_SINCE:
        return make_days(k, IMAP_KEY_SENT_ON, key->kind - IMAP_KEY_SENT_BEFORE, key->date, 1);
    case IMAP_KEY_OLDER:
    case IMAP_KEY_YOUNGER:
        return make_within(k, key);
    case IMAP_KEY_MODSEQ:
        return make_range(k, key->kind, key->number < INT64_MAX ? (int64_t)key->number : INT64_MAX,
                          INT64_MAX);
    case IMAP_KEY_EMAILID:
        n = new_node(k, key->kind, MATCH_PICTURE);
        email_id_read(n, key->text);
        return n;
    case IMAP_KEY_THREADID:
        n = new_node(k, key->kind, MATCH_FACTS);
        n->thread = thread_id_read(key->text);
        return n;
    case IMAP_KEY_HEADER:
    case IMAP_KEY_BODY:
    case IMAP_KEY_TEXT:
        return make_texts(k, key);
    case IMAP_KEY_ALL:
    case IMAP_KEY_RECENT:
    case IMAP_KEY_SAVEDATE_SUPPORTED:
    case IMAP_KEY_FILTER: /* none is left: filters_insert() */
        break;
    }
    return new_node(k, key->kind, MATCH_PICTURE);
}

bool match_make(struct imap *i, const struct imap_search *s, const struct match_scope *scope,
                struct match **out)
{
    struct making k = {.i = i, .m = arena_alloc(scope->arena, sizeof(*k.m))};

    if (!choose_charset(&k, s))
        return false;
    *k.m = (struct match){.scope = *scope};
    if (scope->selected)
        k.m->recent = imap_set_built(&i->selected->recent);
    k.m->root = make(&k, &s->program);
    *out = k.m;
    return true;
}

enum match_cost match_cost(const struct match *m)
{
    return m->root->cost;
}

/* ---- candidates ---- */

static const uint64_t *find_candidates(struct imap *i, const struct match *m, struct node *n);

/* Of all children (AND) or any (OR). */
static const uint64_t *candidates_of_group(struct imap *i, const struct match *m, const struct node *n)
{
    size_t words = roster_counts(m->scope.roster)->exists / 64 + 1;
    uint64_t *all = NULL;
    bool any = false;

    for (size_t c = 0; c < n->count; c++) {
        const uint64_t *bits = find_candidates(i, m, n->children[c]);

        any |= !bits;
        if (!bits)
            continue;
        for (size_t w = 0; all && w < words; w++)
            all[w] = n->kind == IMAP_KEY_AND ? all[w] & bits[w] : all[w] | bits[w];
        if (!all) {
            all = arena_array(m->scope.arena, uint64_t, words);
            memcpy(all, bits, words * sizeof(*all));
        }
    }
    return n->kind == IMAP_KEY_OR && any ? NULL : all;
}

static_assert(MIME_HEADER_READ_MAX <= TEXT_HEADER_MAX, "the index has what is compared");

/* The index has every field as it is compared, but for those that stand before the message: these it has as they are
 * written. What the facts of a message find they may have written otherwise; only whether to read its header is asked then. */
static const uint64_t *candidates_of_header(struct imap *i, const struct match *m, struct node *n)
{
    if (is_delivery_field(n->field) || (n->fact && facts_can_tell(n->fact, n->needle)))
        return NULL;
    n->may = search_candidates(i->s->vault->search, m->scope.arena, m->scope.at.account,
                               m->scope.roster, INDEX_HEADER, n->needle);
    return n->fact ? NULL : n->may;
}

/* NULL: all. What NOT says of a candidate only its text tells. */
static const uint64_t *find_candidates(struct imap *i, const struct match *m, struct node *n)
{
    if (n->kind == IMAP_KEY_HEADER)
        return candidates_of_header(i, m, n);
    if (n->kind == IMAP_KEY_BODY || n->kind == IMAP_KEY_TEXT)
        return n->may = search_candidates(
                   i->s->vault->search, m->scope.arena, m->scope.at.account, m->scope.roster,
                   n->kind == IMAP_KEY_BODY ? INDEX_BODY : INDEX_HEADER | INDEX_BODY, n->needle);
    if (n->kind == IMAP_KEY_NOT)
        find_candidates(i, m, n->children[0]);
    return n->kind == IMAP_KEY_AND || n->kind == IMAP_KEY_OR ? candidates_of_group(i, m, n) : NULL;
}

void match_find_candidates(struct match *m, struct imap *i)
{
    if (!m->knows_candidates && m->asks_index && i->run.step.is_long && i->s->vault &&
        i->s->vault->search)
        m->may = find_candidates(i, m, m->root);
    m->knows_candidates = true;
}

bool match_may(const struct match *m, uint32_t number)
{
    return search_is_candidate(m->may, number);
}
