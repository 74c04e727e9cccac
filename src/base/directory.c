#include "base/directory.h"

#include "base/scoped.h"

#include <dirent.h>
#include <fcntl.h>
#include <stddef.h>
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
