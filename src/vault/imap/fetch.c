/* A client that opens a mailbox asks for the flags of a hundred thousand messages. So the hot items are written with a
 * pen into room that was reserved once for the whole response. */
#include "vault/imap/fetch.h"

#include "mail/imap_structure.h"

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

static char *put_hex(char *p, uint64_t v)
{
    char digits[16];
    size_t at = sizeof(digits);

    do {
        digits[--at] = "0123456789abcdef"[v % 16];
    } while ((v /= 16));
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
    case IMAP_ATT_EMAILID: /* as email_id_write() */
        return put(put_hex(put(p, S("EMAILID (E")), entry->body.v), S(")"));
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
 * RFC-GAP: RFC 6855 §7 would let it see a surrogate (RFC 6858) instead, as POP3's clients do; IMAP's have always had to
 * bear eight bits in literals (RFC 3501 §4.3.1). */
void fetch_cold_item_write(const struct imap *i, struct buf *out, enum imap_att att,
                           const struct cold_row *cold)
{
    struct buf shorter = buf_make(cold->bodystructure.n + 100); /* or what stands for a broken one */

    switch (att) {
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
    case IMAP_ATT_PREVIEW: /* none is an empty string (RFC 8970 §3.2) */
        buf_add(out, S("PREVIEW "));
        imap_string_write_as(out, cold->preview, imap_is_utf8(i));
        break;
    default:
        break;
    }
}

/* ---- whole responses ---- */

bool fetch_kept_write(const struct imap *i, struct flag_text *flags, struct buf *out,
                      const struct imap_fetch *a, uint32_t number, const struct roster_entry *entry,
                      const struct cold_row *cold)
{
    fetch_begin(i, out, number, entry->uid, false);
    for (size_t n = 0; n < a->att_count; n++) {
        enum imap_att att = a->atts[n].att;

        if (fetch_leaves_out(i, a, att))
            continue;
        if (IMAP_ATT_BIT(att) & FETCH_HOT)
            fetch_hot_item_write(i, flags, out, att, entry);
        else
            fetch_cold_item_write(i, out, att, cold);
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
