/* What is said and what is waited for is a table: a step is over when a line begins as it says. IMAP's untagged lines
 * before it are passed over. */
#include "idle.h"

#include <stdio.h>

enum when { ALWAYS, WITH_STARTTLS, WITH_SELECT, WITH_IDLE };

enum { ADDRESS = 1, PASSWORD = 2 };

struct step {
    const char *say;      /* NULL: nothing, as before the greeting */
    unsigned arguments;   /* ADDRESS, PASSWORD: what follows it */
    const char *wait_for; /* NULL: the last row */
    enum when when;
    bool then_tls;
};

static const struct step imap_steps[] = {
    {NULL, 0, "* OK", ALWAYS, false},
    {"a STARTTLS", 0, "a OK", WITH_STARTTLS, true},
    {"b LOGIN", ADDRESS | PASSWORD, "b OK", ALWAYS, false},
    {"c SELECT INBOX", 0, "c OK", WITH_SELECT, false},
    {"d IDLE", 0, "+", WITH_IDLE, false}, /* RFC 2177 */
    {0},
};

static const struct step pop3_steps[] = {
    {NULL, 0, "+OK", ALWAYS, false},
    {"STLS", 0, "+OK", WITH_STARTTLS, true},
    {"USER", ADDRESS, "+OK", ALWAYS, false},
    {"PASS", PASSWORD, "+OK", ALWAYS, false},
    {0},
};

static const struct step *step_of(const struct idler *i)
{
    return &(i->o->protocol == PROTOCOL_IMAP ? imap_steps : pop3_steps)[i->step];
}

static bool is_wanted(const struct idler *i)
{
    switch (step_of(i)->when) {
    case WITH_STARTTLS:
        return i->o->tls == TLS_START && !i->wire.secured;
    case WITH_SELECT:
        return i->o->select;
    case WITH_IDLE:
        return i->o->idle;
    case ALWAYS:
        break;
    }
    return true;
}

static void fail_with(struct idler *i, const char *what, struct str detail)
{
    const char *said = step_of(i)->say;

    snprintf(i->failure, sizeof i->failure, "idle session %s after \"%s\": %.*s", what,
             said ? said : "", (int)(detail.n > 60 ? 60 : detail.n), detail.p ? detail.p : "");
    i->is_idle = false;
    wire_close(&i->wire);
    i->done(i);
}

/* A parked session of ours should cost little as well: there are thousands. */
static void rest(struct idler *i)
{
    buf_free(&i->wire.in);
    buf_free(&i->wire.out);
    i->is_idle = true;
    i->done(i);
}

static void say(struct idler *i, const struct step *step)
{
    char address[MAX_ADDRESS];

    pattern_write(&i->o->address, i->account, address);
    buf_add_c(&i->wire.out, step->say);
    if (step->arguments & ADDRESS)
        buf_printf(&i->wire.out, " %s", address);
    if (step->arguments & PASSWORD)
        buf_printf(&i->wire.out, " %s", i->o->password);
    buf_add_c(&i->wire.out, "\r\n");
    wire_flush(&i->wire);
}

static void next_step(struct idler *i)
{
    do
        i->step++;
    while (step_of(i)->wait_for && !is_wanted(i));
    if (step_of(i)->wait_for)
        say(i, step_of(i));
    else
        rest(i);
}

static void take_line(struct idler *i, struct str line)
{
    bool passing = i->o->protocol == PROTOCOL_IMAP && str_starts(line, S("* ")) && i->step > 0;

    if (i->is_idle || passing)
        return;
    if (!str_starts(line, str_from_c(step_of(i)->wait_for)))
        fail_with(i, "was refused", line);
    else if (step_of(i)->then_tls)
        wire_start_tls(&i->wire);
    else
        next_step(i);
}

static void read_input(struct wire *w)
{
    struct idler *i = (struct idler *)w; /* its first member */
    struct str line;

    while (wire_is_open(w) && w->in.n && wire_take_line(w, &line))
        take_line(i, line);
}

static void on_secured(struct wire *w)
{
    struct idler *i = (struct idler *)w;

    if (i->o->tls == TLS_START)
        next_step(i);
}

static void on_broken(struct wire *w, const char *why)
{
    fail_with((struct idler *)w, "broke off", str_from_c(why));
}

void idler_init(struct idler *i, const struct options *o)
{
    *i = (struct idler){.o = o};
    wire_init(&i->wire);
    i->wire.on_input = read_input;
    i->wire.on_secured = on_secured;
    i->wire.on_broken = on_broken;
}

void idler_start(struct idler *i, uint64_t account)
{
    i->account = account;
    i->step = 0;
    if (!wire_open(&i->wire, &i->o->to, i->o->tls == TLS_IMPLICIT))
        fail_with(i, "could not connect", STR_NONE);
}

void idler_free(struct idler *i)
{
    wire_close(&i->wire);
    buf_free(&i->wire.in);
    buf_free(&i->wire.out);
}
