/* append = "APPEND" SP mailbox 1*append-message   (RFC 3502, RFC 4466 §2.6)
 * append-message = [SP flag-list] [SP date-time] SP append-data
 *
 * The same functions read a whole command and one that breaks off where a literal is announced: there take_data() finds
 * the end of the text instead of a mark, and says so in `hole`. */
#include "proto/imap_append.h"

struct reader {
    struct imap_parse *p;
    bool hole;
};

/* Message data: where it stands, its mark. */
static bool take_data(struct reader *r, struct str *in, struct imap_bulk *out)
{
    if (in->n == 0)
        r->hole = true;
    return take_imap_bulk(in, out) || imap_bad(r->p, "the literal of a message is expected");
}

/* [SP flag-list] [SP date-time] */
static bool take_options(struct reader *r, struct str *in, struct imap_append_message *m)
{
    struct str s = *in;

    *m = (struct imap_append_message){.date_ms = 0};
    if (take_text(&s, S(" (")) && take_imap_sp(in) && !take_imap_flag_list(r->p, in, &m->flags))
        return false;
    s = *in;
    if (take_text(&s, S(" \"")) && take_imap_sp(in)) {
        if (!take_imap_date_time(in, &m->date_ms, &m->zone_minutes))
            return imap_bad(r->p, "the date is not right");
        m->has_date = true;
    }
    return true;
}

/* literal8 ")", behind "UTF8 ("   (RFC 6855 §4) */
static bool take_utf8_data(struct reader *r, struct str *in, struct imap_bulk *out)
{
    if (!take_data(r, in, out))
        return false;
    if (!out->is_literal8)
        return imap_bad(r->p, "UTF8 takes a literal8");
    return take_char(in, ')') || imap_bad(r->p, "the literal of UTF8 is not closed");
}

/* cat-part = "TEXT" SP literal / "URL" SP astring / utf8-literal   (RFC 4469 §5, RFC 6855 §4) */
static bool take_cat_part(struct reader *r, struct str *in, struct imap_append_part *out)
{
    *out = (struct imap_append_part){.is_url = take_imap_word(in, S("URL"))};
    if (out->is_url)
        return (take_imap_sp(in) && take_imap_astring(r->p, in, &out->url)) ||
               imap_bad(r->p, "a URL is expected");
    out->utf8 = take_text_nocase(in, S("UTF8 ("));
    if (out->utf8)
        return take_utf8_data(r, in, &out->data);
    return (take_imap_word(in, S("TEXT")) && take_imap_sp(in) && take_data(r, in, &out->data)) ||
           imap_bad(r->p, "TEXT or URL is expected");
}

/* One after another, up to the bracket that closes. */
static bool take_cat_parts(struct reader *r, struct str *in, struct imap_append_message *m)
{
    struct link {
        struct link *next;
        struct imap_append_part part;
    } *first = NULL, **last = &first;
    struct imap_append_part *parts;

    do {
        struct link *link = arena_alloc(r->p->arena, sizeof(*link));

        if (m->part_count == IMAP_CATENATE_PARTS_MAX)
            return imap_no(r->p, "LIMIT", "too many parts in one message");
        if (!take_cat_part(r, in, &link->part))
            return false;
        *last = link;
        last = &link->next;
        m->part_count++;
    } while (take_imap_sp(in));
    parts = arena_array(r->p->arena, struct imap_append_part, m->part_count);
    for (size_t i = 0; i < m->part_count; i++, first = first->next)
        parts[i] = first->part;
    m->parts = parts;
    return take_char(in, ')') || imap_bad(r->p, "the list of parts is not closed");
}

/* SP append-data: literal / literal8, "UTF8" SP "(" literal8 ")", "CATENATE" SP "(" cat-part … ")" */
static bool take_append_data(struct reader *r, struct str *in, struct imap_append_message *m)
{
    struct imap_append_part *part;

    if (!take_imap_sp(in))
        return imap_bad(r->p, "the literal of a message is expected");
    m->catenate = take_text_nocase(in, S("CATENATE ("));
    if (m->catenate)
        return take_cat_parts(r, in, m);
    part = arena_array(r->p->arena, struct imap_append_part, 1);
    m->parts = part;
    m->part_count = 1;
    part->utf8 = take_text_nocase(in, S("UTF8 ("));
    return part->utf8 ? take_utf8_data(r, in, &part->data) : take_data(r, in, &part->data);
}

static bool take_append_message(struct reader *r, struct str *in, struct imap_append_message *m)
{
    return take_options(r, in, m) && take_append_data(r, in, m);
}

static bool take_mailbox_arg(struct imap_parse *p, struct str *in, struct str *name)
{
    return (take_imap_sp(in) && take_imap_mailbox(p, in, name)) ||
           imap_bad(p, "the name of a mailbox is expected");
}

/* SP seq-number */
static bool take_number_arg(struct imap_parse *p, struct str *in, uint32_t *number)
{
    *number = 0;
    return (take_imap_sp(in) && (take_char(in, '*') || take_imap_nz_number(in, number))) ||
           imap_bad(p, "the number of a message is expected");
}

/* ---- whole commands ---- */

bool parse_imap_append(struct imap_parse *p, struct str args, struct imap_append *out)
{
    struct link {
        struct link *next;
        struct imap_append_message message;
    } *first = NULL, **last = &first;
    struct imap_append_message *messages;
    struct reader r = {.p = p};

    *out = (struct imap_append){.count = 0};
    if (!take_mailbox_arg(p, &args, &out->mailbox))
        return false;
    do {
        struct link *link = arena_alloc(p->arena, sizeof(*link));

        if (out->count++ == IMAP_APPEND_MESSAGES_MAX)
            return imap_no(p, "LIMIT", "too many messages in one command");
        if (!take_append_message(&r, &args, &link->message))
            return false;
        *last = link;
        last = &link->next;
    } while (args.n > 1 && args.p[1] != ' ');
    messages = arena_array(p->arena, struct imap_append_message, out->count);
    for (size_t i = 0; i < out->count; i++, first = first->next)
        messages[i] = first->message;
    out->messages = messages;
    return take_imap_end(p, &args);
}

bool parse_imap_replace(struct imap_parse *p, struct str args, struct imap_replace *out)
{
    struct reader r = {.p = p};

    return take_number_arg(p, &args, &out->number) && take_mailbox_arg(p, &args, &out->mailbox) &&
           take_append_message(&r, &args, &out->message) && take_imap_end(p, &args);
}

/* ---- commands that break off ---- */

/* The command up to its mailbox. */
static bool see_command(struct imap_parse *p, struct str text, struct imap_append_seen *seen)
{
    struct imap_command c;
    struct str rest, mailbox;
    uint32_t number;

    if (!parse_imap_command(text, &c))
        return false;
    seen->replace = str_same_nocase(c.name, S("REPLACE"));
    seen->uid = c.uid;
    if (!seen->replace && (c.uid || !str_same_nocase(c.name, S("APPEND"))))
        return false;
    rest = c.args;
    if ((seen->replace && !take_number_arg(p, &rest, &number)) || !take_mailbox_arg(p, &rest, &mailbox))
        return false;
    seen->mailbox = str_copy(p->arena, mailbox); /* the text moves when it grows */
    seen->at = text.n - rest.n;
    return true;
}

bool imap_literal_is_message(struct imap_parse *parse, struct str text, struct imap_append_seen *seen)
{
    struct imap_parse quiet = *parse, *p = &quiet; /* that it breaks off is no fault */
    struct imap_append_message m;
    struct imap_append_part part;
    struct reader r = {.p = p};
    struct str in;

    if (seen->at == 0 && !see_command(p, text, seen))
        return false;
    for (in = str_from(text, seen->at); !r.hole; seen->at = text.n - in.n) {
        if (!seen->catenate) {
            struct str s = in;

            if (!take_options(&r, &s, &m))
                return false;
            seen->catenate = take_text_nocase(&s, S(" CATENATE ("));
            if (seen->catenate) {
                in = s;
                continue;
            }
            seen->utf8 = take_text_nocase(&s, S(" UTF8 ("));
            s = in;
            if (take_append_message(&r, &s, &m)) {
                in = s;
                seen->message++;
            } else if (!r.hole) {
                return false;
            }
        } else if (take_char(&in, ')')) {
            seen->catenate = false;
            seen->message++;
        } else {
            struct str s = in;

            take_imap_sp(&s);
            if (take_cat_part(&r, &s, &part))
                in = s;
            else if (!r.hole)
                return false;
            seen->utf8 = part.utf8;
        }
    }
    return true;
}
