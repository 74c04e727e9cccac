#include "control/password.h"

#include "base/arena.h"
#include "base/scoped.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define LONGEST_PASSWORD 1024

/* A line, without its end; read byte by byte, since the rest is not ours. */
static enum err read_line(struct cx *cx, int fd, struct str *out)
{
    char *line = arena_alloc(cx->arena, LONGEST_PASSWORD + 1);
    size_t n = 0;
    ssize_t got;

    while ((got = read(fd, line + n, 1)) == 1 && line[n] != '\n')
        if (++n > LONGEST_PASSWORD)
            return fail(cx, ERR_BAD_VALUE, "a password of more than %d bytes", LONGEST_PASSWORD);
    if (got < 0)
        return fail(cx, ERR_SYSTEM, "cannot read the password: %s", strerror(errno));
    if (n > 0 && line[n - 1] == '\r')
        n--;
    *out = (struct str){line, n};
    return n ? OK : fail(cx, ERR_BAD_VALUE, "the password is empty");
}

static enum err ask(struct cx *cx, int terminal, struct str question, struct str *out)
{
    struct termios normal, quiet;
    enum err e;

    if (tcgetattr(terminal, &normal))
        return fail(cx, ERR_SYSTEM, "terminal: %s", strerror(errno));
    quiet = normal;
    quiet.c_lflag &= ~(tcflag_t)ECHO;
    if (write(terminal, question.p, question.n) < 0 || tcsetattr(terminal, TCSAFLUSH, &quiet))
        return fail(cx, ERR_SYSTEM, "terminal: %s", strerror(errno));
    e = read_line(cx, terminal, out);
    tcsetattr(terminal, TCSAFLUSH, &normal);
    if (write(terminal, "\n", 1) < 0)
        return fail(cx, ERR_SYSTEM, "terminal: %s", strerror(errno));
    return e;
}

enum err password_read(struct cx *cx, bool from_stdin, struct str *out)
{
    scoped(close_fd) int terminal = -1;
    struct str again;
    enum err e;

    if (from_stdin)
        return read_line(cx, STDIN_FILENO, out);
    *out = STR_NONE;
    if (!isatty(STDIN_FILENO))
        return OK;
    terminal = open("/dev/tty", O_RDWR | O_CLOEXEC);
    if (terminal < 0)
        return OK;
    if ((e = ask(cx, terminal, S("Password: "), out)) || (e = ask(cx, terminal, S("Again: "), &again)))
        return e;
    return str_same(*out, again) ? OK : fail(cx, ERR_BAD_VALUE, "these were two different passwords");
}
