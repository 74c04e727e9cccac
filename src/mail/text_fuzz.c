/* Any message gives UTF-8, in pieces that are not empty; and HTML gives the same wherever it is cut at a character. */
#include "mail/text.h"

#include "base/utf8.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void strip(struct buf *out, struct str in, bool in_pieces)
{
    struct html h = html_begin();

    while (in.n) {
        size_t n = in_pieces ? utf8_character_length(in) : in.n;

        html_strip(&h, str_upto(in, n), out);
        in = str_from(in, n);
    }
    html_end(&h, out);
}

static void check_html(struct str text)
{
    struct buf whole = buf_make(BUF_UNLIMITED), cut = buf_make(BUF_UNLIMITED);

    strip(&whole, text, false);
    strip(&cut, text, true);
    assert(is_utf8(buf_str(&whole)) && str_same(buf_str(&whole), buf_str(&cut)));
    buf_free(&whole);
    buf_free(&cut);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str in = {(const char *)data, size}, text;
    struct mime_source source = mime_source_of(&in);
    struct mime m = mime_make();
    struct message_text t;

    mime_feed(&m, in);
    mime_end(&m);
    t = message_text_make();
    message_text_begin(&t, m.parts, m.count, &source, TEXT_HEADER | TEXT_PARTS | TEXT_BODY);
    while (message_text_next(&t, &text)) {
        assert(text.n && is_utf8(text));
        check_html(text);
    }
    assert(!t.failed);
    message_text_free(&t);
    mime_free(&m);
    return 0;
}
