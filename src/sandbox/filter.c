#include "sandbox/filter.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* Of a socket's type, all but the two flags that may stand beside it. */
#define SOCKET_TYPE (0xffffffffu & ~(unsigned)(SOCK_CLOEXEC | SOCK_NONBLOCK))
#define NEW_NAMESPACES                                                                                 \
    (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |      \
     CLONE_NEWNET)
#define OWN_PID UINT64_MAX /* replaced by the process's number when the filter is made */

enum { VAULT = 1 << SANDBOX_VAULT, GATE = 1 << SANDBOX_GATE, BOTH = VAULT | GATE };
enum { MOST_TESTS = 3 };

struct test {
    bool used;
    unsigned argument;
    bool masked;
    uint64_t mask, value;
};

struct rule {
    unsigned rooms;
    int call;
    uint32_t action;
    struct test tests[MOST_TESTS];
};

#define IS(argument, value)                                                                            \
    {                                                                                                  \
        true, argument, false, 0, value                                                                \
    }
#define BITS(argument, mask, value)                                                                    \
    {                                                                                                  \
        true, argument, true, mask, value                                                              \
    }
#define ALLOW(rooms, call, ...) {rooms, SCMP_SYS(call), SCMP_ACT_ALLOW, {__VA_ARGS__}},
#define REFUSE(rooms, call, error) {rooms, SCMP_SYS(call), SCMP_ACT_ERRNO(error), {{false}}},
#define KILL(rooms, call) {rooms, SCMP_SYS(call), SCMP_ACT_KILL_PROCESS, {{false}}},
static const struct rule rules[] = {
#include "sandbox/calls.def"
};

static struct scmp_arg_cmp comparison(const struct test *t)
{
    if (t->masked)
        return (struct scmp_arg_cmp){t->argument, SCMP_CMP_MASKED_EQ, t->mask, t->value};
    return (struct scmp_arg_cmp){t->argument, SCMP_CMP_EQ,
                                 t->value == OWN_PID ? (uint64_t)getpid() : t->value, 0};
}

static int add_rule(scmp_filter_ctx filter, const struct rule *r)
{
    struct scmp_arg_cmp tests[MOST_TESTS];
    unsigned n = 0;

    for (; n < MOST_TESTS && r->tests[n].used; n++)
        tests[n] = comparison(&r->tests[n]);
    return seccomp_rule_add_array(filter, r->action, r->call, n, tests);
}

/* 0, or a negative errno. */
static int fill(scmp_filter_ctx filter, enum sandbox_kind kind)
{
    int error = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);

    if (!error)
        error = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (!error)
        error = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE,
                                 2); /* a tree: some calls are made very often */
    for (size_t i = 0; !error && i < sizeof(rules) / sizeof(*rules); i++)
        if (rules[i].rooms & (1u << kind))
            error = add_rule(filter, &rules[i]);
    return error;
}

enum err filter_install(struct cx *cx, enum sandbox_kind kind)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    int error;

    if (!filter)
        return fail(cx, ERR_SYSTEM, "seccomp: no memory for the filter");
    error = fill(filter, kind);
    if (!error)
        error = seccomp_load(filter);
    seccomp_release(filter);
    return error ? fail(cx, ERR_SYSTEM, "seccomp: %s", strerror(-error)) : OK;
}
