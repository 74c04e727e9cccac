/* Words are gathered until a special character tells what they were: a display name before "<", a local part before
 * "@", a group's name before ":". So they are kept both ways: as a phrase with its spaces, and without. */
#include "mail/address_list.h"

#include "mail/token.h"

struct address_list address_list_make(struct str field_body)
{
    return (struct address_list){.in = field_body,
                                 .phrase =
                                     buf_make(BUF_UNLIMITED), /* none grows longer than the field */
                                 .local_part = buf_make(BUF_UNLIMITED),
                                 .domain = buf_make(BUF_UNLIMITED),
                                 .comment = buf_make(BUF_UNLIMITED)};
}

void address_list_free(struct address_list *l)
{
    buf_free(&l->phrase);
    buf_free(&l->local_part);
    buf_free(&l->domain);
    buf_free(&l->comment);
}

static void begin_item(struct address_list *l)
{
    buf_clear(&l->phrase);
    buf_clear(&l->local_part);
    buf_clear(&l->domain);
    buf_clear(&l->comment);
    l->gap = false;
}

static bool is_space(char c)
{
    return is_wsp(c) || c == '\r' || c == '\n';
}

/* CFWS, of which the last comment is kept: "fred@a.test (Fred)" is how names were once written. */
static void skip_gap(struct address_list *l)
{
    for (;;) {
        if (l->in.n && is_space(l->in.p[0])) {
            l->in = str_from(l->in, 1);
        } else if (l->in.n && l->in.p[0] == '(') {
            buf_clear(&l->comment);
            take_comment(&l->in, &l->comment);
        } else {
            return;
        }
        l->gap = true;
    }
}

/* specials (RFC 5322 §3.2.3) except those that never mean anything where a word may stand */
static bool ends_word(char c)
{
    return is_space(c) || strchr("()<:;@,.\"", c);
}

static void add_word(struct address_list *l, struct str word)
{
    if (l->gap && l->phrase.n)
        buf_add_char(&l->phrase, ' ');
    l->gap = false;
    buf_add(&l->phrase, word);
    buf_add(&l->local_part, word);
}

/* An atom, a quoted string, a dot, or one byte that makes no sense: moves on in any case. */
static void take_word(struct address_list *l)
{
    struct buf quoted = buf_make(BUF_UNLIMITED);
    size_t n = 0;

    if (take_quoted(&l->in, &quoted)) {
        add_word(l, buf_str(&quoted));
        buf_free(&quoted);
        return;
    }
    while (n < l->in.n && (l->in.p[n] == '\0' || !ends_word(l->in.p[n])))
        n++;
    if (n == 0)
        n = 1;
    add_word(l, str_upto(l->in, n));
    l->in = str_from(l->in, n);
}

/* Domain, with the white space that §4.4 allowed around its dots, or a literal. */
static void take_domain(struct address_list *l)
{
    bool dot = true;
    struct str literal;

    skip_gap(l);
    if (l->in.n && l->in.p[0] == '[' && take_until(&l->in, ']', &literal)) {
        buf_add(&l->domain, literal);
        buf_add_char(&l->domain, ']');
        return;
    }
    for (;;) {
        size_t n = 0;

        skip_gap(l);
        if (take_char(&l->in, '.')) {
            buf_add_char(&l->domain, '.');
            dot = true;
            continue;
        }
        while (n < l->in.n && (l->in.p[n] == '\0' || (!ends_word(l->in.p[n]) && l->in.p[n] != '>')))
            n++;
        if (n == 0 || !dot)
            return;
        buf_add(&l->domain, str_upto(l->in, n));
        l->in = str_from(l->in, n);
        dot = false;
    }
}

/* To the comma that ends the item, or the semicolon that ends the group; what stands before it is lost. */
static void skip_rest(struct address_list *l)
{
    struct buf ignored = buf_make(0);

    for (;;) {
        skip_gap(l);
        if (l->in.n == 0 || l->in.p[0] == ',' || l->in.p[0] == ';')
            break;
        if (!take_quoted(&l->in, &ignored))
            l->in = str_from(l->in, 1);
    }
    take_char(&l->in, ',');
}

static struct str or_none(const struct buf *b)
{
    return b->n ? buf_str(b) : STR_NONE;
}

/* obs-route = obs-domain-list ":"   §4.4 */
static struct str take_route(struct address_list *l)
{
    struct str s = l->in, route;
    size_t close;

    if (s.n == 0 || s.p[0] != '@' || !take_until(&s, ':', &route) || str_find_char(route, '>', &close))
        return STR_NONE;
    l->in = s;
    return str_trim(route);
}

/* angle-addr = "<" addr-spec ">"; the display name stands in the phrase already. */
static void take_angle_addr(struct address_list *l, struct address_item *out)
{
    struct buf name = l->phrase;

    l->in = str_from(l->in, 1);
    l->phrase = buf_make(BUF_UNLIMITED);
    buf_clear(&l->local_part);
    skip_gap(l);
    out->route = take_route(l);
    skip_gap(l);
    while (l->in.n && l->in.p[0] != '@' && l->in.p[0] != '>') {
        take_word(l);
        skip_gap(l);
    }
    if (take_char(&l->in, '@'))
        take_domain(l);
    buf_free(&l->phrase);
    l->phrase = name;
    skip_rest(l);
    out->name = or_none(&l->phrase);
}

/* addr-spec without brackets: "@" is next. */
static void take_addr_spec(struct address_list *l, struct address_item *out)
{
    l->in = str_from(l->in, 1);
    take_domain(l);
    skip_rest(l);
    out->name = or_none(&l->comment);
}

static bool give_mailbox(struct address_list *l, struct address_item *out, const struct buf *local_part)
{
    out->kind = ADDRESS_MAILBOX;
    out->local_part = buf_str(local_part);
    out->domain = buf_str(&l->domain);
    return true;
}

static bool give_group(struct address_list *l, struct address_item *out, enum address_item_kind kind)
{
    l->in_group = kind == ADDRESS_GROUP;
    l->in = str_from(l->in, 1);
    out->kind = kind;
    if (kind ==
        ADDRESS_GROUP) /* one without a name has an empty one: none is a group's end in an envelope */
        out->name = l->phrase.n ? buf_str(&l->phrase) : S("");
    return true;
}

/* The special character that is next; words may stand before it. False: nothing came of it, the item goes on. */
static bool take_special(struct address_list *l, struct address_item *out)
{
    bool words = l->phrase.n > 0;

    switch (l->in.p[0]) {
    case '<':
        take_angle_addr(l, out);
        return give_mailbox(l, out, &l->local_part);
    case '@':
        if (!words)
            break;
        take_addr_spec(l, out);
        return give_mailbox(l, out, &l->local_part);
    case ':':
        return !l->in_group && give_group(l, out, ADDRESS_GROUP);
    case ';':
        if (l->in_group)
            return words ? give_mailbox(l, out, &l->phrase) : give_group(l, out, ADDRESS_GROUP_END);
        break;
    case ',':
        if (words)
            return give_mailbox(l, out, &l->phrase);
        break;
    }
    return false;
}

static bool is_special(char c)
{
    return c == '<' || c == '@' || c == ':' || c == ';' || c == ',';
}

static bool is_separator(char c)
{
    return c == ';' || c == ',';
}

/* The field is at its end: words without any address, then an open group's end. */
static bool take_last(struct address_list *l, struct address_item *out)
{
    if (l->phrase.n)
        return give_mailbox(l, out, &l->phrase);
    return l->in_group && give_group(l, out, ADDRESS_GROUP_END);
}

/* ---- the usual forms ---- */

/* atext, dots between, and what RFC 6532 adds: of words that need no unquoting. */
static size_t atom_length(struct str s)
{
    static const bool ends[256] = {
        ['('] = true,  [')'] = true,  ['<'] = true, ['>'] = true, [':'] = true,
        [';'] = true,  ['@'] = true,  [','] = true, ['"'] = true, ['['] = true,
        [0x7f] = true, ['\\'] = true, [']'] = true};
    size_t n = 0;

    while (n < s.n && (unsigned char)s.p[n] > ' ' && !ends[(unsigned char)s.p[n]])
        n++;
    return n;
}

/* Words with single spaces between, or one quoted string with nothing to unquote, and a space behind. */
static bool take_plain_name(struct str *in, struct str *name)
{
    struct str s = *in, quoted;
    size_t n = 0, more, at;

    if (take_char(&s, '"')) {
        if (!take_until(&s, '"', &quoted) || !quoted.n || str_find_char(quoted, '\\', &at) ||
            str_find_char(quoted, '\r', &at) || str_find_char(quoted, '\n', &at) || !take_char(&s, ' '))
            return false;
        *name = quoted;
        *in = s;
        return true;
    }
    while ((more = atom_length(str_from(s, n))) && n + more < s.n && s.p[n + more] == ' ')
        n += more + 1;
    if (!n)
        return false;
    *name = str_upto(s, n - 1);
    *in = str_from(s, n);
    return true;
}

/* local@domain */
static bool take_plain_address(struct str *in, struct address_item *out)
{
    struct str s = *in, local_part = str_upto(s, atom_length(s)), domain;

    s = str_from(s, local_part.n);
    if (!local_part.n || !take_char(&s, '@'))
        return false;
    domain = str_upto(s, atom_length(s));
    if (!domain.n)
        return false;
    *in = str_from(s, domain.n);
    out->local_part = local_part;
    out->domain = domain;
    return true;
}

/* "Name <local@domain>" or "local@domain", and a comma or the field's end behind it: given as it lies there. All else is
 * taken apart word by word. */
static bool take_plain_item(struct address_list *l, struct address_item *out)
{
    struct str s = l->in;
    struct address_item item = {.kind = ADDRESS_MAILBOX};
    bool named;

    while (s.n && is_space(s.p[0]))
        s = str_from(s, 1);
    named = take_plain_name(&s, &item.name);
    if (take_char(&s, '<') ? !take_plain_address(&s, &item) || !take_char(&s, '>')
                           : named || !take_plain_address(&s, &item))
        return false;
    if (s.n && !take_char(&s, ','))
        return false;
    l->in = s;
    *out = item;
    return true;
}

bool take_address_item(struct address_list *l, struct address_item *out)
{
    if (take_plain_item(l, out))
        return true;
    *out = (struct address_item){.name = STR_NONE};
    begin_item(l);
    for (;;) {
        skip_gap(l);
        if (l->in.n == 0)
            return take_last(l, out);
        if (!is_special(l->in.p[0])) {
            take_word(l);
            continue;
        }
        if (take_special(l, out))
            return true;
        if (is_separator(l->in.p[0]))
            l->in = str_from(l->in, 1);
        else
            take_word(l);
    }
}
