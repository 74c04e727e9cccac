/* Texts are folded piece by piece (folding knows single characters only), so that the places of what is a part of them are
 * known. */
#include "mail/facts.h"

#include "base/pack.h"
#include "mail/address_list.h"
#include "mail/base_subject.h"
#include "mail/casemap.h"
#include "mail/date.h"
#include "mail/header.h"
#include "mail/message_id.h"
#include "mail/words.h"

#define DAY_MS (INT64_C(24) * 60 * 60 * 1000)
#define FIRST_REFERENCES 10 /* of too many: these, and the last ones, which the message answers */

/* Bits behind those of enum facts_field. */
enum { HAS_DATE = 1, IS_REPLY = 2 };

#define ALL_FIELDS (2 * FACTS_MESSAGE_ID - 1)

/* The first of them in the order of enum facts_field's bits. */
enum {
    SUBJECT,
    FROM,
    TO,
    CC,
    BCC,
    TEXT_COUNT,
    DATE = TEXT_COUNT,
    MESSAGE_ID,
    REFERENCES,
    IN_REPLY_TO,
    FIELD_COUNT
};
static const struct str names[FIELD_COUNT] = {S("Subject"),    S("From"),       S("To"),
                                              S("Cc"),         S("Bcc"),        S("Date"),
                                              S("Message-ID"), S("References"), S("In-Reply-To")};

/* ---- making ---- */

/* A text that grows, and a part of it. */
struct folded {
    struct buf text;
    bool cut; /* something was left out */
};

/* Folded, and no longer than there is room: cut at a character. */
static size_t add_cut(struct folded *f, struct str s)
{
    struct buf room = buf_make(BUF_UNLIMITED); /* a header's, times what folding does */
    size_t begin = f->text.n;
    struct str folded;

    casemap(&room, s);
    folded = buf_str(&room);
    if (f->cut || folded.n > FACTS_TEXT_MAX - begin) {
        folded.n = f->cut ? 0 : FACTS_TEXT_MAX - begin;
        while (folded.n && ((unsigned char)folded.p[folded.n] & 0xc0) == 0x80)
            folded.n--;
        f->cut = true;
    }
    buf_add(&f->text, folded);
    buf_free(&room);
    return f->text.n - begin;
}

/* Gives how long it is. What certainly fits needs no room of its own: ASCII, which stays as long as it is. */
static size_t add_folded(struct folded *f, struct str s)
{
    size_t begin = f->text.n;

    if (f->cut || s.n > FACTS_TEXT_MAX - begin || !is_ascii(s))
        return add_cut(f, s);
    casemap(&f->text, s);
    return f->text.n - begin;
}

static struct folded folded_make(void)
{
    return (struct folded){.text = buf_make(2 * FACTS_TEXT_MAX)}; /* add_folded() keeps to the limit */
}

static void write_part(struct buf *out, size_t at, size_t n)
{
    pack_u64(out, at);
    pack_u64(out, n);
}

static void write_subject(struct buf *out, struct str body, bool *is_reply, bool *cut)
{
    struct folded f = folded_make();
    struct buf text = buf_make(BUF_UNLIMITED); /* the field's length, or so */
    struct str base, whole;
    size_t at, n;

    subject_text(&text, body);
    whole = buf_str(&text);
    base = base_subject(whole, is_reply);
    at = base.n ? (size_t)(base.p - whole.p) : 0;
    add_folded(&f, str_upto(whole, at));
    at = f.text.n;
    n = add_folded(&f, base);
    add_folded(&f, str_from(whole, base.n ? (size_t)(base.p - whole.p) + base.n : 0));
    pack_bytes(out, buf_str(&f.text));
    write_part(out, at, n);
    *cut = f.cut;
    buf_free(&text);
    buf_free(&f.text);
}

struct part {
    size_t at, n;
};

static struct part add_part(struct folded *f, struct str s)
{
    size_t at = f->text.n;

    return (struct part){at, add_folded(f, s)};
}

static struct part add_words(struct folded *f, struct str s)
{
    struct buf text = buf_make(BUF_UNLIMITED); /* as long as the words, or so */
    struct part p;

    if (words_are_plain(s))
        return add_part(f, s);
    words_decode(&text, s);
    p = add_part(f, buf_str(&text));
    buf_free(&text);
    return p;
}

/* "local@domain": all of it, and the local part. */
static struct part add_address(struct folded *f, const struct address_item *item,
                               struct part *local_part)
{
    struct part all = *local_part = add_part(f, item->local_part);

    if (item->domain.n) {
        all.n += add_folded(f, S("@"));
        all.n += add_folded(f, item->domain);
    }
    return all;
}

/* IMAP's envelope calls the name of a group its mailbox (RFC 9051 §7.5.2), and so do the rules of sorting. */
static void add_item(struct folded *f, const struct address_item *item, struct part *mailbox,
                     struct part *display)
{
    struct part name = {0}, address;

    if (item->kind == ADDRESS_GROUP) {
        *mailbox = *display = add_words(f, item->name);
        add_folded(f, S(":"));
        return;
    }
    if (item->name.n) {
        name = add_words(f, item->name);
        add_folded(f, S(" <"));
    }
    address = add_address(f, item, mailbox);
    if (item->name.n)
        add_folded(f, S(">"));
    *display = name.n ? name : address;
}

static void write_addresses(struct buf *out, struct str body, bool *cut)
{
    struct address_list l = address_list_make(body);
    struct part mailbox = {0}, display = {0}, ignored;
    struct folded f = folded_make();
    struct address_item item;
    bool first = true, after_group = false;

    while (!f.cut && take_address_item(&l, &item)) {
        if (item.kind == ADDRESS_GROUP_END) {
            add_folded(&f, S(";"));
            continue;
        }
        if (!first)
            add_folded(&f, after_group ? S(" ") : S(", "));
        add_item(&f, &item, first ? &mailbox : &ignored, first ? &display : &ignored);
        after_group = item.kind == ADDRESS_GROUP;
        first = false;
    }
    pack_bytes(out, buf_str(&f.text));
    write_part(out, mailbox.at, mailbox.n);
    write_part(out, display.at, display.n);
    *cut = f.cut;
    address_list_free(&l);
    buf_free(&f.text);
}

/* The first field of each name counts; of more than one, not all is known. */
static void write_texts(struct buf *out, const struct header_found found[FIELD_COUNT], unsigned *has,
                        unsigned *whole, bool *is_reply)
{
    for (unsigned i = 0; i < TEXT_COUNT; i++) {
        bool cut;

        if (i == SUBJECT)
            write_subject(out, found[i].body, is_reply, &cut);
        else
            write_addresses(out, found[i].body, &cut);
        *has |= (found[i].count > 0) << i;
        *whole |= (!cut && found[i].count <= 1) << i;
    }
}

static size_t add_ids(struct buf *out, struct str body, size_t most)
{
    struct str id;
    size_t n = 0;

    while (n < most && take_message_id(&body, &id)) {
        pack_key_u64(out, message_id_number(id));
        n++;
    }
    return n;
}

/* Most programs write the parent into both fields: that one need not be kept twice. */
static void write_answered(struct buf *out, struct str ids, struct str references)
{
    struct str parent = str_from(references, references.n > 8 ? references.n - 8 : 0);
    struct buf others = buf_make(FACTS_ANSWERED_MAX * 8);

    for (; ids.n; ids = str_from(ids, 8))
        if (!str_same(str_upto(ids, 8), parent))
            buf_add(&others, str_upto(ids, 8));
    pack_bytes(out, buf_str(&others));
    buf_free(&others);
}

/* RFC 5256 §3: those of References, or else the first of In-Reply-To. */
static void write_references(struct buf *out, struct str references, struct str in_reply_to)
{
    struct buf ids = buf_make(BUF_UNLIMITED); /* shorter than the header */
    struct buf answered = buf_make(FACTS_ANSWERED_MAX * 8);
    size_t n = add_ids(&ids, references, SIZE_MAX);
    struct str all;

    add_ids(&answered, in_reply_to, FACTS_ANSWERED_MAX);
    if (n == 0 && answered.n) {
        buf_add(&ids, str_upto(buf_str(&answered), 8));
        n = 1;
    }
    all = buf_str(&ids);
    if (n <= FACTS_REFERENCES_MAX) {
        pack_bytes(out, all);
    } else {
        struct buf some = buf_make(FACTS_REFERENCES_MAX * 8);

        buf_add(&some, str_upto(all, FIRST_REFERENCES * 8));
        buf_add(&some, str_from(all, (n - FACTS_REFERENCES_MAX + FIRST_REFERENCES) * 8));
        pack_bytes(out, buf_str(&some));
        buf_free(&some);
    }
    write_answered(out, buf_str(&answered), all);
    buf_free(&answered);
    buf_free(&ids);
}

/* Message-ID, once as it is and once folded. What stands beside the id, nobody knows. */
static void write_message_id(struct buf *out, const struct header_found *found, unsigned *has,
                             unsigned *whole)
{
    struct buf folded = buf_make(BUF_UNLIMITED); /* by MESSAGE_ID_MAX */
    struct str body = found->body, id;
    bool there = take_message_id(&body, &id);

    if (there)
        casemap(&folded, id);
    pack_key_u64(out, there ? message_id_number(id) : 0);
    pack_key_u64(out, there ? message_id_number(buf_str(&folded)) : 0);
    *has |= found->count ? FACTS_MESSAGE_ID : 0;
    if (found->count == 0 || (found->count == 1 && there && str_trim(body).n == 0))
        *whole |= FACTS_MESSAGE_ID;
    buf_free(&folded);
}

/* Small numbers of either sign are short. */
static uint64_t zigzag(int64_t v)
{
    return (uint64_t)v << 1 ^ (v < 0 ? UINT64_MAX : 0);
}

static int64_t unzigzag(uint64_t v)
{
    return (int64_t)(v >> 1 ^ (v & 1 ? UINT64_MAX : 0));
}

void facts_write(struct buf *out, struct str header)
{
    struct buf texts = buf_make(BUF_UNLIMITED), ids = buf_make(16); /* texts: by FACTS_TEXT_MAX */
    struct header_found found[FIELD_COUNT];
    unsigned has = 0, whole = 0, flags = 0;
    bool is_reply = false;
    int64_t ms = 0;
    int zone = 0;

    find_header_fields(header, names, FIELD_COUNT, found);
    if (date_parse(found[DATE].body, &ms, &zone))
        flags |= HAS_DATE;
    write_texts(&texts, found, &has, &whole, &is_reply);
    write_message_id(&ids, &found[MESSAGE_ID], &has, &whole);
    flags |= is_reply ? IS_REPLY : 0;
    pack_u64(out, FACTS_VERSION);
    pack_u64(out, flags);
    pack_u64(out, has);
    pack_u64(out, whole);
    pack_u64(out, zigzag(ms));
    pack_u64(out, zigzag(zone));
    buf_add(out, buf_str(&ids));
    write_references(out, found[REFERENCES].body, found[IN_REPLY_TO].body);
    buf_add(out, buf_str(&texts));
    buf_free(&texts);
    buf_free(&ids);
}

/* ---- reading ---- */

static struct str read_part(struct unpack *u, struct str text)
{
    uint64_t at = unpack_number(u, text.n), n = unpack_number(u, text.n - at);

    return str_upto(str_from(text, (size_t)at), (size_t)n);
}

static void read_addresses(struct unpack *u, struct facts_addresses *a)
{
    a->text = unpack_bytes(u);
    a->mailbox = read_part(u, a->text);
    a->display = read_part(u, a->text);
}

static void read_date(struct unpack *u, struct facts *out)
{
    int64_t most = (int64_t)1 << 50, local;
    uint64_t ms = unpack_number(u, (uint64_t)most), zone = unpack_number(u, 4 * 24 * 60);

    out->date_ms = unzigzag(ms);
    local = out->date_ms + unzigzag(zone) * 60 * 1000;
    out->sent_day = (int32_t)(local / DAY_MS - (local % DAY_MS < 0));
}

bool facts_read(struct str packed, struct facts *out)
{
    struct unpack u = unpack_begin(packed);
    struct facts f = {0};
    uint64_t flags;
    bool good;

    if (unpack_u64(&u) != FACTS_VERSION)
        u.ok = false;
    flags = unpack_u64(&u);
    f.has_date = flags & HAS_DATE;
    f.is_reply = flags & IS_REPLY;
    f.has = (unsigned)unpack_number(&u, ALL_FIELDS);
    f.whole = (unsigned)unpack_number(&u, ALL_FIELDS);
    read_date(&u, &f);
    f.message_id = unpack_key_u64(&u);
    f.folded_id = unpack_key_u64(&u);
    f.references = unpack_bytes(&u);
    f.answered = unpack_bytes(&u);
    f.subject = unpack_bytes(&u);
    f.base_subject = read_part(&u, f.subject);
    read_addresses(&u, &f.from);
    read_addresses(&u, &f.to);
    read_addresses(&u, &f.cc);
    read_addresses(&u, &f.bcc);
    good = unpack_done(&u) && f.references.n % 8 == 0 && f.answered.n % 8 == 0 &&
           f.answered.n <= FACTS_ANSWERED_MAX * 8;
    *out = good ? f : (struct facts){0};
    return good;
}

unsigned facts_field(struct str name)
{
    for (unsigned i = 0; i < TEXT_COUNT; i++)
        if (str_same_nocase(name, names[i]))
            return 1u << i;
    return str_same_nocase(name, names[MESSAGE_ID]) ? FACTS_MESSAGE_ID : 0;
}

static struct str text_of(const struct facts *f, unsigned field)
{
    switch (field) {
    case FACTS_SUBJECT:
        return f->subject;
    case FACTS_FROM:
        return f->from.text;
    case FACTS_TO:
        return f->to.text;
    case FACTS_CC:
        return f->cc.text;
    default:
        return f->bcc.text;
    }
}

/* White space that is drawn together here, and what addresses lose: quotes, brackets, comments. */
static bool is_written_otherwise(struct str text, bool address)
{
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];

        if ((unsigned char)c < ' ' || (c == ' ' && i > 0 && text.p[i - 1] == ' '))
            return true;
        if (address && strchr("<>()\",:;\\", c))
            return true;
    }
    return false;
}

static bool is_whole_id(struct str text)
{
    struct str rest = text, id;

    return take_message_id(&rest, &id) && str_same(id, text);
}

bool facts_can_tell(unsigned field, struct str folded)
{
    if (folded.n == 0)
        return true;
    return field == FACTS_MESSAGE_ID ? is_whole_id(folded)
                                     : !is_written_otherwise(folded, field != FACTS_SUBJECT);
}

static enum facts_answer search_id(const struct facts *f, struct str folded)
{
    if (!(f->has & FACTS_MESSAGE_ID))
        return FACTS_NO;
    if (!(f->whole & FACTS_MESSAGE_ID) || !is_whole_id(folded))
        return FACTS_ASK_HEADER;
    return message_id_number(folded) == f->folded_id ? FACTS_YES : FACTS_NO;
}

enum facts_answer facts_search(const struct facts *f, unsigned field, struct str folded)
{
    size_t at;

    if (folded.n == 0)
        return f->has & field ? FACTS_YES : FACTS_NO;
    if (field == FACTS_MESSAGE_ID)
        return search_id(f, folded);
    if (find_bytes(text_of(f, field), folded, &at))
        return FACTS_YES;
    return f->whole & field && facts_can_tell(field, folded) ? FACTS_NO : FACTS_ASK_HEADER;
}

size_t facts_reference_count(struct str references)
{
    return references.n / 8;
}

uint64_t facts_reference(struct str references, size_t i)
{
    struct unpack u = unpack_begin(str_from(references, i * 8));

    return unpack_key_u64(&u);
}
