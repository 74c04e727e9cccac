/* The SMTP client with a server that says anything. The first bytes choose the message and how the rest is cut. What
 * must hold: every command is one line, nothing is said when it is not the client's turn, and at the end every
 * recipient either has a verdict with words, or there is trouble that tells why not. */
#include "gate/smtp/client.h"

#include "base/arena.h"

#define RCPTS 5

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fuzz {
    struct client *c;
    struct buf out;
    struct work_rcpt asked[RCPTS];
    struct client_rcpt rcpts[RCPTS];
    struct client_message message;
    unsigned messages;
};

static void check(bool holds)
{
    if (!holds)
        __builtin_trap();
}

static void check_over(const struct fuzz *f)
{
    for (size_t i = 0; i < RCPTS; i++)
        if (f->rcpts[i].outcome)
            check(f->rcpts[i].words.status.n && f->rcpts[i].words.reply.n <= CLIENT_REPLY_MAX);
        else
            check(client_wants_rest(f->c) || client_trouble(f->c)->outcome);
}

static void begin(struct fuzz *f)
{
    if (f->messages) {
        check_over(f);
        if (client_wants_rest(f->c)) {
            client_send(f->c, &f->message);
            return;
        }
    }
    if (++f->messages > 3) {
        client_quit(f->c);
        return;
    }
    for (size_t i = 0; i < RCPTS; i++)
        f->rcpts[i] = (struct client_rcpt){.asked = &f->asked[i]};
    client_send(f->c, &f->message);
}

static void turn(struct fuzz *f)
{
    enum client_want want;

    while ((want = client_wants(f->c)) != CLIENT_INPUT && want != CLIENT_CLOSE) {
        uint64_t step = client_step(f->c);

        if (want == CLIENT_TLS)
            client_secured(f->c);
        else if (want == CLIENT_READY)
            begin(f);
        else
            client_body(f->c, S("Subject: x\r\n\r\n.dot\r\nbody\r\n"), true);
        check(client_step(f->c) != step);
    }
    for (size_t i = 1; i < f->out.n; i++)
        check(f->out.p[i] != '\n' || f->out.p[i - 1] == '\r');
    check(!f->out.full && (!f->out.n || f->out.p[f->out.n - 1] == '\n'));
    check(client_timeout_ms(f->c) > 0);
    buf_clear(&f->out);
}

static void prepare(struct fuzz *f, unsigned flags)
{
    f->message = (struct client_message){.arena = arena_new(0),
                                         .reverse_path = {S("tom"), S("a.test")},
                                         .params = {.size = 1000, .ret = 'F', .envid = S("x y")},
                                         .has_8bit = flags & 1,
                                         .needs_smtputf8 = flags & 2,
                                         .rcpts = f->rcpts,
                                         .rcpt_count = RCPTS};
    for (size_t i = 0; i < RCPTS; i++)
        f->asked[i] = (struct work_rcpt){
            (uint32_t)i, {S("ann"), S("b.test")}, (uint32_t)i * 2, S("rfc822;ann@b.test")};
    f->asked[4].to.local_part = S("a> RSET\r\n");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz f = {.out = buf_make((size_t)1 << 20)};
    struct client_settings settings = {.helo = S("a.test"), .user = S("u"), .password = S("p")};
    struct str in, some;

    if (size < 2)
        return 0;
    settings.may_tls = data[0] & 4;
    settings.is_loopback = data[0] & 8;
    settings.user.n = data[0] & 16 ? 1 : 0;
    in = (struct str){(const char *)data + 2, size - 2};
    prepare(&f, data[0]);
    f.c = client_new(&settings, &f.out);
    while (in.n && client_wants(f.c) != CLIENT_CLOSE) {
        some = str_upto(in, data[1] ? data[1] : 65536);
        in = str_from(in, some.n);
        client_feed(f.c, &some);
        turn(&f);
    }
    client_lost(f.c, S("4.4.2"), S("it hung up"));
    check(client_wants(f.c) == CLIENT_CLOSE);
    if (f.messages && f.messages <= 3)
        check_over(&f);
    client_free(f.c);
    arena_free(f.message.arena);
    buf_free(&f.out);
    return 0;
}
