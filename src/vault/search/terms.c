#include "vault/search/terms.h"

#define MOST 16 /* more would name hardly fewer messages, and each costs a list */

/* How long the character at p is: of well-formed UTF-8. */
static size_t length(const char *p)
{
    unsigned char c = (unsigned char)*p;

    return c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
}

static void add_quoted(struct buf *out, struct str trigram)
{
    buf_add(out, out->n ? S(" \"") : S("\""));
    for (size_t i = 0; i < trigram.n; i++) {
        if (trigram.p[i] == '"') /* https://www.sqlite.org/fts5.html §3.1 */
            buf_add_char(out, '"');
        buf_add_char(out, trigram.p[i]);
    }
    buf_add_char(out, '"');
}

bool terms_of(struct buf *out, struct str folded)
{
    size_t characters, step, at;

    if (!is_utf8(folded) || str_find_char(folded, '\n', &at) || str_find_char(folded, '\0', &at))
        return false;
    characters = str_columns(folded);
    if (characters < 3)
        return false;
    step = (characters - 3) / MOST + 1;
    at = 0;
    for (size_t k = 0; k + 3 <= characters; k++, at += length(folded.p + at)) {
        size_t second = at + length(folded.p + at), third = second + length(folded.p + second);

        if (k % step == 0)
            add_quoted(out, (struct str){folded.p + at, third + length(folded.p + third) - at});
    }
    return true;
}

void terms_prepare(struct buf *text)
{
    for (char *p = text->p; p && (p = memchr(p, '\0', (size_t)(text->p + text->n - p)));)
        *p++ = '\x01';
}
