/* The C library has no functions for Landlock, and the kernel headers of Debian 12 know its second version only, so the
 * structure and the numbers that came later stand here (https://docs.kernel.org/userspace-api/landlock.html). A
 * kernel takes a shorter structure than its own and a longer one whose surplus is zero. */
#include "sandbox/landlock.h"

#include <errno.h>
#include <linux/landlock.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FS_TRUNCATE (1ull << 14)  /* version 3 */
#define FS_IOCTL_DEV (1ull << 15) /* version 5 */
#define NET_BIND_TCP (1ull << 0)  /* version 4 */
#define NET_CONNECT_TCP (1ull << 1)
#define SCOPE_ABSTRACT_UNIX_SOCKET (1ull << 0) /* version 6 */
#define SCOPE_SIGNAL (1ull << 1)

struct ruleset {
    uint64_t files, network, scoped;
};

/* What can be done to regular files and directories. */
#define ORDINARY                                                                                       \
    (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_DIR |      \
     LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |      \
     LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REFER | FS_TRUNCATE)

/* Every right over files that this version knows: they are numbered in the order they came. */
static uint64_t files_known(unsigned version)
{
    uint64_t known = LANDLOCK_ACCESS_FS_MAKE_SYM * 2 - 1;

    if (version >= 2)
        known |= LANDLOCK_ACCESS_FS_REFER;
    if (version >= 3)
        known |= FS_TRUNCATE;
    if (version >= 5)
        known |= FS_IOCTL_DEV;
    return known;
}

static struct ruleset everything(unsigned version, bool network)
{
    struct ruleset r = {.files = files_known(version)};

    if (version >= 4 && !network)
        r.network = NET_BIND_TCP | NET_CONNECT_TCP;
    if (version >= 6)
        r.scoped = SCOPE_ABSTRACT_UNIX_SOCKET | SCOPE_SIGNAL;
    return r;
}

static size_t ruleset_size(unsigned version)
{
    return version >= 6   ? sizeof(struct ruleset)
           : version >= 4 ? offsetof(struct ruleset, scoped)
                          : sizeof(uint64_t);
}

static bool restrict_to(int rules, int directory, uint64_t known)
{
    struct landlock_path_beneath_attr beneath = {.allowed_access = ORDINARY & known,
                                                 .parent_fd = directory};

    if (directory >= 0 &&
        syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0))
        return false;
    return syscall(SYS_landlock_restrict_self, rules, 0) == 0;
}

enum err landlock_restrict(struct cx *cx, int directory, bool network, unsigned *version)
{
    long v = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    struct ruleset wanted;
    int rules;
    bool done;

    *version = 0;
    if (v < 1)
        return OK;
    wanted = everything((unsigned)v, network);
    rules = (int)syscall(SYS_landlock_create_ruleset, &wanted, ruleset_size((unsigned)v), 0);
    if (rules < 0)
        return fail(cx, ERR_SYSTEM, "landlock: %s", strerror(errno));
    done = restrict_to(rules, directory, wanted.files);
    if (!done)
        fail(cx, ERR_SYSTEM, "landlock: %s", strerror(errno));
    close(rules);
    if (!done)
        return ERR_SYSTEM;
    *version = (unsigned)v;
    return OK;
}
