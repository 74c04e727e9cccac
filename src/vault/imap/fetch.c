/* A client that opens a mailbox asks for the flags of a hundred thousand messages. So the hot items are written with a
 * pen into room that was reserved once for the whole response. */
#include "vault/imap/fetch.h"

#include "mail/imap_structure.h"
#include "proto/imap_write.h"

/* More than all hot items together: names 90, numbers 20 each, dates 28, flags FLAG_TEXT_MAX. */
#define HOT_ROOM (512 + FLAG_TEXT_MAX)

/* ---- the pen ---- */

static inline char *put(char *p, struct str s)
{
    memcpy(p, s.p, s.n);
    return p + s.n;
}

static inline char *put_number(char *p, uint64_t v)
{
    char digits[20];
    size_t at = sizeof(digits);

    do {
        digits[--at] = (char)('0' + v % 10);
    } while ((v /= 10));
    memcpy(p, digits + at, sizeof(digits) - at);
    return p + sizeof(digits) - at;
}

static char *put_date(char *p, int64_t ms)
{
    imap_date_time_text(p, ms, 0);
    return p + IMAP_DATE_TIME_SIZE;
}

/* All but FLAGS. */
static char *put_item(char *p, enum imap_att att, const struct roster_entry *entry)
{
    switch (att) {
    case IMAP_ATT_UID:
        return put_number(put(p, S("UID ")), entry->uid);
    case IMAP_ATT_INTERNALDATE:
        return put_date(put(p, S("INTERNALDATE ")), entry->internal_date);
    case IMAP_ATT_SAVEDATE:
        return put_date(put(p, S("SAVEDATE ")), entry->save_date);
    case IMAP_ATT_RFC822_SIZE:
        return put_number(put(p, S("RFC822.SIZE ")), entry->size);
    case IMAP_ATT_MODSEQ:
        return put(put_number(put(p, S("MODSEQ (")), entry->modseq), S(")"));
    default:
        return p;
    }
}

/* ---- hot items ---- */

bool fetch_hot_write(const struct imap *i, struct flag_text *flags, struct buf *out,
                     const struct imap_fetch *a, uint32_t number, const struct roster_entry *entry)
{
    bool uidonly = imap_is_uidonly(i);
    struct str text = STR_NONE;
    char *begin, *p;

    if (a->items & IMAP_ATT_BIT(IMAP_ATT_FLAGS) && !flag_text_find(flags, i, entry, &text))
        return false;
    begin = p = buf_reserve(out, HOT_ROOM);
    if (!p)
        return false;
    p = put_number(put(p, S("* ")), uidonly ? entry->uid : number);
    p = put(p, uidonly ? S(" UIDFETCH (") : S(" FETCH ("));
    for (size_t n = 0; n < a->att_count; n++) {
        enum imap_att att = a->atts[n].att;

        if (fetch_leaves_out(i, a, att))
            continue;
        p = att == IMAP_ATT_FLAGS ? put(p, text) : put_item(p, att, entry);
        *p++ = ' ';
    }
    p -= p[-1] == ' ';
    p = put(p, S(")\r\n"));
    buf_grew(out, (size_t)(p - begin));
    return true;
}

void fetch_hot_item_write(const struct imap *i, struct flag_text *flags, struct buf *out,
                          enum imap_att att, const struct roster_entry *entry)
{
    char *p;

    if (att == IMAP_ATT_FLAGS) {
        flag_text_write(flags, i, out, entry);
        return;
    }
    p = buf_reserve(out, HOT_ROOM);
    if (p)
        buf_grew(out, (size_t)(put_item(p, att, entry) - p));
}

/* ---- cold items ---- */

/* RFC 9051 §7.5.2 wants parameters in UTF-8, RFC 3501 knew nothing of the kind. */
static void write_structure(const struct imap *i, struct buf *out, struct str structure)
{
    if (imap_is_rev2(i))
        imap_structure_decode(out, structure);
    else
        buf_add(out, structure);
}

/* Kept texts suit every client: what is not ASCII stands in literals (imap_string_write()). A client without UTF-8 gets
 * such mail as it is.
 * RFC-GAP: RFC 6855 §8 would have only RFC 5322's ASCII in headers for it. The surrogate that POP3's clients see (RFC 6858)
 * has another size and other offsets than the message; IMAP's clients have always had to bear eight bits in literals (RFC
 * 3501 §4.3.1), in old mail as well. */
void fetch_cold_item_write(const struct imap *i, struct buf *out, enum imap_att att,
                           const struct roster_entry *entry, const struct cold_row *cold)
{
    struct buf shorter = buf_make(cold->bodystructure.n + 100); /* or what stands for a broken one */

    switch (att) {
    case IMAP_ATT_EMAILID:
        buf_add(out, S("EMAILID ("));
        email_id_write(out, letter_id_of(cold, i->selected->at.account, entry->body));
        buf_add_char(out, ')');
        break;
    case IMAP_ATT_ENVELOPE:
        buf_add(out, S("ENVELOPE "));
        buf_add(out, cold->envelope);
        break;
    case IMAP_ATT_BODYSTRUCTURE:
        buf_add(out, S("BODYSTRUCTURE "));
        write_structure(i, out, cold->bodystructure);
        break;
    case IMAP_ATT_BODY:
        buf_add(out, S("BODY "));
        imap_structure_shorten(&shorter, cold->bodystructure);
        write_structure(i, out, buf_str(&shorter));
        buf_free(&shorter);
        break;
    /* None is an empty string (RFC 8970 §3.2). RFC-GAP: §8 would have each FETCH of it in the log, against clients that keep
     * a server busy with it (SHOULD). Here it was made when the mail came in, and costs no more than an ENVELOPE. */
    case IMAP_ATT_PREVIEW:
        buf_add(out, S("PREVIEW "));
        imap_string_write_as(out, cold->preview, imap_is_utf8(i));
        break;
    default:
        break;
    }
}

/* ---- items that are read from the message ---- */

static void write_name(const struct imap *i, struct buf *out, const struct imap_fetch_att *att)
{
    imap_fetch_att_write(out, att, imap_is_utf8(i));
    buf_add_char(out, ' ');
}

void fetch_passage_nil(const struct imap *i, struct buf *out, const struct imap_fetch_att *att)
{
    write_name(i, out, att);
    buf_add(out, att->att == IMAP_ATT_BINARY_SIZE ? S("0") : S("NIL"));
}

void fetch_passage_head(const struct imap *i, struct buf *out, const struct imap_fetch_att *att,
                        const struct passage *p)
{
    write_name(i, out, att);
    if (att->att == IMAP_ATT_BINARY_SIZE)
        buf_add_u64(out, p->size);
    else if (p->has_nul)
        imap_literal8_head(out, p->n);
    else
        imap_literal_head(out, p->n);
}

/* ---- whole responses ---- */

/* What a response needs to know of its message, each once. */
struct at_hand {
    bool has_cold, has_reading;
    struct cold_row cold;
    struct reading reading;
};

static bool get_cold(struct fetch_hand *h, const struct roster_entry *entry, struct at_hand *m)
{
    bool found = true;

    if (!m->has_cold && reader_looks(h->stored, &h->cx, entry->body, &m->cold, &found))
        return false;
    return m->has_cold = found;
}

static bool get_reading(struct fetch_hand *h, const struct roster_entry *entry, struct at_hand *m)
{
    if (!m->has_reading && reading_open(&m->reading, h->stored, &h->cx, entry->body))
        return false;
    return m->has_reading = true;
}

static enum err copy_passage(const struct imap *i, struct buf *out, const struct imap_fetch_att *att,
                             struct passage *p, struct reading *r)
{
    enum err e = OK;

    while (!e && !p->measured)
        e = passage_measure(p, r);
    if (e)
        return e;
    fetch_passage_head(i, out, att, p);
    if (att->att == IMAP_ATT_BINARY_SIZE)
        return OK;
    if (p->n > out->limit - out->n) /* it need not be read to see that */
        out->full = true;
    while (!e && !out->full && p->left)
        e = passage_send(p, r, out);
    return e;
}

static bool write_passage(const struct imap *i, struct buf *out, const struct imap_fetch_att *att,
                          struct reading *r)
{
    struct passage p;
    bool found;
    enum err e = passage_open(&p, r, att, &found);
    bool known = !p.unknown_encoding;

    if (!e && !found)
        fetch_passage_nil(i, out, att);
    else if (!e && known)
        e = copy_passage(i, out, att, &p, r);
    passage_close(&p);
    return !e && known;
}

static bool write_item(struct fetch_hand *h, struct buf *out, const struct imap_fetch_att *att,
                       const struct roster_entry *entry, struct at_hand *m)
{
    uint32_t bit = IMAP_ATT_BIT(att->att);

    if (bit & IMAP_ATT_HOT) {
        fetch_hot_item_write(h->i, &h->flags, out, att->att, entry);
        return true;
    }
    if (bit & FETCH_COLD) {
        if (!get_cold(h, entry, m))
            return false;
        fetch_cold_item_write(h->i, out, att->att, entry, &m->cold);
        return true;
    }
    return get_reading(h, entry, m) && write_passage(h->i, out, att, &m->reading);
}

bool fetch_whole_write(struct fetch_hand *h, struct buf *out, uint32_t number,
                       const struct roster_entry *entry)
{
    struct at_hand m;

    m.has_cold = m.has_reading = false;
    fetch_begin(h->i, out, number, entry->uid, false);
    for (size_t n = 0; n < h->items->att_count && !out->full; n++) {
        const struct imap_fetch_att *att = &h->items->atts[n];

        if (fetch_leaves_out(h->i, h->items, att->att))
            continue;
        if (!write_item(h, out, att, entry, &m))
            return false;
        buf_add_char(out, ' ');
    }
    fetch_end(out);
    return !out->full;
}

uint32_t fetch_next(struct fetch_mark *m, const struct numbers *numbers, uint64_t changed_since,
                    const struct roster_entry **entry)
{
    uint32_t number;

    while ((*entry = roster_next(&m->walk))) {
        number = number_of(numbers, &m->walk, *entry);
        if (!number)
            continue;
        m->found++;
        if ((*entry)->modseq > changed_since)
            return number;
    }
    return 0;
}
