/* list = "LIST" [SP list-select-opts] SP mailbox SP mbox-or-pat [SP list-return-opts]   RFC 9051 §9 */
#include "proto/imap_list.h"

#include "proto/imap_access.h"

/* ---- STATUS ---- */

static const struct imap_word status_words[] = {
    {"MESSAGES", IMAP_STATUS_MESSAGES},
    {"RECENT", IMAP_STATUS_RECENT},
    {"UIDNEXT", IMAP_STATUS_UIDNEXT},
    {"UIDVALIDITY", IMAP_STATUS_UIDVALIDITY},
    {"UNSEEN", IMAP_STATUS_UNSEEN},
    {"DELETED", IMAP_STATUS_DELETED},
    {"SIZE", IMAP_STATUS_SIZE},
    {"HIGHESTMODSEQ", IMAP_STATUS_HIGHESTMODSEQ},
    {"APPENDLIMIT", IMAP_STATUS_APPENDLIMIT},
    {"MAILBOXID", IMAP_STATUS_MAILBOXID},
    {"DELETED-STORAGE", IMAP_STATUS_DELETED_STORAGE},
    {NULL, 0},
};

struct str imap_status_name(uint32_t one_bit)
{
    for (const struct imap_word *w = status_words; w->word; w++)
        if (w->value == one_bit)
            return str_from_c(w->word);
    return STR_NONE;
}

/* "(" status-att *(SP status-att) ")" */
static bool take_status_atts(struct imap_parse *p, struct str *in, uint32_t *items)
{
    unsigned item;

    if (!take_imap_sp(in) || !take_char(in, '('))
        return imap_bad(p, "a list of status items is expected");
    do {
        if (!take_imap_word_of(in, status_words, &item))
            return imap_bad(p, "this status item is not known here");
        *items |= item;
    } while (take_imap_sp(in));
    return take_char(in, ')') || imap_bad(p, "the list of status items is not closed");
}

bool parse_imap_status(struct imap_parse *p, struct str args, struct imap_status *out)
{
    *out = (struct imap_status){0};
    if (!take_imap_sp(&args) || !take_imap_mailbox(p, &args, &out->mailbox))
        return imap_bad(p, "the name of a mailbox is expected");
    return take_status_atts(p, &args, &out->items) && take_imap_end(p, &args);
}

/* ---- LIST ---- */

/* list-select-opts, from "(" on. Each SUBSCRIBED and SPECIAL-USE brings the return option of its name with it
 * (RFC 9051 §6.3.9.1, RFC 6154 §3). */
static bool take_select_opts(struct imap_parse *p, struct str *in, struct imap_list *out)
{
    static const struct imap_word options[] = {
        {"SUBSCRIBED", IMAP_LIST_SUBSCRIBED},
        {"REMOTE", IMAP_LIST_REMOTE},
        {"RECURSIVEMATCH", IMAP_LIST_RECURSIVEMATCH},
        {"SPECIAL-USE", IMAP_LIST_SPECIAL_USE},
        {NULL, 0},
    };
    unsigned option;

    take_char(in, '(');
    if (take_char(in, ')'))
        return true;
    do {
        if (!take_imap_word_of(in, options, &option))
            return imap_bad(p, "this selection option is not known here");
        out->select |= option;
    } while (take_imap_sp(in));
    if (!take_char(in, ')'))
        return imap_bad(p, "the list of selection options is not closed");
    if ((out->select & IMAP_LIST_RECURSIVEMATCH) && !(out->select & IMAP_LIST_SUBSCRIBED))
        return imap_bad(p, "RECURSIVEMATCH goes with SUBSCRIBED only");
    if (out->select & IMAP_LIST_SUBSCRIBED)
        out->returns |= IMAP_LIST_RETURN_SUBSCRIBED;
    if (out->select & IMAP_LIST_SPECIAL_USE)
        out->returns |= IMAP_LIST_RETURN_SPECIAL_USE;
    return true;
}

/* What cannot be read as a name fits none, and is no error (RFC 9051 §6.3.9): no name has an empty level. */
#define PATTERN_OF_NOTHING S("//")

static bool take_pattern(struct imap_parse *p, struct str *in, struct str *out)
{
    struct str wire;

    if (!take_imap_list_mailbox(p, in, &wire))
        return imap_bad(p, "the name of a mailbox, or a pattern, is expected");
    if (imap_name_read(p->arena, wire, p->utf8_names, out))
        *out = PATTERN_OF_NOTHING;
    return true;
}

static bool take_one_pattern(struct imap_parse *p, struct str *in, struct imap_list *out)
{
    struct str *pattern = arena_array(p->arena, struct str, 1);

    out->patterns = pattern;
    out->pattern_count = 1;
    return take_pattern(p, in, pattern);
}

/* mbox-or-pat = list-mailbox / "(" list-mailbox *(SP list-mailbox) ")"; RFC 5258 §6 wants one at least */
static bool take_patterns(struct imap_parse *p, struct str *in, struct imap_list *out)
{
    if (!take_char(in, '('))
        return take_one_pattern(p, in, out);
    out->extended = true;
    return take_imap_several(p, in, take_pattern, IMAP_PATTERNS_MAX, &out->patterns,
                             &out->pattern_count) &&
           (take_char(in, ')') || imap_bad(p, "the list of patterns is not closed"));
}

/* entries of RFC 5464 (RFC 9590 §5) */
static bool take_metadata(struct imap_parse *p, struct str *in, struct imap_list *out)
{
    return (take_imap_sp(in) &&
            take_imap_entries(p, in, &out->metadata_entries, &out->metadata_entry_count)) ||
           imap_bad(p, "METADATA takes names of entries");
}

static bool take_return_opt(struct imap_parse *p, struct str *in, struct imap_list *out)
{
    static const struct imap_word options[] = {
        {"SUBSCRIBED", IMAP_LIST_RETURN_SUBSCRIBED},
        {"CHILDREN", IMAP_LIST_RETURN_CHILDREN},
        {"SPECIAL-USE", IMAP_LIST_RETURN_SPECIAL_USE},
        {"STATUS", IMAP_LIST_RETURN_STATUS},
        {"MYRIGHTS", IMAP_LIST_RETURN_MYRIGHTS},
        {"METADATA", IMAP_LIST_RETURN_METADATA},
        {NULL, 0},
    };
    unsigned option;

    if (!take_imap_word_of(in, options, &option))
        return imap_bad(p, "this return option is not known here");
    out->returns |= option;
    if (option == IMAP_LIST_RETURN_STATUS)
        return take_status_atts(p, in, &out->status_items);
    return option != IMAP_LIST_RETURN_METADATA || take_metadata(p, in, out);
}

/* "RETURN" SP "(" [list-return-opt *(SP list-return-opt)] ")" */
static bool take_return_opts(struct imap_parse *p, struct str *in, struct imap_list *out)
{
    if (!take_imap_word(in, S("RETURN")) || !take_text(in, S(" (")))
        return imap_bad(p, "RETURN and a list of options is expected");
    out->extended = true;
    if (take_char(in, ')'))
        return true;
    do {
        if (!take_return_opt(p, in, out))
            return false;
    } while (take_imap_sp(in));
    return take_char(in, ')') || imap_bad(p, "the list of return options is not closed");
}

static bool take_reference(struct imap_parse *p, struct str *in, struct imap_list *out)
{
    return (take_imap_sp(in) && take_imap_mailbox(p, in, &out->reference) && take_imap_sp(in)) ||
           imap_bad(p, "a reference and a pattern are expected");
}

bool parse_imap_list(struct imap_parse *p, struct str args, struct imap_list *out)
{
    struct str s;

    *out = (struct imap_list){0};
    s = args;
    if (take_imap_sp(&s) && s.n && s.p[0] == '(') {
        out->extended = true;
        if (!take_select_opts(p, &s, out))
            return false;
        args = s;
    }
    if (!take_reference(p, &args, out) || !take_patterns(p, &args, out))
        return false;
    if (args.n > 1 && args.p[1] != ' ' && take_imap_sp(&args) && !take_return_opts(p, &args, out))
        return false;
    return take_imap_end(p, &args);
}

bool parse_imap_lsub(struct imap_parse *p, struct str args, struct imap_list *out)
{
    *out = (struct imap_list){0};
    return take_reference(p, &args, out) && take_one_pattern(p, &args, out) && take_imap_end(p, &args);
}
