/* One byte after the other, but for plain text, which goes in runs. */
#include "mail/html.h"

#include "base/utf8.h"

enum { TEXT, REFERENCE, TAG_BEGINS, NAME, TAG, COMMENT, HIDDEN, HIDDEN_TAG };

/* Elements whose content nobody sees. */
static const struct str hidden[] = {S("style"), S("script"), S("head"), S("title")};
/* Elements that stand inside a line: their tags do not part words. */
static const struct str inside_line[] = {S("a"), S("abbr"),  S("b"),    S("em"),     S("font"), S("i"),
                                         S("s"), S("small"), S("span"), S("strong"), S("u")};

/* Of Latin-1, from 160 on (HTML 4, §24.2.1), and what mail is full of besides. */
static const char latin1[] = "nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy "
                             "reg macr deg plusmn sup2 sup3 acute micro "
                             "para middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest Agrave "
                             "Aacute Acirc Atilde Auml Aring AElig Ccedil "
                             "Egrave Eacute Ecirc Euml Igrave Iacute Icirc Iuml ETH Ntilde Ograve "
                             "Oacute Ocirc Otilde Ouml times Oslash Ugrave "
                             "Uacute Ucirc Uuml Yacute THORN szlig agrave aacute acirc atilde auml "
                             "aring aelig ccedil egrave eacute ecirc euml "
                             "igrave iacute icirc iuml eth ntilde ograve oacute ocirc otilde ouml "
                             "divide oslash ugrave uacute ucirc uuml yacute "
                             "thorn yuml";
static const struct {
    struct str name;
    uint32_t code_point;
} references[] = {
    {S("nbsp"), 0xa0},     {S("amp"), '&'},      {S("lt"), '<'},       {S("gt"), '>'},
    {S("quot"), '"'},      {S("apos"), '\''},    {S("zwnj"), 0x200c},  {S("zwj"), 0x200d},
    {S("ndash"), 0x2013},  {S("mdash"), 0x2014}, {S("lsquo"), 0x2018}, {S("rsquo"), 0x2019},
    {S("ldquo"), 0x201c},  {S("rdquo"), 0x201d}, {S("bdquo"), 0x201e}, {S("bull"), 0x2022},
    {S("hellip"), 0x2026}, {S("euro"), 0x20ac},  {S("trade"), 0x2122}};

struct html html_begin(void)
{
    return (struct html){.state = TEXT};
}

static struct str held(const struct html *h)
{
    return (struct str){h->held, h->held_n};
}

static const struct str *find_name(struct str name, const struct str *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (name.n == names[i].n && str_same_nocase(name, names[i]))
            return &names[i];
    return NULL;
}

#define FIND_NAME(name, names) find_name(name, names, sizeof(names) / sizeof(*(names)))

/* ---- character references ---- */

static bool parse_hex(struct str s, uint64_t *out)
{
    *out = 0;
    for (size_t i = 0; i < s.n; i++) {
        int v = hex_value(s.p[i]);

        if (v < 0)
            return false;
        *out = *out << 4 | (uint64_t)v;
    }
    return s.n > 0;
}

static bool find_reference(struct str name, uint64_t *out)
{
    struct str rest = str_from_c(latin1), one;

    if (take_char(&name, '#'))
        return take_char(&name, 'x') || take_char(&name, 'X') ? parse_hex(name, out)
                                                              : parse_u64(name, out);
    for (size_t i = 0; i < sizeof(references) / sizeof(*references); i++)
        if (str_same(name, references[i].name))
            return *out = references[i].code_point, true;
    for (*out = 160; take_until(&rest, ' ', &one) || (one = rest).n; ++*out) {
        if (str_same(one, name))
            return true;
        if (one.p == rest.p) /* the last one */
            return false;
    }
    return false;
}

/* What began like one, as it is. */
static void write_held(struct html *h, struct buf *out)
{
    buf_add_char(out, '&');
    buf_add(out, held(h));
    h->state = TEXT;
}

/* False: the byte does not belong to it. */
static bool in_reference(struct html *h, char c, struct buf *out)
{
    uint64_t v;

    if (c == ';' && find_reference(held(h), &v)) {
        utf8_write(out, v && v <= 0x10ffff ? (uint32_t)v : UTF8_REPLACEMENT);
        h->state = TEXT;
        return true;
    }
    if ((!is_alnum(c) && c != '#') || h->held_n == HTML_HELD) {
        write_held(h, out);
        return false;
    }
    h->held[h->held_n++] = c;
    return true;
}

/* ---- tags ---- */

static void begin_tag(struct html *h, int state)
{
    h->state = state;
    h->held_n = 0;
    h->quote = h->last = 0;
}

/* Behind "<": a name, "/" and a name, "!" or "?"; anything else makes it a character like others. */
static bool in_tag_begin(struct html *h, char c, struct buf *out)
{
    if (is_alpha(c) || c == '/') {
        begin_tag(h, NAME);
        h->held[h->held_n++] = c;
        return true;
    }
    if (c == '!' || c == '?') {
        begin_tag(h, NAME);
        h->held[h->held_n++] = c;
        return true;
    }
    buf_add_char(out, '<');
    h->state = TEXT;
    return false;
}

static void end_tag(struct html *h, struct buf *out)
{
    struct str name = held(h);
    bool closes = take_char(&name, '/');
    const struct str *hides = closes || h->last == '/' ? NULL : FIND_NAME(name, hidden);

    if (!hides && !FIND_NAME(name, inside_line)) /* its end parts words */
        buf_add_char(out, ' ');
    h->state = hides ? HIDDEN : TEXT;
    h->hidden = hides;
}

/* A name that is too long is kept as far as there is room, and one longer than any that matters. */
static bool in_name(struct html *h, char c)
{
    if (!is_alnum(c) && !(c == '-' && h->held[0] == '!' && h->held_n < 3)) {
        h->state = TAG;
        return false;
    }
    if (h->held_n < HTML_HELD)
        h->held[h->held_n++] = c;
    if (str_same(held(h), S("!--"))) {
        h->state = COMMENT;
        h->dashes = 0;
    }
    return true;
}

/* As far as the tag goes, but for its last byte, which the caller takes. */
static void in_tag(struct html *h, struct str *in, struct buf *out)
{
    size_t i = 0;

    for (;; i++) {
        char c = in->p[i];

        if (h->quote) {
            if (c == h->quote)
                h->quote = 0;
        } else if (c == '>') {
            end_tag(h, out);
            break;
        } else if ((c == '"' || c == '\'') && h->last == '=') {
            h->quote = c;
        }
        if (!is_wsp(c) && c != '\r' && c != '\n')
            h->last = c;
        if (i + 1 == in->n)
            break;
    }
    *in = str_from(*in, i);
}

static void in_comment(struct html *h, char c)
{
    if (c == '>' && h->dashes >= 2)
        h->state = TEXT;
    h->dashes = c != '-' ? 0 : h->dashes < 2 ? h->dashes + 1 : 2;
}

/* "</name" ends what nobody sees; whatever else begins with "<" there does not. */
static bool in_hidden_tag(struct html *h, char c)
{
    struct str name = held(h);

    if (h->held_n < HTML_HELD && (is_alnum(c) || (c == '/' && h->held_n == 0))) {
        h->held[h->held_n++] = c;
        return true;
    }
    if (take_char(&name, '/') && str_same_nocase(name, *h->hidden))
        h->state = TAG;
    else
        h->state = HIDDEN;
    return false;
}

/* What can be passed at once: plain text, and what nobody sees. */
static bool skim(struct html *h, struct str *in, struct buf *out)
{
    size_t n = 0;

    if (h->state != TEXT && h->state != HIDDEN)
        return false;
    while (n < in->n && in->p[n] != '<' && (in->p[n] != '&' || h->state == HIDDEN))
        n++;
    if (h->state == TEXT)
        buf_add(out, str_upto(*in, n));
    *in = str_from(*in, n);
    if (in->n)
        begin_tag(h, h->state == HIDDEN ? HIDDEN_TAG : in->p[0] == '<' ? TAG_BEGINS : REFERENCE);
    *in = str_from(*in, 1);
    return true;
}

void html_strip(struct html *h, struct str in, struct buf *out)
{
    while (in.n) {
        char c = in.p[0];
        bool taken = true;

        if (skim(h, &in, out))
            continue;
        switch (h->state) {
        case REFERENCE:
            taken = in_reference(h, c, out);
            break;
        case TAG_BEGINS:
            taken = in_tag_begin(h, c, out);
            break;
        case NAME:
            taken = in_name(h, c);
            break;
        case TAG:
            in_tag(h, &in, out);
            break;
        case COMMENT:
            in_comment(h, c);
            break;
        case HIDDEN_TAG:
            taken = in_hidden_tag(h, c);
            break;
        }
        in = str_from(in, taken ? 1 : 0);
    }
}

void html_end(struct html *h, struct buf *out)
{
    if (h->state == REFERENCE)
        write_held(h, out);
    if (h->state == TAG_BEGINS)
        buf_add_char(out, '<');
    *h = html_begin();
}
