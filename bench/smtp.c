/* A session waits for one reply at a time, and a row says for which code and what comes after it. With
 * pipelining (RFC 2920) everything up to DATA, or with BDAT the body too, was sent before the first of these
 * replies came; without it each step sends its own command.
 *
 *   GREETING -> HELLO [-> STARTTLS -> HELLO] [-> AUTH] -> MAIL -> RCPT... [-> DATA] -> BODY -> MAIL ...
 *                                                                                        \-> QUIT -> anew */
#include "smtp.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/codec.h"
#include "message.h"
#include "wire.h"

#define MOST_FAILURES 20 /* then the run is over: it has failed anyway */

enum step { GREETING, HELLO, STARTTLS, AUTH, MAIL, RCPT, DATA, BODY, QUIT };

struct load {
    const struct options *o;
    struct smtp_run *run;
    struct report *report;
    struct message_source *source;
    uint64_t taken; /* messages that some session has begun */
    uint64_t seed;
    bool given_up;
};

struct session {
    struct wire wire;
    struct load *load;
    enum step step;
    uint64_t number;        /* of this session; says which account it is when it signs on */
    uint64_t first_account; /* of this message's recipients; the others follow it */
    uint64_t answered;      /* recipients of this message */
    uint64_t sent;          /* messages on this connection */
};

static const struct reply_row {
    const char *name;
    int code;
    void (*next)(struct session *s);
} steps[QUIT + 1];

static void begin_message(struct session *s);

/* Sends what has gathered, if anything, and waits for that reply. */
static void wait_for(struct session *s, enum step step)
{
    s->step = step;
    wire_flush(&s->wire);
}

static void put(struct session *s, enum step step, const char *command)
{
    buf_add_c(&s->wire.out, command);
    wait_for(s, step);
}

static const char *sender(const struct session *s, char own[MAX_ADDRESS])
{
    if (!s->load->o->sasl)
        return s->load->o->from;
    pattern_write(&s->load->o->address, s->number % s->load->o->accounts, own);
    return own;
}

static void add_mail(struct session *s)
{
    char own[MAX_ADDRESS];

    buf_printf(&s->wire.out, "MAIL FROM:<%s>\r\n", sender(s, own));
}

static uint64_t recipient(const struct session *s, uint64_t n)
{
    return (s->first_account + n) % s->load->o->accounts;
}

static void add_rcpt(struct session *s, uint64_t n)
{
    char address[MAX_ADDRESS];

    pattern_write(&s->load->o->address, recipient(s, n), address);
    buf_printf(&s->wire.out, "RCPT TO:<%s>\r\n", address);
}

static void add_body(struct session *s)
{
    const struct options *o = s->load->o;
    char own[MAX_ADDRESS], to[MAX_ADDRESS];

    pattern_write(&o->address, s->first_account, to);
    if (o->bdat)
        buf_printf(&s->wire.out, "BDAT %" PRIu64 " LAST\r\n", o->size);
    message_add(s->load->source, &s->wire.out, o->size, sender(s, own), to);
    if (!o->bdat)
        buf_add_c(&s->wire.out, ".\r\n");
}

static void send_body(struct session *s)
{
    add_body(s);
    wait_for(s, BODY);
}

/* What follows a reply, step by step. */

static void after_greeting(struct session *s)
{
    put(s, HELLO, "EHLO load.bench.test\r\n");
}

static void after_starttls(struct session *s)
{
    wire_start_tls(&s->wire);
}

static void sign_on(struct session *s)
{
    struct buf plain = buf_make(BUF_UNLIMITED), coded = buf_make(BUF_UNLIMITED);
    char own[MAX_ADDRESS];

    buf_add_char(&plain, '\0'); /* RFC 4616: authzid NUL authcid NUL passwd */
    buf_add_c(&plain, sender(s, own));
    buf_add_char(&plain, '\0');
    buf_add_c(&plain, s->load->o->password);
    base64_encode(&coded, buf_str(&plain));
    buf_printf(&s->wire.out, "AUTH PLAIN %.*s\r\n", STR_ARG(buf_str(&coded)));
    wait_for(s, AUTH);
    buf_free(&plain);
    buf_free(&coded);
}

static void after_hello(struct session *s)
{
    if (s->load->o->tls == TLS_START && !s->wire.secured)
        put(s, STARTTLS, "STARTTLS\r\n");
    else if (s->load->o->sasl)
        sign_on(s);
    else
        begin_message(s);
}

static void begin_message(struct session *s)
{
    struct load *l = s->load;
    const struct options *o = l->o;

    if (l->taken == o->messages || l->given_up || (o->per_connection && s->sent == o->per_connection)) {
        put(s, QUIT, "QUIT\r\n");
        return;
    }
    l->taken++;
    l->seed = l->seed * 6364136223846793005u + 1442695040888963407u;
    s->first_account = (l->seed >> 33) % o->accounts;
    s->answered = 0;
    add_mail(s);
    if (o->pipelining) {
        for (uint64_t i = 0; i < o->recipients; i++)
            add_rcpt(s, i);
        if (o->bdat)
            add_body(s);
        else
            buf_add_c(&s->wire.out, "DATA\r\n");
    }
    wait_for(s, MAIL);
}

static void after_mail(struct session *s)
{
    if (!s->load->o->pipelining)
        add_rcpt(s, 0);
    wait_for(s, RCPT);
}

static void after_rcpt(struct session *s)
{
    const struct options *o = s->load->o;

    s->answered++;
    if (s->answered < o->recipients) {
        if (!o->pipelining)
            add_rcpt(s, s->answered);
        wait_for(s, RCPT);
    } else if (!o->bdat) {
        put(s, DATA, o->pipelining ? "" : "DATA\r\n");
    } else {
        if (!o->pipelining)
            add_body(s);
        wait_for(s, BODY);
    }
}

static void after_body(struct session *s)
{
    struct smtp_run *run = s->load->run;

    sample_add(&run->replies, monotonic_us() - s->wire.drained_us);
    run->accepted++;
    run->deliveries += s->load->o->recipients;
    for (uint64_t i = 0; i < s->load->o->recipients; i++)
        run->expected[recipient(s, i)]++;
    run->last_account = s->first_account;
    s->sent++;
    begin_message(s);
}

static void connect_anew(struct session *s)
{
    struct load *l = s->load;

    wire_close(&s->wire);
    if (l->taken == l->o->messages || l->given_up)
        return;
    s->step = GREETING;
    s->sent = 0;
    if (!wire_open(&s->wire, &l->o->to, l->o->tls == TLS_IMPLICIT)) {
        l->run->broken++;
        report_fail(l->report, "no connection can be opened");
    }
}

static const struct reply_row steps[QUIT + 1] = {
    [GREETING] = {"greeting", 220, after_greeting},
    [HELLO] = {"EHLO", 250, after_hello},
    [STARTTLS] = {"STARTTLS", 220, after_starttls},
    [AUTH] = {"AUTH", 235, begin_message},
    [MAIL] = {"MAIL", 250, after_mail},
    [RCPT] = {"RCPT", 250, after_rcpt},
    [DATA] = {"DATA", 354, send_body},
    [BODY] = {"body", 250, after_body},
    [QUIT] = {"QUIT", 221, connect_anew},
};

/* What went wrong costs the connection; the session goes on with the next message on a new one. */
static void go_on_after_failure(struct session *s)
{
    struct smtp_run *run = s->load->run;

    if (run->temporary + run->rejected + run->broken >= MOST_FAILURES)
        s->load->given_up = true;
    connect_anew(s);
}

static void note_refusal(struct session *s, int code, struct str line)
{
    struct smtp_run *run = s->load->run;

    if (code / 100 == 4)
        run->temporary++;
    else
        run->rejected++;
    report_fail(s->load->report, "reply to %s: %.*s", steps[s->step].name, STR_ARG(line));
    go_on_after_failure(s);
}

/* RFC 5321 §4.2: "250-" goes on, "250 " is the last line. */
static void read_replies(struct wire *w)
{
    struct session *s = (struct session *)w; /* its first member */
    struct str line, digits;
    uint32_t code = 0;

    while (wire_is_open(w) && wire_take_line(w, &line)) {
        digits = str_upto(line, 3);
        if (line.n > 3 && line.p[3] == '-')
            continue;
        if (!parse_u32(digits, &code) || (int)code != steps[s->step].code) {
            note_refusal(s, (int)code, line);
            return;
        }
        steps[s->step].next(s);
    }
}

static void note_break(struct wire *w, const char *why)
{
    struct session *s = (struct session *)w;

    s->load->run->broken++;
    report_fail(s->load->report, "waiting for the reply to %s: %s", steps[s->step].name, why);
    go_on_after_failure(s);
}

static void say_hello_again(struct wire *w)
{
    if (((struct session *)w)->step == STARTTLS)
        after_greeting((struct session *)w);
}

static struct session *open_sessions(struct load *l)
{
    struct session *all = must_alloc(l->o->sessions * sizeof *all);

    for (uint64_t i = 0; i < l->o->sessions; i++) {
        wire_init(&all[i].wire);
        all[i].wire.on_input = read_replies;
        all[i].wire.on_broken = note_break;
        all[i].wire.on_secured = say_hello_again;
        all[i].load = l;
        all[i].number = i;
        connect_anew(&all[i]);
    }
    return all;
}

static bool any_open(const struct session *all, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++)
        if (wire_is_open(&all[i].wire))
            return true;
    return false;
}

static void close_sessions(struct session *all, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        wire_close(&all[i].wire);
        buf_free(&all[i].wire.in);
        buf_free(&all[i].wire.out);
    }
    free(all);
}

void smtp_run(const struct options *o, int64_t deadline_ms, struct smtp_run *run, struct report *report)
{
    struct load load = {.o = o, .run = run, .report = report, .seed = random_u64()};
    struct session *all;

    *run = (struct smtp_run){.expected = must_alloc(o->accounts * sizeof *run->expected)};
    load.source = message_source_new();
    all = open_sessions(&load);
    while (any_open(all, o->sessions) && monotonic_ms() < deadline_ms)
        wires_serve(deadline_ms - monotonic_ms());
    if (run->accepted < o->messages)
        report_fail(report, "%" PRIu64 " of %" PRIu64 " messages accepted", run->accepted, o->messages);
    close_sessions(all, o->sessions);
    message_source_free(load.source);
}

void smtp_run_free(struct smtp_run *run)
{
    sample_free(&run->replies);
    free(run->expected);
    run->expected = NULL;
}
