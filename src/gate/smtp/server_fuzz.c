/* The SMTP server, fed anything. The first bytes choose the service, how the rest is cut and whether the session ends
 * while it waits for an answer; the stand-in for the vault asserts what must hold whatever a stranger says. */
#include "gate/smtp/server.h"
#include "gate/smtp/standin.h"

#include "base/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct smtp_settings settings = {.hostname = S("mail.acompany.test"),
                                              .message_size = 700000,
                                              .recipients = 150,
                                              .errors = 20,
                                              .idle_commands = 100,
                                              .allow_plaintext_auth = true,
                                              .has_certificate = true,
                                              .scram = true};

static void take_out(struct buf *out)
{
    struct str replies = buf_str(out), line;

    while (take_until(&replies, '\n', &line)) /* every reply is a code, a divider, a text and CRLF */
        if (line.n < 5 || line.n > 511 || line.p[line.n - 1] != '\r' || !is_digit(line.p[0]) ||
            (line.p[3] != ' ' && line.p[3] != '-'))
            __builtin_trap();
    if (replies.n || out->full)
        __builtin_trap();
    buf_clear(out);
}

/* False: it ends before, or after it has asked. */
static bool await(struct smtp *s, unsigned patience)
{
    while (smtp_wants(s) == SMTP_ANSWER) {
        if (patience == 1)
            return false;
        if (!smtp_await(s, (struct watch_id){0}) && patience == 2)
            return false;
    }
    return true;
}

static void feed_all(struct smtp *s, struct str in, size_t step, unsigned patience, struct buf *out)
{
    while (in.n) {
        struct str some = str_upto(in, step);

        in = str_from(in, some.n);
        while (some.n) {
            if (smtp_wants(s) == SMTP_CLOSE)
                return;
            if (smtp_wants(s) == SMTP_TLS)
                smtp_secured(s, S("TLSv1.3"), S("TLS_AES_128_GCM_SHA256"));
            smtp_feed(s, &some);
            if (!await(s, patience))
                return;
            take_out(out);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str in = {(const char *)data, size};
    struct buf out = buf_make((size_t)1 << 20);
    struct smtp *s;

    if (size < 2)
        return 0;
    log_start("fuzz", LOG_ERROR);
    standin_reset();
    standin_rule(S("rcpt x* answers NO_SUCH_USER"));
    standin_rule(S("mail y* answers BUSY"));
    s = smtp_new(&settings, (enum smtp_role)(data[0] % 3), S("192.0.2.1"), &out);
    smtp_greet(s);
    take_out(&out);
    feed_all(s, str_from(in, 2), data[1] ? data[1] : 65536, data[0] / 3 % 8, &out);
    smtp_free(s);
    if (!standin_is_idle())
        __builtin_trap();
    buf_free(&out);
    return 0;
}
