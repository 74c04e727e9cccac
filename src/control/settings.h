/* control/settings.h: the configuration file, read and understood. */
#pragma once
#include "config/config.h"

struct settings {
    struct str text; /* of the file: what the rooms are given */
    const char *file_name;
    const struct config *config;
};

/* All of it lives in `arena`. ERR_CONFIG or ERR_SYSTEM; the cause names the file. */
enum err settings_read(struct cx *cx, const char *file_name, struct arena *arena, struct settings *out);

/* A whole file of at most `limit` bytes. The cause names it. */
enum err file_read(struct cx *cx, const char *path, size_t limit, struct buf *out);

/* What only `posthorn serve` asks of the settings: that there is something to serve. ERR_CONFIG. */
enum err settings_check_serving(struct cx *cx, const struct settings *s);
/* The files that settings name and a room will read, certificates apart. ERR_SYSTEM; the cause names the file. */
enum err settings_check_files(struct cx *cx, const struct settings *s);
