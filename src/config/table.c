/* The preprocessor's work: rows from settings.def and values.def. */
#include "config/table.h"

#define VALUE(name, type)                                                                              \
    static const char *read_##name(struct arena *a, struct str s, void *out)                           \
    {                                                                                                  \
        return config_parse_##name(a, s, out);                                                         \
    }
#define LIST(name, element)
#include "config/values.def"
#undef VALUE
#undef LIST

const struct value_row config_values[] = {
#define VALUE(name, type) [TYPE_##name] = {#name, sizeof(value_##name), false, read_##name},
#define LIST(name, element) [TYPE_##name] = {#element, sizeof(value_##element), true, read_##element},
#include "config/values.def"
#undef VALUE
#undef LIST
};

#define SETTING(...)
#define TITLE(...)
#define BLOCK(owner, name, title, manual) [BLOCK_##owner] = {name, title, manual, sizeof(struct owner),
#define END_ONE(owner, member)                                                                         \
    offsetof(struct config, member), 0                                                                 \
    }                                                                                                  \
    ,
#define END_MANY(owner, member)                                                                        \
    offsetof(struct config, member), offsetof(struct config, member##_count)                           \
    }                                                                                                  \
    ,
const struct block config_blocks[BLOCK_COUNT] = {
    [BLOCK_config] = {"", "", "", sizeof(struct config), 0, 0},
#include "config/settings.def"
};
#undef SETTING
#undef TITLE
#undef BLOCK
#undef END_ONE
#undef END_MANY

#define REQUIRED NULL
#define ANY NULL, NULL
#define BETWEEN(least, most) least, most
#define SETTING(owner, member, name, type, standard, check, manual)                                    \
    {BLOCK_##owner, name, offsetof(struct owner, member), TYPE_##type, standard, check, manual},
#define TITLE(owner, member, type)                                                                     \
    {BLOCK_##owner, NULL, offsetof(struct owner, member), TYPE_##type, REQUIRED, ANY, ""},
#define BLOCK(...)
#define END_ONE(...)
#define END_MANY(...)
const struct setting config_settings[] = {
#include "config/settings.def"
};

const size_t config_setting_count = sizeof(config_settings) / sizeof(*config_settings);

bool block_has_title(enum block_id block)
{
    return config_blocks[block].title[0] != '\0';
}

const struct setting *setting_find(enum block_id block, const char *name)
{
    for (const struct setting *s = config_settings; s < config_settings + config_setting_count; s++)
        if (s->block == block && str_same(str_from_c(s->name), str_from_c(name)))
            return s;
    return NULL;
}
