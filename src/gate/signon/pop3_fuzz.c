/* POP3 up to the sign-on, fed anything. The first bytes choose the settings and how the rest is cut; the stand-in for
 * the vault asserts what must hold whatever a stranger says. */
#include "gate/signon/core.h"

#include "base/log.h"
#include "gate/signon/standin.h"
#include "rpc/calls.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct bindings bindings = {.exporter_size = 32};

/* Every line is a reply, a challenge, or a capability. */
static void take_out(struct buf *out)
{
    struct str replies = buf_str(out), line;

    while (take_until(&replies, '\n', &line))
        if (line.n < 2 || line.n > 511 || line.p[line.n - 1] != '\r')
            __builtin_trap();
    if (replies.n || out->full)
        __builtin_trap();
    buf_clear(out);
}

static void feed_all(struct core *p, struct str in, size_t step, struct buf *out)
{
    while (in.n) {
        struct str some = str_upto(in, step);

        in = str_from(in, some.n);
        while (some.n && p->want == CORE_INPUT) {
            pop3_core.feed(p, &some);
            take_out(out);
        }
        if (p->want == CORE_TLS)
            core_secured(p, &bindings);
        else if (p->want != CORE_INPUT)
            return;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct signon_settings settings = {.hostname = S("mail.acompany.test"), .errors = 20};
    struct str in = {(const char *)data, size};
    struct buf out = buf_make((size_t)1 << 20);
    struct core *p;

    if (size < 2)
        return 0;
    log_start("fuzz", LOG_ERROR + 1);
    standin_reset();
    settings.allow_plaintext_auth = data[0] & 1;
    settings.has_certificate = data[0] & 2;
    settings.scram = data[0] & 4;
    standin_step_answers(data[0] & 8 ? ERR_STORE : OK);
    p = pop3_core.make(&settings, S("192.0.2.1"), &out);
    pop3_core.greet(p);
    take_out(&out);
    feed_all(p, str_from(in, 2), data[1] ? data[1] : 65536, &out);
    core_free(p);
    if (!standin_is_idle())
        __builtin_trap();
    buf_free(&out);
    return 0;
}
