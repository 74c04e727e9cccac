/* One function a command, in the order of the headers. */
#include "proto/imap_dump.h"

#include "base/codec.h"
#include "proto/imap_dump_private.h"
#include "proto/imap_write.h"

#include <assert.h>

void dump_string(struct buf *out, struct str s)
{
    imap_nstring_write_as(out, s, true);
}

static void add_name(struct buf *out, struct str name)
{
    buf_add_char(out, ' ');
    imap_mailbox_write(out, name, true);
}

void dump_set(struct buf *out, const struct imap_set *set)
{
    buf_add_char(out, ' ');
    imap_set_write(out, set);
}

static void add_flags(struct buf *out, const struct imap_flags *f)
{
    static const struct imap_keyword_names none = {NULL, 0};

    buf_add_char(out, '(');
    imap_flags_write(out, f->system, &none);
    for (size_t i = 0; i < f->keyword_count; i++) {
        buf_add(out, i || f->system ? S(" ") : S(""));
        buf_add(out, f->keywords[i]);
    }
    buf_add_char(out, ')');
}

/* The words of the bits, from 1 up, between brackets. */
static void add_words(struct buf *out, uint32_t bits, struct str (*name)(uint32_t))
{
    bool first = true;

    buf_add_char(out, '(');
    for (uint32_t bit = 1; bit && bit <= bits; bit <<= 1)
        if (bits & bit) {
            buf_add(out, first ? S("") : S(" "));
            buf_add(out, name(bit));
            first = false;
        }
    buf_add_char(out, ')');
}

/* ---- imap_args.h ---- */

static bool dump_none(struct imap_parse *p, struct str args, bool uid, struct buf *out)
{
    (void)uid, (void)out;
    return parse_imap_no_args(p, args);
}

static bool dump_login(struct imap_parse *p, struct str args, bool uid, struct buf *out)
{
    struct imap_login a;

    (void)uid;
    if (!parse_imap_login(p, args, &a))
        return false;
    buf_add_char(out, ' ');
    dump_string(out, a.userid);
    buf_add_char(out, ' ');
    dump_string(out, a.password);
    return true;
}

static bool dump_authenticate(struct imap_parse *p, struct str args, bool uid, struct buf *out)
{
    struct imap_authenticate a;

    (void)uid;
    if (!parse_imap_authenticate(p, args, &a))
        return false;
    buf_add_char(out, ' ');
    buf_add(out, a.mechanism);
    if (!a.has_initial)
        return true;
    buf_add_char(out, ' ');
    if (a.initial.n)
        base64_encode(out, a.initial);
    else
        buf_add_char(out, '=');
    return true;
}

static bool dump_id(struct imap_parse *p, struct str args, bool uid, struct buf *out)
{
    struct imap_id a;

    (void)uid;
    if (!parse_imap_id(p, args, &a))
        return false;
    buf_add(out, a.count ? S(" (") : S(" NIL"));
    for (size_t i = 0; i < a.count; i++) {
        buf_add(out, i ? S(" ") : S(""));
        dump_string(out, a.pairs[i].field);
        buf_add_char(out, ' ');
        dump_string(out, a.pairs[i].value);
    }
    buf_add(out, a.count ? S(")") : S(""));
    return true;
}

static bool dump_enable(struct imap_parse *p, struct str args, bool uid, struct buf *out)
{
    struct imap_enable a;

    (void)uid;
    if (!parse_imap_enable(p, args, &a))
        return false;
    for (size_t i = 0; i < a.count; i++) {
        buf_add_char(out, ' ');
        buf_add(out, a.capabilities[i]);
    }
    return true;
}

static bool dump_select(struct imap_parse *p, struct str args, bool uid, struct buf *out)
{
    struct imap_select a;

    (void)uid;
    if (!parse_imap_select(p, args, &a))
        return false;
    add_name(out, a.mailbox);
    if (!a.condstore && !a.qresync)
        return true;
    buf_add(out, a.condstore ? S(" (CONDSTORE") : S(" ("));
    if (a.qresync) {
        buf_printf(out, "%sQRESYNC (%u %llu", a.condstore ? " " : "", a.uid_validity,
                   (unsigned long long)a.modseq);
        if (a.has_known_uids)
            dump_set(out, &a.known_uids);
        if (a.has_match) {
            buf_add(out, S(" ("));
            imap_set_write(out, &a.known_seqs);
            dump_set(out, &a.known_seq_uids);
            buf_add_char(out, ')');
        }
        buf_add_char(out, ')');
    }
    buf_add_char(out, ')');
    return true;
}

static bool dump_create(struct imap_parse *p, struct str args, bool uid, struct buf *out)
{
    struct imap_create a;

    (void)uid;
    if (!parse_imap_create(p, args, &a))
        return false;
    if (a.only_as_parent) {
        char *with = arena_alloc(p->arena, a.mailbox.n + 1);

        memcpy(with, a.mailbox.p, a.mailbox.n);
        with[a.mailbox.n] = IMAP_DELIMITER;
        a.mailbox = (struct str){with, a.mailbox.n + 1};
    }
    add_name(out, a.mailbox);
    if (a.special_uses) {
        buf_add(out, S(" (USE "));
        add_words(out, a.special_uses, imap_use_name);
        buf_add_char(out, ')');
    }
    return true;
}

static bool dump_mailbox(struct imap_parse *p, struct str args, bool uid, struct buf *out)
{
    struct str name;

    (void)uid;
    if (!parse_imap_mailbox(p, args, &name))
        return false;
    add_name(out, name);
    return true;
}

static bool dump_rename(struct imap_parse *p, struct str args, bool uid, struct buf *out)
{
    struct imap_rename a;

    (void)uid;
    if (!parse_imap_rename(p, args, &a))
        return false;
    add_name(out, a.from);
    add_name(out, a.to);
    return true;
}

static bool dump_store(struct imap_parse *p, struct str args, bool uid, struct buf *out)
{
    struct imap_store a;

    (void)uid;
    if (!parse_imap_store(p, args, &a))
        return false;
    dump_set(out, &a.set);
    if (a.has_unchanged_since)
        buf_printf(out, " (UNCHANGEDSINCE %llu)", (unsigned long long)a.unchanged_since);
    buf_printf(out, " %sFLAGS%s ",
               a.how == IMAP_STORE_ADD      ? "+"
               : a.how == IMAP_STORE_REMOVE ? "-"
                                            : "",
               a.silent ? ".SILENT" : "");
    add_flags(out, &a.flags);
    return true;
}

static bool dump_copy(struct imap_parse *p, struct str args, bool uid, struct buf *out)
{
    struct imap_copy a;

    (void)uid;
    if (!parse_imap_copy(p, args, &a))
        return false;
    dump_set(out, &a.set);
    add_name(out, a.mailbox);
    return true;
}

static bool dump_expunge(struct imap_parse *p, struct str args, bool uid, struct buf *out)
{
    struct imap_set set;

    if (!uid)
        return parse_imap_no_args(p, args);
    if (!parse_imap_uid_expunge(p, args, &set))
        return false;
    dump_set(out, &set);
    return true;
}

static bool dump_compress(struct imap_parse *p, struct str args, bool uid, struct buf *out)
{
    (void)uid;
    if (!parse_imap_compress(p, args))
        return false;
    buf_add(out, S(" DEFLATE"));
    return true;
}

static bool dump_cancel_update(struct imap_parse *p, struct str args, bool uid, struct buf *out)
{
    struct imap_cancel_update a;

    (void)uid;
    if (!parse_imap_cancel_update(p, args, &a))
        return false;
    for (size_t i = 0; i < a.count; i++) {
        buf_add_char(out, ' ');
        dump_string(out, a.tags[i]);
    }
    return true;
}

/* ---- imap_append.h ---- */

static void add_message(struct buf *out, const struct imap_append_message *m)
{
    if (m->flags.system || m->flags.keyword_count) {
        buf_add_char(out, ' ');
        add_flags(out, &m->flags);
    }
    if (m->has_date) {
        buf_add_char(out, ' ');
        imap_date_time_write(out, m->date_ms, m->zone_minutes);
    }
    buf_add(out, m->catenate ? S(" CATENATE (") : S(" "));
    for (size_t i = 0; i < m->part_count; i++) {
        const struct imap_append_part *part = &m->parts[i];

        buf_add(out, i ? S(" ") : S(""));
        if (part->utf8)
            buf_add(out, S("UTF8 ("));
        else if (m->catenate)
            buf_add(out, part->is_url ? S("URL ") : S("TEXT "));
        if (part->is_url)
            dump_string(out, part->url);
        else
            imap_bulk_write(out, &part->data);
        if (part->utf8)
            buf_add_char(out, ')');
    }
    if (m->catenate)
        buf_add_char(out, ')');
}

static bool dump_append(struct imap_parse *p, struct str args, bool uid, struct buf *out)
{
    struct imap_append a;

    (void)uid;
    if (!parse_imap_append(p, args, &a))
        return false;
    add_name(out, a.mailbox);
    for (size_t i = 0; i < a.count; i++)
        add_message(out, &a.messages[i]);
    return true;
}

static bool dump_replace(struct imap_parse *p, struct str args, bool uid, struct buf *out)
{
    struct imap_replace a;

    (void)uid;
    if (!parse_imap_replace(p, args, &a))
        return false;
    if (a.number)
        buf_printf(out, " %u", a.number);
    else
        buf_add(out, S(" *"));
    add_name(out, a.mailbox);
    add_message(out, &a.message);
    return true;
}

/* ---- imap_fetch.h ---- */

static void add_att(struct buf *out, const struct imap_fetch_att *att)
{
    struct buf name = buf_make(BUF_UNLIMITED);
    struct str rest;
    size_t at;

    imap_fetch_att_write(&name, att, true);
    rest = buf_str(&name);
    if (att->peek && (att->att == IMAP_ATT_BODY_SECTION || att->att == IMAP_ATT_BINARY) &&
        str_find_char(rest, '[', &at)) {
        buf_add(out, str_upto(rest, at));
        buf_add(out, S(".PEEK"));
        rest = str_from(rest, at);
    }
    buf_add(out, att->has_partial ? str_upto(rest, rest.n - 1) : rest);
    if (att->has_partial)
        buf_printf(out, ".%llu>", (unsigned long long)att->partial_count);
    if (att->lazy)
        buf_add(out, S(" (LAZY)"));
    buf_free(&name);
}

void dump_atts(struct buf *out, const struct imap_fetch *f)
{
    uint32_t items = 0;
    bool sets_seen = false;

    buf_add_char(out, '(');
    for (size_t i = 0; i < f->att_count; i++) {
        buf_add(out, i ? S(" ") : S(""));
        add_att(out, &f->atts[i]);
        items |= IMAP_ATT_BIT(f->atts[i].att);
        sets_seen |= !f->atts[i].peek;
    }
    buf_add_char(out, ')');
    assert(items == f->items && sets_seen == f->sets_seen);
}

void dump_partial(struct buf *out, const struct imap_partial *partial)
{
    const char *sign = partial->from_end ? "-" : "";

    assert(partial->first && partial->first <= partial->last);
    buf_printf(out, "PARTIAL %s%u:%s%u", sign, partial->first, sign, partial->last);
}

static bool dump_fetch(struct imap_parse *p, struct str args, bool uid, struct buf *out)
{
    struct imap_fetch a;
    const char *between = "";

    if (!parse_imap_fetch(p, args, uid, &a))
        return false;
    dump_set(out, &a.set);
    buf_add_char(out, ' ');
    dump_atts(out, &a);
    if (!a.has_changed_since && !a.partial.given)
        return true;
    buf_add(out, S(" ("));
    if (a.has_changed_since) {
        buf_printf(out, "CHANGEDSINCE %llu%s", (unsigned long long)a.changed_since,
                   a.vanished ? " VANISHED" : "");
        between = " ";
    }
    if (a.partial.given) {
        buf_add_c(out, between);
        dump_partial(out, &a.partial);
    }
    buf_add_char(out, ')');
    return true;
}

/* ---- imap_list.h ---- */

static struct str select_name(uint32_t bit)
{
    return bit == IMAP_LIST_SUBSCRIBED       ? S("SUBSCRIBED")
           : bit == IMAP_LIST_REMOTE         ? S("REMOTE")
           : bit == IMAP_LIST_RECURSIVEMATCH ? S("RECURSIVEMATCH")
                                             : S("SPECIAL-USE");
}

static void add_return_opts(struct buf *out, const struct imap_list *l)
{
    static const char *const names[] = {"SUBSCRIBED", "CHILDREN", "SPECIAL-USE",
                                        "STATUS",     "MYRIGHTS", "METADATA"};
    bool first = true;

    buf_add(out, S(" RETURN ("));
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        uint32_t bit = UINT32_C(1) << i;

        if (!(l->returns & bit))
            continue;
        buf_printf(out, "%s%s", first ? "" : " ", names[i]);
        first = false;
        if (bit == IMAP_LIST_RETURN_STATUS) {
            buf_add_char(out, ' ');
            add_words(out, l->status_items, imap_status_name);
        }
        for (size_t k = 0; bit == IMAP_LIST_RETURN_METADATA && k < l->metadata_entry_count; k++) {
            buf_add(out, k ? S(" ") : S(" ("));
            dump_string(out, l->metadata_entries[k]);
        }
        if (bit == IMAP_LIST_RETURN_METADATA)
            buf_add_char(out, ')');
    }
    buf_add_char(out, ')');
}

static bool dump_list(struct imap_parse *p, struct str args, bool uid, struct buf *out)
{
    struct imap_list a;

    (void)uid;
    if (!parse_imap_list(p, args, &a))
        return false;
    if (a.select) {
        buf_add_char(out, ' ');
        add_words(out, a.select, select_name);
    }
    add_name(out, a.reference);
    for (size_t i = 0; i < a.pattern_count; i++) {
        buf_add(out, a.pattern_count == 1 ? S(" ") : i ? S(" ") : S(" ("));
        dump_string(out, a.patterns[i]);
    }
    buf_add(out, a.pattern_count > 1 ? S(")") : S(""));
    if (a.extended)
        add_return_opts(out, &a);
    return true;
}

static bool dump_lsub(struct imap_parse *p, struct str args, bool uid, struct buf *out)
{
    struct imap_list a;

    (void)uid;
    if (!parse_imap_lsub(p, args, &a))
        return false;
    add_name(out, a.reference);
    buf_add_char(out, ' ');
    dump_string(out, a.patterns[0]);
    return true;
}

static bool dump_status(struct imap_parse *p, struct str args, bool uid, struct buf *out)
{
    struct imap_status a;

    (void)uid;
    if (!parse_imap_status(p, args, &a))
        return false;
    add_name(out, a.mailbox);
    buf_add_char(out, ' ');
    add_words(out, a.items, imap_status_name);
    return true;
}

/* ---- imap_access.h ---- */

/* Without "c" and "d", which would say more than was meant. */
static void add_rights(struct buf *out, uint32_t rights)
{
    struct buf b = buf_make(100);
    size_t n = 0;

    imap_rights_write(&b, rights);
    while (n < b.n && b.p[n] != 'c' && b.p[n] != 'd')
        n++;
    buf_add(out, str_upto(buf_str(&b), n));
    buf_free(&b);
}

static bool dump_set_acl(struct imap_parse *p, struct str args, bool uid, struct buf *out)
{
    struct imap_set_acl a;

    (void)uid;
    if (!parse_imap_set_acl(p, args, &a))
        return false;
    add_name(out, a.mailbox);
    buf_add_char(out, ' ');
    dump_string(out, a.identifier);
    buf_add(out, a.how == IMAP_ACL_ADD ? S(" +") : a.how == IMAP_ACL_REMOVE ? S(" -") : S(" "));
    if (a.rights || a.how == IMAP_ACL_REPLACE)
        add_rights(out, a.rights);
    return true;
}

static bool dump_acl_of(struct imap_parse *p, struct str args, bool uid, struct buf *out)
{
    struct imap_acl_of a;

    (void)uid;
    if (!parse_imap_acl_of(p, args, &a))
        return false;
    add_name(out, a.mailbox);
    buf_add_char(out, ' ');
    dump_string(out, a.identifier);
    return true;
}

static bool dump_quota_root(struct imap_parse *p, struct str args, bool uid, struct buf *out)
{
    struct str root;

    (void)uid;
    if (!parse_imap_quota_root(p, args, &root))
        return false;
    buf_add_char(out, ' ');
    dump_string(out, root);
    return true;
}

static bool dump_set_quota(struct imap_parse *p, struct str args, bool uid, struct buf *out)
{
    struct imap_set_quota a;

    (void)uid;
    if (!parse_imap_set_quota(p, args, &a))
        return false;
    buf_add_char(out, ' ');
    dump_string(out, a.root);
    buf_add(out, a.count ? S("") : S(" ("));
    for (size_t i = 0; i < a.count; i++)
        buf_printf(out, "%s%.*s %llu", i ? " " : " (", STR_ARG(a.resources[i].name),
                   (unsigned long long)a.resources[i].limit);
    buf_add_char(out, ')');
    return true;
}

static bool dump_get_metadata(struct imap_parse *p, struct str args, bool uid, struct buf *out)
{
    static const char *const depths[] = {"0", "1", "infinity"};
    struct imap_get_metadata a;

    (void)uid;
    if (!parse_imap_get_metadata(p, args, &a))
        return false;
    buf_printf(out, " (DEPTH %s", depths[a.depth]);
    if (a.has_maxsize)
        buf_printf(out, " MAXSIZE %u", a.maxsize);
    buf_add_char(out, ')');
    add_name(out, a.mailbox);
    for (size_t i = 0; i < a.count; i++) {
        buf_add(out, i ? S(" ") : S(" ("));
        imap_astring_write(out, a.entries[i], true);
    }
    buf_add_char(out, ')');
    return true;
}

static bool dump_set_metadata(struct imap_parse *p, struct str args, bool uid, struct buf *out)
{
    struct imap_set_metadata a;
    size_t at;

    (void)uid;
    if (!parse_imap_set_metadata(p, args, &a))
        return false;
    add_name(out, a.mailbox);
    for (size_t i = 0; i < a.count; i++) {
        buf_add(out, i ? S(" ") : S(" ("));
        imap_astring_write(out, a.values[i].entry, true);
        buf_add_char(out, ' ');
        if (str_find_char(a.values[i].value, '\0', &at)) {
            imap_literal8_head(out, a.values[i].value.n);
            buf_add(out, a.values[i].value);
        } else {
            dump_string(out, a.values[i].value);
        }
    }
    buf_add_char(out, ')');
    return true;
}

/* ---- all of them ---- */

static const struct {
    const char *name;
    dump_fn *dump;
} commands[] = {
    {"NOOP", dump_none},
    {"LOGIN", dump_login},
    {"AUTHENTICATE", dump_authenticate},
    {"ID", dump_id},
    {"ENABLE", dump_enable},
    {"SELECT", dump_select},
    {"CREATE", dump_create},
    {"DELETE", dump_mailbox},
    {"RENAME", dump_rename},
    {"STORE", dump_store},
    {"COPY", dump_copy},
    {"EXPUNGE", dump_expunge},
    {"COMPRESS", dump_compress},
    {"CANCELUPDATE", dump_cancel_update},
    {"APPEND", dump_append},
    {"REPLACE", dump_replace},
    {"FETCH", dump_fetch},
    {"NOTIFY", dump_notify},
    {"SEARCH", dump_search},
    {"SORT", dump_sort},
    {"THREAD", dump_thread},
    {"ESEARCH", dump_esearch},
    {"LIST", dump_list},
    {"LSUB", dump_lsub},
    {"STATUS", dump_status},
    {"SETACL", dump_set_acl},
    {"DELETEACL", dump_acl_of},
    {"GETQUOTA", dump_quota_root},
    {"SETQUOTA", dump_set_quota},
    {"GETMETADATA", dump_get_metadata},
    {"SETMETADATA", dump_set_metadata},
};

size_t imap_dump_count(void)
{
    return sizeof(commands) / sizeof(*commands);
}

struct str imap_dump_name(size_t i)
{
    return str_from_c(commands[i].name);
}

bool imap_dump(struct imap_parse *p, struct str name, struct str args, struct buf *out)
{
    bool uid = take_text(&name, S("UID "));

    for (size_t i = 0; i < imap_dump_count(); i++)
        if (str_same(name, imap_dump_name(i)))
            return commands[i].dump(p, args, uid, out);
    assert(false);
    return false;
}
