#include "vault/imap/catenate.h"

#include "base/arena.h"
#include "base/scoped.h"
#include "config/config.h"
#include "mail/section.h"
#include "vault/imap/place.h"
#include "vault/store/reading.h"
#include "vault/imap/selected.h"
#include "vault/store/directory.h"

struct joining {
    struct imap *i;
    struct upload *out;
    struct cx cx; /* what the message looks like stays in i->arena */
    uint64_t room;
};

static enum err add(struct joining *j, struct str bytes)
{
    if (bytes.n > j->room)
        return fail(&j->cx, ERR_TOO_BIG, "the parts are too large together");
    j->room -= bytes.n;
    return upload_feed(j->out, &j->cx, bytes);
}

static enum err add_literal(struct joining *j, struct upload *u)
{
    struct str piece;
    enum err e = OK;

    for (uint32_t n = 0; n < upload_pieces(u) && !e; n++) {
        e = upload_piece(u, j->i->s->cx, n, &piece);
        if (!e)
            e = add(j, piece);
    }
    return e;
}

/* ---- a part of a message ---- */

static enum err add_range(struct joining *j, struct reading *r, uint64_t at, uint64_t n,
                          struct header_filter *filter)
{
    scoped(buf_free) struct buf shown = buf_make(BUF_UNLIMITED);
    struct str bytes;
    enum err e = OK;

    while (n && !e) {
        e = reading_at(r, at, n, &bytes);
        if (e || !bytes.n)
            break;
        at += bytes.n;
        n -= bytes.n;
        if (filter) {
            buf_clear(&shown);
            header_filter_feed(filter, bytes, &shown);
            bytes = buf_str(&shown);
        }
        e = add(j, bytes);
    }
    if (!e && filter) {
        buf_clear(&shown);
        header_filter_end(filter, &shown);
        e = add(j, buf_str(&shown));
    }
    return e;
}

/* False: there is no such section. */
static bool find_section(struct joining *j, const struct imap_url *url, const struct reading *r,
                         struct imap_section *section, struct section_range *range)
{
    struct imap_parse parse = imap_parse_make(j->i->arena, true);

    *section = (struct imap_section){0};
    return (!url->section.p || parse_imap_section(&parse, url->section, section)) &&
           section_find(section, r->parts, r->count, r->m.prefix.n, range);
}

/* The mailbox of a URL is one that this user may read, and the URL's host, if it has one, is us, its user this one. */
static bool find_message(struct joining *j, const struct imap_url *url, struct roster **roster,
                         struct body_id *body, struct account_id *account, enum err *e)
{
    const struct roster_entry *entry;
    struct account_row row;
    struct account_id user;
    struct place p;
    struct view *v;
    bool found = true;

    *e = imap_view(j->i, &v);
    if (!*e && url->user.p)
        *e = directory_find_account(j->i->s->store, v, j->i->s->cx, url->user, &user, &row, &found);
    if (*e || !found || (url->user.p && user.v != j->i->s->who.account.v) ||
        (url->host.p && !str_same_nocase(url->host, j->i->s->store->config()->hostname)))
        return false;
    if (url->mailbox.n)
        *e = place_find(j->i, url->mailbox, IMAP_RIGHT_READ | PLACE_ALONE, &p);
    else if (j->i->selected)
        p.at = j->i->selected->at;
    else
        return false;
    if (!*e)
        *e = roster_get(j->i->s->store, j->i->s->cx, p.at.account, p.at.mailbox, roster);
    if (*e)
        return false;
    if (url->uid_validity && url->uid_validity != roster_counts(*roster)->uid_validity)
        return false;
    entry = roster_find(*roster, url->uid);
    if (!entry)
        return false;
    *body = entry->body;
    *account = p.at.account;
    return true;
}

/* False: the URL leads nowhere here. */
static bool add_url(struct joining *j, struct str text, enum err *e)
{
    scoped(roster_drop) struct roster *roster = NULL;
    struct header_filter filter, *through = NULL;
    struct imap_section section;
    struct section_range range;
    struct account_id account;
    struct reading reading;
    struct imap_url url;
    struct body_id body;
    struct message_reader *stored;

    *e = OK;
    if (!parse_imap_url(j->i->arena, text, j->i->selected ? j->i->selected->name : STR_NONE, &url) ||
        !find_message(j, &url, &roster, &body, &account, e))
        return false;
    *e = imap_stored(j->i, account, 1, &stored);
    if (!*e)
        *e = reading_open(&reading, stored, j->i->s->cx, body);
    if (*e || !find_section(j, &url, &reading, &section, &range))
        return false;
    if (url.has_partial) {
        uint64_t first = url.partial_first < range.n ? url.partial_first : range.n;

        range.at += first;
        range.n -= first;
        if (url.partial_count && url.partial_count < range.n)
            range.n = url.partial_count;
    }
    if (section.text == IMAP_SECTION_FIELDS || section.text == IMAP_SECTION_FIELDS_NOT) {
        filter = header_filter_begin(&section);
        through = &filter;
    }
    *e = add_range(j, &reading, range.at, range.n, through);
    return !*e;
}

/* RFC 4469 §4.1: BADURL with the URL that did not work. What may not stand within the brackets of a reply is
 * percent-encoded, as it should have been. */
static void bad_url(struct imap *i, struct str url)
{
    struct buf *code = reply_code(i);

    url = str_upto(url, 500);
    if (url.n)
        buf_add(code, S("BADURL "));
    for (size_t n = 0; n < url.n; n++)
        if (is_printable(url.p[n]) && url.p[n] != ']')
            buf_add_char(code, url.p[n]);
        else
            buf_printf(code, "%%%02X", (unsigned char)url.p[n]);
    reply_no(i, NULL, "this URL leads to no message here");
}

struct upload *catenate(struct imap *i, const struct imap_append_message *m, struct upload **literals,
                        size_t count, enum err *e)
{
    struct joining j = {
        .i = i, .out = arena_alloc(i->arena, sizeof(*j.out)), .cx = {.arena = i->arena}};
    bool fine = true;

    j.room = i->s->store->config()->limits.message_size;
    *e = upload_begin(j.out, i->s, BODY_PIECE, true);
    if (*e)
        return NULL;
    for (size_t k = 0; k < m->part_count && fine && !*e; k++) {
        const struct imap_append_part *part = &m->parts[k];

        if (part->is_url)
            fine = add_url(&j, part->url, e);
        else if (part->data.index < count)
            *e = add_literal(&j, literals[part->data.index]);
        if (!fine && (!*e || *e == ERR_NOT_FOUND || *e == ERR_DENIED || *e == ERR_GONE)) {
            *e = OK;
            bad_url(i, part->url);
        }
    }
    if (fine && !*e)
        *e = upload_end(j.out, &j.cx);
    if (fine && !*e)
        return j.out;
    upload_forget(j.out, i->s->cx);
    if (*e == ERR_TOO_BIG)
        *e = reply_no(i, "TOOBIG", "the message is larger than this server takes");
    return NULL;
}
