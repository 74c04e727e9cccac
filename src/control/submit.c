#include "control/submit.h"

#include "base/arena.h"
#include "base/scoped.h"
#include "control/layout.h"
#include "mail/header.h"
#include "proto/dots.h"
#include "proto/replies.h"
#include "proto/xtext.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PATIENCE_MS                                                                                    \
    (10 * 60 * 1000) /* RFC 5321 §4.5.3.2.6: the longest a client should wait for a reply */

struct dialogue {
    struct cx *cx;
    int fd;
    struct replies replies;
    struct buf in;
    struct str pending; /* of `in`, not yet read as a reply */
    struct reply reply;
};

enum err submit_connect(struct cx *cx, const char *socket_path, int *fd)
{
    scoped(close_fd) int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un to;

    if (!unix_address(str_from_c(socket_path), &to))
        return fail(cx, ERR_CONFIG, "%s: too long for the path of a socket", socket_path);
    if (s < 0 || connect(s, (struct sockaddr *)&to, sizeof(to)))
        return fail(cx, ERR_VAULT_AWAY, "the mail server is not there (%s: %s)", socket_path,
                    strerror(errno));
    *fd = s;
    s = -1;
    return OK;
}

static enum err lost(struct dialogue *d)
{
    return fail(d->cx, ERR_VAULT_AWAY, "the mail server hung up");
}

static enum err say(struct dialogue *d, struct str bytes)
{
    while (bytes.n) {
        ssize_t n = send(d->fd, bytes.p, bytes.n, MSG_NOSIGNAL);

        if (n < 0 && errno != EINTR)
            return lost(d);
        bytes = str_from(bytes, n > 0 ? (size_t)n : 0);
    }
    return OK;
}

static enum err hear(struct dialogue *d)
{
    for (;;) {
        struct pollfd p = {.fd = d->fd, .events = POLLIN};
        enum reply_result got = take_reply(&d->replies, &d->pending, &d->reply);
        ssize_t n;

        if (got == REPLY_TAKEN)
            return OK;
        buf_clear(&d->in);
        if (got == REPLY_BROKEN || poll(&p, 1, PATIENCE_MS) <= 0)
            return lost(d);
        n = read(d->fd, buf_reserve(&d->in, 4096), 4096);
        if (n <= 0)
            return lost(d);
        buf_grew(&d->in, (size_t)n);
        d->pending = buf_str(&d->in);
    }
}

/* Says a line, hears the reply, which must begin with this digit. */
static enum err ask(struct dialogue *d, int digit, const struct buf *line, const char *about)
{
    enum err e = say(d, buf_str(line));

    if (e || (e = hear(d)))
        return e;
    if (d->reply.code / 100 == digit)
        return OK;
    return fail(d->cx, d->reply.code / 100 == 4 ? ERR_BUSY : ERR_DENIED, "%s%s%d %.*s", about,
                *about ? ": " : "", d->reply.code, STR_ARG(d->reply.text));
}

static enum err ask_text(struct dialogue *d, int digit, const char *text)
{
    scoped(buf_free) struct buf line = buf_make(1000);

    buf_add_c(&line, text);
    return ask(d, digit, &line, "");
}

/* What EHLO says of this keyword; false: nothing. */
static bool find_keyword(struct str text, struct str keyword, struct str *argument)
{
    struct str line;

    while (text.n) {
        if (!take_until(&text, '\n', &line)) {
            line = text;
            text = STR_NONE;
        }
        if (str_starts(line, keyword) && line.n > keyword.n && line.p[keyword.n] == ' ') {
            *argument = str_from(line, keyword.n + 1);
            return true;
        }
    }
    return false;
}

/* Where a bare name is at home: said by the server, else it is the name that its greeting begins with (RFC 5321 §4.2.1). */
static enum err greet(struct dialogue *d, struct str *domain)
{
    struct str rest, name;
    enum err e = hear(d);

    if (e)
        return e;
    if (d->reply.code != 220)
        return fail(d->cx, ERR_BUSY, "%d %.*s", d->reply.code, STR_ARG(d->reply.text));
    rest = d->reply.text;
    if (!take_until(&rest, ' ', &name))
        name = rest;
    *domain = str_copy(d->cx->arena, name);
    e = ask_text(d, 2, "EHLO localhost\r\n");
    if (!e && find_keyword(d->reply.text, S("XDOMAIN"), &name))
        *domain = str_copy(d->cx->arena, name);
    return e;
}

static void write_sender(struct buf *out, const struct submit_message *m, struct str domain)
{
    size_t at;

    if (m->null_sender)
        return;
    buf_add(out, m->sender);
    if (!str_find_char(m->sender, '@', &at))
        buf_printf(out, "@%.*s", STR_ARG(domain));
}

static bool needs_utf8(const struct submit_message *m)
{
    bool needed = !is_ascii(m->sender);

    for (size_t i = 0; i < m->recipient_count; i++)
        needed = needed || !is_ascii(m->recipients[i]);
    return needed;
}

static enum err say_mail(struct dialogue *d, const struct submit_message *m, struct str domain)
{
    scoped(buf_free) struct buf line = buf_make(4096);

    buf_add_c(&line, "MAIL FROM:<");
    write_sender(&line, m, domain);
    buf_add_char(&line, '>');
    if (!is_ascii(m->message))
        buf_add_c(&line, " BODY=8BITMIME");
    if (needs_utf8(m))
        buf_add_c(&line, " SMTPUTF8");
    if (m->ret.n)
        buf_printf(&line, " RET=%.*s", STR_ARG(m->ret));
    if (m->envid.n) {
        buf_add_c(&line, " ENVID=");
        xtext_encode(&line, m->envid);
    }
    buf_add_c(&line, "\r\n");
    return ask(d, 2, &line, "");
}

static enum err say_rcpt(struct dialogue *d, const struct submit_message *m, struct str recipient)
{
    scoped(buf_free) struct buf line = buf_make(4096);
    char about[300];

    snprintf(about, sizeof(about), "%.*s", recipient.n < 256 ? (int)recipient.n : 256, recipient.p);
    buf_printf(&line, "RCPT TO:<%.*s>", STR_ARG(recipient));
    if (m->notify.n)
        buf_printf(&line, " NOTIFY=%.*s", STR_ARG(m->notify));
    buf_add_c(&line, "\r\n");
    return ask(d, 2, &line, about);
}

/* "Fred Example" <fred@mail.example.com>; a name that is not ASCII is left out. */
static void write_from(struct buf *out, const struct submit_message *m, struct str domain)
{
    buf_add_c(out, "From: ");
    if (m->from_name.n && is_ascii(m->from_name)) {
        buf_add_char(out, '"');
        for (size_t i = 0; i < m->from_name.n; i++) {
            if (m->from_name.p[i] == '"' || m->from_name.p[i] == '\\')
                buf_add_char(out, '\\');
            if (is_printable(m->from_name.p[i]))
                buf_add_char(out, m->from_name.p[i]);
        }
        buf_add_c(out, "\" ");
    }
    buf_add_char(out, '<');
    write_sender(out, m, domain);
    buf_add_c(out, ">\r\n");
}

static enum err say_body(struct dialogue *d, const struct submit_message *m, struct str domain)
{
    scoped(buf_free) struct buf out = buf_make(BUF_UNLIMITED);
    struct str header = str_upto(m->message, header_length(m->message)), rest = m->message;
    struct header_field from;
    struct stuffing stuffing = {0};
    enum err e = OK;

    if (!m->null_sender && !find_header_field(header, S("From"), &from))
        write_from(&out, m, domain);
    while (!e && rest.n) {
        struct str piece = str_upto(rest, 65536);

        stuff_body(&stuffing, &out, piece);
        rest = str_from(rest, piece.n);
        e = say(d, buf_str(&out));
        buf_clear(&out);
    }
    stuff_end(&stuffing, &out);
    return e ? e : ask(d, 2, &out, "");
}

static enum err converse(struct dialogue *d, const struct submit_message *m)
{
    struct str domain;
    enum err e;

    if ((e = greet(d, &domain)) || (e = say_mail(d, m, domain)))
        return e;
    for (size_t i = 0; i < m->recipient_count; i++)
        if ((e = say_rcpt(d, m, m->recipients[i])))
            return e;
    if ((e = ask_text(d, 3, "DATA\r\n")) || (e = say_body(d, m, domain)))
        return e;
    ask_text(d, 2, "QUIT\r\n"); /* whatever comes now, the message is accepted */
    return OK;
}

enum err submit_send(struct cx *cx, int fd, const struct submit_message *m, int *code)
{
    struct dialogue d = {.cx = cx, .fd = fd, .replies = replies_make(), .in = buf_make(4096)};
    enum err e = converse(&d, m);

    *code = e == ERR_VAULT_AWAY ? 0 : d.reply.code;
    replies_free(&d.replies);
    buf_free(&d.in);
    return e;
}
