/* Stamp = From-domain By-domain Opt-info ";" date-time: one clause a line unless they fit together. */
#include "mail/received.h"

#include "mail/date.h"

#define LINE_LENGTH 78 /* RFC 5322 §2.1.1 */

static const char *const esmtp_names[2][2] = {{"ESMTP", "ESMTPA"}, {"ESMTPS", "ESMTPSA"}};
static const char *const utf8_names[2][2] = {{"UTF8SMTP", "UTF8SMTPA"}, {"UTF8SMTPS", "UTF8SMTPSA"}};

const char *received_protocol(const struct received *r)
{
    bool tls = r->tls_version.n > 0;

    if (r->utf8)
        return utf8_names[tls][r->auth];
    return r->esmtp || tls || r->auth ? esmtp_names[tls][r->auth] : "SMTP";
}

/* A clause goes to the line that `line_start` begins, or to a new one. */
static void add_clause(struct buf *out, size_t *line_start, const struct buf *clause)
{
    if (out->n - *line_start + 1 + clause->n > LINE_LENGTH) {
        buf_add(out, S("\r\n\t"));
        *line_start = out->n - 1;
    } else {
        buf_add_char(out, ' ');
    }
    buf_add(out, buf_str(clause));
}

/* What the client calls itself. Only what cannot close a comment, open one or end the line is passed on. */
static void add_helo(struct buf *clause, struct str helo)
{
    if (helo.n == 0)
        buf_add(clause, S("unknown"));
    for (size_t i = 0; i < helo.n && i < DOMAIN_MAX; i++) {
        char c = helo.p[i];
        bool good = is_alnum(c) || memchr("-._:[]", c, 6) || (unsigned char)c >= 0x80;

        buf_add_char(clause, good ? c : '?');
    }
}

/* address-literal (§4.1.3) */
static void add_literal(struct buf *clause, struct str address)
{
    size_t colon;

    buf_add_c(clause, str_find_char(address, ':', &colon) ? "[IPv6:" : "[");
    buf_add(clause, address);
    buf_add_char(clause, ']');
}

/* From-domain = "FROM" FWS Extended-Domain, TCP-info = address-literal / ( Domain FWS address-literal ) */
static void from_clause(struct buf *clause, const struct received *r)
{
    buf_add(clause, S("from "));
    add_helo(clause, r->helo);
    if (r->client_address.n == 0)
        return;
    buf_add(clause, S(" ("));
    if (r->client_name.n) {
        add_helo(clause, r->client_name);
        buf_add_char(clause, ' ');
    }
    add_literal(clause, r->client_address);
    buf_add_char(clause, ')');
}

/* TLS stands in a comment: the grammar has no place for it, and people know where to look from Postfix. */
static void tls_clause(struct buf *clause, const struct received *r)
{
    if (r->tls_version.n)
        buf_printf(clause, "(using %.*s with cipher %.*s)", STR_ARG(r->tls_version),
                   STR_ARG(r->tls_cipher));
}

static void by_clause(struct buf *clause, const struct received *r)
{
    buf_printf(clause, "by %.*s with %s", STR_ARG(r->by), received_protocol(r));
}

static void id_clause(struct buf *clause, const struct received *r)
{
    if (r->id.n)
        buf_printf(clause, "id %.*s", STR_ARG(r->id));
}

static void for_clause(struct buf *clause, const struct received *r)
{
    if (!r->for_recipient)
        return;
    buf_add(clause, S("for <"));
    mailbox_write(clause, r->for_recipient);
    buf_add_char(clause, '>');
}

void received_write(struct buf *out, const struct received *r)
{
    static void (*const clauses[])(struct buf *, const struct received *) = {
        from_clause, tls_clause, by_clause, id_clause, for_clause};
    struct buf clause = buf_make(BUF_UNLIMITED);
    size_t line_start = out->n;

    buf_add(out, S("Received:"));
    for (size_t i = 0; i < sizeof(clauses) / sizeof(*clauses); i++) {
        clauses[i](&clause, r);
        if (clause.n)
            add_clause(out, &line_start, &clause);
        buf_clear(&clause);
    }
    buf_add_char(out, ';');
    date_write(&clause, r->date_ms, r->zone_minutes);
    add_clause(out, &line_start, &clause);
    buf_add(out, S("\r\n"));
    buf_free(&clause);
}

void delivery_prefix_write(struct buf *out, const struct mailbox *reverse_path, struct str delivered_to)
{
    buf_add(out, S("Return-Path: <"));
    mailbox_write(out, reverse_path);
    buf_add(out, S(">\r\nDelivered-To: "));
    buf_add(out, delivered_to);
    buf_add(out, S("\r\n"));
}

bool is_delivery_field(struct str name)
{
    return str_same_nocase(name, S("Return-Path")) || str_same_nocase(name, S("Delivered-To"));
}
