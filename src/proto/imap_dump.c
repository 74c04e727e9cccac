/* One function a command, in the order of the headers. */
#include "proto/imap_dump.h"

#include "base/codec.h"
#include "proto/imap_write.h"

#include <assert.h>

typedef bool dump_fn(struct imap_parse *p, struct str args, bool uid, struct buf *out);

static void add_string(struct buf *out, struct str s)
{
    imap_nstring_write_as(out, s, true);
}

static void add_name(struct buf *out, struct str name)
{
    buf_add_char(out, ' ');
    imap_mailbox_write(out, name, true);
}

static void add_set(struct buf *out, const struct imap_set *set)
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
    add_string(out, a.userid);
    buf_add_char(out, ' ');
    add_string(out, a.password);
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
        add_string(out, a.pairs[i].field);
        buf_add_char(out, ' ');
        add_string(out, a.pairs[i].value);
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
            add_set(out, &a.known_uids);
        if (a.has_match) {
            buf_add(out, S(" ("));
            imap_set_write(out, &a.known_seqs);
            add_set(out, &a.known_seq_uids);
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
    add_set(out, &a.set);
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
    add_set(out, &a.set);
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
    add_set(out, &set);
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
        add_string(out, a.tags[i]);
    }
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
    assert(!"a name without a row");
    return false;
}
