#include "control/users.h"

#include "base/arena.h"
#include "base/log.h"
#include "base/scoped.h"
#include "control/layout.h"

#include <pwd.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#define MOST_USERS 20000 /* leash.def takes as many */

static bool is_room(const char *name)
{
    return !strcmp(name, VAULT_USER) || !strcmp(name, GATE_USER);
}

/* The first name of a uid is its name, as with getpwuid(); the vault takes the first it finds. */
void users_list(struct arena *arena, struct room_users_request *out)
{
    const struct passwd *p;

    *out = (struct room_users_request){.users = arena_array(arena, struct local_user, MOST_USERS)};
    setpwent();
    while ((p = getpwent())) {
        if (out->users_count == MOST_USERS) {
            log_line(LOG_WARNING, "users",
                     "cause=\"only the first %d logins may use the local socket\"", MOST_USERS);
            break;
        }
        if (!is_room(p->pw_name))
            out->users[out->users_count++] =
                (struct local_user){p->pw_uid, str_copy(arena, str_from_c(p->pw_name))};
    }
    endpwent();
}

/* The file is replaced as a whole, so its directory is what is watched. */
int users_watch(const char *directory)
{
    int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

    if (fd >= 0 && inotify_add_watch(fd, directory, IN_MOVED_TO | IN_CLOSE_WRITE) < 0)
        close_fd(&fd);
    return fd;
}

bool users_changed(int watch)
{
    _Alignas(struct inotify_event) char bytes[4096];
    bool changed = false;
    ssize_t n;

    while ((n = read(watch, bytes, sizeof(bytes))) > 0)
        for (char *at = bytes; at < bytes + n;) {
            const struct inotify_event *e = (const struct inotify_event *)at;

            changed |= (e->mask & IN_Q_OVERFLOW) || (e->len && !strcmp(e->name, "passwd"));
            at += sizeof(*e) + e->len;
        }
    return changed;
}
