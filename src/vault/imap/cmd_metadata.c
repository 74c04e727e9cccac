/* GETMETADATA and SETMETADATA (RFC 5464), and what LIST returns of them (RFC 9590). */
#include "vault/imap/commands.h"

#include "base/arena.h"
#include "proto/imap_search.h"
#include "vault/imap/mailbox_answers.h"
#include "vault/store/metadata.h"

#include <inttypes.h>

/* RFC 5464 §3.3: who has the right to see the mailbox and one of these has to do with its annotations. */
#define RIGHTS_OF_ANNOTATIONS                                                                          \
    (IMAP_RIGHT_READ | IMAP_RIGHT_SEEN | IMAP_RIGHT_WRITE | IMAP_RIGHT_INSERT | IMAP_RIGHT_POST)
/* RFC 6154 §4: what LIST says of the mailbox, as an annotation of its owner's. */
#define SPECIAL_USE S("/private/specialuse")

static bool is_private(struct str entry)
{
    return str_starts(entry, S("/private/"));
}

/* The server's own annotations are kept in the account, as its user sees them; the mailbox's name is "". */
static bool find(struct imap *i, struct str mailbox, uint32_t needed, struct place *out, enum err *e)
{
    if (mailbox.n) { /* a \Noselect one has annotations too (§4.1) */
        if (!place_for(i, mailbox, 0, out, e))
            return false;
        if (out->rights & RIGHTS_OF_ANNOTATIONS && !(needed & ~out->rights))
            return true;
        *e = reply_no(i, "NOPERM", "you may not do that with this mailbox");
        return false;
    }
    *out = (struct place){.at = {.account = i->s->who.account}, .rights = IMAP_RIGHTS_ALL};
    *e = OK;
    return true;
}

static bool is_own(const struct imap *i, const struct place *p)
{
    return p->at.mailbox.v && p->at.account.v == i->s->who.account.v;
}

static struct str uses_text(struct arena *a, uint32_t roles)
{
    struct buf text = buf_make(200);
    struct str out;

    for (uint32_t bit = 1; bit && bit <= roles; bit <<= 1)
        if (roles & bit) {
            buf_add(&text, text.n ? S(" ") : S(""));
            buf_add(&text, imap_use_name(bit));
        }
    out = str_copy(a, buf_str(&text));
    buf_free(&text);
    return out;
}

static void add_special_use(struct imap *i, const struct place *p, struct metadata **list, size_t *n)
{
    struct arena *a = i->s->cx->arena;
    struct metadata *all = arena_array(a, struct metadata, *n + 1);

    all[0] = (struct metadata){.entry = SPECIAL_USE, .value = uses_text(a, p->folder.roles)};
    if (*n)
        memcpy(all + 1, *list, *n * sizeof(*all));
    *list = all;
    ++*n;
}

static enum err list_all(struct imap *i, const struct place *p, struct metadata **list, size_t *n)
{
    struct view *v;
    enum err e = imap_view(i, &v);

    if (!e)
        e = metadata_list(v, i->s->cx, p->at.account, p->at.mailbox, i->s->who.account, list, n);
    if (!e && is_own(i, p) && p->folder.roles)
        add_special_use(i, p, list, n);
    return e;
}

/* ---- writing ---- */

static void begin(struct imap *i, const struct place *p)
{
    buf_add(&i->s->out, S("* METADATA "));
    place_name_write(i, &i->s->out, p->at, p->name);
    buf_add(&i->s->out, S(" ("));
}

/* A value may hold anything: what holds a NUL goes as literal8 (§5). */
static void write_value(struct imap *i, const struct metadata *m, bool *first)
{
    struct buf *out = &i->s->out;
    size_t at;

    if (!*first)
        buf_add_char(out, ' ');
    *first = false;
    imap_astring_write(out, m->entry, imap_is_utf8(i));
    buf_add_char(out, ' ');
    if (m->value.p && str_find_char(m->value, '\0', &at)) {
        imap_literal8_head(out, m->value.n);
        buf_add(out, m->value);
    } else {
        imap_nstring_write_as(out, m->value, imap_is_utf8(i));
    }
}

static const struct metadata *find_entry(const struct metadata *list, size_t n, struct str entry)
{
    for (size_t k = 0; k < n; k++)
        if (str_same(list[k].entry, entry))
            return &list[k];
    return NULL;
}

enum err metadata_write(struct imap *i, const struct place *p, const struct str *entries, size_t count)
{
    struct metadata *list;
    bool first = true;
    size_t n;
    enum err e;

    if (!count || !(p->rights & RIGHTS_OF_ANNOTATIONS))
        return OK;
    e = list_all(i, p, &list, &n);
    if (e)
        return e;
    begin(i, p);
    for (size_t k = 0; k < count; k++) {
        const struct metadata *found = find_entry(list, n, entries[k]);

        write_value(i, found ? found : &(struct metadata){.entry = entries[k]}, &first);
    }
    buf_add(&i->s->out, S(")\r\n"));
    return OK;
}

/* ---- GETMETADATA ---- */

/* Is `entry` one asked for, or below it as far as a DEPTH other than 0 says (§4.2.2)? */
static bool is_asked(const struct imap_get_metadata *a, struct str entry)
{
    for (size_t k = 0; k < a->count; k++) {
        struct str asked = a->entries[k], rest = str_from(entry, asked.n);
        size_t at;

        if (str_same(entry, asked))
            return true;
        if (!str_starts(entry, asked) || !take_char(&rest, '/'))
            continue;
        if (a->depth == IMAP_DEPTH_INFINITY || !str_find_char(rest, '/', &at))
            return true;
    }
    return false;
}

struct getting {
    struct imap_get_metadata a;
    struct place p;
    bool begun;
    size_t longest; /* of those that are left out */
};

static void give(struct imap *i, struct getting *g, const struct metadata *m)
{
    bool first = !g->begun;

    if (g->a.has_maxsize && m->value.n > g->a.maxsize) {
        g->longest = m->value.n > g->longest ? m->value.n : g->longest;
        return;
    }
    if (first)
        begin(i, &g->p);
    write_value(i, m, &first);
    g->begun = true;
}

/* Each of them is answered, NIL where it has no value; but "/private" is only where names begin. */
static void give_named(struct imap *i, struct getting *g, const struct metadata *list, size_t n)
{
    for (size_t k = 0; k < g->a.count; k++) {
        struct str entry = g->a.entries[k];
        const struct metadata *found = find_entry(list, n, entry);

        if (found || is_imap_entry(entry))
            give(i, g, found ? found : &(struct metadata){.entry = entry});
    }
}

enum err cmd_getmetadata(struct imap *i, const struct imap_command *c)
{
    struct getting g = {0};
    struct metadata *list;
    size_t n;
    enum err e;

    if (!parse_imap_get_metadata(imap_parsing(i), c->args, &g.a))
        return reply_misread(i);
    if (!find(i, g.a.mailbox, 0, &g.p, &e))
        return e;
    e = list_all(i, &g.p, &list, &n);
    if (e)
        return e;
    if (g.a.depth == IMAP_DEPTH_0)
        give_named(i, &g, list, n);
    else
        for (size_t k = 0; k < n; k++)
            if (is_asked(&g.a, list[k].entry))
                give(i, &g, &list[k]);
    if (g.begun)
        buf_add(&i->s->out, S(")\r\n"));
    if (g.longest)
        buf_printf(reply_code(i), "METADATA LONGENTRIES %zu", g.longest);
    return OK;
}

/* ---- SETMETADATA ---- */

/* Shared entries need the right to write; those of the server itself are the operator's. */
static uint32_t rights_for(const struct imap_set_metadata *a)
{
    for (size_t k = 0; k < a->count; k++)
        if (!is_private(a->values[k].entry))
            return IMAP_RIGHT_WRITE;
    return 0;
}

/* What is to become of the special uses: as CREATE would have it (RFC 6154 §4). False: the reply is set. */
static bool read_special_use(struct imap *i, const struct place *p, struct str value, uint32_t *roles)
{
    if (!parse_imap_uses(imap_parsing(i), value, roles)) {
        reply_misread(i);
        return false;
    }
    if (*roles & VIRTUAL_USES)
        reply_no(i, "USEATTR", "no mailbox can be given that use");
    else if (!is_own(i, p) || p->folder.no_select)
        reply_no(i, "CANNOT", "special uses are those of one's own mailboxes");
    return i->run.cond[0] == 'O';
}

/* RFC 5466 §3.2: what is stored as a filter is a whole search program. */
static bool are_filters_right(struct imap *i, const struct imap_set_metadata *a)
{
    struct imap_search s;

    for (size_t k = 0; k < a->count; k++)
        if (!a->mailbox.n && str_starts(a->values[k].entry, S("/private/filters/values/")) &&
            a->values[k].value.p && !parse_imap_filter(imap_parsing(i), a->values[k].value, &s))
            return false;
    return true;
}

static enum err answer(struct imap *i, enum err e)
{
    if (e == ERR_TOO_BIG) {
        buf_printf(reply_code(i), "METADATA MAXSIZE %d", METADATA_VALUE_MAX);
        return reply_no(i, NULL, "a value is too long");
    }
    return e == ERR_LIMIT ? reply_no(i, "METADATA TOOMANY", "there are too many entries") : e;
}

enum err cmd_setmetadata(struct imap *i, const struct imap_command *c)
{
    struct imap_set_metadata a;
    struct metadata *values;
    struct place p;
    uint32_t roles;
    enum err e = OK;

    if (!parse_imap_set_metadata(imap_parsing(i), c->args, &a))
        return reply_misread(i);
    if (!a.mailbox.n && rights_for(&a) & IMAP_RIGHT_WRITE)
        return reply_no(i, "NOPERM", "what is shared by all is the postmaster's to write");
    if (!find(i, a.mailbox, rights_for(&a), &p, &e))
        return e;
    if (!are_filters_right(i, &a))
        return reply_no(i, "CANNOT", "a filter is a search program");
    values = arena_array(i->arena, struct metadata, a.count);
    for (size_t k = 0; k < a.count; k++) {
        values[k] = (struct metadata){.entry = a.values[k].entry, .value = a.values[k].value};
        if (!p.at.mailbox.v || !str_same(values[k].entry, SPECIAL_USE))
            continue;
        if (!read_special_use(i, &p, values[k].value, &roles))
            return OK;
        values[k].roles = &roles; /* the last counts */
    }
    return answer(i, metadata_set(i->s->store, i->s->cx, p.at.account, p.at.mailbox, i->s->who.account,
                                  values, a.count, &i->s->ticket));
}
