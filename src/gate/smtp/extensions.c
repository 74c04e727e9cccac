/* What we announce and what we accept is asked of the same functions, so the two cannot drift apart. */
#include "gate/smtp/session.h"

#include <inttypes.h>

bool offers_starttls(const struct smtp *s)
{
    return !s->tls && s->role != SMTP_LOCAL && s->settings->has_certificate;
}

bool has_auth(const struct smtp *s)
{
    return s->role == SMTP_SUBMISSION;
}

/* Nobody listens on the loopback, so a password may cross it in the clear. */
static bool is_loopback(const char *client)
{
    return str_starts(str_from_c(client), S("127.")) || str_same(str_from_c(client), S("::1"));
}

bool offers_auth(const struct smtp *s)
{
    return has_auth(s) && !s->signed_on &&
           (s->tls || s->settings->allow_plaintext_auth || is_loopback(s->client));
}

static bool always(const struct smtp *s)
{
    (void)s;
    return true;
}

static bool is_local(const struct smtp *s)
{
    return s->role == SMTP_LOCAL;
}

static void write_domain(const struct smtp *s, struct buf *out)
{
    buf_printf(out, " %.*s", STR_ARG(s->settings->local_domain));
}

static void write_size(const struct smtp *s, struct buf *out)
{
    buf_printf(out, " %" PRIu64, s->settings->message_size);
}

static void write_limits(const struct smtp *s, struct buf *out)
{
    buf_printf(out, " RCPTMAX=%zu", s->settings->recipients);
}

static const struct extension {
    const char *keyword;
    bool (*is_offered)(const struct smtp *s);
    void (*argument)(const struct smtp *s, struct buf *out); /* with the blank before it; NULL: none */
} extensions[] = {
    {"SIZE", always, write_size},    /* RFC 1870 */
    {"8BITMIME", always},            /* RFC 6152 */
    {"PIPELINING", always},          /* RFC 2920 */
    {"ENHANCEDSTATUSCODES", always}, /* RFC 2034 */
    {"CHUNKING", always},            /* RFC 3030, without BINARYMIME: its bytes no next hop takes */
    {"SMTPUTF8", always},            /* RFC 6531 */
    {"DSN", always},                 /* RFC 3461 */
    {"STARTTLS", offers_starttls},   /* RFC 3207 */
    {"AUTH", offers_auth, write_mechanisms}, /* RFC 4954 */
    {"XDOMAIN", is_local, write_domain},     /* our own: where a bare name is at home (§2.2.2) */
    {"LIMITS", always,
     write_limits}, /* RFC 9422; without MAILMAX: a session may send as much as it likes */
};
#define EXTENSIONS (sizeof(extensions) / sizeof(*extensions))

/* The last row is always offered, so it is the one that ends the reply. */
void reply_ehlo(struct smtp *s)
{
    struct buf line = buf_make(512);

    reply_more(s, 250, "%.*s", STR_ARG(s->settings->hostname));
    for (size_t i = 0; i < EXTENSIONS; i++) {
        if (!extensions[i].is_offered(s))
            continue;
        buf_clear(&line);
        buf_add_c(&line, extensions[i].keyword);
        if (extensions[i].argument)
            extensions[i].argument(s, &line);
        if (i + 1 < EXTENSIONS)
            reply_more(s, 250, "%.*s", STR_ARG(line));
        else
            reply(s, 250, NULL, "%.*s", STR_ARG(line));
    }
    buf_free(&line);
}
