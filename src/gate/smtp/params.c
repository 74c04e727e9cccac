/* A parameter is a row: its keyword, what it may hold, where that goes. */
#include "gate/smtp/params.h"

#include "mail/address.h"
#include "proto/xtext.h"

#define ENVID_MAX 100 /* encoded: RFC 3461 §4.4 */
#define ORCPT_MAX 500 /* encoded: §4.2 */

/* What the parameters of one command are read into. */
struct target {
    struct arena *arena;
    struct mail_params *mail;
    struct rcpt *rcpt;
};

struct param {
    struct str keyword;
    bool (*read)(struct target *t, struct str value);
    bool has_value;
};

bool take_word(struct str *in, struct str *word)
{
    struct str rest = *in;
    size_t n = 0;

    while (n < rest.n && !is_wsp(rest.p[n]))
        n++;
    if (n == 0)
        return false;
    *word = str_upto(rest, n);
    rest = str_from(rest, n);
    while (rest.n && is_wsp(rest.p[0]))
        rest = str_from(rest, 1);
    *in = rest;
    return true;
}

/* RFC 1870 §4: 1*20DIGIT. What does not fit 64 bits is too big for anybody. */
static bool read_size(struct target *t, struct str value)
{
    if (value.n == 0 || value.n > 20)
        return false;
    for (size_t i = 0; i < value.n; i++)
        if (!is_digit(value.p[i]))
            return false;
    if (!parse_u64(value, &t->mail->size))
        t->mail->size = UINT64_MAX;
    return true;
}

/* RFC 6152 §2. BINARYMIME (RFC 3030 §3) is not offered. */
static bool read_body(struct target *t, struct str value)
{
    t->mail->eightbit = str_same_nocase(value, S("8BITMIME"));
    return t->mail->eightbit || str_same_nocase(value, S("7BIT"));
}

static bool read_smtputf8(struct target *t, struct str value)
{
    (void)value;
    t->mail->smtputf8 = true;
    return true;
}

static bool read_ret(struct target *t, struct str value)
{
    bool full = str_same_nocase(value, S("FULL"));

    t->mail->ret = full ? 'F' : 'H';
    return full || str_same_nocase(value, S("HDRS"));
}

/* It will stand in the header of a report, so nothing but text may come out of it (RFC 3461 §4.2, §4.4). */
static bool is_report_text(struct str s, bool utf8)
{
    for (size_t i = 0; i < s.n; i++)
        if (!is_printable(s.p[i]) && s.p[i] != '\t' && !(utf8 && (s.p[i] & 0x80)))
            return false;
    return !utf8 || is_utf8(s);
}

static struct str keep(struct arena *a, struct buf *b)
{
    struct str s = str_copy(a, buf_str(b));

    buf_free(b);
    return s;
}

static bool read_envid(struct target *t, struct str value)
{
    struct buf b = buf_make(ENVID_MAX);
    bool ok = value.n > 0 && value.n <= ENVID_MAX && xtext_decode(&b, value) && !b.full;

    t->mail->envid = keep(t->arena, &b);
    return ok && is_report_text(t->mail->envid, false);
}

/* RFC 4954 §5: AUTH=<> or an address in xtext. */
static bool read_auth(struct target *t, struct str value)
{
    struct buf b = buf_make(ORCPT_MAX);
    struct mailbox m;
    bool ok = xtext_decode(&b, value) && !b.full;

    (void)t;
    ok = ok && (str_same(buf_str(&b), S("<>")) || is_mailbox(buf_str(&b), ADDRESS_UTF8, &m));
    buf_free(&b);
    return ok;
}

/* RFC 3461 §4.1 */
static bool read_notify(struct target *t, struct str value)
{
    static const struct {
        struct str word;
        uint32_t bit;
    } rows[] = {{S("NEVER"), NOTIFY_NEVER},
                {S("SUCCESS"), NOTIFY_SUCCESS},
                {S("FAILURE"), NOTIFY_FAILURE},
                {S("DELAY"), NOTIFY_DELAY}};
    struct str word;
    uint32_t set = 0, bit;
    bool more = true;

    while (more) {
        more = take_until(&value, ',', &word);
        word = more ? word : value;
        bit = 0;
        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
            bit |= str_same_nocase(word, rows[i].word) ? rows[i].bit : 0;
        if (!bit)
            return false;
        set |= bit;
    }
    t->rcpt->notify = set;
    return !(set & NOTIFY_NEVER) || set == NOTIFY_NEVER;
}

static bool read_orcpt(struct target *t, struct str value)
{
    struct buf b = buf_make(2 * ORCPT_MAX);
    struct orcpt o;
    bool ok = value.n <= ORCPT_MAX && parse_orcpt(value, &o);

    if (ok) {
        buf_add(&b, o.type);
        buf_add_char(&b, ';');
        orcpt_decode(&b, &o);
        ok = !b.full;
    }
    t->rcpt->orcpt = keep(t->arena, &b);
    return ok && is_report_text(t->rcpt->orcpt, str_same_nocase(o.type, S("utf-8")));
}

static const struct param mail_params_table[] = {
    {S("SIZE"), read_size, true},          /* RFC 1870 */
    {S("BODY"), read_body, true},          /* RFC 6152 */
    {S("RET"), read_ret, true},            /* RFC 3461 */
    {S("ENVID"), read_envid, true},        /* RFC 3461 */
    {S("SMTPUTF8"), read_smtputf8, false}, /* RFC 6531 */
    {S("AUTH"), read_auth, true},          /* RFC 4954: last, so that it can be left out */
};
#define MAIL_PARAMS (sizeof(mail_params_table) / sizeof(*mail_params_table))

static const struct param rcpt_params_table[] = {
    {S("NOTIFY"), read_notify, true}, /* RFC 3461 */
    {S("ORCPT"), read_orcpt, true},   /* RFC 3461 */
};

static enum args_fault read_param(struct target *t, const struct param *rows, size_t count,
                                  struct str word, unsigned *seen)
{
    struct str keyword = word;
    bool has_value = take_until(&word, '=', &keyword);

    for (size_t i = 0; i < count; i++) {
        if (!str_same_nocase(keyword, rows[i].keyword))
            continue;
        if (*seen & (1u << i))
            return ARGS_TWICE;
        *seen |= 1u << i;
        if (has_value != rows[i].has_value || !rows[i].read(t, has_value ? word : STR_NONE))
            return ARGS_BAD_PARAM;
        return ARGS_FINE;
    }
    return ARGS_UNKNOWN_PARAM;
}

static enum args_fault read_params(struct target *t, const struct param *rows, size_t count,
                                   struct str in)
{
    enum args_fault fault = ARGS_FINE;
    unsigned seen = 0;
    struct str word;

    if (in.n && !is_wsp(in.p[0]))
        return ARGS_SYNTAX;
    in = str_trim(in);
    while (!fault && take_word(&in, &word))
        fault = read_param(t, rows, count, word, &seen);
    return fault;
}

/* "FROM:" and, against the grammar, blanks behind it: Outlook and many scripts put one there. */
static bool take_label(struct str *in, struct str label)
{
    if (!take_text_nocase(in, label))
        return false;
    while (in->n && is_wsp(in->p[0]))
        *in = str_from(*in, 1);
    return in->n && in->p[0] == '<';
}

enum args_fault parse_mail_args(struct arena *a, struct str in, bool no_domain, bool takes_auth,
                                struct path *from, struct mail_params *params)
{
    struct target t = {.arena = a, .mail = params};
    struct mailbox m;
    enum args_fault fault;

    *params = (struct mail_params){0};
    if (!take_label(&in, S("FROM:")))
        return ARGS_SYNTAX;
    if (!parse_reverse_path(&in, ADDRESS_UTF8 | (no_domain ? ADDRESS_NO_DOMAIN : 0), &m))
        return ARGS_ADDRESS;
    fault = read_params(&t, mail_params_table, takes_auth ? MAIL_PARAMS : MAIL_PARAMS - 1, in);
    if (fault)
        return fault;
    *from = (struct path){m.local_part, m.domain};
    return params->smtputf8 || mailbox_is_ascii(&m) ? ARGS_FINE : ARGS_NOT_ASCII;
}

enum args_fault parse_rcpt_args(struct arena *a, struct str in, bool no_domain, bool smtputf8,
                                struct rcpt *out)
{
    struct target t = {.arena = a, .rcpt = out};
    struct mailbox m;
    enum args_fault fault;

    *out = (struct rcpt){0};
    if (!take_label(&in, S("TO:")))
        return ARGS_SYNTAX;
    if (!parse_forward_path(&in, ADDRESS_UTF8 | (no_domain ? ADDRESS_NO_DOMAIN : 0), &m))
        return ARGS_ADDRESS;
    fault =
        read_params(&t, rcpt_params_table, sizeof(rcpt_params_table) / sizeof(*rcpt_params_table), in);
    if (fault)
        return fault;
    out->to = (struct path){m.local_part, m.domain};
    return smtputf8 || mailbox_is_ascii(&m) ? ARGS_FINE : ARGS_NOT_ASCII;
}

bool parse_bdat_args(struct str in, uint64_t *size, bool *last)
{
    struct str word;

    if (!take_word(&in, &word) || !parse_u64(word, size))
        return false;
    *last = take_word(&in, &word);
    return in.n == 0 && (!*last || str_same_nocase(word, S("LAST")));
}
