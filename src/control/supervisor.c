#include "control/supervisor.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/scoped.h"
#include "control/deaths.h"
#include "control/in_force.h"
#include "control/layout.h"
#include "control/notify.h"
#include "control/room.h"
#include "control/users.h"
#include "net/listen.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define STOP_GRACE_MS 10000  /* to finish what is under way */
#define ORPHAN_GRACE_MS 2000 /* for a gate without a vault: to say 421 to those who are there */
#define WANTED_DESCRIPTORS 65536

struct supervisor {
    struct supervisor_options options;
    struct cx *cx;
    struct in_force now; /* made anew at SIGHUP */
    int lock, control, signals;
    int users_watch; /* readable when the logins of this machine have changed; -1: not watched */
    struct room_process rooms[ROOM_COUNT];
    struct deaths deaths;
    int64_t start_at_ms; /* monotonic: nothing is started before */
    bool was_up;         /* all rooms, once */
    bool stopping;
    bool reloading[ROOM_COUNT]; /* its answer to room_reload is awaited */
    enum err result;            /* why it stops */
    struct cx why;
};

/* ---- what the rooms are told ---- */

static bool test_switch(const char *name)
{
    const char *value = getenv(name);

    return value && value[0] == '1';
}

/* Those of a gate; the vault has none. */
static size_t choose_listeners(const struct supervisor *s, const struct room_process *r,
                               struct listener *told, int *fds)
{
    const struct listeners *all = &s->now.listeners;
    size_t n = 0;

    for (size_t i = 0; r->kind != ROOM_VAULT && i < all->count; i++)
        if (all->for_users[i] == (r->kind == ROOM_USERS)) {
            told[n] = all->told[i];
            fds[n++] = all->fds[i];
        }
    return n;
}

/* To the vault: its channels and the control socket. To a gate: its channel, its listeners, the certificates. */
static bool tell_start(struct supervisor *s, struct room_process *r, const int *channels,
                       size_t channel_count)
{
    scoped(buf_free) struct buf b = buf_make(BUF_UNLIMITED);
    struct listener told[MOST_LISTENERS];
    int fds[MOST_LISTENERS + 4];
    size_t n = 0;
    struct room_start_request q = {
        .settings = s->now.settings.text,
        .settings_name = str_from_c(s->now.settings.file_name),
        .listeners = told,
        .write_each_commit = test_switch("POSTHORN_TEST_WRITE_EACH"),
        .skip_flush = test_switch("POSTHORN_TEST_SKIP_FLUSH"),
        .grace_ms = test_switch("POSTHORN_TEST_NO_GRACE") ? 1 : 0,
    };

    for (; n < channel_count; n++)
        fds[n] = channels[n];
    if (r->kind == ROOM_VAULT) {
        q.has_mx = q.has_users = q.has_control = true;
        fds[n++] = s->control;
    } else {
        q.certificates = s->now.certificates;
        q.certificates_count = s->now.certificate_count;
    }
    q.listeners_count = choose_listeners(s, r, told, fds + n);
    n += q.listeners_count;
    pack_room_start_request(&b, &q);
    return room_tell(r, CALL_room_start, buf_str(&b), fds, n);
}

static bool tell_reload(struct supervisor *s, struct room_process *r)
{
    scoped(buf_free) struct buf b = buf_make(BUF_UNLIMITED);
    struct listener told[MOST_LISTENERS];
    int fds[MOST_LISTENERS];
    struct room_reload_request q = {.settings = s->now.settings.text,
                                    .settings_name = str_from_c(s->now.settings.file_name),
                                    .listeners = told};

    q.listeners_count = choose_listeners(s, r, told, fds);
    if (r->kind != ROOM_VAULT) {
        q.certificates = s->now.certificates;
        q.certificates_count = s->now.certificate_count;
    }
    pack_room_reload_request(&b, &q);
    return room_tell(r, CALL_room_reload, buf_str(&b), fds, q.listeners_count);
}

static void tell_users(struct supervisor *s)
{
    scoped(buf_free) struct buf b = buf_make(BUF_UNLIMITED);
    struct arena *arena = arena_new(0);
    struct room_users_request q;

    users_list(arena, &q);
    pack_room_users_request(&b, &q);
    room_tell(&s->rooms[ROOM_VAULT], CALL_room_users, buf_str(&b), NULL, 0);
    arena_free(arena);
}

/* ---- starting ---- */

static void stop_because(struct supervisor *s, enum err e)
{
    if (!s->stopping) {
        s->result = e;
        s->why = *s->cx;
    }
    s->stopping = true;
}

static void close_pair(int pair[2])
{
    close_fd(&pair[0]);
    close_fd(&pair[1]);
}

static enum err make_channel(struct cx *cx, int pair[2])
{
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0)
        return OK;
    pair[0] = pair[1] = -1;
    return fail(cx, ERR_SYSTEM, "channel between the rooms: %s", strerror(errno));
}

static enum err start_all(struct supervisor *s)
{
    int mx[2] = {-1, -1}, users[2] = {-1, -1};
    enum err e = make_channel(s->cx, mx);

    if (!e)
        e = make_channel(s->cx, users);
    for (enum room_kind k = ROOM_VAULT; !e && k < ROOM_COUNT; k++)
        e = room_spawn(s->cx, &s->rooms[k], s->options.rooms, -1);
    if (!e) { /* whoever has gone already will be heard of as a death */
        tell_start(s, &s->rooms[ROOM_VAULT], (int[]){mx[0], users[0]}, 2);
        tell_users(s);
        tell_start(s, &s->rooms[ROOM_MX], &mx[1], 1);
        tell_start(s, &s->rooms[ROOM_USERS], &users[1], 1);
    }
    close_pair(mx);
    close_pair(users);
    return e;
}

static enum err start_gate(struct supervisor *s, struct room_process *gate)
{
    scoped(buf_free) struct buf b = buf_make(64);
    struct room_gate_request q = {.users = gate->kind == ROOM_USERS};
    int pair[2];
    enum err e = make_channel(s->cx, pair);

    if (e)
        return e;
    e = room_spawn(s->cx, gate, s->options.rooms, -1);
    if (!e) {
        pack_room_gate_request(&b, &q);
        room_tell(&s->rooms[ROOM_VAULT], CALL_room_gate, buf_str(&b), &pair[0], 1);
        tell_start(s, gate, &pair[1], 1);
    }
    close_pair(pair);
    return e;
}

static bool all_are(const struct supervisor *s, enum room_state state)
{
    for (enum room_kind k = ROOM_VAULT; k < ROOM_COUNT; k++)
        if (s->rooms[k].state != state)
            return false;
    return true;
}

static bool is_alive(const struct room_process *r)
{
    return r->state == ROOM_STARTING || r->state == ROOM_UP;
}

/* Whatever is down and may be up. The system refusing a process is as passing as a death. */
static void start_missing(struct supervisor *s)
{
    enum err e = OK;

    if (s->stopping || monotonic_ms() < s->start_at_ms)
        return;
    if (all_are(s, ROOM_DOWN))
        e = start_all(s);
    for (enum room_kind k = ROOM_MX; !e && k < ROOM_COUNT; k++)
        if (s->rooms[k].state == ROOM_DOWN && is_alive(&s->rooms[ROOM_VAULT]))
            e = start_gate(s, &s->rooms[k]);
    if (!e)
        return;
    if (!s->was_up) {
        stop_because(s, e);
        return;
    }
    log_line(LOG_ERROR, "start-failed", "cause=%s", log_value(str_from_c(s->cx->cause)));
    s->start_at_ms = monotonic_ms() + 1000;
}

/* ---- what happens ---- */

static void note_reloaded(struct supervisor *s, const struct room_process *r)
{
    if (!s->reloading[r->kind])
        return;
    s->reloading[r->kind] = false;
    for (enum room_kind k = ROOM_VAULT; k < ROOM_COUNT; k++)
        if (s->reloading[k])
            return;
    log_line(LOG_INFO, "reloaded", "file=%s", log_value(str_from_c(s->now.settings.file_name)));
    notify_system("READY=1");
}

static void hear_end(struct supervisor *s, struct room_process *r, int status, bool was_asked)
{
    char text[96];
    int64_t pause;

    note_reloaded(s, r); /* the next one begins with the new settings */
    room_end_text(status, text, sizeof(text));
    if (was_asked || s->stopping) {
        log_line(LOG_INFO, "room-ended", "room=%s how=%s", room_name(r->kind),
                 log_value(str_from_c(text)));
        return;
    }
    log_line(LOG_ERROR, "room-died", "room=%s how=%s", room_name(r->kind), log_value(str_from_c(text)));
    if (!s->was_up) {
        stop_because(
            s, fail(s->cx, ERR_SYSTEM, "the %s ended while starting: %s", room_name(r->kind), text));
        return;
    }
    pause = deaths_note(&s->deaths, monotonic_ms());
    s->start_at_ms = monotonic_ms() + pause;
    if (pause)
        log_line(LOG_ERROR, "restart-delayed",
                 "wait=%" PRId64 "s cause=\"more than %d deaths in a minute\"", pause / 1000,
                 MOST_DEATHS);
    if (r->kind == ROOM_VAULT)
        for (enum room_kind k = ROOM_MX; k < ROOM_COUNT; k++)
            room_ask_to_stop(&s->rooms[k], ORPHAN_GRACE_MS);
}

static void reap(struct supervisor *s)
{
    for (enum room_kind k = ROOM_VAULT; k < ROOM_COUNT; k++) {
        bool was_asked = s->rooms[k].state == ROOM_STOPPING;
        int status;

        if (room_has_ended(&s->rooms[k], &status))
            hear_end(s, &s->rooms[k], status, was_asked);
    }
}

static void hear_started(struct supervisor *s, struct room_process *r, enum err e)
{
    if (e) {
        log_line(LOG_ERROR, "start-refused", "room=%s cause=%s", room_name(r->kind),
                 log_value(str_from_c(s->cx->cause)));
        if (!s->was_up)
            stop_because(s, e);
        else
            kill(r->pid, SIGKILL); /* and its end is a death like any other */
        return;
    }
    if (r->state == ROOM_STARTING)
        r->state = ROOM_UP;
    if (!s->was_up && all_are(s, ROOM_UP)) {
        s->was_up = true;
        log_line(LOG_INFO, "serving", "hostname=%s listeners=%zu",
                 log_value(s->now.settings.config->hostname), s->now.listeners.count);
        notify_system("READY=1");
    }
}

static void hear_answer(struct supervisor *s, struct room_process *r, enum call call, enum err e)
{
    if (call == CALL_room_start) {
        hear_started(s, r, e);
        return;
    }
    if (e)
        log_line(LOG_ERROR, "room-refused", "room=%s call=%s cause=%s", room_name(r->kind),
                 call_name(call), log_value(str_from_c(s->cx->cause)));
    if (call == CALL_room_reload)
        note_reloaded(s, r);
}

/* A room that lets go of its leash is killed, if it is not ending anyway. */
static void hear_answers(struct supervisor *s, struct room_process *r)
{
    enum call call;
    enum err e;
    int got;

    while ((got = room_answer(r, s->cx, &call, &e)) == 1)
        hear_answer(s, r, call, e);
    if (got < 0)
        kill(r->pid, SIGKILL);
}

/* Whatever the gate --mx has read and cannot read again, another one reads; whoever waits to connect meanwhile waits. */
static void renew_mx(struct supervisor *s)
{
    log_line(LOG_INFO, "room-renewed",
             "room=mx cause=\"files that it has read are not the same any more\"");
    room_ask_to_stop(&s->rooms[ROOM_MX], s->options.grace_ms);
}

/* Nothing changes unless all of the new is good. */
static void reload(struct supervisor *s)
{
    struct in_force next;
    bool same_files;

    notify_reloading();
    if (in_force_read(s->cx, s->options.config_path, &s->now, &s->lock, &next) != OK) {
        log_line(LOG_ERROR, "reload-failed", "cause=%s", log_value(str_from_c(s->cx->cause)));
        notify_system("READY=1");
        return;
    }
    same_files = memcmp(next.mx_files, s->now.mx_files, FILES_DIGEST) == 0;
    in_force_close(&s->now, &next);
    s->now = next;
    log_set_level(s->now.settings.config->log_level);
    for (enum room_kind k = ROOM_VAULT; k < ROOM_COUNT; k++)
        s->reloading[k] = is_alive(&s->rooms[k]) && tell_reload(s, &s->rooms[k]);
    if (is_alive(&s->rooms[ROOM_VAULT]))
        tell_users(s);
    if (!same_files && is_alive(&s->rooms[ROOM_MX]))
        renew_mx(s);
}

static void hear_signals(struct supervisor *s)
{
    struct signalfd_siginfo info;

    while (read(s->signals, &info, sizeof(info)) == sizeof(info)) {
        if (info.ssi_signo == SIGHUP) {
            reload(s);
        } else if (info.ssi_signo != SIGCHLD) {
            log_line(LOG_INFO, "stopping", "signal=%u", info.ssi_signo);
            stop_because(s, OK);
        }
    }
    reap(s);
}

/* The gates first: what they have under way ends in the vault. */
static void go_on_stopping(struct supervisor *s)
{
    bool gates_gone = true;

    for (enum room_kind k = ROOM_MX; k < ROOM_COUNT; k++) {
        room_ask_to_stop(&s->rooms[k], s->result ? ORPHAN_GRACE_MS : s->options.grace_ms);
        gates_gone = gates_gone && s->rooms[k].state == ROOM_DOWN;
    }
    if (gates_gone)
        room_ask_to_stop(&s->rooms[ROOM_VAULT], s->options.grace_ms);
}

static void kill_overdue(struct supervisor *s)
{
    for (enum room_kind k = ROOM_VAULT; k < ROOM_COUNT; k++)
        if (s->rooms[k].kill_at_ms && monotonic_ms() >= s->rooms[k].kill_at_ms) {
            log_line(LOG_WARNING, "room-killed", "room=%s cause=\"did not stop in time\"",
                     room_name(k));
            room_kill(&s->rooms[k]);
        }
}

/* ---- the loop ---- */

/* Until the next thing that has a time; -1: nothing has. */
static int next_timeout(const struct supervisor *s)
{
    int64_t now = monotonic_ms(), first = INT64_MAX;

    for (enum room_kind k = ROOM_VAULT; k < ROOM_COUNT; k++) {
        if (s->rooms[k].kill_at_ms && s->rooms[k].kill_at_ms < first)
            first = s->rooms[k].kill_at_ms;
        if (s->rooms[k].state == ROOM_DOWN && !s->stopping && s->start_at_ms > now &&
            s->start_at_ms < first)
            first = s->start_at_ms;
    }
    if (first == INT64_MAX)
        return -1;
    return first <= now ? 0 : (int)(first - now);
}

static void wait_and_hear(struct supervisor *s)
{
    struct pollfd p[] = {[ROOM_COUNT] = {.fd = s->signals, .events = POLLIN},
                         [ROOM_COUNT + 1] = {.fd = s->users_watch, .events = POLLIN}};

    for (enum room_kind k = ROOM_VAULT; k < ROOM_COUNT; k++)
        p[k] = (struct pollfd){.fd = s->rooms[k].leash, .events = POLLIN};
    poll(p, sizeof(p) / sizeof(*p), next_timeout(s));
    for (enum room_kind k = ROOM_VAULT; k < ROOM_COUNT; k++)
        if (p[k].revents)
            hear_answers(s, &s->rooms[k]);
    hear_signals(s);
    if (p[ROOM_COUNT + 1].revents && users_changed(s->users_watch) && is_alive(&s->rooms[ROOM_VAULT]))
        tell_users(s);
    arena_reset(s->cx->arena);
}

static void loop(struct supervisor *s)
{
    bool told = false;

    while (!s->stopping || !all_are(s, ROOM_DOWN)) {
        start_missing(s);
        if (s->stopping) {
            if (!told)
                notify_system("STOPPING=1");
            told = true;
            go_on_stopping(s);
            if (all_are(s, ROOM_DOWN))
                break;
        }
        wait_and_hear(s);
        kill_overdue(s);
    }
}

static enum err take_signals(struct supervisor *s)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return s->signals < 0 ? fail(s->cx, ERR_SYSTEM, "signalfd: %s", strerror(errno)) : OK;
}

static enum err prepare(struct supervisor *s)
{
    uint64_t descriptors;
    enum err e = in_force_read(s->cx, s->options.config_path, NULL, &s->lock, &s->now);

    if (e)
        return e;
    log_start("posthorn", s->now.settings.config->log_level);
    if (nofile_raise(s->cx, WANTED_DESCRIPTORS, &descriptors) != OK)
        log_line(LOG_WARNING, "limits", "cause=%s", log_value(str_from_c(s->cx->cause)));
    e = layout_control_socket(s->cx, s->now.settings.config, &s->control);
    return e ? e : take_signals(s);
}

enum err supervisor_run(struct cx *cx, const struct supervisor_options *options)
{
    struct supervisor s = {.options = *options,
                           .cx = cx,
                           .lock = -1,
                           .control = -1,
                           .signals = -1,
                           .users_watch = users_watch("/etc")};
    enum err e;

    if (!s.options.grace_ms)
        s.options.grace_ms = STOP_GRACE_MS;
    for (enum room_kind k = ROOM_VAULT; k < ROOM_COUNT; k++)
        s.rooms[k] = (struct room_process){.kind = k, .leash = -1};
    e = prepare(&s);
    if (!e) {
        loop(&s);
        e = s.result;
        memcpy(cx->cause, s.why.cause, sizeof(cx->cause));
        unlink(s.now.settings.config->control_socket.p);
    }
    in_force_close(&s.now, NULL);
    close_fd(&s.signals);
    close_fd(&s.users_watch);
    close_fd(&s.control);
    close_fd(&s.lock);
    return e;
}
