/* STORE and UID STORE (RFC 9051 §6.4.6, RFC 7162 §3.1.3, rights: RFC 4314 §4).
 *
 * The change is one transaction. When it is durable, this command tells of it itself: of every message of the set, or, with
 * .SILENT, of the modseq alone, where the client wants to hear of that, and of all flags where others have changed them
 * meanwhile, which the client cannot know. So sync.c need not tell this change once more. A message that failed the test of
 * UNCHANGEDSINCE is shown as it is (RECOMMENDED): a client may have its mod-sequence from a session of last week.
 *
 * RFC-GAP: RFC 7162 §3.1.3 would spare +FLAGS and -FLAGS a MODIFIED if others changed other flags only; that needs the flags
 * as the client knows them (§3.1.12), and a session keeps none. */
#include "vault/imap/commands.h"

#include "base/arena.h"
#include "vault/imap/response.h"

struct store_told {
    struct imap_store a;
    bool uid;
    uint64_t left_out;       /* messages beyond the most that one command may work on */
    struct imap_set uids;    /* as asked for */
    struct imap_set failed;  /* of those: did not meet UNCHANGEDSINCE */
    struct imap_set unheard; /* of the others: others' changes came before, and are not told yet */
    uint64_t heard_modseq;   /* what came later is told by sync.c */
    uint64_t modseq;
    bool new_keywords;
    struct roster *roster;
    struct numbers numbers;
    struct roster_walk walk;
    struct flag_text flags;
};

/* ---- telling ---- */

static void store_told_end(void *state)
{
    struct store_told *t = state;

    roster_drop(&t->roster);
}

static void tell(struct imap *i, struct store_told *t, uint32_t number,
                 const struct roster_entry *entry)
{
    struct buf *out = &i->s->out;
    bool failed = imap_set_has(&t->failed, entry->uid);
    bool whole = !t->a.silent || failed || imap_set_has(&t->unheard, entry->uid);
    bool modseq =
        imap_has_condstore(i) && (whole || entry->modseq == t->modseq || t->a.has_unchanged_since);

    if ((!whole && !modseq) || (failed && entry->modseq > t->heard_modseq))
        return;
    /* with .SILENT nobody asked for it: then the UID belongs to it (RFC 9051 §7.5.2) */
    fetch_begin(i, out, number, entry->uid, t->uid || t->a.silent || imap_has_condstore(i));
    if (whole)
        flag_text_write(&t->flags, i, out, entry);
    if (modseq)
        modseq_write(out, entry->modseq);
    fetch_end(out);
}

static enum err begin_telling(struct imap *i, struct store_told *t)
{
    enum err e = selected_roster(i, &t->roster);

    if (e)
        return e;
    t->numbers = numbers_of(i, t->roster);
    t->walk = roster_walk(t->roster, &t->uids);
    flag_text_begin(&t->flags, t->roster);
    mailbox_flags_tell(i, t->roster);
    return OK;
}

static enum err store_run(struct imap *i, void *state, bool *done)
{
    struct store_told *t = state;
    const struct roster_entry *entry;
    unsigned looks = 0;
    uint32_t number;
    enum err e = t->roster ? OK : begin_telling(i, t);

    while (!e && !imap_is_enough_among(i, &looks)) {
        entry = roster_next(&t->walk);
        if (!entry) {
            *done = true;
            return OK;
        }
        number = number_of(&t->numbers, &t->walk, entry);
        if (number)
            tell(i, t, number, entry);
    }
    return e == ERR_NOT_FOUND ? (*done = true, OK) : e; /* sync.c says that the mailbox is gone */
}

/* ---- the change ---- */

/* What may not be changed stays as it is; only if nothing may be, it is an error. */
static bool cut_to_rights(const struct imap *i, const struct imap_store *a, struct flags_change *change)
{
    uint32_t rights = i->selected->rights;
    uint64_t fixed = 0;
    bool asks = a->flags.system || a->flags.keyword_count;

    if (!(rights & IMAP_RIGHT_SEEN))
        fixed |= FLAG_SEEN;
    if (!(rights & IMAP_RIGHT_DELETE_MSG))
        fixed |= FLAG_DELETED;
    if (!(rights & IMAP_RIGHT_WRITE)) {
        fixed |= ~(uint64_t)(FLAG_SEEN | FLAG_DELETED);
        change->flags.keyword_count = 0;
    }
    change->flags.system &= ~fixed;
    change->keep = fixed;
    if (!(rights & (IMAP_RIGHT_SEEN | IMAP_RIGHT_DELETE_MSG | IMAP_RIGHT_WRITE)))
        return false;
    return !asks || change->how == FLAGS_REPLACE || change->flags.system || change->flags.keyword_count;
}

static struct flags_change change_of(const struct imap_store *a)
{
    static const enum flags_how hows[] = {[IMAP_STORE_REPLACE] = FLAGS_REPLACE,
                                          [IMAP_STORE_ADD] = FLAGS_ADD,
                                          [IMAP_STORE_REMOVE] = FLAGS_REMOVE};

    return (struct flags_change){.how = hows[a->how],
                                 .flags = {.system = a->flags.system,
                                           .keywords = a->flags.keywords,
                                           .keyword_count = a->flags.keyword_count},
                                 .has_unchanged_since = a->has_unchanged_since,
                                 .unchanged_since = a->unchanged_since};
}

/* ---- the answer ---- */

/* MODIFIED names messages as the command does (RFC 7162 §3.1.3). */
static void write_modified(struct imap *i, const struct imap_set *failed, bool uid)
{
    struct imap_set_builder numbers = {0};
    struct imap_set_walk w = {failed};
    struct imap_set set = *failed;
    uint32_t n;

    if (!uid) {
        while (imap_set_next(&w, &n))
            if ((n = known_number(i->selected->known, n)))
                imap_set_add(&numbers, n);
        set = imap_set_built(&numbers);
    }
    if (set.count) {
        buf_add(reply_code(i), S("MODIFIED "));
        imap_set_write(reply_code(i), &set);
    }
    imap_set_builder_free(&numbers);
}

static void answer(struct imap *i, const struct store_told *t, const struct flags_result *result)
{
    uint64_t there = imap_set_size(&result->there) + imap_set_size(&result->failed) + t->left_out;

    bool gone = there < selected_numbers(i, &t->a.set, t->uid);

    if (gone && !result->failed.count)
        reply_gone(i);
    else if (gone)
        reply_no(i, NULL, GONE_TEXT);
    if (result->failed.count)
        write_modified(i, &result->failed, t->uid);
}

static enum err store_flags(struct imap *i, struct store_told *t, const struct imap_set *asked,
                            struct flags_change *change)
{
    struct flags_result result;
    enum err e;

    t->heard_modseq = change->heard_modseq = known_modseq(i->selected->known);
    e = messages_set_flags(i->s->store, i->s->cx, i->selected->at, asked, change, &result,
                           &i->s->ticket);

    if (e)
        return e;
    t->uids = imap_set_copy(i->arena, asked);
    t->failed = imap_set_copy(i->arena, &result.failed);
    t->unheard = imap_set_copy(i->arena, &result.unheard);
    answer(i, t, &result);
    t->modseq = result.modseq;
    selected_tells(i, &result);
    t->new_keywords = result.new_keywords;
    if (!t->a.silent || imap_has_condstore(i) || t->unheard.count || t->new_keywords)
        imap_go_on(i, &(struct imap_step){.run = store_run, .end = store_told_end, .state = t});
    return OK;
}

enum err cmd_store(struct imap *i, const struct imap_command *c)
{
    struct store_told *t = arena_alloc(i->arena, sizeof(*t));
    struct flags_change change;
    struct imap_set asked;
    enum err e;

    if (!parse_imap_store(imap_parsing(i), c->args, &t->a))
        return reply_misread(i);
    t->uid = c->uid;
    if (!selected_set(i, &t->a.set, c->uid, &asked))
        return OK;
    if (t->a.has_unchanged_since) /* RFC 7162 §3.1 */
        imap_enable(i, IMAP_ENABLE_CONDSTORE);
    if (i->selected->read_only)
        return reply_read_only(i);
    change = change_of(&t->a);
    if (!cut_to_rights(i, &t->a, &change))
        return reply_no(i, "NOPERM", "you may not change these flags here");
    e = selected_cut(i, &asked, 1, 0, &asked, &t->left_out);
    return e ? e : store_flags(i, t, &asked, &change);
}
