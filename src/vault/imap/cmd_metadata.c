/* GETMETADATA and SETMETADATA (RFC 5464), and what LIST returns of them (RFC 9590). */
#include "vault/imap/commands.h"

#include "vault/imap/mailbox_answers.h"
#include "vault/store/metadata.h"

#include <inttypes.h>

static bool is_private(struct str entry)
{
    return str_starts(entry, S("/private/"));
}

/* The server's own annotations are kept in the account, as its user sees them; the mailbox's name is "". */
static bool find(struct imap *i, struct str mailbox, uint32_t needed, struct place *out, enum err *e)
{
    if (mailbox.n)
        return place_for(i, mailbox, needed, out, e);
    *out = (struct place){.at = {.account = i->s->who.account}, .rights = IMAP_RIGHTS_ALL};
    *e = OK;
    return true;
}

static enum err list_all(struct imap *i, const struct place *p, struct metadata **list, size_t *n)
{
    struct view *v;
    enum err e = imap_view(i, &v);

    return e ? e
             : metadata_list(v, &i->s->cx, p->at.account, p->at.mailbox, i->s->who.account, list, n);
}

/* ---- writing ---- */

static void begin(struct imap *i, const struct place *p)
{
    buf_add(&i->s->out, S("* METADATA "));
    imap_mailbox_write(&i->s->out, p->name, imap_is_utf8(i));
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
    enum err e = list_all(i, p, &list, &n);

    if (e || !count)
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

/* Is `entry` the one asked for, or below it as far as DEPTH says (§4.2.2)? */
static bool is_asked(const struct imap_get_metadata *a, struct str entry)
{
    for (size_t k = 0; k < a->count; k++) {
        struct str asked = a->entries[k], rest = str_from(entry, asked.n);
        size_t at;

        if (str_same(entry, asked))
            return true;
        if (a->depth == IMAP_DEPTH_0 || !str_starts(entry, asked) || !take_char(&rest, '/'))
            continue;
        if (a->depth == IMAP_DEPTH_INFINITY || !str_find_char(rest, '/', &at))
            return true;
    }
    return false;
}

enum err cmd_getmetadata(struct imap *i, const struct imap_command *c)
{
    struct imap_get_metadata a;
    struct metadata *list;
    struct place p;
    size_t n, longest = 0;
    bool first = true;
    enum err e;

    if (!parse_imap_get_metadata(imap_parsing(i), c->args, &a))
        return reply_misread(i);
    if (!find(i, a.mailbox, IMAP_RIGHT_READ, &p, &e))
        return e;
    e = list_all(i, &p, &list, &n);
    if (e)
        return e;
    for (size_t k = 0; k < n; k++) {
        if (!is_asked(&a, list[k].entry))
            continue;
        if (a.has_maxsize && list[k].value.n > a.maxsize) {
            longest = list[k].value.n > longest ? list[k].value.n : longest;
            continue;
        }
        if (first)
            begin(i, &p);
        write_value(i, &list[k], &first);
    }
    if (!first)
        buf_add(&i->s->out, S(")\r\n"));
    if (longest)
        buf_printf(reply_code(i), "METADATA LONGENTRIES %zu", longest);
    return OK;
}

/* ---- SETMETADATA ---- */

/* §3.3: shared entries need the right to write; those of the server itself are the operator's. */
static uint32_t rights_for(const struct imap_set_metadata *a)
{
    for (size_t k = 0; k < a->count; k++)
        if (!is_private(a->values[k].entry))
            return IMAP_RIGHT_READ | IMAP_RIGHT_WRITE;
    return IMAP_RIGHT_READ;
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
    enum err e;

    if (!parse_imap_set_metadata(imap_parsing(i), c->args, &a))
        return reply_misread(i);
    if (!a.mailbox.n && rights_for(&a) & IMAP_RIGHT_WRITE)
        return reply_no(i, "NOPERM", "what is shared by all is the postmaster's to write");
    if (!find(i, a.mailbox, rights_for(&a), &p, &e))
        return e;
    values = arena_array(i->arena, struct metadata, a.count);
    for (size_t k = 0; k < a.count; k++)
        values[k] = (struct metadata){.entry = a.values[k].entry, .value = a.values[k].value};
    return answer(i, metadata_set(i->s->store, &i->s->cx, p.at.account, p.at.mailbox, i->s->who.account,
                                  values, a.count, &i->s->ticket));
}
