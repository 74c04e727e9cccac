/* What stands in the first part of a report. Written for somebody who has never heard of SMTP: who, why, what now. */
#include "mail/report_text.h"

#include "mail/date.h"
#include "mail/header.h"
#include "mail/words.h"

#define LINE_LENGTH 76
#define LINE_MAX_KEPT 900 /* RFC 5322 §2.1.1: 998, with an indent */
#define SUBJECT_KEPT 150
#define DETAIL "    "     /* what belongs to a recipient stands in so far */
#define QUOTED "        " /* and what a server said, farther */

/* By subject and detail of RFC 3463 §3 (and RFC 7505 §5 for 1.10): why, and what a person can do. An entry without
 * detail stands for its subject. */
static const struct {
    const char *code, *why, *advice;
} meanings[] = {
    {"1.1", "There is no mailbox of this name.",
     "Check the address for a mistake, then send the message again."},
    {"1.2", "There is no such domain, or it takes no mail.",
     "Check the part of the address after the @ for a mistake, then send the message again."},
    {"1.3", "This is not a usable mail address.",
     "Check the address for a mistake, then send the message again."},
    {"1.6", "The mailbox has moved.", "Ask the recipient for the new address."},
    {"1.8", "The other server does not accept your address as a sender.",
     "Please show this report to your postmaster."},
    {"1.10", "This domain takes no mail at all.", "Ask the recipient for another address."},
    {"2.1", "The mailbox is closed at the moment.", "Reach the recipient in another way."},
    {"2.2", "The mailbox is full.",
     "Tell the recipient in another way, and send the message again later."},
    {"2.3", "The message is too large for this mailbox.",
     "Send less at once, or offer large files for download."},
    {"2.4", "The address is a list that could not be reached.", "Ask whoever runs the list."},
    {"2", "Something is wrong with the mailbox.", "Reach the recipient in another way."},
    {"3.1", "The other server has no room for mail at the moment.", "Send the message again later."},
    {"3.4", "The message is too large for the other server.",
     "Send less at once, or offer large files for download."},
    {"3", "The other server has a problem of its own.", "Send the message again later."},
    {"4.1", "The other server does not answer.",
     "Send the message again later, or reach the recipient in another way."},
    {"4.2", "The connection to the other server broke.", "Send the message again later."},
    {"4.3", "The way to the recipient's mail server could not be looked up.",
     "Send the message again later."},
    {"4.4", "The way to the recipient's mail server could not be found.",
     "Check the part of the address after the @, and send the message again later."},
    {"4.6", "The message went round in a loop between mail servers.",
     "Somewhere a forwarding is set up in a circle: please show this report to your postmaster."},
    {"4.7", "It could not be delivered in the time that is allowed for trying.",
     "Send the message again later, or reach the recipient in another way."},
    {"4", "The other server could not be reached.", "Send the message again later."},
    {"5", "The two mail servers did not understand each other.",
     "Please show this report to your postmaster."},
    {"6.7", "The address has international letters that the other server cannot take.",
     "Ask the recipient for another address."},
    {"6", "The other server does not take a message of this kind.",
     "Please show this report to your postmaster."},
    {"7.1", "The other server's rules forbid this message.",
     "Its words above may tell why. Ask the recipient, or show this report to your postmaster."},
    {"7.8", "The other server asked for a password.", "Please show this report to your postmaster."},
    {"7", "The other server refuses this message for reasons of security or policy.",
     "Its words above may tell why. Ask the recipient, or show this report to your postmaster."},
};

/* What each action is called, in the order in which a report tells them: bad news first. */
static const struct {
    const char *subject, *heading, *end;
} actions[] = {
    [REPORT_FAILED] = {"Not delivered", "Your message could not be delivered to",
                       "It will not be tried again by itself."},
    [REPORT_DELAYED] =
        {"Delayed", "Your message has not been delivered yet to",
         "You need not do anything, and need not send the message again: the mail server goes on "
         "trying, and tells you should it not succeed."},
    [REPORT_DELIVERED] = {"Delivered", "As you asked to be told: your message was delivered to",
                          "This does not mean that anybody has read it."},
    [REPORT_RELAYED] = {"Passed on",
                        "As you asked to be told: your message was passed on to the mail server of",
                        "That server does not confirm deliveries. You will hear no more, unless "
                        "something goes wrong."},
    [REPORT_EXPANDED] = {"Passed on",
                         "As you asked to be told: your message was passed on to the members of",
                         "You will hear no more, unless something goes wrong."},
};
#define ACTION_COUNT (sizeof(actions) / sizeof(*actions))

static bool is_meaning_of(const char *code, struct str detail)
{
    struct str c = str_from_c(code);
    size_t dot;

    if (!str_find_char(c, '.', &dot))
        return str_starts(detail, c) && detail.n > c.n && detail.p[c.n] == '.';
    return str_same(detail, c);
}

/* The row for "5.1.1", or -1. Rows of a whole subject stand behind those of its details. */
static int find_meaning(struct str status)
{
    struct str class;

    if (!take_until(&status, '.', &class))
        return -1;
    for (size_t i = 0; i < sizeof(meanings) / sizeof(*meanings); i++)
        if (is_meaning_of(meanings[i].code, status))
            return (int)i;
    return -1;
}

const char *status_meaning(struct str status)
{
    int i = find_meaning(status);

    return i < 0 ? "" : meanings[i].why;
}

/* How much of `text` goes on one line at most, without cutting a character. */
static size_t line_part(struct str text)
{
    size_t n = LINE_MAX_KEPT;

    if (text.n <= n)
        return text.n;
    while (n > LINE_MAX_KEPT - 4 && ((unsigned char)text.p[n] & 0xc0) == 0x80)
        n--;
    return n;
}

static void clean_line(struct buf *out, struct str line, bool ascii)
{
    size_t begin = out->n;

    words_clean(out, line);
    for (size_t i = begin; ascii && i < out->n; i++)
        if ((unsigned char)out->p[i] >= 0x80)
            out->p[i] = '?';
}

void report_clean_write(struct buf *out, struct str text, const char *indent, bool ascii)
{
    bool first = true;

    do {
        size_t lf = text.n, n;
        struct str line;

        str_find_char(text, '\n', &lf);
        line = str_upto(text, lf);
        if (line.n && line.p[line.n - 1] == '\r')
            line.n--;
        n = line_part(line);
        if (!first)
            buf_printf(out, "\r\n%s", indent);
        first = false;
        clean_line(out, str_upto(line, n), ascii);
        text = str_from(text, n < line.n ? n : lf + 1);
    } while (text.n);
}

/* Our own sentences, broken between words. */
static void add_wrapped(struct buf *out, const char *indent, struct str text)
{
    size_t column = 0;

    while (text.n) {
        size_t n = text.n;

        str_find_char(text, ' ', &n);
        if (column && column + 1 + n > LINE_LENGTH) {
            buf_add(out, S("\r\n"));
            column = 0;
        }
        buf_add_c(out, column ? " " : indent);
        column += column ? 1 : strlen(indent);
        buf_add(out, str_upto(text, n));
        column += n;
        text = str_from(text, n + 1);
    }
    buf_add(out, S("\r\n"));
}

static void add_sentence(struct buf *out, const char *sentence)
{
    add_wrapped(out, DETAIL, str_from_c(sentence));
}

static void add_reply(struct buf *out, const struct report_recipient *rcpt)
{
    if (rcpt->server.n) {
        buf_add_c(out, DETAIL "The mail server ");
        report_clean_write(out, rcpt->server, "", false);
        buf_add_c(out, " said:\r\n" QUOTED);
    } else {
        buf_add_c(out, DETAIL "The other mail server said:\r\n" QUOTED);
    }
    report_clean_write(out, rcpt->reply, QUOTED, false);
    buf_add(out, S("\r\n"));
}

static void add_why(struct buf *out, const struct report_recipient *rcpt)
{
    const char *meaning = status_meaning(rcpt->status);

    if (rcpt->reply.n)
        add_reply(out, rcpt);
    if (rcpt->reason.n) {
        buf_add_c(out, DETAIL);
        report_clean_write(out, rcpt->reason, DETAIL, false);
        buf_add(out, S("\r\n"));
    } else if (*meaning) {
        add_sentence(out, meaning);
    }
}

static void add_advice(struct buf *out, const struct report_recipient *rcpt)
{
    int i = find_meaning(rcpt->status);

    add_sentence(out, i < 0 ? "If that does not help you, please show this report to your postmaster."
                            : meanings[i].advice);
}

static void add_details(struct buf *out, const struct report_recipient *rcpt)
{
    if (rcpt->action == REPORT_FAILED || rcpt->action == REPORT_DELAYED)
        add_why(out, rcpt);
    if (rcpt->action == REPORT_FAILED)
        add_advice(out, rcpt);
    if (rcpt->action == REPORT_DELAYED) {
        buf_add_c(out, DETAIL "It is being tried again until ");
        date_write(out, rcpt->retry_until_ms, 0);
        buf_add(out, S(".\r\n"));
    }
    buf_add(out, S("\r\n"));
}

static size_t count_action(const struct report *r, enum report_action action)
{
    size_t n = 0;

    for (size_t i = 0; i < r->recipient_count; i++)
        n += r->recipients[i].action == action;
    return n;
}

/* One recipient is named in the first line, which mail programs show in their lists; several stand below it. */
static void add_action(struct buf *out, const struct report *r, enum report_action action)
{
    size_t n = count_action(r, action);

    if (n == 0)
        return;
    buf_printf(out, "%s%s", actions[action].heading, n == 1 ? " " : ":\r\n\r\n");
    for (size_t i = 0; i < r->recipient_count; i++) {
        if (r->recipients[i].action != action)
            continue;
        report_clean_write(out, r->recipients[i].address, DETAIL, false);
        buf_add_c(out, n == 1 ? ".\r\n\r\n" : "\r\n");
        add_details(out, &r->recipients[i]);
    }
    add_wrapped(out, "", str_from_c(actions[action].end));
    buf_add(out, S("\r\n"));
}

/* A field of the original as people read it; nothing if it has none. */
static void add_field(struct buf *out, const struct report *r, const char *name, const char *label)
{
    struct header_field f;
    struct buf raw = buf_make(LINE_MAX_KEPT);

    if (find_header_field(r->original, str_from_c(name), &f)) {
        header_unfold(&raw, str_upto(f.body, LINE_MAX_KEPT));
        buf_add_c(out, label);
        words_decode(out, buf_str(&raw));
        buf_add(out, S("\r\n"));
    }
    buf_free(&raw);
}

static void add_about(struct buf *out, const struct report *r)
{
    buf_add_c(out, "About your message:\r\n\r\n");
    add_field(out, r, "Subject", "    Subject:     ");
    add_field(out, r, "To", "    To:          ");
    add_field(out, r, "Date", "    Written:     ");
    buf_add_c(out, "    Taken here:  ");
    date_write(out, r->arrival_ms, 0);
    buf_add(out, S("\r\n"));
    add_field(out, r, "Message-ID", "    Message-ID:  ");
    buf_printf(out, "\r\nThis report was written by the mail server %.*s.\r\n", STR_ARG(r->hostname));
    buf_printf(out, "Its second part says the same for programs, the third is %s.\r\n",
               r->full ? "your message" : "the header of your message");
}

void report_text_write(struct buf *out, const struct report *r)
{
    for (size_t action = 0; action < ACTION_COUNT; action++)
        add_action(out, r, (enum report_action)action);
    add_about(out, r);
}

static enum report_action first_action(const struct report *r)
{
    enum report_action first = REPORT_EXPANDED;

    for (size_t i = 0; i < r->recipient_count; i++)
        if (r->recipients[i].action < first)
            first = r->recipients[i].action;
    return first;
}

void report_subject_write(struct buf *out, const struct report *r)
{
    struct header_field f;
    struct buf raw = buf_make(SUBJECT_KEPT);

    buf_add_c(out, actions[first_action(r)].subject);
    if (r->recipient_count == 1) {
        buf_add(out, S(" to "));
        report_clean_write(out, r->recipients[0].address, "", false);
    }
    if (find_header_field(r->original, S("Subject"), &f)) {
        header_unfold(&raw, str_upto(f.body, SUBJECT_KEPT));
        buf_add(out, S(": "));
        words_decode(out, buf_str(&raw));
    }
    buf_free(&raw);
}
