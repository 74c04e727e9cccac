/* A part's header is read when it is needed and forgotten before its children are written, so that memory does not
 * grow with depth. */
#include "mail/imap_structure.h"

#include "mail/address_list.h"
#include "mail/content.h"
#include "mail/header.h"
#include "mail/params.h"
#include "proto/imap_string.h"

static bool read_str(void *ctx, uint64_t at, size_t n, struct buf *out)
{
    const struct str *message = ctx;

    buf_add(out, at < message->n ? str_upto(str_from(*message, (size_t)at), n) : STR_NONE);
    return true;
}

struct mime_source mime_source_of(struct str *message)
{
    return (struct mime_source){read_str, message, *message};
}

bool mime_bytes(const struct mime_source *source, uint64_t at, uint64_t n, struct buf *room,
                struct str *out)
{
    struct str whole = source->whole;

    if (whole.p) {
        *out = at < whole.n ? str_upto(str_from(whole, (size_t)at), (size_t)n) : STR_NONE;
        return true;
    }
    buf_clear(room);
    if (!source->read(source->ctx, at, (size_t)n, room))
        return false;
    *out = buf_str(room);
    return true;
}

static uint64_t header_size(const struct mime_part *p)
{
    uint64_t n = p->body - p->start;

    return n < MIME_HEADER_READ_MAX ? n : MIME_HEADER_READ_MAX;
}

bool mime_header(const struct mime_part *parts, size_t i, const struct mime_source *source,
                 struct buf *room, struct str *out)
{
    return mime_bytes(source, parts[i].start, header_size(&parts[i]), room, out);
}

bool mime_read_header(const struct mime_part *parts, size_t i, const struct mime_source *source,
                      struct buf *out)
{
    return source->read(source->ctx, parts[i].start, (size_t)header_size(&parts[i]), out);
}

/* One line that holds nothing to be taken out. */
static bool is_unfolded(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < ' ' && s.p[i] != '\t')
            return false;
    return true;
}

/* A field's body as an nstring: absent is NIL, present but empty "". */
static void write_body(struct buf *out, struct str body)
{
    struct buf text = buf_make(MIME_HEADER_READ_MAX);

    if (!body.p) {
        buf_add(out, S("NIL"));
        return;
    }
    if (is_unfolded(body)) { /* most are */
        imap_string_write(out, str_trim(body));
        return;
    }
    header_unfold(&text, body);
    imap_string_write(out, buf_str(&text));
    buf_free(&text);
}

static void write_address(struct buf *out, const struct address_item *i)
{
    buf_add_char(out, '(');
    imap_nstring_write(out, i->kind == ADDRESS_MAILBOX ? i->name : STR_NONE);
    buf_add_char(out, ' ');
    imap_nstring_write(out, i->route);
    buf_add_char(out, ' ');
    if (i->kind == ADDRESS_MAILBOX)
        imap_string_write(out, i->local_part);
    else
        imap_nstring_write(out, i->name); /* a group's name, or NIL at its end */
    buf_add_char(out, ' ');
    if (i->kind == ADDRESS_MAILBOX)
        imap_string_write(out, i->domain);
    else
        buf_add(out, S("NIL"));
    buf_add_char(out, ')');
}

/* env-from and its like: what was written, which is nothing when there is no address. */
static size_t write_addresses(struct buf *out, struct str body)
{
    struct address_list l = address_list_make(body);
    struct address_item item;
    size_t begin = out->n;

    while (take_address_item(&l, &item)) {
        if (out->n == begin)
            buf_add_char(out, '(');
        write_address(out, &item);
    }
    if (out->n > begin)
        buf_add_char(out, ')');
    address_list_free(&l);
    return out->n - begin;
}

/* Of doubled fields the first counts. §7.5.2: Sender and Reply-To are From when they are missing. */
void imap_envelope_write(struct buf *out, struct str header)
{
    enum { DATE, SUBJECT, FROM, SENDER, REPLY_TO, TO, CC, BCC, IN_REPLY_TO, MESSAGE_ID, COUNT };
    static const struct str names[COUNT] = {S("Date"),        S("Subject"),   S("From"), S("Sender"),
                                            S("Reply-To"),    S("To"),        S("Cc"),   S("Bcc"),
                                            S("In-Reply-To"), S("Message-ID")};
    struct header_found found[COUNT];
    struct buf from = buf_make(BUF_UNLIMITED); /* by the field's length */

    find_header_fields(header, names, COUNT, found);
    for (size_t i = 0; i < COUNT; i++) {
        buf_add_char(out, i ? ' ' : '(');
        if (i < FROM || i > BCC) {
            write_body(out, found[i].body);
            continue;
        }
        if (i == FROM) {
            if (write_addresses(&from, found[i].body) == 0)
                buf_add(&from, S("NIL"));
            buf_add(out, buf_str(&from));
        } else if (write_addresses(out, found[i].body) == 0) {
            buf_add(out, i < TO ? buf_str(&from) : S("NIL"));
        }
    }
    buf_add_char(out, ')');
    buf_free(&from);
}

/* What all parts of one structure share. */
struct writer {
    struct buf *out;
    const struct mime_part *parts;
    size_t count;
    const struct mime_source *source;
    bool extended, failed;
};

/* What told its charset is given in the manner of RFC 2231, whatever it was cut into: IMAP4rev1's clients read it, and it
 * needs no literal. For those of IMAP4rev2 imap_structure_decode() makes of it what RFC 9051 wants. */
static void write_param(struct buf *out, const struct param *p)
{
    struct buf text = buf_make(BUF_UNLIMITED); /* by the header */

    buf_add(&text, p->name);
    if (p->extended)
        buf_add_char(&text, '*');
    imap_string_write(out, buf_str(&text));
    buf_add_char(out, ' ');
    buf_clear(&text);
    if (p->extended) {
        buf_add(&text, S(PARAM_UTF8));
        percent_encode(&text, p->value);
    }
    imap_string_write(out, p->extended ? buf_str(&text) : p->value);
    buf_free(&text);
}

/* body-fld-param: ("name" "value" …), or NIL */
static void write_params(struct buf *out, struct str text)
{
    struct params p = params_read(text);

    for (size_t i = 0; i < p.count; i++) {
        buf_add_char(out, i ? ' ' : '(');
        write_param(out, &p.items[i]);
    }
    buf_add_c(out, p.count ? ")" : "NIL");
    params_free(&p);
}

/* body-fld-dsp: ("attachment" (params)), or NIL */
static void write_disposition(struct buf *out, struct str body)
{
    struct str token, params;

    if (!parse_content_token(body, &token, &params)) {
        buf_add(out, S("NIL"));
        return;
    }
    buf_add_char(out, '(');
    imap_string_write(out, token);
    buf_add_char(out, ' ');
    write_params(out, params);
    buf_add_char(out, ')');
}

/* body-fld-lang: RFC 3282's list of tags, or NIL */
static void write_language(struct buf *out, struct str body)
{
    struct str tag;
    bool any = false;

    for (skip_cfws(&body); take_mime_token(&body, &tag); skip_cfws(&body)) {
        buf_add_char(out, any ? ' ' : '(');
        any = true;
        imap_string_write(out, tag);
        skip_cfws(&body);
        take_char(&body, ',');
    }
    buf_add_c(out, any ? ")" : "NIL");
}

/* What is told of a part: its fields, of each the first. */
enum { TYPE, ID, DESCRIPTION, ENCODING, MD5, DISPOSITION, LANGUAGE, LOCATION, PART_FIELDS };

struct part_header {
    struct buf room;
    struct header_found found[PART_FIELDS];
};

/* The extension data that all parts end with: disposition, language, location. */
static void write_extension(struct buf *out, const struct part_header *h)
{
    buf_add_char(out, ' ');
    write_disposition(out, h->found[DISPOSITION].body);
    buf_add_char(out, ' ');
    write_language(out, h->found[LANGUAGE].body);
    buf_add_char(out, ' ');
    write_body(out, h->found[LOCATION].body);
}

static struct str read_header(struct writer *w, size_t i, struct buf *room)
{
    struct str header = STR_NONE;

    if (!w->failed && !mime_header(w->parts, i, w->source, room, &header))
        w->failed = true;
    return header;
}

static void open_header(struct writer *w, size_t i, struct part_header *h)
{
    static const struct str names[PART_FIELDS] = {
        S("Content-Type"),        S("Content-ID"),
        S("Content-Description"), S("Content-Transfer-Encoding"),
        S("Content-MD5"),         S("Content-Disposition"),
        S("Content-Language"),    S("Content-Location")};

    h->room = buf_make(MIME_HEADER_READ_MAX);
    find_header_fields(read_header(w, i, &h->room), names, PART_FIELDS, h->found);
}

/* The type, as far as the tree agrees: what has no children is not called a multipart or a message, since IMAP's
 * grammar then wants some. */
static struct content_type type_of(const struct writer *w, size_t i, const struct part_header *h)
{
    static const struct content_type none = {S("text"), S("plain"), S("; charset=us-ascii")};
    static const struct content_type digest = {S("message"), S("rfc822"), STR_NONE};
    static const struct content_type opaque = {S("application"), S("octet-stream"), STR_NONE};
    const struct mime_part *p = &w->parts[i];
    struct content_type t = p->kind == MIME_MESSAGE ? digest : none;
    bool message;

    parse_content_type(h->found[TYPE].body, &t);
    message = is_content_type(&t, S("message"), S("rfc822")) ||
              is_content_type(&t, S("message"), S("global"));
    if (p->kind == MIME_LEAF && (message || is_content_type(&t, S("multipart"), STR_NONE)))
        return opaque;
    return p->kind == MIME_MESSAGE && !message ? digest : t;
}

/* body-fields, without the brackets: type, subtype, parameters, id, description, encoding, size */
static bool write_basic(struct writer *w, size_t i, const struct part_header *h)
{
    const struct mime_part *p = &w->parts[i];
    struct content_type t = type_of(w, i, h);
    struct str encoding = S("7bit"), rest;

    imap_string_write(w->out, t.type);
    buf_add_char(w->out, ' ');
    imap_string_write(w->out, t.subtype);
    buf_add_char(w->out, ' ');
    write_params(w->out, t.params);
    buf_add_char(w->out, ' ');
    write_body(w->out, h->found[ID].body);
    buf_add_char(w->out, ' ');
    write_body(w->out, h->found[DESCRIPTION].body);
    buf_add_char(w->out, ' ');
    parse_content_token(h->found[ENCODING].body, &encoding, &rest);
    imap_string_write(w->out, encoding);
    buf_add_char(w->out, ' ');
    buf_add_u64(w->out, p->end - p->body);
    return str_same_nocase(t.type, S("text"));
}

static void write_lines(struct writer *w, size_t i)
{
    buf_add_char(w->out, ' ');
    buf_add_u64(w->out, w->parts[i].lines);
}

static void write_one_extension(struct writer *w, const struct part_header *h)
{
    if (!w->extended)
        return;
    buf_add_char(w->out, ' ');
    write_body(w->out, h->found[MD5].body);
    write_extension(w->out, h);
}

static void write_leaf(struct writer *w, size_t i)
{
    struct part_header h;

    open_header(w, i, &h);
    buf_add_char(w->out, '(');
    if (write_basic(w, i, &h))
        write_lines(w, i);
    write_one_extension(w, &h);
    buf_add_char(w->out, ')');
    buf_free(&h.room);
}

static size_t write_part(struct writer *w, size_t i);

/* body-type-msg: basic fields, then the envelope, structure and lines of the message inside */
static size_t write_message(struct writer *w, size_t i)
{
    struct buf inside = buf_make(MIME_HEADER_READ_MAX);
    struct part_header h;
    size_t next;

    open_header(w, i, &h);
    buf_add_char(w->out, '(');
    write_basic(w, i, &h);
    buf_free(&h.room);
    buf_add_char(w->out, ' ');
    imap_envelope_write(w->out, read_header(w, i + 1, &inside));
    buf_free(&inside);
    buf_add_char(w->out, ' ');
    next = write_part(w, i + 1);
    write_lines(w, i);
    open_header(w, i, &h);
    write_one_extension(w, &h);
    buf_add_char(w->out, ')');
    buf_free(&h.room);
    return next;
}

/* body-type-mpart: 1*body SP media-subtype. One that has no parts gets an empty text, for the grammar's sake. */
static size_t write_multipart(struct writer *w, size_t i)
{
    struct part_header h;
    struct content_type t;
    size_t next = i + 1;

    buf_add_char(w->out, '(');
    while (next < w->count && w->parts[next].parent == i)
        next = write_part(w, next);
    if (next == i + 1)
        buf_add(w->out, S("(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0)"));
    open_header(w, i, &h);
    t = type_of(w, i, &h);
    buf_add_char(w->out, ' ');
    imap_string_write(w->out, t.subtype);
    if (w->extended) {
        buf_add_char(w->out, ' ');
        write_params(w->out, t.params);
        write_extension(w->out, &h);
    }
    buf_add_char(w->out, ')');
    buf_free(&h.room);
    return next;
}

/* Gives the index behind the part and all it holds. As deep as the tree, which is MIME_DEPTH_MAX at most. */
static size_t write_part(struct writer *w, size_t i)
{
    if (w->parts[i].kind == MIME_MULTIPART)
        return write_multipart(w, i);
    if (w->parts[i].kind == MIME_MESSAGE)
        return write_message(w, i);
    write_leaf(w, i);
    return i + 1;
}

bool imap_structure_write(struct buf *out, const struct mime_part *parts, size_t count,
                          const struct mime_source *source, bool extended)
{
    struct writer w = {out, parts, count, source, extended, false};

    write_part(&w, 0);
    return !w.failed;
}

/* ---- BODY from BODYSTRUCTURE ---- */

/* Deeper than any that is written: a message inside a message takes two levels, addresses in envelopes three more. */
#define SHORTEN_DEPTH (MIME_DEPTH_MAX * 2 + 10)

static bool skip_quoted(struct str *in)
{
    for (size_t i = 1; i < in->n; i++)
        if (in->p[i] == '\\')
            i++;
        else if (in->p[i] == '"')
            return *in = str_from(*in, i + 1), true;
    return false;
}

static bool skip_literal(struct str *in)
{
    struct str s = str_from(*in, 1);
    uint64_t n;

    if (!take_u64(&s, &n) || !take_text(&s, S("}\r\n")) || n > s.n)
        return false;
    *in = str_from(s, (size_t)n);
    return true;
}

static bool skip_atom(struct str *in)
{
    size_t n = 0;

    while (n < in->n && is_alnum(in->p[n]))
        n++;
    *in = str_from(*in, n);
    return n > 0;
}

/* A string, NIL, a number or a list with all that is in it. */
static bool skip_value(struct str *in)
{
    struct str s = *in;
    size_t depth = 0;

    do {
        bool good = true;

        take_char(&s, ' ');
        if (take_char(&s, '('))
            depth++;
        else if (depth && take_char(&s, ')'))
            depth--;
        else if (s.n && s.p[0] == '"')
            good = skip_quoted(&s);
        else if (s.n && s.p[0] == '{')
            good = skip_literal(&s);
        else
            good = skip_atom(&s);
        if (!good)
            return false;
    } while (depth);
    *in = s;
    return true;
}

static bool copy_values(struct buf *out, struct str *in, size_t count)
{
    struct str s = *in;

    while (count--)
        if (!skip_value(&s))
            return false;
    buf_add(out, str_upto(*in, in->n - s.n));
    *in = s;
    return true;
}

/* The extension data up to the closing bracket is left out. */
static bool end_body(struct buf *out, struct str *in)
{
    while (in->n && in->p[0] == ' ')
        if (!skip_value(in))
            return false;
    buf_add_char(out, ')');
    return take_char(in, ')');
}

static bool shorten_body(struct buf *out, struct str *in, unsigned depth);

/* Behind the seven basic fields: of text its lines, of a message its envelope, body and lines. */
static bool shorten_rest(struct buf *out, struct str *in, unsigned depth)
{
    struct str s = *in;

    if (!take_char(&s, ' ') || s.n == 0)
        return true;
    if (is_digit(s.p[0]))
        return copy_values(out, in, 1);
    if (s.p[0] != '(')
        return true;
    if (!copy_values(out, in, 1) || !take_char(in, ' '))
        return false;
    buf_add_char(out, ' ');
    return shorten_body(out, in, depth) && copy_values(out, in, 1);
}

static bool shorten_body(struct buf *out, struct str *in, unsigned depth)
{
    bool good;

    if (depth == SHORTEN_DEPTH || !take_char(in, '('))
        return false;
    buf_add_char(out, '(');
    if (in->n && in->p[0] == '(') {
        for (good = true; good && in->n && in->p[0] == '(';)
            good = shorten_body(out, in, depth + 1);
        good = good && copy_values(out, in, 1); /* the subtype */
    } else {
        good = copy_values(out, in, 7) && shorten_rest(out, in, depth + 1);
    }
    return good && end_body(out, in);
}

void imap_structure_shorten(struct buf *out, struct str bodystructure)
{
    size_t before = out->n;

    if (shorten_body(out, &bodystructure, 0) || out->full)
        return;
    out->n = before;
    buf_add(out, S("(\"text\" \"plain\" NIL NIL NIL \"7bit\" 0 0)"));
}
