/* fetch-att is the only place in IMAP where a word may go on with "[", which is an ATOM-CHAR. So words are read here by
 * their letters, digits and dots. */
#include "proto/imap_fetch.h"

#include "proto/imap_write.h"

#include <assert.h>

struct item {
    const char *name;
    enum imap_att att;
    bool peek;
};

/* Without a section. */
static const struct item simple_items[] = {
    {"UID", IMAP_ATT_UID, true},
    {"FLAGS", IMAP_ATT_FLAGS, true},
    {"INTERNALDATE", IMAP_ATT_INTERNALDATE, true},
    {"SAVEDATE", IMAP_ATT_SAVEDATE, true},
    {"RFC822.SIZE", IMAP_ATT_RFC822_SIZE, true},
    {"MODSEQ", IMAP_ATT_MODSEQ, true},
    {"EMAILID", IMAP_ATT_EMAILID, true},
    {"THREADID", IMAP_ATT_THREADID, true},
    {"ENVELOPE", IMAP_ATT_ENVELOPE, true},
    {"BODY", IMAP_ATT_BODY, true},
    {"BODYSTRUCTURE", IMAP_ATT_BODYSTRUCTURE, true},
    {"PREVIEW", IMAP_ATT_PREVIEW, true},
    {"RFC822", IMAP_ATT_RFC822, false},
    {"RFC822.HEADER", IMAP_ATT_RFC822_HEADER, true},
    {"RFC822.TEXT", IMAP_ATT_RFC822_TEXT, false},
    {NULL, 0, false},
};

static const struct item section_items[] = {
    {"BODY", IMAP_ATT_BODY_SECTION, false},      {"BODY.PEEK", IMAP_ATT_BODY_SECTION, true},
    {"BINARY", IMAP_ATT_BINARY, false},          {"BINARY.PEEK", IMAP_ATT_BINARY, true},
    {"BINARY.SIZE", IMAP_ATT_BINARY_SIZE, true}, {NULL, 0, false},
};

static const struct item *find_item(const struct item *items, struct str name)
{
    for (; items->name; items++)
        if (str_same_nocase(name, str_from_c(items->name)))
            return items;
    return NULL;
}

/* ---- section ---- */

/* section-part = nz-number *("." nz-number): up to a dot before a word, or to the end */
static bool take_section_part(struct imap_parse *p, struct str *in, struct imap_section *out)
{
    uint32_t numbers[IMAP_SECTION_DEPTH_MAX], *part;
    struct str s = *in, rest;

    while (take_imap_nz_number(&s, &numbers[out->part_depth])) {
        *in = rest = s;
        if (++out->part_depth == IMAP_SECTION_DEPTH_MAX || !take_char(&rest, '.'))
            break;
        s = rest;
    }
    part = arena_array(p->arena, uint32_t, out->part_depth);
    memcpy(part, numbers, out->part_depth * sizeof(*part));
    out->part = part;
    return out->part_depth > 0;
}

/* header-list = "(" header-fld-name *(SP header-fld-name) ")" */
static bool take_header_list(struct imap_parse *p, struct str *in, struct imap_section *out)
{
    if (!take_text(in, S(" (")) || !take_imap_several(p, in, take_imap_astring, IMAP_SECTION_FIELDS_MAX,
                                                      &out->fields, &out->field_count))
        return imap_bad(p, "a list of header fields is expected");
    return take_char(in, ')') || imap_bad(p, "the list of header fields is not closed");
}

/* section-msgtext, or "MIME" */
static bool take_section_text(struct imap_parse *p, struct str *in, struct imap_section *out)
{
    if (take_text_nocase(in, S("HEADER.FIELDS.NOT")))
        out->text = IMAP_SECTION_FIELDS_NOT;
    else if (take_text_nocase(in, S("HEADER.FIELDS")))
        out->text = IMAP_SECTION_FIELDS;
    else if (take_text_nocase(in, S("HEADER")))
        out->text = IMAP_SECTION_HEADER;
    else if (take_text_nocase(in, S("TEXT")))
        out->text = IMAP_SECTION_TEXT;
    else if (out->part_depth && take_text_nocase(in, S("MIME")))
        out->text = IMAP_SECTION_MIME;
    else
        return imap_bad(p, "there is no such section");
    if (out->text == IMAP_SECTION_FIELDS || out->text == IMAP_SECTION_FIELDS_NOT)
        return take_header_list(p, in, out);
    return true;
}

/* [section-spec], which ends where the caller says */
static bool take_section_spec(struct imap_parse *p, struct str *in, struct imap_section *out)
{
    *out = (struct imap_section){0};
    if (in->n == 0 || in->p[0] == ']')
        return true;
    if (!take_section_part(p, in, out))
        return take_section_text(p, in, out);
    return !take_char(in, '.') || take_section_text(p, in, out);
}

bool parse_imap_section(struct imap_parse *p, struct str in, struct imap_section *out)
{
    return take_section_spec(p, &in, out) && (in.n == 0 || imap_bad(p, "there is no such section"));
}

void imap_section_write(struct buf *out, const struct imap_section *section, bool utf8)
{
    static const char *const texts[] = {"",     "HEADER", "HEADER.FIELDS", "HEADER.FIELDS.NOT",
                                        "TEXT", "MIME"};

    for (size_t i = 0; i < section->part_depth; i++) {
        if (i)
            buf_add_char(out, '.');
        buf_add_u64(out, section->part[i]);
    }
    if (section->part_depth && section->text != IMAP_SECTION_ALL)
        buf_add_char(out, '.');
    buf_add_c(out, texts[section->text]);
    for (size_t i = 0; i < section->field_count; i++) {
        buf_add(out, i ? S(" ") : S(" ("));
        imap_astring_write(out, section->fields[i], utf8);
    }
    if (section->field_count)
        buf_add_char(out, ')');
}

/* ---- fetch-att ---- */

/* partial = "<" number64 "." nz-number64 ">" */
static bool take_body_partial(struct imap_parse *p, struct str *in, struct imap_fetch_att *out)
{
    if (!take_char(in, '<'))
        return true;
    if (!take_imap_number64(in, &out->partial_first) || !take_char(in, '.') ||
        !take_imap_nz_number64(in, &out->partial_count) || !take_char(in, '>'))
        return imap_bad(p, "a part of a section is written <first.count>");
    out->has_partial = true;
    return true;
}

/* What follows BODY, BINARY and their kin, from "[" on. */
static bool take_section(struct imap_parse *p, struct str *in, struct imap_fetch_att *out)
{
    if (!take_char(in, '[') || !take_section_spec(p, in, &out->section) || !take_char(in, ']'))
        return imap_bad(p, "the section is not closed");
    if (out->att == IMAP_ATT_BODY_SECTION)
        return take_body_partial(p, in, out);
    if (out->section.text != IMAP_SECTION_ALL)
        return imap_bad(p, "BINARY takes the number of a part only");
    return out->att == IMAP_ATT_BINARY_SIZE || take_body_partial(p, in, out);
}

/* [SP "(" preview-mod *(SP preview-mod) ")"]; what follows a space may be the modifiers of FETCH as well. */
static bool take_lazy(struct imap_parse *p, struct str *in)
{
    struct str s = *in;

    if (!take_text(&s, S(" (")) || !take_imap_word(&s, S("LAZY")))
        return false;
    while (take_text_nocase(&s, S(" LAZY")))
        ;
    *in = s;
    return take_char(in, ')') || imap_bad(p, "PREVIEW knows LAZY only");
}

static bool take_fetch_att(struct imap_parse *p, struct str *in, struct imap_fetch_att *out)
{
    const struct item *item;
    struct str name;
    size_t n = 0;

    while (n < in->n && (is_alnum(in->p[n]) || in->p[n] == '.'))
        n++;
    name = str_upto(*in, n);
    *in = str_from(*in, n);
    item = find_item(in->n && in->p[0] == '[' ? section_items : simple_items, name);
    if (!item)
        return imap_bad(p, "there is no such item to fetch");
    *out = (struct imap_fetch_att){.att = item->att, .peek = item->peek};
    if (in->n && in->p[0] == '[')
        return take_section(p, in, out);
    if (item->att == IMAP_ATT_PREVIEW)
        out->lazy = take_lazy(p, in);
    if (item->att == IMAP_ATT_RFC822_HEADER)
        out->section.text = IMAP_SECTION_HEADER;
    if (item->att == IMAP_ATT_RFC822_TEXT)
        out->section.text = IMAP_SECTION_TEXT;
    return !p->why;
}

void imap_fetch_att_write(struct buf *out, const struct imap_fetch_att *att, bool utf8)
{
    const struct item *item = att->att >= IMAP_ATT_BODY_SECTION ? section_items : simple_items;

    while (item->name && item->att != att->att)
        item++;
    assert(item->name);
    buf_add_c(out, item->name);
    if (att->att < IMAP_ATT_BODY_SECTION)
        return;
    buf_add_char(out, '[');
    imap_section_write(out, &att->section, utf8);
    buf_add_char(out, ']');
    if (att->has_partial) {
        buf_add_char(out, '<');
        buf_add_u64(out, att->partial_first);
        buf_add_char(out, '>');
    }
}

/* ---- lists of them ---- */

struct atts {
    struct imap_fetch_att list[IMAP_FETCH_ATTS_MAX];
    size_t count;
    uint32_t items;
    bool sets_seen;
};

static bool atts_add(struct imap_parse *p, struct atts *a, const struct imap_fetch_att *att)
{
    uint32_t bit = IMAP_ATT_BIT(att->att);

    if (att->att < IMAP_ATT_RFC822 && (a->items & bit))
        return true;
    if (a->count == IMAP_FETCH_ATTS_MAX)
        return imap_no(p, "LIMIT", "too many items to fetch");
    a->items |= bit;
    a->sets_seen |= !att->peek;
    a->list[a->count++] = *att;
    return true;
}

static bool take_one_att(struct imap_parse *p, struct str *in, struct atts *a)
{
    struct imap_fetch_att att;

    return take_fetch_att(p, in, &att) && atts_add(p, a, &att);
}

static bool take_att_list(struct imap_parse *p, struct str *in, struct atts *a)
{
    if (!take_char(in, '('))
        return imap_bad(p, "a list of items to fetch is expected");
    do {
        if (!take_one_att(p, in, a))
            return false;
    } while (take_imap_sp(in));
    return take_char(in, ')') || imap_bad(p, "the list of items is not closed");
}

static void atts_keep(struct imap_parse *p, const struct atts *a, struct imap_fetch *out)
{
    struct imap_fetch_att *list = arena_array(p->arena, struct imap_fetch_att, a->count);

    memcpy(list, a->list, a->count * sizeof(*list));
    out->atts = list;
    out->att_count = a->count;
    out->items = a->items;
    out->sets_seen = a->sets_seen;
}

bool take_imap_fetch_atts(struct imap_parse *p, struct str *in, struct imap_fetch *out)
{
    struct atts a = {.count = 0};
    struct str s = *in;

    if (!take_att_list(p, &s, &a))
        return false;
    atts_keep(p, &a, out);
    *in = s;
    return true;
}

/* RFC 9051 §6.4.5: each of these stands alone, not in a list. */
static bool take_macro(struct imap_parse *p, struct str *in, struct atts *a)
{
    static const struct imap_word macros[] = {{"FAST", 3}, {"ALL", 4}, {"FULL", 5}, {NULL, 0}};
    static const enum imap_att atts[] = {IMAP_ATT_FLAGS, IMAP_ATT_INTERNALDATE, IMAP_ATT_RFC822_SIZE,
                                         IMAP_ATT_ENVELOPE, IMAP_ATT_BODY};
    unsigned count;

    if (!take_imap_word_of(in, macros, &count))
        return false;
    for (unsigned i = 0; i < count; i++)
        atts_add(p, a, &(struct imap_fetch_att){.att = atts[i], .peek = true});
    return true;
}

/* ---- modifiers ---- */

/* nz-number ":" nz-number, put in order */
static bool take_partial_numbers(struct str *in, struct str between, struct imap_partial *out)
{
    uint32_t a, b;

    if (!take_imap_nz_number(in, &a) || !take_text(in, between) || !take_imap_nz_number(in, &b))
        return false;
    out->backwards = a > b;
    out->first = a < b ? a : b;
    out->last = a < b ? b : a;
    return true;
}

bool take_imap_partial(struct imap_parse *p, struct str *in, struct imap_partial *out)
{
    struct str s = *in;

    *out = (struct imap_partial){.given = true, .from_end = take_char(&s, '-')};
    if (!take_partial_numbers(&s, out->from_end ? S(":-") : S(":"), out))
        return imap_bad(p, "PARTIAL takes a range, 1:10 or -1:-10");
    *in = s;
    return true;
}

static bool take_modifier(struct imap_parse *p, struct str *in, bool uid, struct imap_fetch *out)
{
    if (!out->has_changed_since && take_imap_word(in, S("CHANGEDSINCE"))) {
        /* The grammar has no 0 (RFC 7162 §7), but Thunderbird says it for a mailbox of which it knows nothing yet. */
        out->has_changed_since = true;
        return (take_imap_sp(in) && take_imap_number64(in, &out->changed_since)) ||
               imap_bad(p, "CHANGEDSINCE takes a mod-sequence");
    }
    if (uid && take_imap_word(in, S("VANISHED"))) {
        out->vanished = true;
        return true;
    }
    if (uid && !out->partial.given && take_imap_word(in, S("PARTIAL")))
        return (take_imap_sp(in) && take_imap_partial(p, in, &out->partial)) ||
               imap_bad(p, "PARTIAL takes a range, 1:10 or -1:-10");
    return imap_bad(p, "this modifier of FETCH is not known here");
}

static bool take_modifiers(struct imap_parse *p, struct str *in, bool uid, struct imap_fetch *out)
{
    if (!take_text(in, S(" (")))
        return true;
    do {
        if (!take_modifier(p, in, uid, out))
            return false;
    } while (take_imap_sp(in));
    if (!take_char(in, ')'))
        return imap_bad(p, "the list of modifiers is not closed");
    return !out->vanished || out->has_changed_since ||
           imap_bad(p, "VANISHED goes with CHANGEDSINCE only");
}

bool parse_imap_fetch(struct imap_parse *p, struct str args, bool uid, struct imap_fetch *out)
{
    static const struct imap_fetch_att uid_att = {.att = IMAP_ATT_UID, .peek = true};
    static const struct imap_fetch_att modseq_att = {.att = IMAP_ATT_MODSEQ, .peek = true};
    struct atts a = {.count = 0};

    *out = (struct imap_fetch){0};
    if (!take_imap_sp(&args) || !take_imap_set(p, &args, &out->set) || !take_imap_sp(&args))
        return imap_bad(p, "a set of messages is expected");
    if (args.n && args.p[0] == '(') {
        if (!take_att_list(p, &args, &a))
            return false;
    } else if (!take_macro(p, &args, &a) && !take_one_att(p, &args, &a)) {
        return false;
    }
    if (!take_modifiers(p, &args, uid, out) || !take_imap_end(p, &args))
        return false;
    if (out->has_changed_since && !atts_add(p, &a, &modseq_att))
        return false;
    if (uid && !(a.items & IMAP_ATT_BIT(IMAP_ATT_UID))) {
        if (!atts_add(p, &a, &uid_att))
            return false;
        memmove(a.list + 1, a.list, (a.count - 1) * sizeof(*a.list));
        a.list[0] = uid_att;
        out->uid_unasked = true;
    }
    atts_keep(p, &a, out);
    return true;
}
