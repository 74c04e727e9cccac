/* The rules of RFC 5256 §5, each a function that moves past what it names. Blobs in front are gone over once, and not once
 * for each of them. */
#include "mail/base_subject.h"

#include "mail/header.h"
#include "mail/words.h"

/* Those that i;unicode-casemap (RFC 5051) makes U+0020, so that what is compared has them as spaces: French has U+00A0
 * before the colon of its "Re :", Japanese U+3000 behind it. */
static size_t space_length(struct str s)
{
    static const struct str spaces[] = {
        S("\u00a0"), S("\u2000"), S("\u2001"), S("\u2002"), S("\u2003"),
        S("\u2004"), S("\u2005"), S("\u2006"), S("\u2007"), S("\u2008"),
        S("\u2009"), S("\u200a"), S("\u202f"), S("\u205f"), S("\u3000"),
    };

    if (!(s.p[0] & 0x80))
        return s.p[0] == ' ';
    for (size_t i = 0; i < sizeof(spaces) / sizeof(*spaces); i++)
        if (str_starts(s, spaces[i]))
            return spaces[i].n;
    return 0;
}

/* Of spaces side by side one. */
static void write_joined(struct buf *out, struct str text)
{
    bool after_space = false;

    while (text.n) {
        size_t n = space_length(text);

        if (n == 0)
            buf_add_char(out, text.p[0]);
        else if (!after_space)
            buf_add_char(out, ' ');
        after_space = n > 0;
        text = str_from(text, n ? n : 1);
    }
}

void subject_text(struct buf *out, struct str field_body)
{
    struct buf line = buf_make(field_body.n),
               text = buf_make(BUF_UNLIMITED); /* by the field's length */

    header_unfold(&line, field_body);
    if (words_are_plain(buf_str(&line))) {
        write_joined(out, buf_str(&line));
    } else {
        words_decode(&text, buf_str(&line));
        write_joined(out, buf_str(&text));
    }
    buf_free(&line);
    buf_free(&text);
}

static struct str skip_wsp(struct str s)
{
    while (s.n && is_wsp(s.p[0]))
        s = str_from(s, 1);
    return s;
}

/* subj-blob = "[" *BLOBCHAR "]" *WSP */
static bool take_blob(struct str *in)
{
    size_t n = 1;

    if (in->n == 0 || in->p[0] != '[')
        return false;
    while (n < in->n && in->p[n] != '[' && in->p[n] != ']' && in->p[n] != '\0')
        n++;
    if (n == in->n || in->p[n] != ']')
        return false;
    *in = skip_wsp(str_from(*in, n + 1));
    return true;
}

/* subj-refwd = ("re" / ("fw" ["d"])) *WSP [subj-blob] ":" */
static bool take_refwd(struct str *in)
{
    struct str s = *in;

    if (take_text_nocase(&s, S("fw")))
        take_text_nocase(&s, S("d"));
    else if (!take_text_nocase(&s, S("re")))
        return false;
    s = skip_wsp(s);
    take_blob(&s);
    if (!take_char(&s, ':'))
        return false;
    *in = s;
    return true;
}

/* Step 2: *subj-trailer */
static struct str without_trailers(struct str s, bool *is_reply)
{
    for (;;) {
        if (s.n && is_wsp(s.p[s.n - 1])) {
            s.n--;
        } else if (str_ends_nocase(s, S("(fwd)"))) {
            s.n -= 5;
            *is_reply = true;
        } else {
            return s;
        }
    }
}

/* Steps 3 to 5: leaders, and blobs as long as something is left behind them. */
static struct str without_leaders(struct str s, bool *is_reply)
{
    for (;;) {
        struct str rest = skip_wsp(s), last;

        s = last = rest;
        while (take_blob(&rest))
            if (rest.n)
                last = rest;
        if (!take_refwd(&rest))
            return last;
        *is_reply = true;
        s = rest;
    }
}

struct str base_subject(struct str text, bool *is_reply)
{
    *is_reply = false;
    for (;;) {
        text = without_leaders(without_trailers(text, is_reply), is_reply);
        if (!str_starts_nocase(text, S("[fwd:")) || text.p[text.n - 1] != ']') /* step 6 */
            return text;
        *is_reply = true;
        text = str_upto(str_from(text, 5), text.n - 6);
    }
}
