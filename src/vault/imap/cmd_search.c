/* SEARCH, SORT, THREAD (RFC 9051 §6.4.4; RFC 5256; with results as RFC 4731, 5182, 5267, 9394 and 6203 have them) and
 * ESEARCH over mailboxes (RFC 7377).
 *
 * A search walks one picture of the mailbox, in steps; what it has found when it is through is put in order, written as
 * one answer, and the answer given out as the client reads it. */
#include "vault/imap/commands.h"

#include "base/arena.h"
#include "base/scoped.h"
#include "mail/sort.h"
#include "mail/thread.h"
#include "vault/imap/context.h"
#include "vault/imap/filters.h"
#include "vault/imap/hunt.h"
#include "vault/imap/match.h"
#include "vault/imap/scope.h"
#include "vault/imap/search_answer.h"
#include "vault/imap/selected.h"
#include "vault/imap/threads.h"

#include <stdlib.h>

#define SETS_MOST 8     /* of a program, that say which messages are searched at all */
#define ANSWER_MOST 12  /* bytes of a number in an answer, with what separates it */
#define SHORT_MOST 2000 /* messages of whose headers a step of the short lane asks */

/* One mailbox that is searched. */
struct searching {
    struct search_result result;
    struct imap_search search;
    struct imap_sort sort; /* if result.kind says so, and likewise */
    enum imap_thread_algorithm algorithm;
    struct match_scope scope;
    struct roster *roster;
    struct match *match;
    struct thread_pass threads;
    struct roster_walk walk;
    struct numbers numbers;
    struct sort order;
    struct thread_item *items;
    bool wants_facts;
    uint64_t *keys;        /* SORT compares these instead of facts (facts_table.h); NULL: not now */
    bool keys_are_missing; /* … and somebody's were not there: once more, and without them */
    struct hunted *hunted; /* of a search that reads: messages that are asked next */
    size_t hunted_n;
    struct buf answer;
    size_t said;
    struct str args;              /* the command's */
    struct context *context;      /* whose search this is, done again; NULL: a command's */
    struct context_news *news;    /* … and what that has found */
    const struct imap_set *among; /* NULL: all */
    struct imap_set cut;          /* … if it is because they are too many (RFC 9738) */
    struct scope_list places;     /* ESEARCH: those still to be searched */
    size_t place;
    struct arena *room; /* … and what is needed of one of them at a time; else NULL */
};

/* What the search keeps counts as the account's: with long texts a message takes 2,000 bytes a criterion, and there may
 * be a million of them. */
static enum err hold(struct imap *i, const struct searching *x, size_t more)
{
    return imap_hold(i, arena_size(i->arena) + (x->room ? arena_size(x->room) : 0) + more);
}

static void search_end(void *state)
{
    struct searching *x = state;

    roster_drop(&x->roster);
    buf_free(&x->answer);
    arena_free(x->room);
    x->room = NULL;
}

/* ---- giving the answer out ---- */

static enum err next_place(struct imap *i, void *state, bool *done);

static enum err pour(struct imap *i, void *state, bool *done)
{
    struct searching *x = state;
    size_t room = SESSION_OUT - (i->s->out.n < SESSION_OUT ? i->s->out.n : SESSION_OUT);
    struct str rest = str_from(buf_str(&x->answer), x->said);

    rest = str_upto(rest, room + 1); /* always something */
    buf_add(&i->s->out, rest);
    x->said += rest.n;
    if (x->said < x->answer.n)
        return OK;
    if (x->place < x->places.n)
        imap_go_on(
            i, &(struct imap_step){.run = next_place, .end = search_end, .state = x, .is_long = true});
    else
        *done = true;
    return OK;
}

static void say_answer(struct imap *i, struct searching *x)
{
    imap_go_on(i, &(struct imap_step){.run = pour, .end = search_end, .state = x});
}

/* ---- what was found ---- */

static void add_thread_item(struct searching *x, const struct roster_entry *entry,
                            const struct facts *f, uint32_t number)
{
    struct arena *a = x->result.arena;

    x->items[x->result.n] =
        (struct thread_item){.number = number,
                             .is_reply = f->is_reply,
                             .date_ms = f->has_date ? f->date_ms : entry->internal_date,
                             .base_subject = str_copy(a, f->base_subject),
                             .message_id = f->message_id,
                             .references = str_copy(a, f->references)};
}

static enum err take_found(struct searching *x, struct asked *a, uint32_t number)
{
    const struct roster_entry *entry = a->entry;
    const struct facts *f = NULL;
    uint32_t name = x->result.uid ? entry->uid : number;
    enum err e = x->wants_facts && !x->keys ? asked_facts(a, &f) : OK;
    unsigned relevancy = a->fuzzy_count ? a->fuzzy_sum / a->fuzzy_count : 100;

    if (e)
        return e == ERR_GONE || e == ERR_DAMAGED ? OK : e;
    if (x->keys && !facts_table_keys(a->by->table, entry->body, x->sort.criteria,
                                     x->sort.criterion_count, x->keys)) {
        x->keys_are_missing = true;
        return OK;
    }
    if (x->result.kind == RESULT_THREAD)
        add_thread_item(x, entry, f, name);
    if (x->result.kind == RESULT_SORT)
        sort_add(&x->order, &(struct sort_message){.number = (uint32_t)x->result.n,
                                                   .facts = f,
                                                   .keys = x->keys,
                                                   .internal_ms = entry->internal_date,
                                                   .size = entry->size,
                                                   .relevancy = relevancy});
    x->result.v[x->result.n++] = (struct found){
        .uid = entry->uid, .name = name, .modseq = entry->modseq, .relevancy = (uint8_t)relevancy};
    return OK;
}

/* Put in the order of the criteria; those that were found stand in the order of the mailbox until then. */
static void put_in_order(struct searching *x)
{
    struct found *sorted = arena_array(x->result.arena, struct found, x->result.n);
    uint32_t *numbers = arena_array(x->result.arena, uint32_t, x->result.n);

    sort_end(&x->order, numbers);
    for (size_t k = 0; k < x->result.n; k++)
        sorted[k] = x->result.v[numbers[k]];
    x->result.v = sorted;
}

/* How many of those that nobody has seen there are is not known before; mostly they are few. */
static enum err thread_by_references_within(struct imap *i, struct searching *x,
                                            struct thread_tree *tree)
{
    size_t n = x->result.n, most = n + n / 4;
    enum err e = hold(i, x, thread_room(n, most));

    while (!e && !thread_by_references(x->result.arena, x->items, n, most, tree)) {
        most = 2 * most + 100;
        e = hold(i, x, thread_room(n, most));
    }
    return e;
}

static enum err thread(struct imap *i, struct searching *x)
{
    size_t n = x->result.n;
    struct thread_tree tree;
    enum err e;

    if (x->algorithm == IMAP_THREAD_REFERENCES) {
        e = thread_by_references_within(i, x, &tree);
    } else {
        e = hold(i, x, thread_room(n, n));
        if (!e)
            thread_by_subject(x->result.arena, x->items, n, &tree);
    }
    if (e)
        return e;
    buf_add(&x->answer, S("* THREAD "));
    thread_write(&x->answer, &tree);
    if (!x->result.n)
        buf_clear(&x->answer), buf_add(&x->answer, S("* THREAD"));
    buf_add(&x->answer, S("\r\n"));
    return OK;
}

/* "$" (RFC 5182 §2.1, RFC 9394 §3.2). */
static void save(struct imap *i, const struct searching *x)
{
    struct imap_set_builder *saved = &i->selected->saved;

    imap_set_builder_free(saved);
    search_saved(&x->result, saved);
}

static enum err tell_context(struct imap *i, void *state, bool *done)
{
    struct searching *x = state;

    *done = context_tell(i, x->news);
    return OK;
}

static enum err finish(struct imap *i, struct searching *x)
{
    enum err e = OK;

    if (x->result.kind == RESULT_SORT)
        put_in_order(x);
    if (x->context) {
        x->news = context_found(i, x->context, &x->result);
        imap_go_on(i, &(struct imap_step){.run = tell_context, .end = search_end, .state = x});
        return OK;
    }
    if (x->result.returns.options & IMAP_RETURN_SAVE && i->selected)
        save(i, x);
    if (x->result.kind == RESULT_THREAD)
        e = thread(i, x);
    else
        search_answer_write(&x->answer, i, &x->result);
    if (x->result.returns.options & IMAP_RETURN_UPDATE && !x->result.over_mailboxes)
        context_begin(i, &x->result, x->args, &x->search);
    roster_drop(&x->roster);
    if (!e)
        say_answer(i, x);
    return e;
}

/* ---- searching ---- */

static enum err ask_one(struct searching *x, const struct roster_entry *entry, struct asker *asker,
                        uint32_t number)
{
    struct asked a = asked_make(entry, asker);
    bool fits;
    enum err e = match_ask(x->match, &a, &fits);

    if (!e && fits)
        e = take_found(x, &a, number);
    asked_end(&a);
    return e;
}

/* At the beginning of a SORT: if the table seems to hold all of the mailbox, its texts need not be compared again. */
static void find_keys(struct searching *x, struct facts_table *table)
{
    uint32_t exists = roster_counts(x->roster)->exists;

    if (x->result.kind != RESULT_SORT || !x->wants_facts || x->keys_are_missing || x->among ||
        match_cost(x->match) >= MATCH_HEADER || facts_table_count(table) < exists)
        return;
    facts_table_order(table, x->sort.criteria, x->sort.criterion_count);
    x->keys = arena_array(x->result.arena, uint64_t, x->sort.criterion_count);
}

static enum err begin_walk(struct imap *i, struct searching *x);

static bool must_begin_again(const struct searching *x)
{
    return x->keys && x->keys_are_missing;
}

/* The next message of the walk that the client knows, and that may fit. NULL: none. */
static const struct roster_entry *next_message(struct searching *x, uint32_t *number)
{
    const struct roster_entry *entry;

    while ((entry = roster_next(&x->walk))) {
        *number = x->scope.selected ? number_of(&x->numbers, &x->walk, entry) : x->walk.number;
        if (*number && match_may(x->match, x->walk.number))
            return entry;
    }
    return NULL;
}

static enum err look_through(struct imap *i, struct searching *x, struct asker *asker, bool *through)
{
    const struct roster_entry *entry = NULL;
    uint32_t number;
    enum err e = OK;

    if (!x->walk.number)
        find_keys(x, asker->table);
    for (unsigned k = 0; !e && !must_begin_again(x) && (entry = next_message(x, &number)); k++) {
        e = ask_one(x, entry, asker, number);
        if ((k & 15) == 15 && imap_is_enough(i))
            break;
    }
    *through = !entry;
    return e;
}

static enum err take_hunted(struct searching *x, struct asker *asker, const struct hunted *h)
{
    struct asked a = asked_make(h->entry, asker);
    enum err e;

    a.fuzzy_count = h->fuzzy_count;
    a.fuzzy_sum = h->fuzzy_sum;
    e = take_found(x, &a, h->number);
    asked_end(&a);
    return e;
}

/* A search that reads messages. */
static enum err read_through(struct imap *i, struct searching *x, struct asker *asker, bool *through)
{
    struct hunt h = {.engine = i->s->store->engine,
                     .match = x->match,
                     .account = x->scope.at.account,
                     .ends = i->turn_ends};
    const struct roster_entry *entry = NULL;
    uint32_t number;
    size_t done;
    enum err e;

    if (!x->hunted)
        x->hunted = arena_array(x->result.arena, struct hunted, HUNT_MOST);
    while (x->hunted_n < HUNT_MOST && (entry = next_message(x, &number)))
        x->hunted[x->hunted_n++] = (struct hunted){.entry = entry, .number = number};
    h.all = x->hunted;
    h.n = x->hunted_n;
    e = hunt(&h, asker, &done);
    for (size_t k = 0; k < done && !e; k++)
        if (x->hunted[k].fits)
            e = take_hunted(x, asker, &x->hunted[k]);
    x->hunted_n -= done;
    memmove(x->hunted, x->hunted + done, x->hunted_n * sizeof(*x->hunted));
    *through = !entry && !x->hunted_n;
    return e;
}

/* SAVE and a NO: "$" is then empty. After a BAD it is what it was (RFC 9051 §6.4.4.1). A context is not kept up to date
 * any more. */
static void failed(struct imap *i, const struct searching *x)
{
    if (x->search.returns.options & IMAP_RETURN_SAVE && i->selected)
        imap_set_builder_free(&i->selected->saved);
    if (x->context)
        context_lost(i, x->context);
}

/* False: the step is over. */
static bool is_threaded(struct imap *i, struct searching *x, enum err *e)
{
    bool through;

    if (!(x->search.needs & IMAP_NEEDS_THREAD))
        return true;
    *e = thread_pass_some(i, &x->threads, x->scope.at, x->roster, x->among, &through);
    if (*e)
        failed(i, x);
    return !*e && through;
}

static enum err search_messages(struct imap *i, struct searching *x)
{
    bool asks_facts = x->wants_facts || match_cost(x->match) >= MATCH_FACTS, through = false;
    bool reads = match_cost(x->match) >= MATCH_HEADER; /* a message may be large */
    scoped(facts_table_give_back) struct facts_table *table =
        asks_facts ? facts_table_take(x->scope.at) : NULL;
    scoped(asker_free) struct asker asker = asker_make(NULL, table);
    enum err e = imap_stored(i, x->scope.at.account, roster_counts(x->roster)->exists, &asker.stored);

    if (!x->walk.number)
        match_find_candidates(x->match, i);
    if (!e)
        e = (reads ? read_through : look_through)(i, x, &asker, &through);
    if (!e && must_begin_again(x)) {
        x->keys = NULL;
        e = begin_walk(i, x);
        through = false;
    }
    if (!x->result.over_mailboxes) /* RFC 9585 §4: the goal stays, and what is done does not go back */
        imap_progress(i, x->walk.number - x->hunted_n, roster_counts(x->roster)->exists);
    if (!e)
        e = hold(i, x, 0);
    if (!e && through)
        e = finish(i, x);
    if (e)
        failed(i, x);
    return e;
}

static enum err search_on(struct imap *i, void *state, bool *done)
{
    struct searching *x = state;
    enum err e = OK;

    (void)done; /* an answer follows */
    return is_threaded(i, x, &e) ? search_messages(i, x) : e;
}

/* For each message that may be found, but for its texts. */
static size_t room_of_one(const struct searching *x)
{
    size_t room = sizeof(struct found) + ANSWER_MOST;

    if (x->result.kind == RESULT_SORT)
        room += sort_room(x->sort.criterion_count) + sizeof(struct found) + sizeof(uint32_t);
    if (x->result.kind == RESULT_THREAD)
        room += sizeof(struct thread_item);
    return room;
}

/* The picture to be searched is there, and the program: a walk begins. */
static enum err begin_walk(struct imap *i, struct searching *x)
{
    uint32_t exists = roster_counts(x->roster)->exists;
    bool asks = x->wants_facts || match_cost(x->match) >= MATCH_FACTS;
    enum err e;

    if (x->among && imap_set_size(x->among) < exists)
        exists = (uint32_t)imap_set_size(x->among);
    e = hold(i, x, exists * room_of_one(x));
    if (e)
        return e;
    x->walk = roster_walk(x->roster, x->among);
    x->threads = (struct thread_pass){0};
    x->result.uid_validity = roster_counts(x->roster)->uid_validity;
    x->hunted_n = 0;
    x->result.n = 0;
    x->result.v = arena_array(x->result.arena, struct found, exists);
    if (x->result.kind == RESULT_THREAD)
        x->items = arena_array(x->result.arena, struct thread_item, exists);
    if (x->result.kind == RESULT_SORT)
        x->order = sort_begin(x->result.arena, x->sort.criteria, x->sort.criterion_count, exists);
    imap_go_on(i, &(struct imap_step){.run = search_on,
                                      .end = search_end,
                                      .state = x,
                                      .is_long = match_cost(x->match) >= MATCH_HEADER ||
                                                 (asks && exists > SHORT_MOST)});
    return OK;
}

static struct searching *new_search(struct imap *i, const struct imap_command *c, enum result_kind kind)
{
    struct searching *x = arena_alloc(i->arena, sizeof(*x));

    *x = (struct searching){.args = c->args,
                            .result = {.kind = kind, .arena = i->arena, .tag = c->tag, .uid = c->uid},
                            .answer = buf_make(BUF_UNLIMITED)};
    return x;
}

/* A search that ends before its first step. */
static enum err give_up(struct searching *x, enum err e)
{
    search_end(x);
    return e;
}

static enum err refused(struct imap *i, struct searching *x, enum err e)
{
    if (e || i->run.cond[0] == 'N')
        failed(i, x);
    return give_up(x, e);
}

static struct imap_set one_range(struct imap *i, uint64_t first, uint64_t last)
{
    struct imap_range *r = arena_array(i->arena, struct imap_range, 1);

    *r = (struct imap_range){(uint32_t)first, (uint32_t)last};
    return (struct imap_set){.ranges = r, .count = first <= last};
}

/* The messages that are to be searched: in every set that the program begins with. */
static size_t sets_of(struct imap *i, const struct imap_key *program, struct imap_set *sets)
{
    size_t n = 0;

    for (size_t k = 0; k < program->key_count && n < SETS_MOST; k++) {
        const struct imap_key *key = &program->keys[k];
        const struct imap_key *in = key->kind == IMAP_KEY_NOT ? &key->keys[0] : key;
        const struct imap_range *r = in->set.ranges;

        if (key == in && (key->kind == IMAP_KEY_SEQUENCE || key->kind == IMAP_KEY_UID))
            sets[n++] = selected_meant(i, &key->set, key->kind == IMAP_KEY_UID);
        else if (in->kind == IMAP_KEY_UID && in->set.count == 1 && r->first == 1) /* UIDAFTER */
            sets[n++] = one_range(i, (uint64_t)r->last + 1, UINT32_MAX);
        else if (in->kind == IMAP_KEY_UID && in->set.count == 1 &&
                 r->last == UINT32_MAX) /* UIDBEFORE */
            sets[n++] = one_range(i, 1, r->first - 1);
    }
    return n;
}

/* RFC 9738 §3.1, §3.3: SEARCH looks at the highest UIDs; an order of a part would be none. False: the NO is said, or *e. */
static bool keep_limit(struct imap *i, struct searching *x, enum err *e)
{
    struct imap_set sets[SETS_MOST], uids;
    uint64_t left_out;

    *e = selected_cut(i, sets, sets_of(i, &x->search.program, sets), 0, &uids, &left_out);
    if (*e || !left_out)
        return !*e;
    if (x->result.kind != RESULT_SEARCH || x->result.returns.options & IMAP_RETURN_UPDATE) {
        i->run.lowest = 0;
        imap_too_many(i, UINT64_MAX);
        return false;
    }
    x->cut = uids;
    x->among = &x->cut;
    return true;
}

/* Filters are put in, and what the program asks for is done. False: the reply is set, or *e. */
static bool meet_needs(struct imap *i, struct searching *x, enum err *e)
{
    uint32_t needs;

    if (!filters_insert(i, i->arena, &x->search, e))
        return false;
    needs = x->search.needs;
    i->run.numbers |= (needs & IMAP_NEEDS_SEQUENCE) != 0;
    if (i->run.numbers && imap_is_uidonly(i)) {
        reply_bad_code(i, "UIDREQUIRED", "message numbers are not used any more");
        return false;
    }
    if (needs & IMAP_NEEDS_MODSEQ) {
        imap_enable(i, IMAP_ENABLE_CONDSTORE);
        x->result.with_modseq = true;
    }
    return true;
}

static enum err walk_selected(struct imap *i, struct searching *x)
{
    enum err e = selected_roster(i, &x->roster);

    if (e)
        return refused(i, x, e);
    x->scope = (struct match_scope){
        .arena = i->arena, .at = i->selected->at, .roster = x->roster, .selected = true};
    x->numbers = numbers_of(i, x->roster);
    if (!match_make(i, &x->search, &x->scope, &x->match))
        return refused(i, x, OK);
    e = begin_walk(i, x);
    return e ? refused(i, x, e) : OK;
}

static enum err search_selected(struct imap *i, struct searching *x)
{
    enum err e = OK;

    x->result.returns = x->search.returns;
    x->result.esearch = x->search.returns.given || (x->result.kind == RESULT_SEARCH && imap_is_rev2(i));
    if (!meet_needs(i, x, &e))
        return refused(i, x, e);
    if (x->result.returns.options & IMAP_RETURN_UPDATE && context_has_tag(i, x->result.tag))
        return refused(i, x, reply_bad(i, "this tag is in use for updates"));
    if (!keep_limit(i, x, &e))
        return refused(i, x, e);
    return walk_selected(i, x);
}

enum err cmd_search(struct imap *i, const struct imap_command *c)
{
    struct searching *x = new_search(i, c, RESULT_SEARCH);

    if (!parse_imap_search(imap_parsing(i), c->args, &x->search))
        return refused(i, x, reply_misread(i));
    /* RFC 6855 §3; but a client of rev2 may say what it means all the same (RFC 9051 §6.4.4) */
    if (x->search.charset.n && i->enabled & IMAP_ENABLE_UTF8 && !imap_is_rev2(i))
        return refused(i, x, reply_bad(i, "all is UTF-8 here: no CHARSET"));
    return search_selected(i, x);
}

enum err cmd_sort(struct imap *i, const struct imap_command *c)
{
    struct searching *x = new_search(i, c, RESULT_SORT);
    bool fine = parse_imap_sort(imap_parsing(i), c->args, &x->sort);

    x->search = x->sort.search;
    if (!fine)
        return refused(i, x, reply_misread(i));
    x->wants_facts = sort_needs_facts(x->sort.criteria, x->sort.criterion_count);
    return search_selected(i, x);
}

enum err search_again(struct imap *i, const struct search_again *a)
{
    struct searching *x = new_search(i, &(struct imap_command){.uid = a->uid}, a->kind);

    x->search = *a->search;
    x->search.returns = (struct imap_return){0};
    x->context = a->context;
    x->among = a->among;
    if (a->kind == RESULT_SORT) {
        x->sort = *a->sort;
        x->wants_facts = sort_needs_facts(x->sort.criteria, x->sort.criterion_count);
    }
    return walk_selected(i, x);
}

enum err cmd_thread(struct imap *i, const struct imap_command *c)
{
    struct searching *x = new_search(i, c, RESULT_THREAD);
    struct imap_thread a;

    if (!parse_imap_thread(imap_parsing(i), c->args, &a))
        return refused(i, x, reply_misread(i));
    x->search = a.search;
    x->algorithm = a.algorithm;
    x->wants_facts = true;
    return search_selected(i, x);
}

/* ---- ESEARCH: several mailboxes, one after the other ---- */

static enum err next_place(struct imap *i, void *state, bool *done)
{
    struct searching *x = state;
    const struct scope_place *p = &x->places.v[x->place++];
    enum err e;

    buf_clear(&x->answer);
    x->said = 0;
    arena_reset(x->room);
    x->hunted = NULL;
    x->result.at = p->at;
    x->result.mailbox = p->name;
    e = roster_get(i->s->store, i->s->cx, p->at.account, p->at.mailbox, &x->roster);
    if (e == ERR_NOT_FOUND) { /* it has gone meanwhile */
        if (x->place == x->places.n)
            *done = true;
        return OK;
    }
    if (e)
        return e;
    x->scope = (struct match_scope){
        .arena = x->room, .at = p->at, .roster = x->roster, .selected = selected_is(i, p->at)};
    if (x->scope.selected)
        x->numbers = numbers_of(i, x->roster);
    if (match_make(i, &x->search, &x->scope, &x->match))
        return begin_walk(i, x);
    failed(i, x);
    *done = true;
    return OK;
}

static bool is_only_selected(const struct imap_esearch *a)
{
    return !a->source_count || (a->source_count == 1 && a->sources[0].kind == IMAP_FILTER_SELECTED);
}

/* RFC 7377 §2.2. False: the BAD is said. */
static bool may_esearch(struct imap *i, struct searching *x, const struct imap_esearch *a, enum err *e)
{
    uint32_t options = a->search.returns.options;

    if (options & IMAP_RETURN_SAVE && !is_only_selected(a))
        reply_bad(i, "SAVE is for the selected mailbox alone");
    else if (options & IMAP_RETURN_UPDATE && !i->selected)
        reply_bad(i, "select a mailbox first");
    else if (options & IMAP_RETURN_UPDATE && context_has_tag(i, x->result.tag))
        reply_bad(i, "this tag is in use for updates");
    else if (!meet_needs(i, x, e))
        return false;
    else if (x->search.needs & IMAP_NEEDS_SAVED && !is_only_selected(a))
        reply_bad(i, "\"$\" means messages of the selected mailbox alone");
    else
        return true;
    return false;
}

enum err cmd_esearch(struct imap *i, const struct imap_command *c)
{
    struct searching *x = new_search(i, c, RESULT_SEARCH);
    struct imap_esearch a;
    bool fine = parse_imap_esearch(imap_parsing(i), c->args, &a);
    enum err e = OK;

    x->search = a.search;
    if (!fine)
        return refused(i, x, reply_misread(i));
    x->result.uid = x->result.esearch = x->result.over_mailboxes = true;
    x->result.returns = a.search.returns;
    x->result.arena = x->room = arena_new(0);
    if (!may_esearch(i, x, &a, &e))
        return refused(i, x, e);
    if (a.search.returns.options & IMAP_RETURN_UPDATE) /* RFC 5267 §4.3.1 */
        buf_printf(&i->s->out, "* NO [NOUPDATE \"%.*s\"] not with this command\r\n", STR_ARG(c->tag));
    if (!scope_find(i, a.sources, a.source_count, &x->places, &e))
        return refused(i, x, e);
    if (!x->places.n)
        return give_up(x, OK);
    imap_go_on(i,
               &(struct imap_step){.run = next_place, .end = search_end, .state = x, .is_long = true});
    return OK;
}
