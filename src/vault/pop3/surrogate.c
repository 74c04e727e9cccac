#include "vault/pop3/surrogate.h"

/* RFC 2047 §2: 75 characters an encoded word; "=?UTF-8?Q?" and "?=" take twelve, and each octet three. */
#define OCTETS_A_WORD 21

/* What a word ends at: blanks, and what structured fields (RFC 5322 §3.2) give a meaning. */
static bool ends_word(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '<' || c == '>' || c == '"' ||
           c == ',' || c == ';' || c == '(' || c == ')' || c == '@' || c == ':';
}

static size_t word_length(struct str s)
{
    size_t n = 0;

    while (n < s.n && !ends_word(s.p[n]))
        n++;
    return n;
}

/* How many bytes the character at the front of s has; no UTF-8 counts as one. */
static size_t character_length(struct str s)
{
    unsigned char c = (unsigned char)s.p[0];
    size_t n = c < 0x80 ? 1 : c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;

    return n <= s.n && is_utf8(str_upto(s, n)) ? n : 1;
}

/* RFC 2047 §4.2, §5 (3): what may stand as it is even in a phrase. */
static void write_octet(struct buf *out, char c)
{
    if (is_alnum(c))
        buf_add_char(out, c);
    else
        buf_printf(out, "=%02X", (unsigned char)c);
}

/* As many characters as fit one encoded word; a character is never cut (RFC 2047 §5). */
static void write_encoded(struct buf *out, struct str *word)
{
    size_t octets = 0;

    buf_add(out, S("=?UTF-8?Q?"));
    while (word->n) {
        size_t n = character_length(*word);

        if (octets + n > OCTETS_A_WORD)
            break;
        if (n == 1 && (unsigned char)word->p[0] > 127)
            buf_add(out, S("=3F"));
        else
            for (size_t i = 0; i < n; i++)
                write_octet(out, word->p[i]);
        octets += n;
        *word = str_from(*word, n);
    }
    buf_add(out, S("?="));
}

static void write_word(struct buf *out, struct str word)
{
    if (is_ascii(word)) {
        buf_add(out, word);
        return;
    }
    write_encoded(out, &word);
    while (word.n) {
        buf_add(out, S(" ")); /* between encoded words it is not shown (RFC 2047 §6.2) */
        write_encoded(out, &word);
    }
}

void surrogate_write(struct buf *out, struct str header)
{
    while (header.n) {
        size_t n = word_length(header);

        write_word(out, str_upto(header, n));
        header = str_from(header, n);
        if (header.n) {
            buf_add_char(out, header.p[0]);
            header = str_from(header, 1);
        }
    }
}
