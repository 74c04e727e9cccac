/* config/table.h: settings.def and values.def as tables to walk; for this folder only. */
#pragma once
#include "config/config.h"

enum block_id {
    BLOCK_config, /* what stands outside of any block */
#define SETTING(...)
#define TITLE(...)
#define BLOCK(owner, ...) BLOCK_##owner,
#define END_ONE(...)
#define END_MANY(...)
#include "config/settings.def"
#undef SETTING
#undef TITLE
#undef BLOCK
#undef END_ONE
#undef END_MANY
    BLOCK_COUNT
};

enum value_type {
#define VALUE(name, type) TYPE_##name,
#define LIST(name, element) TYPE_##name,
#include "config/values.def"
#undef VALUE
#undef LIST
};

struct value_row {
    const char *name;
    size_t size; /* of one element, if it is a list */
    bool is_list;
    const char *(*parse)(struct arena *a, struct str s, void *out);
};

struct setting {
    enum block_id block;
    const char *name; /* NULL: the block's title */
    size_t offset;    /* in the block's struct */
    enum value_type type;
    const char *standard; /* NULL: REQUIRED */
    const char *least, *most;
    const char *manual;
};

struct block {
    const char *name;
    const char *title; /* "": it has none; else what the title is, in capitals */
    const char *manual;
    size_t size, offset; /* of its struct; of the member in struct config */
    size_t count_offset; /* 0: at most one such block */
};

extern const struct value_row config_values[];
extern const struct block config_blocks[BLOCK_COUNT];
extern const struct setting config_settings[];
extern const size_t config_setting_count;

bool block_has_title(enum block_id block);
/* name NULL: the title. NULL: there is none of this name. */
const struct setting *setting_find(enum block_id block, const char *name);
