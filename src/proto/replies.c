/* Reply-line = *( Reply-code "-" [ textstring ] CRLF ) Reply-code [ SP textstring ] CRLF   (§4.2) */
#include "proto/replies.h"

struct replies replies_make(void)
{
    return (struct replies){.lines = lines_make(REPLY_LINE_MAX, LINE_END_LF),
                            .text = buf_make(REPLY_TEXT_MAX)};
}

void replies_free(struct replies *r)
{
    lines_free(&r->lines);
    buf_free(&r->text);
}

bool replies_are_waiting(const struct replies *r)
{
    return lines_waiting(&r->lines).n > 0 || (r->line_count > 0 && !r->given);
}

/* Reply-code = %x32-35 %x30-35 %x30-39; a second digit up to 9 has been seen and does no harm. */
static bool take_code(struct str *in, int *out)
{
    if (in->n < 3 || in->p[0] < '2' || in->p[0] > '5' || !is_digit(in->p[1]) || !is_digit(in->p[2]))
        return false;
    *out = (in->p[0] - '0') * 100 + (in->p[1] - '0') * 10 + (in->p[2] - '0');
    *in = str_from(*in, 3);
    return true;
}

static bool take_digits(struct str *in)
{
    size_t n = 0;

    while (n < in->n && n < 3 && is_digit(in->p[n]))
        n++;
    *in = str_from(*in, n);
    return n > 0;
}

/* status-code = class "." subject "." detail (RFC 2034 §4), of the class that the code has, then SP or the end */
static struct str enhanced_code(struct str text, int code)
{
    struct str s = text;

    if (s.n == 0 || s.p[0] - '0' != code / 100)
        return STR_NONE;
    s = str_from(s, 1);
    if (!take_char(&s, '.') || !take_digits(&s) || !take_char(&s, '.') || !take_digits(&s))
        return STR_NONE;
    if (s.n && s.p[0] != ' ' && s.p[0] != '\n')
        return STR_NONE;
    return str_upto(text, text.n - s.n);
}

static void add_text(struct replies *r, struct str text)
{
    size_t room = r->text.limit - r->text.n;

    if (r->line_count > 0 && room) {
        buf_add_char(&r->text, '\n');
        room--;
    }
    buf_add(&r->text, str_upto(text, room));
    r->line_count++;
}

/* One line of a reply. REPLY_NONE: more are to come. */
static enum reply_result read_line(struct replies *r, struct str line, struct reply *out)
{
    struct str rest = line;
    int code;

    if (r->line_count == REPLY_LINES_MAX)
        return REPLY_BROKEN;
    if (!take_code(&rest, &code) || (rest.n && !is_wsp(rest.p[0]) && rest.p[0] != '-')) {
        if (r->line_count == 0)
            return REPLY_BROKEN;
        add_text(r,
                 line); /* a server that forgot the code inside a long text: its words still tell why */
        return REPLY_NONE;
    }
    add_text(r, str_from(rest, 1));
    if (rest.n && rest.p[0] == '-')
        return REPLY_NONE;
    r->given = true;
    *out = (struct reply){code, enhanced_code(buf_str(&r->text), code), buf_str(&r->text)};
    return REPLY_TAKEN;
}

enum reply_result take_reply(struct replies *r, struct str *in, struct reply *out)
{
    enum reply_result got = REPLY_NONE;
    enum line_result l;
    struct str line;

    if (r->given) {
        buf_clear(&r->text);
        r->line_count = 0;
        r->given = false;
    }
    while (got == REPLY_NONE && (l = take_line(&r->lines, in, &line)) != LINE_NONE)
        got = l == LINE_TOO_LONG ? REPLY_BROKEN : read_line(r, line, out);
    return got;
}
