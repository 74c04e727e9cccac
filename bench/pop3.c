/* Like smtp.c: one reply is awaited at a time, a row per step. RETR is the exception: with pipelining a window
 * of them is on its way. */
#include "pop3.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/codec.h"

static const struct reply_row {
    const char *name;
    void (*next)(struct pop3 *p, struct str line);
} steps[POP3_QUIT + 1];

static void end(struct pop3 *p)
{
    wire_close(&p->wire);
    p->done(p);
}

static void fail_with(struct pop3 *p, const char *what, struct str detail)
{
    char address[MAX_ADDRESS];

    pattern_write(&p->o->address, p->account, address);
    snprintf(p->failure, sizeof p->failure, "POP3 %s, %s of %.60s: %.*s", what, steps[p->step].name,
             address, (int)(detail.n > 60 ? 60 : detail.n), detail.p);
    end(p);
}

static void put(struct pop3 *p, enum pop3_step waits_for, const char *verb, struct str argument)
{
    buf_add_c(&p->wire.out, verb);
    buf_add(&p->wire.out, argument);
    buf_add_c(&p->wire.out, "\r\n");
    p->step = waits_for;
    wire_flush(&p->wire);
}

static void quit(struct pop3 *p)
{
    put(p, POP3_QUIT, "QUIT", STR_NONE);
}

static void sign_on_plain(struct pop3 *p, const char *address)
{
    struct buf plain = buf_make(BUF_UNLIMITED), coded = buf_make(BUF_UNLIMITED);

    buf_add_char(&plain, '\0'); /* RFC 4616: authzid NUL authcid NUL passwd */
    buf_add_c(&plain, address);
    buf_add_char(&plain, '\0');
    buf_add_c(&plain, p->o->password);
    base64_encode(&coded, buf_str(&plain));
    put(p, POP3_AUTH, "AUTH PLAIN ", buf_str(&coded));
    buf_free(&plain);
    buf_free(&coded);
}

static void sign_on(struct pop3 *p)
{
    char address[MAX_ADDRESS];

    pattern_write(&p->o->address, p->account, address);
    if (p->o->sasl)
        sign_on_plain(p, address);
    else
        put(p, POP3_USER, "USER ", str_from_c(address));
}

static void after_greeting(struct pop3 *p, struct str line)
{
    (void)line;
    if (p->tls && p->o->tls == TLS_START)
        put(p, POP3_STLS, "STLS", STR_NONE);
    else
        sign_on(p);
}

static void after_stls(struct pop3 *p, struct str line)
{
    (void)line;
    wire_start_tls(&p->wire);
}

static void after_user(struct pop3 *p, struct str line)
{
    (void)line;
    put(p, POP3_PASS, "PASS ", str_from_c(p->o->password));
}

static void after_sign_on(struct pop3 *p, struct str line)
{
    (void)line;
    p->signed_on_us = monotonic_us();
    if (p->job == POP3_SIGN_ON)
        quit(p);
    else
        put(p, POP3_STAT, "STAT", STR_NONE);
}

/* Refills the window when half of it is answered, so that many RETRs leave in one write. */
static void ask(struct pop3 *p)
{
    uint64_t window = p->o->pipelining ? p->o->window : 1;

    p->step = POP3_RETR;
    if (p->asked - p->fetched > window / 2)
        return;
    while (p->asked < p->messages && p->asked - p->fetched < window)
        buf_printf(&p->wire.out, "RETR %" PRIu64 "\r\n", ++p->asked);
    wire_flush(&p->wire);
}

/* RFC 1939 §5: "+OK nn mm". */
static void after_stat(struct pop3 *p, struct str line)
{
    struct str s = str_from(line, 4);

    if (!take_u64(&s, &p->messages) || !take_char(&s, ' ') || !take_u64(&s, &p->octets))
        fail_with(p, "cannot be understood", line);
    else if (p->job == POP3_COUNT || !p->messages)
        quit(p);
    else
        ask(p);
}

static void after_retr(struct pop3 *p, struct str line)
{
    (void)line;
    p->in_text = true;
    p->after_line = true;
}

static void after_quit(struct pop3 *p, struct str line)
{
    if (p->job == POP3_FETCH && p->fetched_octets != p->octets) {
        p->step = POP3_RETR;
        fail_with(p, "gave other sizes than STAT said", line);
        return;
    }
    end(p);
}

static const struct reply_row steps[POP3_QUIT + 1] = {
    [POP3_GREETING] = {"greeting", after_greeting},
    [POP3_STLS] = {"STLS", after_stls},
    [POP3_USER] = {"USER", after_user},
    [POP3_PASS] = {"PASS", after_sign_on},
    [POP3_AUTH] = {"AUTH", after_sign_on},
    [POP3_STAT] = {"STAT", after_stat},
    [POP3_RETR] = {"RETR", after_retr},
    [POP3_QUIT] = {"QUIT", after_quit},
};

/* Dots are rare in our messages, so finding the next one is one memchr over most of the input. */
bool pop3_take_text(struct buf *in, bool *after_line, uint64_t *octets)
{
    struct str s = buf_str(in), end_line = S(".\r\n");
    size_t at = 0, dot, sure = s.n;

    while (str_find_char(str_from(s, at), '.', &dot)) {
        bool begins = at + dot == 0 ? *after_line : s.p[at + dot - 1] == '\n';

        at += dot;
        if (begins && str_starts(str_from(s, at), end_line)) {
            *octets += at;
            buf_take(in, at + end_line.n);
            return true;
        }
        if (begins && s.n - at < end_line.n) {
            sure = at; /* more has to come before this dot is understood */
            break;
        }
        at++;
    }
    if (sure)
        *after_line = s.p[sure - 1] == '\n';
    *octets += sure;
    buf_take(in, sure);
    return false;
}

/* True: the text is at its end, and the session waits for the next reply. */
static bool read_text(struct pop3 *p)
{
    if (!pop3_take_text(&p->wire.in, &p->after_line, &p->fetched_octets))
        return false;
    p->in_text = false;
    p->fetched++;
    if (p->fetched < p->messages) {
        ask(p);
    } else {
        p->fetched_us = monotonic_us();
        quit(p);
    }
    return true;
}

static void read_input(struct wire *w)
{
    struct pop3 *p = (struct pop3 *)w; /* its first member */
    struct str line;

    while (wire_is_open(w)) {
        if (p->in_text) {
            if (!read_text(p))
                return;
        } else if (!wire_take_line(w, &line)) {
            return;
        } else if (!str_starts(line, S("+OK"))) {
            fail_with(p, "refused", line);
            return; /* done() may have started another job: its input comes later */
        } else {
            steps[p->step].next(p, line);
        }
    }
}

static void note_break(struct wire *w, const char *why)
{
    fail_with((struct pop3 *)w, "broke off", str_from_c(why));
}

static void sign_on_secured(struct wire *w)
{
    struct pop3 *p = (struct pop3 *)w;

    if (p->step == POP3_STLS)
        sign_on(p);
}

void pop3_init(struct pop3 *p, const struct options *o)
{
    *p = (struct pop3){.o = o};
    wire_init(&p->wire);
    p->wire.on_input = read_input;
    p->wire.on_broken = note_break;
    p->wire.on_secured = sign_on_secured;
}

void pop3_start(struct pop3 *p, const struct sockaddr_in *to, enum pop3_job job, uint64_t account)
{
    p->job = job;
    p->account = account;
    p->step = POP3_GREETING;
    p->messages = p->octets = p->fetched = p->fetched_octets = p->asked = 0;
    p->in_text = false;
    p->failure[0] = '\0';
    if (!wire_open(&p->wire, to, p->tls && p->o->tls == TLS_IMPLICIT))
        fail_with(p, "cannot be reached", STR_NONE);
}

void pop3_free(struct pop3 *p)
{
    wire_close(&p->wire);
    buf_free(&p->wire.in);
    buf_free(&p->wire.out);
}
