/* control/room.h: one room as its supervisor sees it: a process on a leash.
 *
 * The leash is one end of a socket pair, which the room finds as descriptor 3; the calls of rpc/leash.def go over it
 * and are answered some time later. One thread. */
#pragma once
#include "base/buf.h"
#include "rpc/calls.h"

#include <sys/types.h>

enum room_kind { ROOM_VAULT, ROOM_MX, ROOM_USERS, ROOM_COUNT };

enum room_state {
    ROOM_DOWN,
    ROOM_STARTING, /* room_start is on its way */
    ROOM_UP,       /* and was answered with OK */
    ROOM_STOPPING, /* room_stop was sent, or it is to be killed */
};

struct room_process {
    enum room_kind kind;
    enum room_state state;
    pid_t pid;
    int leash;          /* does not block; -1 when DOWN, or when the room let go of it */
    struct buf in;      /* of an answer that is still coming */
    int64_t kill_at_ms; /* monotonic; 0: not yet */
};

const char *room_name(enum room_kind kind); /* "vault", "mx", "users" */

/* Where the rooms' programs are: beside our own, or else in libexec. ERR_SYSTEM: neither. */
enum err room_directory(struct cx *cx, char *out, size_t size);

/* Starts the program. quiet: a descriptor that takes its standard error, or -1. */
enum err room_spawn(struct cx *cx, struct room_process *r, const char *directory, int quiet);
/* Sends a packed call, with descriptors. False: it has gone; its death will be heard of. */
bool room_tell(struct room_process *r, enum call call, struct str request, const int *fds,
               size_t fd_count);
/* An answer, if one has come: 1, with the call it is for and its error, whose cause is then in cx; 0: none yet; -1: it
 * let go of the leash. */
int room_answer(struct room_process *r, struct cx *cx, enum call *call, enum err *e);
/* Tells, and waits for the answer. ERR_VAULT_AWAY: it ended instead. */
enum err room_call(struct room_process *r, struct cx *cx, enum call call, struct str request,
                   const int *fds, size_t fd_count);
/* Asks it to finish, and sets the time when it will be killed. */
void room_ask_to_stop(struct room_process *r, int64_t grace_ms);
void room_kill(struct room_process *r);
/* To DOWN, also from memory that was never used; the process is not waited for. */
void room_reset(struct room_process *r);
/* Has it ended? Then it is DOWN, and *status is as of waitpid(). Does not wait. */
bool room_has_ended(struct room_process *r, int *status);
/* "exit status 1", "killed by signal 9 (Killed)", … */
void room_end_text(int status, char *out, size_t size);
