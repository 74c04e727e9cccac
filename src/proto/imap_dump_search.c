/* NOTIFY, and the four commands with a search program. */
#include "proto/imap_dump_private.h"
#include "proto/imap_write.h"

#include <assert.h>

/* ---- imap_notify.h ---- */

static void add_filter(struct buf *out, const struct imap_mailbox_filter *f)
{
    static const char *const names[] = {"selected",   "selected-delayed", "inboxes",     "personal",
                                        "subscribed", "subtree",          "subtree-one", "mailboxes"};

    buf_add_c(out, names[f->kind]);
    if (f->mailbox_count == 0)
        return;
    buf_add(out, S(" ("));
    for (size_t i = 0; i < f->mailbox_count; i++) {
        buf_add(out, i ? S(" ") : S(""));
        imap_mailbox_write(out, f->mailboxes[i], true);
    }
    buf_add_char(out, ')');
}

static void add_events(struct buf *out, const struct imap_event_group *g)
{
    static const char *const names[] = {"MessageNew",
                                        "MessageExpunge",
                                        "FlagChange",
                                        "AnnotationChange",
                                        "MailboxName",
                                        "SubscriptionChange",
                                        "MailboxMetadataChange",
                                        "ServerMetadataChange",
                                        "Unknown"};
    bool first = true;

    if (g->events == 0) {
        buf_add(out, S("NONE"));
        return;
    }
    buf_add_char(out, '(');
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        if (!(g->events & UINT32_C(1) << i))
            continue;
        buf_printf(out, "%s%s", first ? "" : " ", names[i]);
        first = false;
        if (i == 0 && g->has_atts) {
            buf_add_char(out, ' ');
            dump_atts(out, &g->atts);
        }
    }
    buf_add_char(out, ')');
}

bool dump_notify(struct imap_parse *p, struct str args, bool uid, struct buf *out)
{
    struct imap_notify a;

    (void)uid;
    if (!parse_imap_notify(p, args, &a))
        return false;
    buf_add(out, a.none ? S(" NONE") : a.status ? S(" SET STATUS") : S(" SET"));
    for (size_t i = 0; i < a.group_count; i++) {
        buf_add(out, S(" ("));
        add_filter(out, &a.groups[i].filter);
        buf_add_char(out, ' ');
        add_events(out, &a.groups[i]);
        buf_add_char(out, ')');
    }
    return true;
}

/* ---- imap_search.h ---- */

static void add_key(struct buf *out, const struct imap_key *key, bool fuzzy);

static void add_keys(struct buf *out, const struct imap_key *key, bool fuzzy)
{
    for (size_t i = 0; i < key->key_count; i++) {
        buf_add(out, i ? S(" ") : S(""));
        add_key(out, &key->keys[i], fuzzy);
    }
}

static void add_word_key(struct buf *out, const struct imap_key *key)
{
    static const char *const names[] = {
        "?",      "?",         "?",           "ALL",     "?",          "UID",
        "?",      "KEYWORD",   "RECENT",      "LARGER",  "SMALLER",    "BEFORE",
        "ON",     "SINCE",     "SAVEDBEFORE", "SAVEDON", "SAVEDSINCE", "SAVEDATESUPPORTED",
        "OLDER",  "YOUNGER",   "MODSEQ",      "EMAILID", "THREADID",   "SENTBEFORE",
        "SENTON", "SENTSINCE", "HEADER",      "BODY",    "TEXT",       "FILTER"};

    if (key->kind == IMAP_KEY_FLAG) {
        struct str name = str_from(imap_flag_name(key->flags), 1);

        for (size_t i = 0; i < name.n; i++)
            buf_add_char(out, to_upper(name.p[i]));
        return;
    }
    buf_add_c(out, names[key->kind]);
    switch (key->kind) {
    case IMAP_KEY_UID:
        dump_set(out, &key->set);
        break;
    case IMAP_KEY_LARGER:
    case IMAP_KEY_SMALLER:
    case IMAP_KEY_OLDER:
    case IMAP_KEY_YOUNGER:
    case IMAP_KEY_MODSEQ:
        buf_printf(out, " %llu", (unsigned long long)key->number);
        break;
    case IMAP_KEY_BEFORE:
    case IMAP_KEY_ON:
    case IMAP_KEY_SINCE:
    case IMAP_KEY_SAVED_BEFORE:
    case IMAP_KEY_SAVED_ON:
    case IMAP_KEY_SAVED_SINCE:
    case IMAP_KEY_SENT_BEFORE:
    case IMAP_KEY_SENT_ON:
    case IMAP_KEY_SENT_SINCE:
        buf_add_char(out, ' ');
        imap_date_write(out, key->date);
        break;
    case IMAP_KEY_KEYWORD:
    case IMAP_KEY_EMAILID:
    case IMAP_KEY_THREADID:
    case IMAP_KEY_FILTER:
        buf_add_char(out, ' ');
        buf_add(out, key->text);
        break;
    case IMAP_KEY_HEADER:
    case IMAP_KEY_BODY:
    case IMAP_KEY_TEXT:
        if (key->kind == IMAP_KEY_HEADER) {
            buf_add_char(out, ' ');
            dump_string(out, key->field);
        }
        buf_add_char(out, ' ');
        dump_string(out, key->text);
        break;
    default:
        break;
    }
}

/* `fuzzy`: something around it is. */
static void add_key(struct buf *out, const struct imap_key *key, bool fuzzy)
{
    assert(key->fuzzy || !fuzzy);
    if (key->fuzzy && !fuzzy)
        buf_add(out, S("FUZZY "));
    switch (key->kind) {
    case IMAP_KEY_AND:
        buf_add_char(out, '(');
        add_keys(out, key, key->fuzzy);
        buf_add_char(out, ')');
        break;
    case IMAP_KEY_OR:
        buf_add(out, S("OR "));
        add_keys(out, key, key->fuzzy);
        break;
    case IMAP_KEY_NOT:
        buf_add(out, S("NOT "));
        add_keys(out, key, key->fuzzy);
        break;
    case IMAP_KEY_SEQUENCE:
        imap_set_write(out, &key->set);
        break;
    default:
        add_word_key(out, key);
    }
}

static void add_returns(struct buf *out, const struct imap_return *r)
{
    static const char *const names[] = {"MIN",     "MAX",     "ALL",    "COUNT",    "SAVE",
                                        "PARTIAL", "CONTEXT", "UPDATE", "RELEVANCY"};
    bool first = true;

    if (!r->given)
        return;
    buf_add(out, S(" RETURN ("));
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        uint32_t bit = UINT32_C(1) << i;

        if (!(r->options & bit))
            continue;
        buf_add(out, first ? S("") : S(" "));
        first = false;
        if (bit == IMAP_RETURN_PARTIAL)
            dump_partial(out, &r->partial);
        else
            buf_add_c(out, names[i]);
        if (bit == IMAP_RETURN_UPDATE && r->update.att_count) {
            buf_add_char(out, ' ');
            dump_atts(out, &r->update);
        }
    }
    buf_add_char(out, ')');
}

static void add_program(struct buf *out, const struct imap_search *s)
{
    assert(s->program.kind == IMAP_KEY_AND && !s->program.fuzzy);
    buf_add_char(out, ' ');
    add_keys(out, &s->program, false);
}

static void add_search(struct buf *out, const struct imap_search *s)
{
    add_returns(out, &s->returns);
    if (s->charset.n) {
        buf_add(out, S(" CHARSET "));
        dump_string(out, s->charset);
    }
    add_program(out, s);
}

bool dump_search(struct imap_parse *p, struct str args, bool uid, struct buf *out)
{
    struct imap_search a;

    (void)uid;
    if (!parse_imap_search(p, args, &a))
        return false;
    add_search(out, &a);
    return true;
}

bool dump_sort(struct imap_parse *p, struct str args, bool uid, struct buf *out)
{
    static const char *const names[] = {"ARRIVAL", "CC", "DATE",        "FROM",      "SIZE",
                                        "SUBJECT", "TO", "DISPLAYFROM", "DISPLAYTO", "RELEVANCY"};
    struct imap_sort a;

    (void)uid;
    if (!parse_imap_sort(p, args, &a))
        return false;
    add_returns(out, &a.search.returns);
    for (size_t i = 0; i < a.criterion_count; i++)
        buf_printf(out, "%s%s%s", i ? " " : " (", a.criteria[i].reverse ? "REVERSE " : "",
                   names[a.criteria[i].key]);
    buf_add(out, S(") "));
    dump_string(out, a.search.charset);
    add_program(out, &a.search);
    return true;
}

bool dump_thread(struct imap_parse *p, struct str args, bool uid, struct buf *out)
{
    struct imap_thread a;

    (void)uid;
    if (!parse_imap_thread(p, args, &a))
        return false;
    buf_add(out, a.algorithm == IMAP_THREAD_REFERENCES ? S(" REFERENCES ") : S(" ORDEREDSUBJECT "));
    dump_string(out, a.search.charset);
    add_program(out, &a.search);
    return true;
}

bool dump_esearch(struct imap_parse *p, struct str args, bool uid, struct buf *out)
{
    struct imap_esearch a;

    (void)uid;
    if (!parse_imap_esearch(p, args, &a))
        return false;
    for (size_t i = 0; i < a.source_count; i++) {
        buf_add(out, i ? S(" ") : S(" IN ("));
        add_filter(out, &a.sources[i]);
    }
    buf_add(out, a.source_count ? S(")") : S(""));
    add_search(out, &a.search);
    return true;
}
