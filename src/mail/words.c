/* encoded-word = "=?" charset "?" encoding "?" encoded-text "?="   RFC 2047 §2 */
#include "mail/words.h"

#include "base/utf8.h"
#include "mail/charset.h"
#include "mail/transfer.h"

#define WORD_MAX 75
#define WORD_BEGIN "=?utf-8?Q?"
#define WORD_OVERHEAD (sizeof(WORD_BEGIN) - 1 + 2)

bool words_are_plain(struct str text)
{
    size_t at;

    for (size_t i = 0; i < text.n; i++)
        if (!is_printable(text.p[i]))
            return false;
    return !str_find(text, S("=?"), &at);
}

/* Of §4.2 the set that is also safe in phrases (§5 (3)). */
static bool is_q_safe(char c)
{
    return is_alnum(c) || c == '!' || c == '*' || c == '+' || c == '-' || c == '/';
}

static void q_encode(struct buf *out, struct str character)
{
    for (size_t i = 0; i < character.n; i++) {
        char c = character.p[i];

        if (is_q_safe(c))
            buf_add_char(out, c);
        else if (c == ' ')
            buf_add_char(out, '_');
        else
            buf_printf(out, "=%02X", (unsigned char)c);
    }
}

void words_write(struct buf *out, struct str text, size_t column)
{
    size_t used = column + WORD_OVERHEAD; /* of the line, with the word's end */

    if (words_are_plain(text)) {
        buf_add(out, text);
        return;
    }
    buf_add_c(out, WORD_BEGIN);
    while (text.n) {
        size_t length = utf8_character_length(text), n = length ? length : 1, before = out->n;
        size_t most = n == 1 && is_q_safe(text.p[0]) ? 1 : 3 * n;

        if (used + most > WORD_MAX) {
            buf_add_c(out, "?=\r\n " WORD_BEGIN);
            used = 1 + WORD_OVERHEAD;
            before = out->n;
        }
        q_encode(out, length ? str_upto(text, n) : S("?"));
        used += out->n - before;
        text = str_from(text, n);
    }
    buf_add(out, S("?="));
}

static bool take_hex(struct str *in, char *out)
{
    int high = in->n < 2 ? -1 : hex_value(in->p[0]), low = in->n < 2 ? -1 : hex_value(in->p[1]);

    if (high < 0 || low < 0)
        return false;
    *out = (char)((unsigned)high << 4 | (unsigned)low);
    *in = str_from(*in, 2);
    return true;
}

static bool q_decode(struct buf *out, struct str in)
{
    while (in.n) {
        char c = in.p[0];

        in = str_from(in, 1);
        if (c == '=' && !take_hex(&in, &c))
            return false;
        else if (c == '_')
            c = ' ';
        buf_add_char(out, c);
    }
    return true;
}

static size_t printable_length(struct str s)
{
    size_t n = 0;

    while (n < s.n && is_printable(s.p[n]))
        n++;
    return n;
}

void words_clean(struct buf *out, struct str text)
{
    while (text.n) {
        size_t n = printable_length(text);
        unsigned char c;

        buf_add(out, str_upto(text, n));
        text = str_from(text, n);
        if (text.n == 0)
            return;
        c = (unsigned char)text.p[0];
        n = utf8_character_length(text);
        if (n == 0 || c < 0x20 || c == 0x7f)
            buf_add_char(out, c == '\t' ? ' ' : '?');
        else
            buf_add(out, str_upto(text, n));
        text = str_from(text, n ? n : 1);
    }
}

struct encoded_word {
    struct str charset, encoding, text;
};

static bool parse_encoded_word(struct str *in, struct encoded_word *w)
{
    struct str s = *in;
    size_t star;

    if (!take_text(&s, S("=?")) || !take_until(&s, '?', &w->charset) ||
        !take_until(&s, '?', &w->encoding) || !take_until(&s, '?', &w->text) || !take_char(&s, '='))
        return false;
    if (str_find_char(w->charset, '*', &star)) /* RFC 2231 §5: a language behind it */
        w->charset.n = star;
    *in = s;
    return true;
}

/* Base 64 may lack its padding; with strange characters, or one too many, it is none. */
static bool b_decode(struct buf *out, struct str in)
{
    struct transfer t = transfer_begin(TRANSFER_BASE64);
    struct buf room = buf_make(in.n + TRANSFER_HELD);
    size_t digits = 0;

    for (size_t i = 0; i < in.n; i++) {
        char c = in.p[i];

        digits += c != '=';
        if (!is_alnum(c) && c != '+' && c != '/' && c != '=')
            return false;
    }
    if (digits % 4 == 1)
        return false;
    buf_add(out, transfer_decode(&t, in, &room));
    buf_free(&room);
    return true;
}

/* The words that follow each other. Some programs cut a character in two (§5 forbids it): the charset's decoder goes on
 * from one word to the next of the same charset. */
struct decoding {
    const struct charset *set; /* of the word before; NULL: there is none */
    struct charset_decoder decoder;
    struct buf bytes, text;
};

static void end_words(struct decoding *d, struct buf *out)
{
    if (d->set)
        words_clean(out, charset_end(&d->decoder, &d->text));
    d->set = NULL;
}

static bool decode_word(struct decoding *d, struct buf *out, const struct encoded_word *w)
{
    const struct charset *set = charset_find(w->charset);

    buf_clear(&d->bytes);
    if (!set || !((str_same_nocase(w->encoding, S("Q")) && q_decode(&d->bytes, w->text)) ||
                  (str_same_nocase(w->encoding, S("B")) && b_decode(&d->bytes, w->text))))
        return false;
    if (d->set != set || !d->decoder.cut_n) {
        end_words(d, out);
        d->decoder = charset_begin(set);
    }
    d->set = set;
    words_clean(out, charset_decode(&d->decoder, buf_str(&d->bytes), &d->text));
    return true;
}

static bool is_blank(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!is_wsp(s.p[i]) && s.p[i] != '\r' && s.p[i] != '\n')
            return false;
    return true;
}

void words_decode(struct buf *out, struct str text)
{
    struct decoding d = {.bytes = buf_make(BUF_UNLIMITED), /* by the text */
                         .text = buf_make(BUF_UNLIMITED)};

    while (text.n) {
        struct str before = text, gap;
        struct encoded_word w;
        size_t at;

        if (!str_find(text, S("=?"), &at))
            at = text.n;
        gap = str_upto(text, at);
        text = str_from(text, at);
        if (text.n && parse_encoded_word(&text, &w)) {
            bool adjacent = d.set && is_blank(gap); /* §6.2: a gap between two words is no text */

            if (!adjacent) {
                end_words(&d, out);
                words_clean(out, gap);
            }
            if (decode_word(&d, out, &w))
                continue;
            end_words(&d, out);
            words_clean(out, str_from(str_upto(before, before.n - text.n), adjacent ? 0 : at));
            continue;
        }
        end_words(&d, out);
        words_clean(out, str_upto(before, at + (text.n ? 2 : 0)));
        text = str_from(text, 2);
    }
    end_words(&d, out);
    buf_free(&d.bytes);
    buf_free(&d.text);
}
