/* search-key is one table of words and what follows each. Keys of one level are gathered in a list and then laid out as
 * an array, so that a tree costs what it holds. */
#include "proto/imap_search.h"

enum arg {
    ARG_NONE,
    ARG_TEXT,    /* astring */
    ARG_FIELD,   /* astring, looked for in the header field of the key's name */
    ARG_HEADER,  /* header-fld-name SP astring */
    ARG_KEYWORD, /* flag-keyword */
    ARG_DATE,
    ARG_NUMBER,   /* number64 */
    ARG_INTERVAL, /* nz-number */
    ARG_SET,
    ARG_UP_TO_UID, /* uniqueid, and the set is all up to it */
    ARG_FROM_UID,
    ARG_OBJECTID,
    ARG_FILTER,
    ARG_MODSEQ,
    ARG_NOT,
    ARG_OR,
    ARG_FUZZY,
};

static const struct key_word {
    const char *name;
    enum imap_key_kind kind;
    enum arg arg;
    bool negated;
    uint32_t flags;
    uint32_t needs;
} words[] = {
    {"ALL", IMAP_KEY_ALL, ARG_NONE, false, 0, 0},
    {"ANSWERED", IMAP_KEY_FLAG, ARG_NONE, false, IMAP_ANSWERED, 0},
    {"BCC", IMAP_KEY_HEADER, ARG_FIELD, false, 0, IMAP_NEEDS_HEADER},
    {"BEFORE", IMAP_KEY_BEFORE, ARG_DATE, false, 0, 0},
    {"BODY", IMAP_KEY_BODY, ARG_TEXT, false, 0, IMAP_NEEDS_BODY},
    {"CC", IMAP_KEY_HEADER, ARG_FIELD, false, 0, IMAP_NEEDS_HEADER},
    {"DELETED", IMAP_KEY_FLAG, ARG_NONE, false, IMAP_DELETED, 0},
    {"DRAFT", IMAP_KEY_FLAG, ARG_NONE, false, IMAP_DRAFT, 0},
    {"EMAILID", IMAP_KEY_EMAILID, ARG_OBJECTID, false, 0, 0},
    {"FILTER", IMAP_KEY_FILTER, ARG_FILTER, false, 0, IMAP_NEEDS_FILTER},
    {"FLAGGED", IMAP_KEY_FLAG, ARG_NONE, false, IMAP_FLAGGED, 0},
    {"FROM", IMAP_KEY_HEADER, ARG_FIELD, false, 0, IMAP_NEEDS_HEADER},
    {"FUZZY", IMAP_KEY_AND, ARG_FUZZY, false, 0, IMAP_NEEDS_FUZZY},
    {"HEADER", IMAP_KEY_HEADER, ARG_HEADER, false, 0, IMAP_NEEDS_HEADER},
    {"KEYWORD", IMAP_KEY_KEYWORD, ARG_KEYWORD, false, 0, 0},
    {"LARGER", IMAP_KEY_LARGER, ARG_NUMBER, false, 0, 0},
    {"MODSEQ", IMAP_KEY_MODSEQ, ARG_MODSEQ, false, 0, IMAP_NEEDS_MODSEQ},
    {"NEW", IMAP_KEY_AND, ARG_NONE, false, 0, 0}, /* RFC 3501: (RECENT UNSEEN) */
    {"NOT", IMAP_KEY_NOT, ARG_NOT, false, 0, 0},
    {"OLD", IMAP_KEY_RECENT, ARG_NONE, true, 0, 0},
    {"OLDER", IMAP_KEY_OLDER, ARG_INTERVAL, false, 0, 0},
    {"ON", IMAP_KEY_ON, ARG_DATE, false, 0, 0},
    {"OR", IMAP_KEY_OR, ARG_OR, false, 0, 0},
    {"RECENT", IMAP_KEY_RECENT, ARG_NONE, false, 0, 0},
    {"SAVEDATESUPPORTED", IMAP_KEY_SAVEDATE_SUPPORTED, ARG_NONE, false, 0, 0},
    {"SAVEDBEFORE", IMAP_KEY_SAVED_BEFORE, ARG_DATE, false, 0, 0},
    {"SAVEDON", IMAP_KEY_SAVED_ON, ARG_DATE, false, 0, 0},
    {"SAVEDSINCE", IMAP_KEY_SAVED_SINCE, ARG_DATE, false, 0, 0},
    {"SEEN", IMAP_KEY_FLAG, ARG_NONE, false, IMAP_SEEN, 0},
    {"SENTBEFORE", IMAP_KEY_SENT_BEFORE, ARG_DATE, false, 0, IMAP_NEEDS_HEADER},
    {"SENTON", IMAP_KEY_SENT_ON, ARG_DATE, false, 0, IMAP_NEEDS_HEADER},
    {"SENTSINCE", IMAP_KEY_SENT_SINCE, ARG_DATE, false, 0, IMAP_NEEDS_HEADER},
    {"SINCE", IMAP_KEY_SINCE, ARG_DATE, false, 0, 0},
    {"SMALLER", IMAP_KEY_SMALLER, ARG_NUMBER, false, 0, 0},
    {"SUBJECT", IMAP_KEY_HEADER, ARG_FIELD, false, 0, IMAP_NEEDS_HEADER},
    {"TEXT", IMAP_KEY_TEXT, ARG_TEXT, false, 0, IMAP_NEEDS_BODY},
    {"THREADID", IMAP_KEY_THREADID, ARG_OBJECTID, false, 0, IMAP_NEEDS_THREAD},
    {"TO", IMAP_KEY_HEADER, ARG_FIELD, false, 0, IMAP_NEEDS_HEADER},
    {"UID", IMAP_KEY_UID, ARG_SET, false, 0, 0},
    {"UIDAFTER", IMAP_KEY_UID, ARG_UP_TO_UID, true, 0, 0}, /* RFC 9738 */
    {"UIDBEFORE", IMAP_KEY_UID, ARG_FROM_UID, true, 0, 0},
    {"UNANSWERED", IMAP_KEY_FLAG, ARG_NONE, true, IMAP_ANSWERED, 0},
    {"UNDELETED", IMAP_KEY_FLAG, ARG_NONE, true, IMAP_DELETED, 0},
    {"UNDRAFT", IMAP_KEY_FLAG, ARG_NONE, true, IMAP_DRAFT, 0},
    {"UNFLAGGED", IMAP_KEY_FLAG, ARG_NONE, true, IMAP_FLAGGED, 0},
    {"UNKEYWORD", IMAP_KEY_KEYWORD, ARG_KEYWORD, true, 0, 0},
    {"UNSEEN", IMAP_KEY_FLAG, ARG_NONE, true, IMAP_SEEN, 0},
    {"YOUNGER", IMAP_KEY_YOUNGER, ARG_INTERVAL, false, 0, 0},
};

/* What one reading of a program keeps. */
struct program {
    struct imap_parse *p;
    size_t count; /* keys so far */
    uint32_t needs;
};

struct place {
    unsigned depth;
    bool fuzzy;
};

static bool take_key(struct program *g, struct str *in, struct place place, struct imap_key *out);

/* ---- building ---- */

static struct imap_key *new_keys(struct program *g, size_t count)
{
    return arena_array(g->p->arena, struct imap_key, count);
}

static void negate(struct program *g, struct imap_key *key)
{
    struct imap_key *inner = new_keys(g, 1);

    *inner = *key;
    *key =
        (struct imap_key){.kind = IMAP_KEY_NOT, .fuzzy = inner->fuzzy, .keys = inner, .key_count = 1};
}

static void make_new(struct program *g, struct imap_key *out)
{
    struct imap_key *both = new_keys(g, 2);

    both[0] = (struct imap_key){.kind = IMAP_KEY_RECENT, .fuzzy = out->fuzzy};
    both[1] = (struct imap_key){.kind = IMAP_KEY_FLAG, .fuzzy = out->fuzzy, .flags = IMAP_SEEN};
    negate(g, &both[1]);
    out->keys = both;
    out->key_count = 2;
}

/* search-key *(SP search-key), until something else comes. One key alone stands for itself, but as the root. */
static bool take_keys(struct program *g, struct str *in, struct place place, bool root,
                      struct imap_key *out)
{
    struct link {
        struct link *next;
        struct imap_key key;
    } *first = NULL, **last = &first;
    struct imap_key *keys;
    size_t n = 0;

    do {
        struct link *link = arena_alloc(g->p->arena, sizeof(*link));

        if (!take_key(g, in, place, &link->key))
            return false;
        *last = link;
        last = &link->next;
        n++;
    } while (in->n && in->p[0] == ' ' && in->n > 1 && in->p[1] != ' ' && take_imap_sp(in));
    if (n == 1 && !root) {
        *out = first->key;
        return true;
    }
    keys = new_keys(g, n);
    for (size_t i = 0; i < n; i++, first = first->next)
        keys[i] = first->key;
    *out = (struct imap_key){.kind = IMAP_KEY_AND, .fuzzy = place.fuzzy, .keys = keys, .key_count = n};
    return true;
}

/* ---- arguments ---- */

/* objectid = 1*255(ALPHA / DIGIT / "_" / "-") */
static bool take_objectid(struct str *in, struct str *out)
{
    size_t n = 0;

    while (n < in->n && (is_alnum(in->p[n]) || in->p[n] == '_' || in->p[n] == '-'))
        n++;
    if (n == 0 || n > 255)
        return false;
    *out = str_upto(*in, n);
    *in = str_from(*in, n);
    return true;
}

/* filter-name = 1*<any ATOM-CHAR except "/"> */
static bool take_filter_name(struct str *in, struct str *out)
{
    struct str s = *in;
    size_t at;

    if (!take_imap_atom(&s, out) || str_find_char(*out, '/', &at))
        return false;
    *in = s;
    return true;
}

/* [entry-name SP entry-type-req SP] mod-sequence-valzer (RFC 7162 §3.1.5) */
static bool take_modseq(struct program *g, struct str *in, uint64_t *out)
{
    static const struct imap_word types[] = {{"priv", 0}, {"shared", 0}, {"all", 0}, {NULL, 0}};
    struct str entry;
    unsigned type;

    if (in->n && in->p[0] == '"' &&
        (!take_imap_string(g->p, in, &entry) || !str_starts_nocase(entry, S("/flags/")) ||
         !take_imap_sp(in) || !take_imap_word_of(in, types, &type) || !take_imap_sp(in)))
        return imap_bad(g->p, "MODSEQ takes \"/flags/name\" and priv, shared or all");
    return take_imap_number64(in, out);
}

static bool take_operand(struct program *g, struct str *in, struct place place,
                         const struct key_word *w, struct imap_key *out)
{
    struct imap_key *keys = new_keys(g, 2);
    size_t n = w->arg == ARG_OR ? 2 : 1;

    place.depth++;
    place.fuzzy |= w->arg == ARG_FUZZY;
    for (size_t i = 0; i < n; i++)
        if ((i && !take_imap_sp(in)) || !take_key(g, in, place, &keys[i]))
            return imap_bad(g->p, "a search key is expected");
    if (w->arg == ARG_FUZZY) {
        *out = keys[0];
        return true;
    }
    out->keys = keys;
    out->key_count = n;
    return true;
}

/* 1:uid, or uid:4294967295 */
static bool take_uid_bound(struct program *g, struct str *in, bool up_to, struct imap_set *out)
{
    struct imap_range *range = arena_array(g->p->arena, struct imap_range, 1);
    uint32_t uid;

    if (!take_imap_nz_number(in, &uid))
        return false;
    *range = up_to ? (struct imap_range){1, uid} : (struct imap_range){uid, UINT32_MAX};
    *out = (struct imap_set){.ranges = range, .count = 1};
    return true;
}

static bool take_arg(struct program *g, struct str *in, struct place place, const struct key_word *w,
                     struct imap_key *out)
{
    uint32_t interval;

    switch (w->arg) {
    case ARG_FIELD:
        out->field = str_from_c(w->name);
        return take_imap_astring(g->p, in, &out->text);
    case ARG_HEADER:
        return take_imap_astring(g->p, in, &out->field) && take_imap_sp(in) &&
               take_imap_astring(g->p, in, &out->text);
    case ARG_KEYWORD:
        return take_imap_atom(in, &out->text);
    case ARG_DATE:
        return take_imap_date(in, &out->date);
    case ARG_NUMBER:
        return take_imap_number64(in, &out->number);
    case ARG_INTERVAL:
        if (!take_imap_nz_number(in, &interval))
            return false;
        out->number = interval;
        return true;
    case ARG_SET:
        return take_imap_set(g->p, in, &out->set);
    case ARG_UP_TO_UID:
    case ARG_FROM_UID:
        return take_uid_bound(g, in, w->arg == ARG_UP_TO_UID, &out->set);
    case ARG_OBJECTID:
        return take_objectid(in, &out->text);
    case ARG_FILTER:
        return take_filter_name(in, &out->text);
    case ARG_MODSEQ:
        return take_modseq(g, in, &out->number);
    case ARG_NOT:
    case ARG_OR:
    case ARG_FUZZY:
        return take_operand(g, in, place, w, out);
    default:
        return take_imap_astring(g->p, in, &out->text);
    }
}

/* ---- search-key ---- */

static const struct key_word *find_word(struct str name)
{
    size_t low = 0, high = sizeof(words) / sizeof(*words);

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        struct str w = str_from_c(words[middle].name);
        size_t n = w.n < name.n ? w.n : name.n, i = 0;

        while (i < n && w.p[i] == to_upper(name.p[i]))
            i++;
        if (i == n && w.n == name.n)
            return &words[middle];
        if (i == n ? w.n < name.n : w.p[i] < to_upper(name.p[i]))
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static bool take_word_key(struct program *g, struct str *in, struct place place, struct imap_key *out)
{
    const struct key_word *w;
    struct str name;

    if (!take_imap_atom(in, &name) || !(w = find_word(name)))
        return imap_bad(g->p, "there is no such search key");
    g->needs |= w->needs;
    *out = (struct imap_key){.kind = w->kind, .fuzzy = place.fuzzy, .flags = w->flags};
    if (w->arg != ARG_NONE && (!take_imap_sp(in) || !take_arg(g, in, place, w, out)))
        return imap_bad(g->p, "the argument of a search key is not right");
    if (out->set.saved)
        g->needs |= IMAP_NEEDS_SAVED;
    if (w->arg == ARG_NONE && w->kind == IMAP_KEY_AND)
        make_new(g, out);
    if (w->negated)
        negate(g, out);
    return true;
}

static bool take_set_key(struct program *g, struct str *in, struct place place, struct imap_key *out)
{
    *out = (struct imap_key){.kind = IMAP_KEY_SEQUENCE, .fuzzy = place.fuzzy};
    if (!take_imap_set(g->p, in, &out->set))
        return imap_bad(g->p, "a set of messages is expected");
    g->needs |= out->set.saved ? IMAP_NEEDS_SAVED : IMAP_NEEDS_SEQUENCE;
    return true;
}

static bool take_key(struct program *g, struct str *in, struct place place, struct imap_key *out)
{
    if (place.depth > IMAP_SEARCH_DEPTH_MAX)
        return imap_no(g->p, "LIMIT", "the search is nested too deep");
    if (++g->count > IMAP_SEARCH_KEYS_MAX)
        return imap_no(g->p, "LIMIT", "the search has too many keys");
    if (take_char(in, '(')) {
        place.depth++;
        return take_keys(g, in, place, false, out) &&
               (take_char(in, ')') || imap_bad(g->p, "the search keys in brackets are not closed"));
    }
    if (in->n && (is_digit(in->p[0]) || in->p[0] == '*' || in->p[0] == '$'))
        return take_set_key(g, in, place, out);
    return take_word_key(g, in, place, out);
}

/* search-key *(SP search-key), to the end */
static bool take_program(struct imap_parse *p, struct str in, struct imap_search *out)
{
    struct program g = {.p = p};

    if (!take_keys(&g, &in, (struct place){0}, true, &out->program) || !take_imap_end(p, &in))
        return false;
    out->needs = g.needs;
    return true;
}

/* ["CHARSET" SP charset SP] search-key … */
static bool take_search_program(struct imap_parse *p, struct str in, struct imap_search *out)
{
    if (take_imap_word(&in, S("CHARSET")) &&
        (!take_imap_sp(&in) || !take_imap_charset(p, &in, &out->charset) || !take_imap_sp(&in)))
        return imap_bad(p, "the name of a character set is expected");
    return take_program(p, in, out);
}

/* ---- RETURN ---- */

static bool take_return_option(struct imap_parse *p, struct str *in, struct imap_return *out)
{
    static const struct imap_word options[] = {
        {"MIN", IMAP_RETURN_MIN},
        {"MAX", IMAP_RETURN_MAX},
        {"ALL", IMAP_RETURN_ALL},
        {"COUNT", IMAP_RETURN_COUNT},
        {"SAVE", IMAP_RETURN_SAVE},
        {"PARTIAL", IMAP_RETURN_PARTIAL},
        {"CONTEXT", IMAP_RETURN_CONTEXT},
        {"UPDATE", IMAP_RETURN_UPDATE},
        {"RELEVANCY", IMAP_RETURN_RELEVANCY},
        {NULL, 0},
    };
    unsigned option;
    struct str s;

    if (!take_imap_word_of(in, options, &option))
        return imap_bad(p, "this result option is not known here");
    if (option == IMAP_RETURN_PARTIAL && ((out->options & IMAP_RETURN_PARTIAL) || !take_imap_sp(in) ||
                                          !take_imap_partial(p, in, &out->partial)))
        return imap_bad(p, "one PARTIAL with its range is expected");
    s = *in;
    take_imap_sp(&s); /* RFC 5465 §5.5's example has a space, its grammar has none */
    if (option == IMAP_RETURN_UPDATE && s.n && s.p[0] == '(') {
        if (!take_imap_fetch_atts(p, &s, &out->update))
            return false;
        *in = s;
    }
    out->options |= option;
    return true;
}

/* ["RETURN" SP "(" [option *(SP option)] ")" SP] */
static bool take_returns(struct imap_parse *p, struct str *in, struct imap_return *out)
{
    struct str s = *in;

    if (!take_imap_word(&s, S("RETURN")))
        return true;
    if (!take_text(&s, S(" (")))
        return imap_bad(p, "a list of result options is expected");
    out->given = true;
    if (!take_char(&s, ')')) {
        do {
            if (!take_return_option(p, &s, out))
                return false;
        } while (take_imap_sp(&s));
        if (!take_char(&s, ')'))
            return imap_bad(p, "the list of result options is not closed");
    }
    if (out->options == 0)
        out->options = IMAP_RETURN_ALL;
    if ((out->options & IMAP_RETURN_ALL) && (out->options & IMAP_RETURN_PARTIAL)) /* RFC 9394 §3.1 */
        return imap_bad(p, "ALL and PARTIAL do not go together");
    *in = s;
    return take_imap_sp(in) || imap_bad(p, "a search key is expected");
}

/* ---- commands ---- */

bool parse_imap_search(struct imap_parse *p, struct str args, struct imap_search *out)
{
    *out = (struct imap_search){0};
    if (!take_imap_sp(&args))
        return imap_bad(p, "a search key is expected");
    return take_returns(p, &args, &out->returns) && take_search_program(p, args, out);
}

bool parse_imap_filter(struct imap_parse *p, struct str text, struct imap_search *out)
{
    *out = (struct imap_search){0};
    return take_program(p, text, out);
}

/* search-criteria = charset 1*(SP search-key) */
static bool take_criteria(struct imap_parse *p, struct str in, struct imap_search *out)
{
    if (!take_imap_charset(p, &in, &out->charset) || !take_imap_sp(&in))
        return imap_bad(p, "a character set and search keys are expected");
    return take_program(p, in, out);
}

static bool take_sort_criterion(struct imap_parse *p, struct str *in, struct imap_sort_criterion *out)
{
    static const struct imap_word keys[] = {
        {"ARRIVAL", IMAP_SORT_ARRIVAL},
        {"CC", IMAP_SORT_CC},
        {"DATE", IMAP_SORT_DATE},
        {"FROM", IMAP_SORT_FROM},
        {"SIZE", IMAP_SORT_SIZE},
        {"SUBJECT", IMAP_SORT_SUBJECT},
        {"TO", IMAP_SORT_TO},
        {"DISPLAYFROM", IMAP_SORT_DISPLAYFROM},
        {"DISPLAYTO", IMAP_SORT_DISPLAYTO},
        {"RELEVANCY", IMAP_SORT_RELEVANCY},
        {NULL, 0},
    };
    unsigned key;

    out->reverse = take_imap_word(in, S("REVERSE"));
    if ((out->reverse && !take_imap_sp(in)) || !take_imap_word_of(in, keys, &key))
        return imap_bad(p, "this sort criterion is not known here");
    out->key = (enum imap_sort_key)key;
    return true;
}

bool parse_imap_sort(struct imap_parse *p, struct str args, struct imap_sort *out)
{
    out->criterion_count = 0;
    out->search = (struct imap_search){0};
    if (!take_imap_sp(&args) || !take_returns(p, &args, &out->search.returns) || !take_char(&args, '('))
        return imap_bad(p, "sort criteria in brackets are expected");
    do {
        if (out->criterion_count == IMAP_SORT_CRITERIA_MAX)
            return imap_no(p, "LIMIT", "too many sort criteria");
        if (!take_sort_criterion(p, &args, &out->criteria[out->criterion_count++]))
            return false;
    } while (take_imap_sp(&args));
    if (!take_char(&args, ')') || !take_imap_sp(&args))
        return imap_bad(p, "the sort criteria are not closed");
    return take_criteria(p, args, &out->search);
}

bool parse_imap_thread(struct imap_parse *p, struct str args, struct imap_thread *out)
{
    static const struct imap_word algorithms[] = {{"ORDEREDSUBJECT", IMAP_THREAD_ORDEREDSUBJECT},
                                                  {"REFERENCES", IMAP_THREAD_REFERENCES},
                                                  {NULL, 0}};
    unsigned algorithm;

    out->search = (struct imap_search){0};
    if (!take_imap_sp(&args) || !take_imap_word_of(&args, algorithms, &algorithm) ||
        !take_imap_sp(&args))
        return imap_bad(p, "ORDEREDSUBJECT or REFERENCES is expected");
    out->algorithm = (enum imap_thread_algorithm)algorithm;
    return take_criteria(p, args, &out->search);
}

/* "IN" SP "(" source-mbox [SP "(" scope-options ")"] ")" SP; there are no scope options yet (RFC 7377 §4) */
static bool take_sources(struct imap_parse *p, struct str *in, struct imap_esearch *out)
{
    struct imap_mailbox_filter sources[IMAP_ESEARCH_SOURCES_MAX], *kept;

    if (!take_imap_word(in, S("IN")))
        return true;
    if (!take_text(in, S(" (")))
        return imap_bad(p, "a choice of mailboxes is expected");
    do {
        if (out->source_count == IMAP_ESEARCH_SOURCES_MAX)
            return imap_no(p, "LIMIT", "too many choices of mailboxes");
        if (!take_imap_mailbox_filter(p, in, &sources[out->source_count]))
            return false;
        if (sources[out->source_count++].kind == IMAP_FILTER_SELECTED_DELAYED)
            return imap_bad(p, "selected-delayed is for NOTIFY only");
    } while (take_imap_sp(in));
    kept = arena_array(p->arena, struct imap_mailbox_filter, out->source_count);
    memcpy(kept, sources, out->source_count * sizeof(*kept));
    out->sources = kept;
    return (take_char(in, ')') && take_imap_sp(in)) ||
           imap_bad(p, "the choice of mailboxes is not closed");
}

bool parse_imap_esearch(struct imap_parse *p, struct str args, struct imap_esearch *out)
{
    *out = (struct imap_esearch){0};
    if (!take_imap_sp(&args))
        return imap_bad(p, "a search key is expected");
    return take_sources(p, &args, out) && take_returns(p, &args, &out->search.returns) &&
           take_search_program(p, args, &out->search);
}
