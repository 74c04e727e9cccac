/* A protocol up to the sign-on (the build says which: PROTOCOL is imap_core or pop3_core), fed anything. The first bytes
 * choose the settings and how the rest is cut; the stand-in for the vault asserts what must hold whatever a stranger
 * says. */
#include "gate/signon/core.h"

#include "base/log.h"
#include "gate/signon/standin.h"
#include "rpc/calls.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct core_ops *const protocol = &PROTOCOL;
static const struct bindings bindings = {.exporter_size = 32};

/* IMAP says nothing but responses, tagged or not, and "+": each has a first word. */
static bool may_be_said(struct str line)
{
    size_t at;

    if (line.n < 2 || line.n > 511 || line.p[line.n - 1] != '\r')
        return false;
    return protocol != &imap_core || (str_find_char(line, ' ', &at) && at);
}

static void take_out(struct buf *out)
{
    struct str replies = buf_str(out), line;

    while (take_until(&replies, '\n', &line))
        if (!may_be_said(line))
            __builtin_trap();
    if (replies.n || out->full)
        __builtin_trap();
    buf_clear(out);
}

/* IMAP's tag is one that attach takes (vault/attached.c). */
static void look_at_tag(struct core *c)
{
    struct str tag;
    uint32_t modes;

    protocol->describe(c, &modes, &tag);
    if (protocol != &imap_core)
        return;
    if (tag.n == 0 || tag.n > 256 || modes)
        __builtin_trap();
    for (size_t i = 0; i < tag.n; i++)
        if (!is_printable(tag.p[i]) || tag.p[i] == ' ' || strchr("(){%*\"\\+", tag.p[i]))
            __builtin_trap();
}

static void feed_all(struct core *c, struct str in, size_t step, struct buf *out)
{
    while (in.n) {
        struct str some = str_upto(in, step);

        in = str_from(in, some.n);
        while (some.n && c->want == CORE_INPUT) {
            protocol->feed(c, &some);
            take_out(out);
        }
        if (c->want == CORE_TLS)
            core_secured(c, &bindings);
        else if (c->want == CORE_ATTACH)
            look_at_tag(c);
        if (c->want != CORE_INPUT)
            return;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct signon_settings settings = {.hostname = S("mail.acompany.test"), .errors = 20};
    struct str in = {(const char *)data, size};
    struct buf out = buf_make((size_t)1 << 20);
    struct core *c;

    if (size < 2)
        return 0;
    log_start("fuzz", LOG_ERROR + 1);
    standin_reset();
    settings.allow_plaintext_auth = data[0] & 1;
    settings.has_certificate = data[0] & 2;
    settings.scram = data[0] & 4;
    standin_step_answers(data[0] & 8 ? ERR_STORE : OK);
    c = protocol->make(&settings, S("192.0.2.1"), &out);
    protocol->greet(c);
    take_out(&out);
    feed_all(c, str_from(in, 2), data[1] ? data[1] : 65536, &out);
    core_free(c);
    if (!standin_is_idle())
        __builtin_trap();
    buf_free(&out);
    return 0;
}
