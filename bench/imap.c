/* One command is on its way at a time, so its tagged reply is the last line there is: of replies of 60 MB only the
 * end is looked at, and the rest is thrown away as it comes. */
#include "imap.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "letter.h"

#define KEPT 4096 /* the longest last line */

/* ---- the script ---- */

static bool take_word(struct str *in, struct str *word)
{
    size_t n = 0;

    *in = str_trim(*in);
    while (n < in->n && !is_wsp(in->p[n]))
        n++;
    *word = str_upto(*in, n);
    *in = str_trim(str_from(*in, n));
    return n > 0;
}

static bool parse_step(struct str line, struct imap_step *s)
{
    struct str name, times, batch;

    if (!take_word(&line, &name) || name.n >= sizeof s->name || !take_word(&line, &times) ||
        !parse_u64(times, &s->times) || !s->times || !line.n)
        return false;
    if (take_text(&line, S("!APPEND ")) &&
        (!take_word(&line, &batch) || !parse_u64(batch, &s->batch) || !s->batch || !line.n))
        return false;
    s->command = line;
    snprintf(s->name, sizeof s->name, "%.*s", STR_ARG(name));
    snprintf(s->figure, sizeof s->figure, s->batch ? "%.*s_per_s" : "%.*s_ms", STR_ARG(name));
    snprintf(s->bytes, sizeof s->bytes, "%.*s_reply_kb", STR_ARG(name));
    return true;
}

bool imap_script_parse(struct str text, struct imap_script *out, uint64_t *wrong)
{
    struct str line;

    *out = (struct imap_script){0};
    for (*wrong = 1; text.n; ++*wrong) {
        if (!take_until(&text, '\n', &line)) {
            line = text;
            text = STR_NONE;
        }
        line = str_trim(line);
        if (!line.n || line.p[0] == '#')
            continue;
        if (out->n == IMAP_MOST_STEPS || !parse_step(line, &out->steps[out->n]))
            return false;
        out->n++;
    }
    return true;
}

void imap_script_free(struct imap_script *s)
{
    for (size_t i = 0; i < s->n; i++)
        sample_free(&s->steps[i].took);
}

/* ---- the session ---- */

static void end(struct imap *m)
{
    wire_close(&m->wire);
    m->done(m);
}

static void fail_with(struct imap *m, const char *what, struct str detail)
{
    const char *step = m->state == IMAP_STEPS ? m->script->steps[m->step].name : "sign-on";

    snprintf(m->failure, sizeof m->failure, "imap %s %s: %.*s", step, what,
             (int)(detail.n > 100 ? 100 : detail.n), detail.p ? detail.p : "");
    end(m);
}

static void begin_command(struct imap *m)
{
    buf_clear(&m->wire.in);
    m->octets = 0;
    buf_printf(&m->wire.out, "b%" PRIu64 " ", ++m->tag);
}

static void send_command(struct imap *m)
{
    buf_add_c(&m->wire.out, "\r\n");
    m->asked_us = monotonic_us();
    wire_flush(&m->wire);
}

static void add_letters(struct imap *m, const struct imap_step *s)
{
    struct buf letter = buf_make(BUF_UNLIMITED);

    buf_printf(&m->wire.out, "APPEND %.*s", STR_ARG(s->command));
    for (uint64_t i = 0; i < s->batch && m->round < s->times; i++, m->round++) {
        buf_clear(&letter);
        letter_add(&letter, m->letter++);
        buf_printf(&m->wire.out, " {%zu+}\r\n", letter.n);
        buf_add(&m->wire.out, buf_str(&letter));
    }
    buf_free(&letter);
}

static void next_step(struct imap *m)
{
    struct imap_step *s = &m->script->steps[m->step];

    while (m->step < m->script->n && m->round >= s->times) {
        m->step++;
        s++;
        m->round = 0;
    }
    begin_command(m);
    if (m->step == m->script->n) {
        m->state = IMAP_LOGOUT;
        buf_add_c(&m->wire.out, "LOGOUT");
    } else if (s->batch) {
        add_letters(m, s);
    } else {
        m->round++;
        buf_add(&m->wire.out, s->command);
    }
    send_command(m);
}

static void note_step(struct imap *m)
{
    struct imap_step *s = &m->script->steps[m->step];
    int64_t took = monotonic_us() - m->asked_us;

    sample_add(&s->took, took);
    s->seconds += (double)took / 1e6;
    s->octets += (double)(m->octets + m->wire.in.n);
}

static void log_in(struct imap *m)
{
    char address[MAX_ADDRESS];

    pattern_write(&m->o->address, m->account, address);
    m->state = IMAP_LOGIN;
    begin_command(m);
    buf_printf(&m->wire.out, "LOGIN %s \"%s\"", address, m->o->password);
    send_command(m);
}

static void after_reply(struct imap *m, struct str line)
{
    if (!str_starts_nocase(line, S("OK"))) {
        fail_with(m, "refused", line);
        return;
    }
    switch (m->state) {
    case IMAP_GREETING:
        break;
    case IMAP_STARTTLS:
        wire_start_tls(&m->wire);
        return;
    case IMAP_LOGIN:
        m->signed_on_us = monotonic_us();
        m->state = IMAP_STEPS;
        next_step(m);
        return;
    case IMAP_STEPS:
        note_step(m);
        next_step(m);
        return;
    case IMAP_LOGOUT:
        end(m);
        return;
    }
}

bool imap_take_reply(struct str in, struct str tag, bool whole, struct str *line)
{
    size_t begin;

    if (in.n < 2 || memcmp(in.p + in.n - 2, "\r\n", 2) != 0)
        return false;
    in.n -= 2;
    if (str_rfind_char(in, '\n', &begin))
        in = str_from(in, begin + 1);
    else if (!whole)
        return false;
    if (!take_text(&in, tag) || !take_char(&in, ' '))
        return false;
    *line = in;
    return true;
}

static void read_greeting(struct imap *m)
{
    struct str line;

    if (!wire_take_line(&m->wire, &line))
        return;
    if (!str_starts_nocase(line, S("* OK"))) {
        fail_with(m, "greeted with", line);
    } else if (m->o->tls == TLS_START) {
        m->state = IMAP_STARTTLS;
        begin_command(m);
        buf_add_c(&m->wire.out, "STARTTLS");
        send_command(m);
    } else {
        log_in(m);
    }
}

static void read_input(struct wire *w)
{
    struct imap *m = (struct imap *)w; /* its first member */
    char tag[24];
    struct str line;

    if (m->state == IMAP_GREETING) {
        read_greeting(m);
        return;
    }
    snprintf(tag, sizeof tag, "b%" PRIu64, m->tag);
    if (imap_take_reply(buf_str(&w->in), str_from_c(tag), m->octets == 0, &line)) {
        after_reply(m, line);
    } else if (w->in.n > 16 * KEPT) {
        m->octets += w->in.n - KEPT;
        buf_take(&w->in, w->in.n - KEPT);
    }
}

static void note_break(struct wire *w, const char *why)
{
    fail_with((struct imap *)w, "broke off", str_from_c(why));
}

static void secured(struct wire *w)
{
    struct imap *m = (struct imap *)w;

    if (m->state == IMAP_STARTTLS)
        log_in(m);
}

void imap_init(struct imap *m, const struct options *o)
{
    *m = (struct imap){.o = o};
    wire_init(&m->wire);
    m->wire.on_input = read_input;
    m->wire.on_broken = note_break;
    m->wire.on_secured = secured;
}

void imap_start(struct imap *m, const struct sockaddr_in *to, uint64_t account)
{
    m->account = account;
    m->state = IMAP_GREETING;
    m->step = 0;
    m->round = 0;
    m->failure[0] = '\0';
    if (!wire_open(&m->wire, to, m->o->tls == TLS_IMPLICIT))
        fail_with(m, "cannot be reached", STR_NONE);
}

void imap_free(struct imap *m)
{
    wire_close(&m->wire);
    buf_free(&m->wire.in);
    buf_free(&m->wire.out);
}
