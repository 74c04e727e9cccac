/* A part's header is read when it is needed and forgotten before its children are written, so that memory does not
 * grow with depth. */
#include "mail/imap_structure.h"

#include "mail/address_list.h"
#include "mail/content.h"
#include "mail/header.h"
#include "proto/imap_string.h"

static bool read_str(void *ctx, uint64_t at, size_t n, struct buf *out)
{
    const struct str *message = ctx;

    buf_add(out, at < message->n ? str_upto(str_from(*message, (size_t)at), n) : STR_NONE);
    return true;
}

struct mime_source mime_source_of(struct str *message)
{
    return (struct mime_source){read_str, message};
}

bool mime_read_header(const struct mime_part *parts, size_t i, const struct mime_source *source,
                      struct buf *out)
{
    uint64_t n = parts[i].body - parts[i].start;

    return source->read(source->ctx, parts[i].start,
                        n < MIME_HEADER_READ_MAX ? (size_t)n : MIME_HEADER_READ_MAX, out);
}

/* A field as an nstring: absent is NIL, present but empty "". */
static void write_field(struct buf *out, struct str header, struct str name)
{
    struct buf text = buf_make(MIME_HEADER_READ_MAX);
    struct header_field f;

    if (!find_header_field(header, name, &f)) {
        buf_add(out, S("NIL"));
        return;
    }
    header_unfold(&text, f.body);
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

/* env-from and its like: NIL when there is no address. Of doubled fields the first counts. */
static bool write_addresses(struct buf *out, struct str header, struct str name)
{
    struct address_item item;
    struct header_field f;
    struct address_list l;
    bool any = false;

    if (!find_header_field(header, name, &f))
        return false;
    l = address_list_make(f.body);
    while (take_address_item(&l, &item)) {
        if (!any)
            buf_add_char(out, '(');
        any = true;
        write_address(out, &item);
    }
    if (any)
        buf_add_char(out, ')');
    address_list_free(&l);
    return any;
}

static void write_addresses_or(struct buf *out, struct str header, const char *name,
                               const char *instead)
{
    if (!write_addresses(out, header, str_from_c(name)) &&
        !write_addresses(out, header, str_from_c(instead)))
        buf_add(out, S("NIL"));
    buf_add_char(out, ' ');
}

void imap_envelope_write(struct buf *out, struct str header)
{
    /* §7.5.2: Sender and Reply-To are From when they are missing. */
    static const char *const fields[][2] = {{"From", "From"}, {"Sender", "From"}, {"Reply-To", "From"},
                                            {"To", "To"},     {"Cc", "Cc"},       {"Bcc", "Bcc"}};

    buf_add_char(out, '(');
    write_field(out, header, S("Date"));
    buf_add_char(out, ' ');
    write_field(out, header, S("Subject"));
    buf_add_char(out, ' ');
    for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++)
        write_addresses_or(out, header, fields[i][0], fields[i][1]);
    write_field(out, header, S("In-Reply-To"));
    buf_add_char(out, ' ');
    write_field(out, header, S("Message-ID"));
    buf_add_char(out, ')');
}

/* What all parts of one structure share. */
struct writer {
    struct buf *out;
    const struct mime_part *parts;
    size_t count;
    const struct mime_source *source;
    bool extended, failed;
};

/* body-fld-param: ("name" "value" …), or NIL */
static void write_params(struct buf *out, struct str params)
{
    struct buf value = buf_make(MIME_HEADER_READ_MAX);
    struct str name;
    bool any = false;

    while (take_param(&params, &name, &value)) {
        buf_add_char(out, any ? ' ' : '(');
        any = true;
        imap_string_write(out, name);
        buf_add_char(out, ' ');
        imap_string_write(out, buf_str(&value));
    }
    buf_add_c(out, any ? ")" : "NIL");
    buf_free(&value);
}

/* body-fld-dsp: ("attachment" (params)), or NIL */
static void write_disposition(struct buf *out, struct str header)
{
    struct header_field f;
    struct str token, params;

    if (!find_header_field(header, S("Content-Disposition"), &f) ||
        !parse_content_token(f.body, &token, &params)) {
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
static void write_language(struct buf *out, struct str header)
{
    struct header_field f;
    struct str tag;
    bool any = false;

    if (find_header_field(header, S("Content-Language"), &f)) {
        for (skip_cfws(&f.body); take_mime_token(&f.body, &tag); skip_cfws(&f.body)) {
            buf_add_char(out, any ? ' ' : '(');
            any = true;
            imap_string_write(out, tag);
            skip_cfws(&f.body);
            take_char(&f.body, ',');
        }
    }
    buf_add_c(out, any ? ")" : "NIL");
}

/* The extension data that all parts end with: disposition, language, location. */
static void write_extension(struct buf *out, struct str header)
{
    buf_add_char(out, ' ');
    write_disposition(out, header);
    buf_add_char(out, ' ');
    write_language(out, header);
    buf_add_char(out, ' ');
    write_field(out, header, S("Content-Location"));
}

static void read_header(struct writer *w, size_t i, struct buf *header)
{
    if (!w->failed && !mime_read_header(w->parts, i, w->source, header))
        w->failed = true;
}

/* The type, as far as the tree agrees: what has no children is not called a multipart or a message, since IMAP's
 * grammar then wants some. */
static struct content_type type_of(const struct writer *w, size_t i, struct str header)
{
    static const struct content_type none = {S("text"), S("plain"), S("; charset=us-ascii")};
    static const struct content_type digest = {S("message"), S("rfc822"), STR_NONE};
    static const struct content_type opaque = {S("application"), S("octet-stream"), STR_NONE};
    const struct mime_part *p = &w->parts[i];
    struct content_type t = p->kind == MIME_MESSAGE ? digest : none;
    struct header_field f;
    bool message;

    if (find_header_field(header, S("Content-Type"), &f))
        parse_content_type(f.body, &t);
    message = is_content_type(&t, S("message"), S("rfc822")) ||
              is_content_type(&t, S("message"), S("global"));
    if (p->kind == MIME_LEAF && (message || is_content_type(&t, S("multipart"), STR_NONE)))
        return opaque;
    return p->kind == MIME_MESSAGE && !message ? digest : t;
}

/* body-fields, without the brackets: type, subtype, parameters, id, description, encoding, size */
static bool write_basic(struct writer *w, size_t i, struct str header)
{
    const struct mime_part *p = &w->parts[i];
    struct content_type t = type_of(w, i, header);
    struct str encoding = S("7bit"), rest;
    struct header_field f;

    imap_string_write(w->out, t.type);
    buf_add_char(w->out, ' ');
    imap_string_write(w->out, t.subtype);
    buf_add_char(w->out, ' ');
    write_params(w->out, t.params);
    buf_add_char(w->out, ' ');
    write_field(w->out, header, S("Content-ID"));
    buf_add_char(w->out, ' ');
    write_field(w->out, header, S("Content-Description"));
    buf_add_char(w->out, ' ');
    if (find_header_field(header, S("Content-Transfer-Encoding"), &f))
        parse_content_token(f.body, &encoding, &rest);
    imap_string_write(w->out, encoding);
    buf_printf(w->out, " %llu", (unsigned long long)(p->end - p->body));
    return str_same_nocase(t.type, S("text"));
}

static void write_lines(struct writer *w, size_t i)
{
    buf_printf(w->out, " %llu", (unsigned long long)w->parts[i].lines);
}

static void write_one_extension(struct writer *w, struct str header)
{
    if (!w->extended)
        return;
    buf_add_char(w->out, ' ');
    write_field(w->out, header, S("Content-MD5"));
    write_extension(w->out, header);
}

static void write_leaf(struct writer *w, size_t i)
{
    struct buf header = buf_make(MIME_HEADER_READ_MAX);

    read_header(w, i, &header);
    buf_add_char(w->out, '(');
    if (write_basic(w, i, buf_str(&header)))
        write_lines(w, i);
    write_one_extension(w, buf_str(&header));
    buf_add_char(w->out, ')');
    buf_free(&header);
}

static size_t write_part(struct writer *w, size_t i);

/* body-type-msg: basic fields, then the envelope, structure and lines of the message inside */
static size_t write_message(struct writer *w, size_t i)
{
    struct buf header = buf_make(MIME_HEADER_READ_MAX);
    size_t next;

    read_header(w, i, &header);
    buf_add_char(w->out, '(');
    write_basic(w, i, buf_str(&header));
    buf_free(&header);
    read_header(w, i + 1, &header);
    buf_add_char(w->out, ' ');
    imap_envelope_write(w->out, buf_str(&header));
    buf_free(&header);
    buf_add_char(w->out, ' ');
    next = write_part(w, i + 1);
    write_lines(w, i);
    read_header(w, i, &header);
    write_one_extension(w, buf_str(&header));
    buf_add_char(w->out, ')');
    buf_free(&header);
    return next;
}

/* body-type-mpart: 1*body SP media-subtype. One that has no parts gets an empty text, for the grammar's sake. */
static size_t write_multipart(struct writer *w, size_t i)
{
    struct buf header = buf_make(MIME_HEADER_READ_MAX);
    struct content_type t;
    size_t next = i + 1;

    buf_add_char(w->out, '(');
    while (next < w->count && w->parts[next].parent == i)
        next = write_part(w, next);
    if (next == i + 1)
        buf_add(w->out, S("(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0)"));
    read_header(w, i, &header);
    t = type_of(w, i, buf_str(&header));
    buf_add_char(w->out, ' ');
    imap_string_write(w->out, t.subtype);
    if (w->extended) {
        buf_add_char(w->out, ' ');
        write_params(w->out, t.params);
        write_extension(w->out, buf_str(&header));
    }
    buf_add_char(w->out, ')');
    buf_free(&header);
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
