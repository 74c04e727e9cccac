/* The sendmail that other programs call. It runs as whoever calls it, reads the configuration if it may (only to find
 * the socket), and hands its input on: the server decides everything else, by the uid of its caller. */
#include "control/sendmail.h"

#include "base/arena.h"
#include "base/scoped.h"
#include "control/address_list.h"
#include "control/submit.h"
#include "mail/header.h"

#include <errno.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#define DEFAULT_SOCKET "/var/lib/posthorn/submit.sock"
#define LONGEST_MESSAGE ((size_t)1 << 30) /* the server's own limit is lower */
#define MOST_RECIPIENTS 100000

struct sendmail {
    struct operator* op;
    char mode;                 /* of -b: m, s, p, i */
    bool dots_are_text;        /* -i: a line with a dot alone does not end the message */
    bool recipients_in_header; /* -t */
    struct submit_message m;
    struct str *recipients;
    size_t count, room;
};

static int complain(const struct sendmail *s, int status)
{
    fprintf(stderr, "sendmail: %s\n", s->op->cx.cause);
    return status;
}

static void add_recipient(struct sendmail *s, struct str address)
{
    if (s->count == s->room) {
        s->room = s->room ? s->room * 2 : 16;
        s->recipients = must_realloc(s->recipients, s->room * sizeof(*s->recipients));
    }
    s->recipients[s->count++] = str_copy(s->op->cx.arena, address);
}

/* "fred", "<fred@x>", "a@x, b@x": sendmail takes lists as arguments too. */
static void add_recipients(struct sendmail *s, struct str list)
{
    scoped(buf_free) struct buf address = buf_make(1024);

    for (; s->count < MOST_RECIPIENTS && take_listed_address(&list, &address); buf_clear(&address))
        add_recipient(s, buf_str(&address));
}

static void take_sender(struct sendmail *s, const char *text)
{
    scoped(buf_free) struct buf address = buf_make(1024);
    struct str list = str_from_c(text);

    s->m.null_sender = !take_listed_address(&list, &address);
    s->m.sender = str_copy(s->op->cx.arena, buf_str(&address));
}

/* The options that mean something here; all others of sendmail's are taken and ignored. False: unknown. */
static bool take_option(struct sendmail *s, int option, const char *value)
{
    switch (option) {
    case 'b':
        s->mode = value[0];
        return strchr("msp", value[0]) || value[0] == 'i';
    case 'f':
    case 'r':
        take_sender(s, value);
        return true;
    case 'F':
        s->m.from_name = str_from_c(value);
        return true;
    case 'i':
        s->dots_are_text = true;
        return true;
    case 'o':
        s->dots_are_text = s->dots_are_text || !strcmp(value, "i");
        return true;
    case 't':
        s->recipients_in_header = true;
        return true;
    case 'N':
        s->m.notify = str_from_c(value);
        return true;
    case 'R':
        s->m.ret = str_from_c(value);
        return true;
    case 'V':
        s->m.envid = str_from_c(value);
        return true;
    default:
        return option != '?';
    }
}

static bool take_arguments(struct sendmail *s, int argc, char **argv)
{
    int option;

    opterr = 0;
    optind = 1;
    while ((option = getopt(argc, argv, "+b:B:C:e:f:F:Gh:iL:mnN:o:O:p:q::r:R:tUvV:X:")) != -1)
        if (!take_option(s, option, optarg ? optarg : ""))
            return false;
    for (int i = optind; i < argc; i++)
        add_recipients(s, str_from_c(argv[i]));
    return true;
}

/* Who calls, as the password file has it. */
static void take_caller(struct sendmail *s)
{
    const struct passwd *p = getpwuid(getuid());
    struct str rest, name;

    if (!p)
        return;
    s->m.sender = str_copy(s->op->cx.arena, str_from_c(p->pw_name));
    rest = str_from_c(p->pw_gecos);
    if (!take_until(&rest, ',', &name))
        name = rest;
    s->m.from_name = str_copy(s->op->cx.arena, name);
}

/* ---- the message ---- */

/* Where the line "." begins, or the end. */
static size_t find_lone_dot(struct str message)
{
    for (size_t i = 0; i < message.n; i++)
        if (message.p[i] == '.' && (i == 0 || message.p[i - 1] == '\n')) {
            struct str after = str_from(message, i + 1);

            if (after.n == 0 || str_starts(after, S("\n")) || str_starts(after, S("\r\n")))
                return i;
        }
    return message.n;
}

static bool read_message(struct sendmail *s, struct buf *out)
{
    ssize_t n;
    char *to;

    while ((to = buf_reserve(out, 65536)) && (n = read(STDIN_FILENO, to, 65536)) != 0) {
        if (n < 0 && errno != EINTR)
            return false;
        buf_grew(out, n > 0 ? (size_t)n : 0);
    }
    s->m.message = str_upto(buf_str(out), s->dots_are_text ? out->n : find_lone_dot(buf_str(out)));
    return to != NULL;
}

static void take_header_recipients(struct sendmail *s)
{
    static const char *const names[] = {"To", "Cc", "Bcc"};
    struct str rest = str_upto(s->m.message, header_length(s->m.message));
    struct header_field f;

    while (take_header_field(&rest, &f))
        for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
            if (str_same_nocase(f.name, str_from_c(names[i])))
                add_recipients(s, f.body);
}

/* ---- what it does ---- */

static const char *socket_path(struct operator* op)
{
    return operator_settings(op) == OK ? op->settings.config->submit_socket.p : DEFAULT_SOCKET;
}

/* Nobody else tells the reply apart from the failure: 4xx and a dead line may be tried again. */
static int status_of(enum err e, int code)
{
    if (e == ERR_VAULT_AWAY || code / 100 == 4)
        return EX_TEMPFAIL;
    return e == ERR_CONFIG ? EX_CONFIG : EX_UNAVAILABLE;
}

static int send_message(struct sendmail *s)
{
    scoped(buf_free) struct buf message = buf_make(LONGEST_MESSAGE);
    scoped(close_fd) int fd = -1;
    int code = 0;
    enum err e;

    if (!read_message(s, &message))
        return complain(s, (fail(&s->op->cx, ERR_SYSTEM, "cannot read the message"), EX_IOERR));
    if (s->recipients_in_header)
        take_header_recipients(s);
    if (s->count == 0)
        return complain(s, (fail(&s->op->cx, ERR_BAD_VALUE, "no recipient"), EX_USAGE));
    s->m.recipients = s->recipients;
    s->m.recipient_count = s->count;
    e = submit_connect(&s->op->cx, socket_path(s->op), &fd);
    if (!e)
        e = submit_send(&s->op->cx, fd, &s->m, &code);
    return e ? complain(s, status_of(e, code)) : EX_OK;
}

static bool pump(int from, int to)
{
    char bytes[65536];
    ssize_t n = read(from, bytes, sizeof(bytes));

    for (ssize_t done = 0, k; done < n; done += k) {
        k = write(to, bytes + done, (size_t)(n - done));
        if (k < 0)
            return false;
    }
    return n > 0;
}

/* -bs: the caller speaks SMTP itself. */
static int relay(struct sendmail *s)
{
    scoped(close_fd) int fd = -1;
    struct pollfd p[2] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.events = POLLIN}};

    if (submit_connect(&s->op->cx, socket_path(s->op), &fd))
        return complain(s, EX_TEMPFAIL);
    p[1].fd = fd;
    for (;;) {
        if (poll(p, 2, -1) < 0 && errno != EINTR)
            return EX_OSERR;
        if (p[1].revents && !pump(fd, STDOUT_FILENO))
            return EX_OK;
        if (p[0].revents && !pump(STDIN_FILENO, fd)) {
            shutdown(fd, SHUT_WR);
            p[0].fd = -1;
        }
    }
}

static int list_queue(struct sendmail *s)
{
    enum err e = cmd_queue_list(s->op);

    vault_leave(s->op);
    return e ? complain(s, e == ERR_VAULT_AWAY ? EX_TEMPFAIL : EX_NOPERM) : EX_OK;
}

static int act(struct sendmail *s)
{
    switch (s->mode) {
    case 'p':
        return list_queue(s);
    case 'i': /* aliases are in the store: there is no file to read anew */
        return EX_OK;
    case 's':
        return relay(s);
    default:
        return send_message(s);
    }
}

static const char usage[] =
    "usage: sendmail [-t] [-i] [-f SENDER] [-F NAME] [-bm|-bs|-bp|-bi] [-N NOTIFY] [-R RET] [-V ENVID] "
    "[RECIPIENT…]\n"
    "sendmail: the message is on standard input; -t takes the recipients from its To, Cc and Bcc\n";

int sendmail_main(struct operator* op, int argc, char **argv)
{
    const char *slash = strrchr(argv[0], '/'), *name = slash ? slash + 1 : argv[0];
    struct sendmail s = {.op = op,
                         .mode = !strcmp(name, "mailq")        ? 'p'
                                 : !strcmp(name, "newaliases") ? 'i'
                                                               : 'm'};
    int status;

    if (argc > 1 && !strcmp(argv[1], "--help")) {
        fputs(usage, stdout);
        return EX_OK;
    }
    take_caller(&s);
    if (take_arguments(&s, argc, argv)) {
        status = act(&s);
    } else {
        fputs(usage, stderr);
        status = EX_USAGE;
    }
    free(s.recipients);
    return status;
}
