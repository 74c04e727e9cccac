/* Whatever a message and whatever is asked of it: a range lies inside the message, its bytes decode to the same wherever
 * they are cut, and HEADER.FIELDS and HEADER.FIELDS.NOT divide a header between them. The first line is the section. */
#include "mail/section.h"

#include "mail/header.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PREFIX 10

static struct imap_section parse(struct str s, uint32_t numbers[10])
{
    struct imap_section out = {.part = numbers};
    uint64_t v;

    while (out.part_depth < 10 && take_u64(&s, &v)) {
        numbers[out.part_depth++] = (uint32_t)v;
        take_char(&s, '.');
    }
    if (s.n)
        out.text = (enum imap_section_text)((unsigned char)s.p[0] % (IMAP_SECTION_MIME + 1));
    return out;
}

static void decode(struct buf *out, enum transfer_encoding encoding, bool crlf, struct str in,
                   size_t step)
{
    struct binary b = binary_begin(encoding, crlf);
    struct buf room = buf_make(BUF_UNLIMITED);

    for (; in.n; in = str_from(in, step))
        buf_add(out, binary_next(&b, str_upto(in, step), &room));
    buf_add(out, binary_end(&b, &room));
    buf_free(&room);
}

static void check_decoding(struct str in, enum transfer_encoding encoding, bool crlf)
{
    struct buf whole = buf_make(BUF_UNLIMITED), cut = buf_make(BUF_UNLIMITED);

    decode(&whole, encoding, crlf, in, in.n ? in.n : 1);
    decode(&cut, encoding, crlf, in, 1 + in.n % 7);
    assert(in.n > TRANSFER_HELD || str_same(buf_str(&whole), buf_str(&cut)));
    buf_free(&whole);
    buf_free(&cut);
}

static void filter(struct buf *out, enum imap_section_text text, struct str header, size_t step)
{
    static const struct str names[] = {S("Subject"), S("a"), S("Content-Type")};
    struct imap_section s = {.text = text, .fields = names, .field_count = 3};
    struct header_filter f = header_filter_begin(&s);

    for (; header.n; header = str_from(header, step))
        header_filter_feed(&f, str_upto(header, step), out);
    header_filter_end(&f, out);
}

static void check_filter(struct str header)
{
    struct buf fields = buf_make(BUF_UNLIMITED), others = buf_make(BUF_UNLIMITED),
               cut = buf_make(BUF_UNLIMITED);
    struct header_field f;
    struct str rest = header;
    size_t n = 0;

    filter(&fields, IMAP_SECTION_FIELDS, header, header.n ? header.n : 1);
    filter(&others, IMAP_SECTION_FIELDS_NOT, header, 1 + header.n % 7);
    filter(&cut, IMAP_SECTION_FIELDS, header, 1);
    assert(str_same(buf_str(&fields), buf_str(&cut)));
    while (take_header_field(&rest, &f))
        if (str_same_nocase(f.name, S("subject")) || str_same_nocase(f.name, S("a")) ||
            str_same_nocase(f.name, S("content-type")))
            n += f.whole.n;
    assert(fields.n == n + rest.n && fields.n + others.n == header.n + rest.n);
    buf_free(&fields);
    buf_free(&others);
    buf_free(&cut);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str in = {(const char *)data, size}, first;
    struct mime_source source = mime_source_of(&in);
    struct mime m;
    enum transfer_encoding encoding;
    struct section_range r;
    uint32_t numbers[10];
    struct imap_section s;
    bool crlf, failed;

    if (!take_until(&in, '\n', &first))
        return 0;
    s = parse(first, numbers);
    m = mime_make();
    mime_feed(&m, in);
    mime_end(&m);
    if (section_find(&s, m.parts, m.count, PREFIX, &r))
        assert(r.at + r.n <= in.n + PREFIX && r.part < m.count);
    s.text = IMAP_SECTION_ALL;
    if (section_find_binary(&s, m.parts, m.count, 0, &source, &r, &encoding, &crlf, &failed)) {
        assert(r.at + r.n <= in.n && !failed);
        check_decoding(str_upto(str_from(in, r.at), r.n), encoding, crlf);
    }
    check_filter(str_upto(in, header_length(in)));
    mime_free(&m);
    return 0;
}
