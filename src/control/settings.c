#include "control/settings.h"

#include "base/scoped.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LONGEST_FILE ((size_t)1 << 20)

/* What root keeps is root's, and mostly the group's that may command the server. */
static const char *why_not_ours(void)
{
    return errno == EACCES && geteuid() != 0 ? " (try as root)" : "";
}

enum err file_read(struct cx *cx, const char *path, size_t limit, struct buf *out)
{
    scoped(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = -1;
    char *to;

    if (fd < 0)
        return fail(cx, ERR_SYSTEM, "%s: %s%s", path, strerror(errno), why_not_ours());
    while ((to = buf_reserve(out, 16384)) && (n = read(fd, to, 16384)) > 0 && out->n <= limit)
        buf_grew(out, (size_t)n);
    if (!to || out->n > limit)
        return fail(cx, ERR_LIMIT, "%s: longer than %zu bytes", path, limit);
    return n < 0 ? fail(cx, ERR_SYSTEM, "%s: %s", path, strerror(errno)) : OK;
}

enum err settings_read(struct cx *cx, const char *file_name, struct arena *arena, struct settings *out)
{
    scoped(buf_free) struct buf text = buf_make(LONGEST_FILE + 65536);
    struct config *config;
    enum err e = file_read(cx, file_name, LONGEST_FILE, &text);

    if (e || (e = config_parse(cx, buf_str(&text), file_name, arena, &config)))
        return e;
    *out = (struct settings){str_copy(arena, buf_str(&text)), str_copy(arena, str_from_c(file_name)).p,
                             config};
    return OK;
}

enum err settings_check_serving(struct cx *cx, const struct settings *s)
{
    if (s->config->listen_count > 0)
        return OK;
    return fail(cx, ERR_CONFIG, "%s: nothing to serve: expected a block \"listen\"", s->file_name);
}

enum err settings_check_files(struct cx *cx, const struct settings *s)
{
    const struct {
        const char *setting;
        struct str path;
    } files[] = {{"relay password-file", s->config->relay.password_file},
                 {"dns trust-anchor", s->config->dns.trust_anchor}};
    struct stat st;

    for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
        if (files[i].path.n && access(files[i].path.p, R_OK))
            return fail(cx, ERR_SYSTEM, "%s: %s \"%s\": %s", s->file_name, files[i].setting,
                        files[i].path.p, strerror(errno));
    if (stat(s->config->data_dir.p, &st) == 0 && !S_ISDIR(st.st_mode))
        return fail(cx, ERR_CONFIG, "%s: data-dir \"%s\": this is not a directory", s->file_name,
                    s->config->data_dir.p);
    return OK;
}
