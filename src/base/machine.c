#include "base/machine.h"

#include "base/scoped.h"
#include "base/str.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define PATH_MOST 4096

static struct str read_file(const char *path, char *bytes, size_t most)
{
    scoped(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, bytes, most);

    return (struct str){bytes, n > 0 ? (size_t)n : 0};
}

/* "0::/system.slice/posthorn.service" is the line of version 2; "/" at the top. */
static struct str group_in(struct str groups)
{
    struct str line;

    while (take_until(&groups, '\n', &line))
        if (take_text(&line, S("0::/")))
            return line;
    return STR_NONE;
}

/* "max", or a number and a newline. */
static uint64_t limit_of(const char *tree, struct str group)
{
    char path[PATH_MOST], bytes[32];
    struct str said;
    uint64_t limit;

    snprintf(path, sizeof(path), "%s/%.*s/memory.max", tree, STR_ARG(group));
    said = str_trim(read_file(path, bytes, sizeof(bytes)));
    if (said.n && said.p[said.n - 1] == '\n')
        said.n--;
    return parse_u64(said, &limit) ? limit : UINT64_MAX;
}

uint64_t machine_memory_by(const char *groups, const char *tree)
{
    uint64_t least = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE), limit;
    char bytes[PATH_MOST];
    struct str group = group_in(read_file(groups, bytes, sizeof(bytes)));
    bool at_top = false;

    while (!at_top) { /* the groups above it have limits too */
        size_t slash;

        limit = limit_of(tree, group);
        least = limit < least ? limit : least;
        at_top = group.n == 0;
        group.n = str_rfind_char(group, '/', &slash) ? slash : 0;
    }
    return least;
}

uint64_t machine_memory(void)
{
    return machine_memory_by("/proc/self/cgroup", "/sys/fs/cgroup");
}
