/* config/config.h: the configuration, from text in memory.
 *
 * The supervisor reads the file and hands its text to the rooms, which parse it again themselves: nothing here
 * opens a file, so it works after the sandbox closed. What the members are called, what they mean and what they are
 * when the file is silent is told once, in settings.def:
 *
 *     config->hostname    config->queue.retry.v[0]    config->listen[i].on.v[j].port
 *
 * Everything lives in the arena given to config_parse() and is read-only from then on: safe from any thread.
 * Durations are milliseconds, sizes are bytes. Behind every str in it stands a NUL, and there is none inside. */
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "config/values.h"

#define LIST(name, element)                                                                            \
    struct value_##name {                                                                              \
        const value_##element *v;                                                                      \
        size_t n;                                                                                      \
    };                                                                                                 \
    typedef struct value_##name value_##name;
#define VALUE(name, type)
#include "config/values.def"
#undef LIST
#undef VALUE

#define SETTING(owner, member, name, type, standard, check, manual) value_##type member;
#define TITLE(owner, member, type) value_##type member;
#define BLOCK(owner, name, title, manual)                                                              \
    struct owner {                                                                                     \
        bool given; /* the file has this block */
#define END_ONE(owner, member)                                                                         \
    }                                                                                                  \
    member;
#define END_MANY(owner, member)                                                                        \
    }                                                                                                  \
    *member;                                                                                           \
    size_t member##_count;

struct config {
#include "config/settings.def"
};
#undef SETTING
#undef TITLE
#undef BLOCK
#undef END_ONE
#undef END_MANY

/* ERR_CONFIG: cx->cause is "FILE:LINE: what is wrong and what was expected"; file_name is only for that. Takes turns
 * inside: libconfuse's scanner keeps its state in globals. */
enum err config_parse(struct cx *cx, struct str text, const char *file_name, struct arena *arena,
                      struct config **out);

/* The block for this service, or NULL: it is not offered. */
const struct config_listen *config_listen_find(const struct config *c, enum config_service service);

/* The name of the first network that holds this address and may relay, or NULL. address: 16 bytes, IPv4 mapped as
 * ::ffff:a.b.c.d. */
const char *config_relaying_network(const struct config *c, const uint8_t address[16]);

/* Reading and showing the table itself: the manual. Plain text for a terminal, or the source of
 * posthorn.conf(5). */
void config_manual_text(struct buf *out);
void config_manual_roff(struct buf *out);
