/* The frame: header, three parts, and the fields for programs (RFC 3464 §2.2, §2.3). */
#include "mail/report.h"

#include "base/codec.h"
#include "mail/date.h"
#include "mail/header.h"
#include "mail/message_id.h"
#include "mail/report_text.h"
#include "mail/words.h"
#include "proto/xtext.h"

/* RFC 3464 §2.3.3 */
static const char *const action_names[] = {
    [REPORT_FAILED] = "failed",   [REPORT_DELAYED] = "delayed",   [REPORT_DELIVERED] = "delivered",
    [REPORT_RELAYED] = "relayed", [REPORT_EXPANDED] = "expanded",
};

/* A line end inside `text` would begin a field of its own: it becomes a fold. */
static void add_field(struct buf *out, const struct report *r, const char *name, struct str text)
{
    buf_add_c(out, name);
    buf_add(out, S(": "));
    report_clean_write(out, text, " ", !r->smtputf8);
    buf_add(out, S("\r\n"));
}

static void add_date(struct buf *out, const char *name, int64_t ms)
{
    buf_add_c(out, name);
    buf_add(out, S(": "));
    date_write(out, ms, 0);
    buf_add(out, S("\r\n"));
}

/* RFC 3464 §2.3.2, and RFC 6533 §3 for an address beyond ASCII, which keeps its letters only in the global form. */
static void add_recipient_field(struct buf *out, const struct report *r, const char *name,
                                struct str type, struct str address)
{
    struct buf text = buf_make(BUF_UNLIMITED);

    buf_add(&text, is_ascii(address) ? type : S("utf-8"));
    buf_add(&text, S(";"));
    if (is_ascii(address) || r->smtputf8)
        buf_add(&text, address);
    else
        unitext_encode(&text, address, true);
    add_field(out, r, name, buf_str(&text));
    buf_free(&text);
}

static void add_original_recipient(struct buf *out, const struct report *r, struct str orcpt)
{
    struct str type;

    if (take_until(&orcpt, ';', &type))
        add_recipient_field(out, r, "Original-Recipient", type, orcpt);
}

static void add_typed_field(struct buf *out, const struct report *r, const char *name, const char *type,
                            struct str text)
{
    struct buf typed = buf_make(BUF_UNLIMITED);

    buf_add_c(&typed, type);
    buf_add(&typed, text);
    add_field(out, r, name, buf_str(&typed));
    buf_free(&typed);
}

/* The fields of one recipient: RFC 3464 §2.3, in its order. */
static void add_recipient(struct buf *out, const struct report *r, const struct report_recipient *rcpt)
{
    buf_add(out, S("\r\n"));
    add_original_recipient(out, r, rcpt->orcpt);
    add_recipient_field(out, r, "Final-Recipient", S("rfc822"), rcpt->address);
    buf_printf(out, "Action: %s\r\n", action_names[rcpt->action]);
    add_field(out, r, "Status", rcpt->status);
    if (rcpt->server.n)
        add_typed_field(out, r, "Remote-MTA", "dns; ", rcpt->server);
    if (rcpt->reply.n)
        add_typed_field(out, r, "Diagnostic-Code", "smtp; ", rcpt->reply);
    if (rcpt->last_attempt_ms)
        add_date(out, "Last-Attempt-Date", rcpt->last_attempt_ms);
    if (rcpt->action == REPORT_DELAYED)
        add_date(out, "Will-Retry-Until", rcpt->retry_until_ms);
}

/* The second part: per-message fields (RFC 3464 §2.2), then a group for each recipient. */
static void write_status(struct buf *out, const struct report *r)
{
    if (r->envid.n)
        add_field(out, r, "Original-Envelope-Id", r->envid);
    add_typed_field(out, r, "Reporting-MTA", "dns; ", r->hostname);
    add_date(out, "Arrival-Date", r->arrival_ms);
    for (size_t i = 0; i < r->recipient_count; i++)
        add_recipient(out, r, &r->recipients[i]);
}

/* The third part: the message, or its header without the empty line. */
static void write_original(struct buf *out, const struct report *r)
{
    struct header_field f;
    struct str rest = r->original, returned = r->original;

    if (!r->full) {
        while (take_header_field(&rest, &f))
            ;
        returned.n -= rest.n;
    }
    buf_add(out, returned);
    if (returned.n && returned.p[returned.n - 1] != '\n')
        buf_add(out, S("\r\n"));
}

struct part {
    const char *type, *utf8_type, *description;
    void (*write)(struct buf *out, const struct report *r);
};

/* RFC 6522 §3, RFC 6533 §4 to §6 */
static const struct part text_part = {"text/plain; charset=utf-8", "text/plain; charset=utf-8",
                                      "What happened", report_text_write};
static const struct part status_part = {"message/delivery-status", "message/global-delivery-status",
                                        "The same for programs", write_status};
static const struct part header_part = {"text/rfc822-headers", "message/global-headers",
                                        "Header of your message", write_original};
static const struct part message_part = {"message/rfc822", "message/global", "Your message",
                                         write_original};

/* message/rfc822 and its kin may not be (RFC 2045 §6.4, RFC 3464 §2.1), the types of RFC 6533 may (§4.4). */
static bool may_be_encoded(const struct report *r, const struct part *part)
{
    return r->seven_bit && (r->smtputf8 || part == &text_part);
}

/* RFC 2045 §6.8: lines of at most 76 characters. */
static void add_base64(struct buf *out, struct str s)
{
    for (struct str line; s.n; s = str_from(s, line.n)) {
        line = str_upto(s, 57);
        base64_encode(out, line);
        buf_add(out, S("\r\n"));
    }
}

static void add_part(struct buf *out, const struct report *r, struct str boundary,
                     const struct part *part)
{
    struct buf body = buf_make(BUF_UNLIMITED);

    part->write(&body, r);
    buf_printf(out, "\r\n--%.*s\r\n", STR_ARG(boundary));
    buf_printf(out, "Content-Type: %s\r\n", r->smtputf8 ? part->utf8_type : part->type);
    buf_printf(out, "Content-Description: %s\r\n", part->description);
    if (is_ascii(buf_str(&body)) || !may_be_encoded(r, part)) {
        if (!is_ascii(buf_str(&body)))
            buf_add(out, S("Content-Transfer-Encoding: 8bit\r\n"));
        buf_add(out, S("\r\n"));
        buf_add(out, buf_str(&body));
    } else {
        buf_add(out, S("Content-Transfer-Encoding: base64\r\n\r\n"));
        add_base64(out, buf_str(&body));
    }
    buf_free(&body);
}

/* A boundary that does not occur in what a stranger wrote (RFC 2046 §5.1.1). The other parts indent strangers' words. */
static void choose_boundary(struct buf *boundary, const struct report *r)
{
    unsigned n = 0;
    size_t at;

    do {
        buf_clear(boundary);
        buf_printf(boundary, "=_report_%.*s_%u", STR_ARG(str_upto(r->unique, 30)), n++);
    } while (str_find(r->original, buf_str(boundary), &at));
}

/* The thread of the message it is about, so that programs show the two together. */
static void add_thread(struct buf *out, const struct report *r)
{
    struct header_field f;
    struct str id;

    if (find_header_field(r->original, S("Message-ID"), &f) && take_message_id(&f.body, &id) &&
        is_ascii(id) && id.n < 900)
        buf_printf(out, "In-Reply-To: %.*s\r\nReferences: %.*s\r\n", STR_ARG(id), STR_ARG(id));
}

static void add_header(struct buf *out, const struct report *r, struct str boundary, bool eight_bit)
{
    struct buf subject = buf_make(BUF_UNLIMITED);

    buf_printf(out, "From: Mail Delivery System <%.*s>\r\nTo: <%.*s>\r\nSubject: ", STR_ARG(r->from),
               STR_ARG(r->to));
    report_subject_write(&subject, r);
    words_write(out, buf_str(&subject), sizeof("Subject: ") - 1);
    buf_free(&subject);
    buf_add(out, S("\r\n"));
    add_date(out, "Date", r->date_ms);
    buf_add(out, S("Message-ID: "));
    message_id_write(out, r->unique, r->hostname);
    buf_add(out, S("\r\n"));
    add_thread(out, r);
    buf_add(out, S("Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n")); /* RFC 3834 §5 */
    buf_printf(out, "Content-Type: multipart/report; report-type=%s;\r\n\tboundary=\"%.*s\"\r\n",
               r->smtputf8 ? "global-delivery-status" : "delivery-status", STR_ARG(boundary));
    if (eight_bit) /* RFC 2045 §6.4: the frame says so when a part does */
        buf_add(out, S("Content-Transfer-Encoding: 8bit\r\n"));
    buf_add(out, S("\r\nThis is a delivery report in MIME format.\r\n"));
}

void report_write(struct buf *out, const struct report *r)
{
    struct buf boundary = buf_make(70), parts = buf_make(BUF_UNLIMITED);

    choose_boundary(&boundary, r);
    add_part(&parts, r, buf_str(&boundary), &text_part);
    add_part(&parts, r, buf_str(&boundary), &status_part);
    add_part(&parts, r, buf_str(&boundary), r->full ? &message_part : &header_part);
    add_header(out, r, buf_str(&boundary), !is_ascii(buf_str(&parts)));
    buf_add(out, buf_str(&parts));
    buf_printf(out, "\r\n--%.*s--\r\n", STR_ARG(buf_str(&boundary)));
    buf_free(&boundary);
    buf_free(&parts);
}
