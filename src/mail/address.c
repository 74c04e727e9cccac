/* One function per rule of RFC 5321 §4.1.2 and §4.1.3, with RFC 6531 §3.3 where the flag asks for it. */
#include "mail/address.h"

#include <arpa/inet.h>

/* UTF8-non-ascii (RFC 6531 §3.3): the whole is checked with is_utf8() at the end, so a byte is enough here. */
static bool is_utf8_byte(char c, unsigned flags)
{
    return (flags & ADDRESS_UTF8) && (unsigned char)c >= 0x80;
}

/* atext: RFC 5322 §3.2.3 */
static bool is_atext(char c, unsigned flags)
{
    return is_alnum(c) || (c && strchr("!#$%&'*+-/=?^_`{|}~", c)) || is_utf8_byte(c, flags);
}

/* Atom = 1*atext */
static bool parse_atom(struct str *in, unsigned flags)
{
    size_t n = 0;

    while (n < in->n && is_atext(in->p[n], flags))
        n++;
    *in = str_from(*in, n);
    return n > 0;
}

/* Dot-string = Atom *("." Atom) */
static bool parse_dot_string(struct str *in, unsigned flags)
{
    struct str s = *in;

    do
        if (!parse_atom(&s, flags))
            return false;
    while (take_char(&s, '.'));
    *in = s;
    return true;
}

/* Quoted-string = DQUOTE *QcontentSMTP DQUOTE. quoted-pairSMTP = "\" %d32-126 */
static bool parse_quoted_string(struct str *in, unsigned flags)
{
    struct str s = *in;

    if (!take_char(&s, '"'))
        return false;
    while (s.n && s.p[0] != '"') {
        bool pair = take_char(&s, '\\');

        if (s.n == 0 || !(is_printable(s.p[0]) || (!pair && is_utf8_byte(s.p[0], flags))))
            return false;
        s = str_from(s, 1);
    }
    if (!take_char(&s, '"'))
        return false;
    *in = s;
    return true;
}

/* Local-part = Dot-string / Quoted-string */
static bool parse_local_part(struct str *in, unsigned flags, struct str *out)
{
    struct str s = *in;

    if (!parse_quoted_string(&s, flags) && !parse_dot_string(&s, flags))
        return false;
    if (in->n - s.n > LOCAL_PART_MAX)
        return false;
    *out = str_upto(*in, in->n - s.n);
    *in = s;
    return is_utf8(*out);
}

static bool is_domain_byte(char c, unsigned flags)
{
    return is_alnum(c) || c == '-' || is_utf8_byte(c, flags) ||
           (c == '_' && (flags & ADDRESS_UNDERSCORE));
}

/* sub-domain = Let-dig [Ldh-str], or U-label (RFC 6531 §3.3) */
static bool parse_sub_domain(struct str *in, unsigned flags)
{
    size_t n = 0;

    while (n < in->n && is_domain_byte(in->p[n], flags))
        n++;
    if (n == 0 || in->p[0] == '-' || in->p[n - 1] == '-')
        return false;
    if (n > LABEL_MAX && is_ascii(str_upto(*in, n)))
        return false;
    *in = str_from(*in, n);
    return true;
}

/* Domain = sub-domain *("." sub-domain) */
static bool parse_domain_name(struct str *in, unsigned flags)
{
    struct str s = *in;

    do
        if (!parse_sub_domain(&s, flags))
            return false;
    while (take_char(&s, '.'));
    if (in->n - s.n > DOMAIN_MAX || !is_utf8(str_upto(*in, in->n - s.n)))
        return false;
    *in = s;
    return true;
}

static bool is_ip(int family, struct str s)
{
    unsigned char address[sizeof(struct in6_addr)];
    char text[INET6_ADDRSTRLEN];

    if (s.n == 0 || s.n >= sizeof(text) || memchr(s.p, '\0', s.n))
        return false;
    memcpy(text, s.p, s.n);
    text[s.n] = '\0';
    return inet_pton(family, text, address) == 1;
}

/* address-literal (§4.1.3). Of General-address-literal no tag but IPv6 was ever registered. */
static bool parse_address_literal(struct str *in)
{
    struct str s = *in, text;
    bool good;

    if (!take_char(&s, '[') || !take_until(&s, ']', &text))
        return false;
    good = take_text_nocase(&text, S("IPv6:")) ? is_ip(AF_INET6, text) : is_ip(AF_INET, text);
    if (good)
        *in = s;
    return good;
}

bool parse_domain(struct str *in, unsigned flags, struct str *out)
{
    struct str s = *in;

    if (!parse_address_literal(&s) && !parse_domain_name(&s, flags))
        return false;
    *out = str_upto(*in, in->n - s.n);
    *in = s;
    return true;
}

/* A-d-l ":" with A-d-l = At-domain *( "," At-domain ). True as well when there is none. */
static bool skip_source_route(struct str *in, unsigned flags)
{
    struct str s = *in, ignored;

    if (s.n == 0 || s.p[0] != '@')
        return true;
    do
        if (!take_char(&s, '@') || !parse_domain(&s, flags, &ignored))
            return false;
    while (take_char(&s, ','));
    if (!take_char(&s, ':'))
        return false;
    *in = s;
    return true;
}

bool parse_mailbox(struct str *in, unsigned flags, struct mailbox *out)
{
    struct str s = *in;
    struct mailbox m = {STR_NONE, STR_NONE};

    if (!parse_local_part(&s, flags, &m.local_part))
        return false;
    if (take_char(&s, '@')) {
        if (!parse_domain(&s, flags, &m.domain))
            return false;
    } else if (!(flags & ADDRESS_NO_DOMAIN)) {
        return false;
    }
    *in = s;
    *out = m;
    return true;
}

/* Path = "<" [ A-d-l ":" ] Mailbox ">" */
static bool parse_path(struct str *in, unsigned flags, struct mailbox *out)
{
    struct str s = *in;
    struct mailbox m;

    if (!take_char(&s, '<') || !skip_source_route(&s, flags) || !parse_mailbox(&s, flags, &m) ||
        !take_char(&s, '>'))
        return false;
    if (m.local_part.n + 1 + m.domain.n + 2 > PATH_MAX_LENGTH)
        return false;
    *in = s;
    *out = m;
    return true;
}

bool parse_reverse_path(struct str *in, unsigned flags, struct mailbox *out)
{
    if (take_text(in, S("<>"))) {
        *out = (struct mailbox){STR_NONE, STR_NONE};
        return true;
    }
    return parse_path(in, flags, out);
}

bool parse_forward_path(struct str *in, unsigned flags, struct mailbox *out)
{
    if (str_starts_nocase(*in, S("<Postmaster>")))
        flags |= ADDRESS_NO_DOMAIN;
    return parse_path(in, flags, out);
}

bool is_mailbox(struct str s, unsigned flags, struct mailbox *out)
{
    struct mailbox m;

    if (!parse_mailbox(&s, flags, &m) || s.n)
        return false;
    *out = m;
    return true;
}

bool is_domain(struct str s, unsigned flags)
{
    return parse_domain_name(&s, flags) && s.n == 0;
}

bool is_address_literal(struct str s)
{
    return parse_address_literal(&s) && s.n == 0;
}

bool mailbox_is_empty(const struct mailbox *m)
{
    return m->local_part.n == 0 && m->domain.n == 0;
}

bool mailbox_is_ascii(const struct mailbox *m)
{
    return is_ascii(m->local_part) && is_ascii(m->domain);
}

void mailbox_write(struct buf *out, const struct mailbox *m)
{
    buf_add(out, m->local_part);
    if (m->domain.n) {
        buf_add_char(out, '@');
        buf_add(out, m->domain);
    }
}

void local_part_unquote(struct buf *out, struct str local_part)
{
    if (local_part.n < 2 || local_part.p[0] != '"') {
        buf_add(out, local_part);
        return;
    }
    for (size_t i = 1; i < local_part.n - 1; i++) {
        if (local_part.p[i] == '\\' && i + 1 < local_part.n - 1)
            i++;
        buf_add_char(out, local_part.p[i]);
    }
}

void local_part_quote(struct buf *out, struct str plain)
{
    struct str rest = plain;

    if (parse_dot_string(&rest, ADDRESS_UTF8) && rest.n == 0) {
        buf_add(out, plain);
        return;
    }
    buf_add_char(out, '"');
    for (size_t i = 0; i < plain.n; i++) {
        if (plain.p[i] == '"' || plain.p[i] == '\\')
            buf_add_char(out, '\\');
        buf_add_char(out, plain.p[i]);
    }
    buf_add_char(out, '"');
}
