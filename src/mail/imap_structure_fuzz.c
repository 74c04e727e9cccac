/* Any message gives lists that an IMAP client can read: brackets pair, quotes close, literals are as long as they say. */
#include "mail/imap_structure.h"

#include "mail/header.h"
#include "mail/preview.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void skip_literal(struct str *in)
{
    uint64_t n;

    assert(take_char(in, '{') && take_u64(in, &n) && take_text(in, S("}\r\n")) && n <= in->n);
    assert(!memchr(in->p, '\0', n));
    *in = str_from(*in, n);
}

static void skip_quoted(struct str *in)
{
    assert(take_char(in, '"'));
    while (!take_char(in, '"')) {
        take_char(in, '\\');
        assert(in->n && (is_printable(in->p[0]) || in->p[0] == '\t'));
        *in = str_from(*in, 1);
    }
}

static void check_lists(struct str in)
{
    size_t depth = 0;

    while (in.n) {
        if (in.p[0] == '{') {
            skip_literal(&in);
        } else if (in.p[0] == '"') {
            skip_quoted(&in);
        } else {
            depth += in.p[0] == '(';
            assert(in.p[0] != ')' || depth-- > 0);
            assert(strchr("() NIL0123456789", in.p[0]));
            in = str_from(in, 1);
        }
    }
    assert(depth == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str in = {(const char *)data, size};
    struct mime_source source = mime_source_of(&in);
    struct buf out = buf_make(BUF_UNLIMITED), shorter = buf_make(BUF_UNLIMITED);
    struct mime m = mime_make();

    mime_feed(&m, in);
    mime_end(&m);
    assert(imap_structure_write(&out, m.parts, m.count, &source, true));
    check_lists(buf_str(&out));
    imap_structure_shorten(&shorter, buf_str(&out));
    buf_clear(&out);
    assert(imap_structure_write(&out, m.parts, m.count, &source, false));
    assert(str_same(buf_str(&shorter), buf_str(&out)));
    buf_clear(&out);
    imap_structure_shorten(&out, in); /* anything else gives a list as well */
    buf_clear(&out);
    imap_structure_decode(&out, in); /* whatever it is */
    buf_clear(&out);
    imap_envelope_write(&out, str_upto(in, header_length(in)));
    check_lists(buf_str(&out));
    buf_clear(&out);
    assert(preview_write(&out, m.parts, m.count, &source));
    assert(is_utf8(buf_str(&out)) && out.n <= 4 * PREVIEW_CHARACTERS);
    mime_free(&m);
    buf_free(&out);
    buf_free(&shorter);
    return 0;
}
