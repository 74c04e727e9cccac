#include "base/directory.h"

#include "base/scoped.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

void directory_remove(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;

    if (!d) {
        close_fd(&fd);
        return;
    }
    while ((entry = readdir(d)))
        unlinkat(fd, entry->d_name, 0); /* "." and "..", being directories, stay */
    closedir(d);
    rmdir(path);
}

bool directory_is_empty(const char *path)
{
    DIR *d = opendir(path);
    struct dirent *entry;
    bool empty = d || errno == ENOENT;

    while (d && empty && (entry = readdir(d)))
        empty = !strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..");
    if (d)
        closedir(d);
    return empty;
}
