/* A command's name, what its arguments share, and the arguments of the shorter commands. */
#include "proto/imap_args.h"

/* Capabilities of ENABLE, tags of CANCELUPDATE: more than there can be of either. */
#define WORDS_MAX 1000

/* ---- shared ---- */

bool parse_imap_command(struct str text, struct imap_command *out)
{
    struct str rest;

    *out = (struct imap_command){0};
    if (!take_imap_tag(&text, &out->tag) || !take_imap_sp(&text) || !take_imap_atom(&text, &out->name))
        return false;
    rest = text;
    if (str_same_nocase(out->name, S("UID")) && take_imap_sp(&rest) &&
        take_imap_atom(&rest, &out->name)) {
        out->uid = true;
        text = rest;
    }
    out->args = text;
    return true;
}

/* RFC-GAP: RFC 9051 §2.2.2 would have spaces at the end rejected (SHOULD). Clients send them, and they mean nothing else. */
bool take_imap_end(struct imap_parse *p, struct str *in)
{
    struct str s = *in;

    while (take_imap_sp(&s))
        ;
    if (s.n)
        return imap_bad(p, "something stands behind the command's arguments");
    *in = s;
    return true;
}

bool take_imap_mailbox(struct imap_parse *p, struct str *in, struct str *name)
{
    struct str s = *in, wire;
    const char *why;

    if (!take_imap_astring(p, &s, &wire))
        return imap_bad(p, "the name of a mailbox is expected");
    why = imap_name_decode(p->arena, wire, p->utf8_names, &p->given);
    if (why)
        return imap_no(p, "CANNOT", why);
    *name = imap_name_normal(p->arena, p->given);
    *in = s;
    return true;
}

/* SP mailbox */
static bool take_sp_mailbox(struct imap_parse *p, struct str *in, struct str *name)
{
    return (take_imap_sp(in) || imap_bad(p, "the name of a mailbox is expected")) &&
           take_imap_mailbox(p, in, name);
}

static bool take_sp_set(struct imap_parse *p, struct str *in, struct imap_set *set)
{
    return (take_imap_sp(in) && take_imap_set(p, in, set)) ||
           imap_bad(p, "a set of messages is expected");
}

static bool take_sp_astring(struct imap_parse *p, struct str *in, struct str *out, const char *why)
{
    return (take_imap_sp(in) && take_imap_astring(p, in, out)) || imap_bad(p, why);
}

bool parse_imap_no_args(struct imap_parse *p, struct str args)
{
    return take_imap_end(p, &args) || imap_bad(p, "this command has no arguments");
}

bool parse_imap_mailbox(struct imap_parse *p, struct str args, struct str *mailbox)
{
    return take_sp_mailbox(p, &args, mailbox) && take_imap_end(p, &args);
}

/* ---- before sign-on ---- */

bool parse_imap_login(struct imap_parse *p, struct str args, struct imap_login *out)
{
    return take_sp_astring(p, &args, &out->userid, "the user's name is expected") &&
           take_sp_astring(p, &args, &out->password, "the password is expected") &&
           take_imap_end(p, &args);
}

bool parse_imap_authenticate(struct imap_parse *p, struct str args, struct imap_authenticate *out)
{
    *out = (struct imap_authenticate){0};
    if (!take_imap_sp(&args) || !take_imap_atom(&args, &out->mechanism))
        return imap_bad(p, "the name of a mechanism is expected");
    if (args.n > 1 && take_imap_sp(&args) && args.p[0] != ' ') {
        if (!take_imap_base64(p, &args, &out->initial))
            return false;
        out->has_initial = true;
    }
    return take_imap_end(p, &args);
}

static bool take_id_pair(struct imap_parse *p, struct str *in, struct imap_id_pair *out)
{
    if (!take_imap_string(p, in, &out->field) || !take_imap_sp(in) ||
        !take_imap_nstring(p, in, &out->value))
        return imap_bad(p, "ID holds pairs of a string, and a string or NIL");
    if (out->field.n > 30 || out->value.n > 1024) /* RFC 2971 §3.3 */
        return imap_bad(p, "a field of ID is too long");
    return true;
}

bool parse_imap_id(struct imap_parse *p, struct str args, struct imap_id *out)
{
    out->count = 0;
    if (!take_imap_sp(&args))
        return imap_bad(p, "a list of fields, or NIL, is expected");
    if (take_imap_nil(&args))
        return take_imap_end(p, &args);
    if (!take_char(&args, '('))
        return imap_bad(p, "a list of fields, or NIL, is expected");
    while (!take_char(&args, ')')) {
        if (out->count && !take_imap_sp(&args))
            return imap_bad(p, "the list of fields is not closed");
        if (out->count == IMAP_ID_PAIRS_MAX)
            return imap_bad(p, "ID has too many fields");
        if (!take_id_pair(p, &args, &out->pairs[out->count++]))
            return false;
    }
    return take_imap_end(p, &args);
}

static bool take_capability(struct imap_parse *p, struct str *in, struct str *out)
{
    (void)p;
    return take_imap_atom(in, out);
}

bool parse_imap_enable(struct imap_parse *p, struct str args, struct imap_enable *out)
{
    if (!take_imap_sp(&args) ||
        !take_imap_several(p, &args, take_capability, WORDS_MAX, &out->capabilities, &out->count))
        return imap_bad(p, "the name of a capability is expected");
    return take_imap_end(p, &args);
}

/* ---- SELECT, EXAMINE ---- */

/* seq-match-data = "(" known-sequence-set SP known-uid-set ")" */
static bool take_seq_match_data(struct imap_parse *p, struct str *in, struct imap_select *out)
{
    if (!take_char(in, '(') || !take_imap_ordered_set(p, in, &out->known_seqs) || !take_imap_sp(in) ||
        !take_imap_ordered_set(p, in, &out->known_seq_uids) || !take_char(in, ')'))
        return imap_bad(p, "two ascending sets in brackets are expected");
    if (imap_set_size(&out->known_seqs) != imap_set_size(&out->known_seq_uids))
        return imap_bad(p, "as many message numbers as UIDs are expected");
    out->has_match = true;
    return true;
}

/* "(" uidvalidity SP mod-sequence-value [SP known-uids] [SP seq-match-data] ")" */
static bool take_qresync(struct imap_parse *p, struct str *in, struct imap_select *out)
{
    bool more;

    if (!take_imap_sp(in) || !take_char(in, '(') || !take_imap_nz_number(in, &out->uid_validity) ||
        !take_imap_sp(in) || !take_imap_nz_number64(in, &out->modseq))
        return imap_bad(p, "QRESYNC needs a UIDVALIDITY and a mod-sequence");
    more = take_imap_sp(in);
    if (more && in->n && in->p[0] != '(') {
        if (!take_imap_uid_set(p, in, &out->known_uids))
            return imap_bad(p, "a set of UIDs without \"*\" is expected");
        out->has_known_uids = true;
        more = take_imap_sp(in);
    }
    if (more && !take_seq_match_data(p, in, out))
        return false;
    out->qresync = true;
    return take_char(in, ')') || imap_bad(p, "the arguments of QRESYNC are not closed");
}

static bool take_select_param(struct imap_parse *p, struct str *in, struct imap_select *out)
{
    if (take_imap_word(in, S("CONDSTORE"))) {
        out->condstore = true;
        return true;
    }
    if (!out->qresync && take_imap_word(in, S("QRESYNC")))
        return take_qresync(p, in, out);
    return imap_bad(p, "CONDSTORE or QRESYNC is expected");
}

bool parse_imap_select(struct imap_parse *p, struct str args, struct imap_select *out)
{
    *out = (struct imap_select){0};
    if (!take_sp_mailbox(p, &args, &out->mailbox))
        return false;
    if (take_text(&args, S(" ("))) {
        do {
            if (!take_select_param(p, &args, out))
                return false;
        } while (take_imap_sp(&args));
        if (!take_char(&args, ')'))
            return imap_bad(p, "the list of parameters is not closed");
    }
    return take_imap_end(p, &args);
}

/* ---- mailboxes ---- */

static const struct imap_word uses[] = {
    {"All", IMAP_USE_ALL},         {"Archive", IMAP_USE_ARCHIVE},     {"Drafts", IMAP_USE_DRAFTS},
    {"Flagged", IMAP_USE_FLAGGED}, {"Junk", IMAP_USE_JUNK},           {"Sent", IMAP_USE_SENT},
    {"Trash", IMAP_USE_TRASH},     {"Important", IMAP_USE_IMPORTANT}, {NULL, 0},
};

struct str imap_use_name(uint32_t one_bit)
{
    static const struct str names[] = {{"\\All", 4},     {"\\Archive", 8},   {"\\Drafts", 7},
                                       {"\\Flagged", 8}, {"\\Junk", 5},      {"\\Sent", 5},
                                       {"\\Trash", 6},   {"\\Important", 10}};

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (one_bit == UINT32_C(1) << i)
            return names[i];
    return STR_NONE;
}

/* use-attr *(SP use-attr) */
static bool take_use_attrs(struct imap_parse *p, struct str *in, uint32_t *out)
{
    struct str other;
    unsigned bit;

    do {
        if (!take_char(in, '\\'))
            return imap_bad(p, "a special use is expected");
        if (!take_imap_word_of(in, uses, &bit))
            return take_imap_atom(in, &other) ? imap_no(p, "USEATTR", "there is no such special use")
                                              : imap_bad(p, "a special use is expected");
        *out |= bit;
    } while (take_imap_sp(in));
    return true;
}

/* "USE" SP "(" [use-attr *(SP use-attr)] ")" */
static bool take_uses(struct imap_parse *p, struct str *in, uint32_t *out)
{
    if (!take_imap_word(in, S("USE")) || !take_text(in, S(" (")))
        return imap_bad(p, "USE and a list of special uses is expected");
    if (take_char(in, ')'))
        return true;
    return take_use_attrs(p, in, out) &&
           (take_char(in, ')') || imap_bad(p, "the list of special uses is not closed"));
}

bool parse_imap_uses(struct imap_parse *p, struct str in, uint32_t *out)
{
    *out = 0;
    return !in.n || (take_use_attrs(p, &in, out) && take_imap_end(p, &in));
}

/* A name for something new: a delimiter at its end is no part of it (RFC 9051 §6.3.4). Two are, and then it is no name. */
static bool without_delimiter(struct str *name)
{
    if (name->n < 2 || name->p[name->n - 1] != IMAP_DELIMITER || name->p[name->n - 2] == IMAP_DELIMITER)
        return false;
    name->n--;
    return true;
}

bool parse_imap_create(struct imap_parse *p, struct str args, struct imap_create *out)
{
    *out = (struct imap_create){0};
    if (!take_sp_mailbox(p, &args, &out->mailbox))
        return false;
    out->only_as_parent = without_delimiter(&out->mailbox);
    without_delimiter(&p->given);
    if (take_text(&args, S(" ("))) {
        if (!take_uses(p, &args, &out->special_uses))
            return false;
        if (!take_char(&args, ')'))
            return imap_bad(p, "the list of parameters is not closed");
    }
    return take_imap_end(p, &args);
}

bool parse_imap_rename(struct imap_parse *p, struct str args, struct imap_rename *out)
{
    if (!take_sp_mailbox(p, &args, &out->from))
        return false;
    out->from_given = p->given;
    if (!take_sp_mailbox(p, &args, &out->to))
        return false;
    without_delimiter(&out->to);
    without_delimiter(&p->given);
    return take_imap_end(p, &args);
}

/* ---- messages ---- */

/* SP "(" "UNCHANGEDSINCE" SP mod-sequence-valzer ")" */
static bool take_store_modifier(struct imap_parse *p, struct str *in, struct imap_store *out)
{
    if (!take_imap_word(in, S("UNCHANGEDSINCE")) || !take_imap_sp(in) ||
        !take_imap_number64(in, &out->unchanged_since) || !take_char(in, ')'))
        return imap_bad(p, "UNCHANGEDSINCE and a mod-sequence is expected");
    out->has_unchanged_since = true;
    return true;
}

bool parse_imap_store(struct imap_parse *p, struct str args, struct imap_store *out)
{
    *out = (struct imap_store){0};
    if (!take_sp_set(p, &args, &out->set))
        return false;
    if (take_text(&args, S(" (")) && !take_store_modifier(p, &args, out))
        return false;
    if (!take_imap_sp(&args))
        return imap_bad(p, "FLAGS is expected");
    out->how = take_char(&args, '+')   ? IMAP_STORE_ADD
               : take_char(&args, '-') ? IMAP_STORE_REMOVE
                                       : IMAP_STORE_REPLACE;
    if (take_imap_word(&args, S("FLAGS.SILENT")))
        out->silent = true;
    else if (!take_imap_word(&args, S("FLAGS")))
        return imap_bad(p, "FLAGS is expected");
    if (!take_imap_sp(&args) ||
        !(take_imap_flag_list(p, &args, &out->flags) ||
          (args.n && args.p[0] != '(' && take_imap_flags(p, &args, &out->flags))))
        return imap_bad(p, "a list of flags is expected");
    return take_imap_end(p, &args);
}

bool parse_imap_copy(struct imap_parse *p, struct str args, struct imap_copy *out)
{
    return take_sp_set(p, &args, &out->set) && take_sp_mailbox(p, &args, &out->mailbox) &&
           take_imap_end(p, &args);
}

bool parse_imap_uid_expunge(struct imap_parse *p, struct str args, struct imap_set *out)
{
    return take_sp_set(p, &args, out) && take_imap_end(p, &args);
}

/* ---- the rest ---- */

bool parse_imap_compress(struct imap_parse *p, struct str args)
{
    if (!take_imap_sp(&args) || !take_imap_word(&args, S("DEFLATE")))
        return imap_bad(p, "the only compression is DEFLATE");
    return take_imap_end(p, &args);
}

bool parse_imap_cancel_update(struct imap_parse *p, struct str args, struct imap_cancel_update *out)
{
    if (!take_imap_sp(&args) ||
        !take_imap_several(p, &args, take_imap_string, WORDS_MAX, &out->tags, &out->count))
        return imap_bad(p, "a tag in quotes is expected");
    return take_imap_end(p, &args);
}
