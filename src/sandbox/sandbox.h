/* sandbox/sandbox.h: a room closes its doors behind itself.
 *
 * sandbox_enter() is called once, before the first thread starts (Landlock and seccomp bind per thread), after
 * everything was read that lies outside, and it cannot be undone. Its layers, each where the system allows it:
 *
 *   user      as root only: becomes the room's user and group for good, without any capability
 *   root      as root only: the vault's root is its directory, the gate's an empty one that is deleted already
 *   network   as root only: the vault sits in a network namespace without any interface
 *   landlock  Linux 5.13: of all files, the vault has those beneath its directory and the gate none; where the kernel
 *             knows it (6.7, 6.12), the vault may not bind or connect TCP, and neither may reach abstract sockets or
 *             signal anybody outside
 *   seccomp   always, or we do not start: the system calls of calls.def
 *
 * Three further things are always on: no_new_privs, no core dumps (there would be passwords in them), and the
 * process dies with its parent.
 *
 * A system call that is not on the list fails with EPERM, so that a library which only probes goes on. Those that
 * nobody calls by accident (execve, ptrace, mount and their kin) end the process with SIGSYS, which the supervisor
 * logs. */
#pragma once
#include "base/err.h"

enum sandbox_kind { SANDBOX_VAULT, SANDBOX_GATE };

struct sandbox {
    enum sandbox_kind kind;
    const char *directory; /* the vault's; it becomes the working directory. The gate gives NULL */
    const char
        *user; /* whom to become when started as root, with the primary group; NULL: stay (tests) */
};

/* What came of it, for the log. */
struct sandbox_layers {
    bool user, root, network, seccomp;
    unsigned landlock; /* the version of its interface; 0: not there */
};

enum err sandbox_enter(struct cx *cx, const struct sandbox *spec, struct sandbox_layers *layers);

/* "user=yes root=yes network=no landlock=6 seccomp=yes" */
#define SANDBOX_TEXT_SIZE 96
void sandbox_describe(const struct sandbox_layers *layers, char out[SANDBOX_TEXT_SIZE]);

/* A descriptor that came from the other room is taken only if this is true: a connected stream. Any other kind of
 * socket could still be pointed somewhere else, by sendmsg() or by accept(). */
bool is_connected_stream(int fd);
