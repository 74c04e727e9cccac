#include "vault/imap/response.h"

#include "base/hash.h"

#include <inttypes.h>

/* ---- flags ---- */

void flag_text_begin(struct flag_text *t, const struct roster *r)
{
    *t = (struct flag_text){.names = {.names = t->rows, .count = 64 - FLAG_KEYWORD_FIRST}};
    for (unsigned bit = FLAG_KEYWORD_FIRST; bit < 64; bit++)
        t->rows[bit - FLAG_KEYWORD_FIRST] = roster_keyword(r, bit);
}

static void write_flags(const struct flag_text *t, struct buf *out, uint64_t flags, bool recent)
{
    size_t at;

    buf_add(out, S("FLAGS ("));
    at = out->n;
    imap_flags_write(out, flags, &t->names);
    if (recent)
        buf_add(out, out->n > at ? S(" \\Recent") : S("\\Recent"));
    buf_add_char(out, ')');
}

static void remember(struct flag_text *t, struct flag_words *w, uint64_t flags, bool recent)
{
    struct buf b = buf_make(FLAG_TEXT_MAX);

    write_flags(t, &b, flags, recent);
    *w = (struct flag_words){.flags = flags, .begun = true, .recent = recent};
    if (!b.full)
        w->n = (uint16_t)b.n;
    memcpy(w->text, b.p, w->n);
    buf_free(&b);
}

static bool is_recent(const struct imap *i, const struct roster_entry *entry)
{
    return i->selected->recent.count && selected_is_recent(i, entry->uid);
}

bool flag_text_find(struct flag_text *t, const struct imap *i, const struct roster_entry *entry,
                    struct str *text)
{
    uint64_t flags = entry->flags;
    bool recent = is_recent(i, entry);
    struct flag_words *w = &t->remembered[(flags ^ flags >> 4 ^ flags >> 8 ^ flags >> 12) % 16];

    if (!w->begun || w->flags != flags || w->recent != recent)
        remember(t, w, flags, recent);
    *text = (struct str){w->text, w->n};
    return w->n > 0;
}

void flag_text_write(struct flag_text *t, const struct imap *i, struct buf *out,
                     const struct roster_entry *entry)
{
    struct str text;

    if (flag_text_find(t, i, entry, &text))
        buf_add(out, text);
    else
        write_flags(t, out, entry->flags, is_recent(i, entry));
}

#define KEYWORD_BITS (~(uint64_t)0 << FLAG_KEYWORD_FIRST)

/* Every keyword that a mailbox can have is one of some message: then no new one can be made (RFC 9051 §7.1). */
static bool keywords_are_used_up(const struct roster *r)
{
    const struct roster_entry *entry;
    struct roster_walk w;
    uint64_t used = 0;

    for (unsigned bit = FLAG_KEYWORD_FIRST; bit < 64; bit++)
        if (!roster_keyword(r, bit).n)
            return false;
    w = roster_walk(r, NULL);
    while ((used & KEYWORD_BITS) != KEYWORD_BITS && (entry = roster_next(&w)))
        used |= entry->flags;
    return (used & KEYWORD_BITS) == KEYWORD_BITS;
}

/* All that the two responses depend on, in short (FNV-1a): names, each with its place, and whether there can be more. */
static uint64_t digest_of_flags(const struct roster *r, bool used_up)
{
    uint64_t h = HASH_START + used_up;

    for (unsigned bit = FLAG_KEYWORD_FIRST; bit < 64; bit++) {
        struct str name = roster_keyword(r, bit);

        for (size_t k = 0; k < name.n; k++)
            h = hash_step(h, name.p[k]);
        h = hash_step(h, (char)bit);
    }
    return h;
}

static void write_mailbox_flags(struct imap *i, const struct roster *r, bool used_up)
{
    const struct selected *s = i->selected;
    struct buf *out = &i->s->out;
    struct flag_text t;
    uint64_t all = IMAP_SYSTEM_FLAGS | KEYWORD_BITS, permanent = 0;
    bool writes = s->rights & IMAP_RIGHT_WRITE;

    flag_text_begin(&t, r);
    if (writes)
        permanent = all & ~(uint64_t)(FLAG_SEEN | FLAG_DELETED);
    if (s->rights & IMAP_RIGHT_SEEN)
        permanent |= FLAG_SEEN;
    if (s->rights & IMAP_RIGHT_DELETE_MSG)
        permanent |= FLAG_DELETED;
    buf_add(out, S("* "));
    write_flags(&t, out, all, false);
    buf_add(out, S("\r\n* OK [PERMANENTFLAGS ("));
    imap_flags_write(out, permanent, &t.names);
    if (writes && !used_up)
        buf_add(out, S(" \\*"));
    buf_add(out, S(")] these can be changed\r\n"));
}

void mailbox_flags_tell(struct imap *i, const struct roster *r)
{
    bool used_up = keywords_are_used_up(r);
    uint64_t digest = digest_of_flags(r, used_up);

    if (i->selected->flags_told == digest)
        return;
    i->selected->flags_told = digest;
    write_mailbox_flags(i, r, used_up);
}

/* ---- FETCH ---- */

void modseq_write(struct buf *out, uint64_t modseq)
{
    if (out->n && !out->full && out->p[out->n - 1] != ' ' && out->p[out->n - 1] != '(')
        buf_add_char(out, ' ');
    buf_add(out, S("MODSEQ ("));
    buf_add_u64(out, modseq);
    buf_add_char(out, ')');
}

void fetch_begin(const struct imap *i, struct buf *out, uint32_t number, uint32_t uid, bool with_uid)
{
    buf_add(out, S("* "));
    if (imap_is_uidonly(i)) {
        buf_add_u64(out, uid);
        buf_add(out, S(" UIDFETCH ("));
        return;
    }
    buf_add_u64(out, number);
    buf_add(out, S(" FETCH ("));
    if (with_uid) {
        buf_add(out, S("UID "));
        buf_add_u64(out, uid);
        buf_add_char(out, ' ');
    }
}

void fetch_end(struct buf *out)
{
    if (out->n && !out->full && out->p[out->n - 1] == ' ')
        out->n--;
    buf_add(out, S(")\r\n"));
}

#define RANGES_IN_LINE 2000 /* a line of 44 KB at most; RFC 7162 §3.2.10 lets there be several */

bool vanished_write(struct imap *i, const struct imap_set *uids, bool earlier, size_t *from)
{
    struct buf *out = &i->s->out;

    while (*from < uids->count && !imap_is_enough(i)) {
        size_t n = uids->count - *from;
        struct imap_set some;

        if (n > RANGES_IN_LINE)
            n = RANGES_IN_LINE;
        some = (struct imap_set){.ranges = uids->ranges + *from, .count = n};
        buf_add(out, earlier ? S("* VANISHED (EARLIER) ") : S("* VANISHED "));
        imap_set_write(out, &some);
        buf_add(out, S("\r\n"));
        *from += n;
    }
    return *from == uids->count;
}

/* ---- ids ---- */

void mailbox_id_write(struct buf *out, struct mailbox_ref at)
{
    buf_printf(out, "M%" PRIx64 "-%" PRIx64, at.account.v, at.mailbox.v);
}

void email_id_write(struct buf *out, struct letter_id letter)
{
    buf_printf(out, "E%" PRIx64 "-%" PRIx64, letter.origin.v, letter.content.v);
}

void thread_id_write(struct buf *out, uint64_t thread)
{
    buf_printf(out, "T%" PRIx64, thread);
}

/* ---- LIST ---- */

void list_attribute_write(struct buf *out, struct str name, bool *first)
{
    if (!*first)
        buf_add_char(out, ' ');
    buf_add(out, name);
    *first = false;
}

void list_entry_write(struct imap *i, struct buf *out, const struct place *p)
{
    const struct folder *f = &p->folder;
    bool first = true;

    buf_add_char(out, '(');
    if (f->no_select || !(p->rights & IMAP_RIGHT_READ))
        list_attribute_write(out, S("\\Noselect"), &first);
    list_attribute_write(out, f->has_children ? S("\\HasChildren") : S("\\HasNoChildren"), &first);
    if (f->subscribed)
        list_attribute_write(out, S("\\Subscribed"), &first);
    for (uint32_t bit = 1; bit && bit <= f->roles; bit <<= 1)
        if (f->roles & bit)
            list_attribute_write(out, imap_use_name(bit), &first);
    buf_add(out, S(") \"/\" "));
    place_name_write(i, out, p->at, p->name);
}

void oldname_write(struct buf *out, struct str name, struct str given)
{
    if (str_same(name, given))
        return;
    buf_add(out, S(" (\"OLDNAME\" ("));
    imap_mailbox_write(out, given, true);
    buf_add(out, S("))"));
}

void oldname_say(struct imap *i, const char *attributes, struct str name, struct str given)
{
    struct buf *out = &i->s->out;

    if (!imap_is_rev2(i) || str_same(name, given))
        return;
    buf_printf(out, "* LIST (%s) \"/\" ", attributes);
    imap_mailbox_write(out, name, true);
    oldname_write(out, name, given);
    buf_add(out, S("\r\n"));
}
