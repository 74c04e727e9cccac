/* Stands in for the rooms when the supervisor is tested: says on standard error what it is told, and answers OK, or
 * what the hostname asks of it ("refuse.test": the vault refuses room_start; "stubborn.test": mx does not stop). */
#include "base/arena.h"
#include "rpc/calls.h"
#include "rpc/frame.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LEASH 3

static const char *who;
static bool is_stubborn; /* stays until the leash is let go */

static void answer(const struct frame *f, enum err e, const char *cause)
{
    struct buf out = buf_make(1000);
    size_t begun = frame_begin(&out, f->call, (uint16_t)e, f->id);

    buf_add_c(&out, cause);
    frame_end(&out, begun);
    frame_send(LEASH, buf_str(&out), NULL, 0);
    buf_free(&out);
}

static bool is_socket(int fd)
{
    int type;
    socklen_t n = sizeof(type);

    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) == 0;
}

static void hear_start(struct arena *arena, const struct frame *f, struct str payload, const int *fds,
                       size_t count)
{
    struct unpack u = unpack_begin(payload);
    struct room_start_request q;
    size_t sockets = 0, at;

    unpack_room_start_request(arena, &u, &q);
    for (size_t i = 0; i < count; i++)
        sockets += is_socket(fds[i]);
    fprintf(stderr,
            "%s %d start good=%d fds=%zu sockets=%zu listeners=%zu certificates=%zu control=%d\n", who,
            (int)getpid(), unpack_done(&u), count, sockets, q.listeners_count, q.certificates_count,
            q.has_control);
    is_stubborn = str_find(q.settings, S("stubborn.test"), &at) && !strcmp(who, "mx");
    if (str_find(q.settings, S("refuse.test"), &at) && !strcmp(who, "vault"))
        answer(f, ERR_LOCKED, "the double does not want to");
    else
        answer(f, OK, "");
}

/* False: this was the last one. */
static bool hear(struct arena *arena, const struct frame *f, struct str payload, int *fds, size_t count)
{
    if (f->call == CALL_room_start) {
        hear_start(arena, f, payload, fds, count);
    } else {
        fprintf(stderr, "%s %d %s fds=%zu\n", who, (int)getpid(), call_name(f->call), count);
        if (!is_stubborn)
            answer(f, OK, "");
    }
    for (size_t i = 0; i < count; i++)
        close(fds[i]);
    return f->call != CALL_room_stop || is_stubborn;
}

int main(int argc, char **argv)
{
    struct arena *arena = arena_new(0);
    struct buf in = buf_make(FRAME_LIMIT);
    int fds[FRAME_FDS], own[FRAME_FDS];
    size_t count = 0, own_count;
    bool bad = false, more = true;

    setvbuf(stderr, NULL, _IOLBF, 1000);
    who = strstr(argv[0], "vault") ? "vault" : argc > 1 && !strcmp(argv[1], "--mx") ? "mx" : "users";
    while (more && !bad && frame_receive(LEASH, &in, fds, &count) > 0) {
        struct frame f;
        struct str payload;

        while (more && frame_parse(buf_str(&in), &f, &payload, &bad)) {
            own_count = frame_take_fds(&f, fds, &count, own);
            more = hear(arena, &f, payload, own, own_count);
            buf_take(&in, frame_size(&f));
        }
    }
    buf_free(&in);
    arena_free(arena);
    return 0;
}
