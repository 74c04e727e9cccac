/* libconfuse knows the grammar and counts the lines; to it every value is text. Each text is checked by its row
 * while libconfuse stands on its line (check_value), and read once more into struct config when the whole file has
 * been found good. */
#include "config/config.h"

#include "base/scoped.h"
#include "config/table.h"

#include <confuse.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>

#define LONGEST_TEXT ((size_t)1 << 20)
#define MOST_OPTIONS 32 /* in one block; settings.def is checked against it */
#define LONGEST_SHOWN 60

/* One parse at a time: libconfuse's scanner keeps its state in globals, and its callbacks take no argument. */
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
static struct parse {
    struct cx *cx;
    const char *file_name;
    enum err result;
} now;

/* The first mistake is told; what follows from it is not. */
static enum err complain(int line, const char *format, ...) __attribute__((format(printf, 2, 3)));
static enum err complain(int line, const char *format, ...)
{
    char text[sizeof(now.cx->cause)];
    va_list args;

    if (now.result != OK)
        return now.result;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (line > 0)
        now.result = fail(now.cx, ERR_CONFIG, "%s:%d: %s", now.file_name, line, text);
    else
        now.result = fail(now.cx, ERR_CONFIG, "%s: %s", now.file_name, text);
    return now.result;
}

/* ---- while libconfuse reads ---- */

static enum block_id block_of(const cfg_t *cfg)
{
    for (enum block_id b = BLOCK_config + 1; b < BLOCK_COUNT; b++)
        if (!strcmp(config_blocks[b].name, cfg->name))
            return b;
    return BLOCK_config;
}

static void list_names(struct buf *out, enum block_id block)
{
    for (size_t i = 0; i < config_setting_count; i++)
        if (config_settings[i].block == block && config_settings[i].name)
            buf_printf(out, "%s%s", out->n ? ", " : "", config_settings[i].name);
    for (enum block_id b = BLOCK_config + 1; block == BLOCK_config && b < BLOCK_COUNT; b++)
        buf_printf(out, ", %s", config_blocks[b].name);
}

static void complain_unknown(const cfg_t *cfg, const char *name)
{
    scoped(buf_free) struct buf names = buf_make(1024);

    list_names(&names, block_of(cfg));
    complain(cfg->line, "unknown setting \"%.*s\": expected one of %.*s", LONGEST_SHOWN, name,
             (int)names.n, names.p);
}

static void __attribute__((format(printf, 2, 0)))
hear_error(cfg_t *cfg, const char *format, va_list args)
{
    char text[200];

    if (!strcmp(format, "no such option '%s'")) {
        complain_unknown(cfg, va_arg(args, const char *));
        return;
    }
    if (!strcmp(format, "found duplicate title '%s'")) {
        complain(cfg->line, "a second block \"%.*s\": expected another title, or one block for both",
                 LONGEST_SHOWN, va_arg(args, const char *));
        return;
    }
    vsnprintf(text, sizeof(text), format, args);
    complain(cfg->line, "%s", text);
}

static uint64_t number_of(enum value_type type, const void *value)
{
    switch (config_values[type].size) {
    case sizeof(uint16_t):
        return *(const uint16_t *)value;
    case sizeof(uint32_t):
        return *(const uint32_t *)value;
    default:
        return *(const uint64_t *)value; /* a duration is never negative */
    }
}

static uint64_t bound_of(const struct setting *s, const char *text)
{
    uint64_t value[8] = {0};

    if (config_values[s->type].parse(now.cx->arena, str_from_c(text), value))
        abort(); /* a mistake in settings.def; its test finds it first */
    return number_of(s->type, value);
}

static bool is_within(const struct setting *s, const void *value)
{
    uint64_t v;

    if (!s->least)
        return true;
    v = number_of(s->type, value);
    return v >= bound_of(s, s->least) && v <= bound_of(s, s->most);
}

static enum err check_text(int line, const struct setting *s, struct str text)
{
    const char *name = s->name ? s->name : config_blocks[s->block].name;
    const char *expected;
    uint64_t value[8]; /* room for any of values.def */

    _Static_assert(sizeof(value) >= sizeof(struct config_range) &&
                       sizeof(value) >= sizeof(struct config_endpoint),
                   "room for any value");
    expected = config_values[s->type].parse(now.cx->arena, text, value);
    if (expected)
        return complain(line, "%s \"%.*s\": expected %s", name,
                        text.n < LONGEST_SHOWN ? (int)text.n : LONGEST_SHOWN, text.p, expected);
    if (!is_within(s, value))
        return complain(line, "%s \"%.*s\": expected a value from %s to %s", name, STR_ARG(text),
                        s->least, s->most);
    return OK;
}

static enum err check_title(const cfg_t *cfg, enum block_id block)
{
    return block_has_title(block)
               ? check_text(cfg->line, setting_find(block, NULL), str_from_c(cfg->title))
               : OK;
}

/* libconfuse calls this for every value, before it keeps it. */
static int check_value(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
    enum block_id block = block_of(cfg);

    if (check_title(cfg, block) != OK)
        return -1;
    if (opt->nvalues == 1 &&
        cfg_opt_getcomment(opt)) { /* libconfuse would drop what stood there, silently */
        complain(cfg->line, "%s is given twice", opt->name);
        return -1;
    }
    cfg_opt_setcomment(opt, (char *)(uintptr_t) "given");
    *(const char **)result = value;
    return check_text(cfg->line, setting_find(block, opt->name), str_from_c(value)) == OK ? 0 : -1;
}

static void describe_block(enum block_id block, cfg_opt_t *out)
{
    for (const struct setting *s = config_settings; s < config_settings + config_setting_count; s++) {
        if (s->block != block || !s->name)
            continue;
        if (config_values[s->type].is_list)
            *out++ = (cfg_opt_t)CFG_STR_LIST_CB(s->name, NULL, CFGF_NODEFAULT, check_value);
        else
            *out++ = (cfg_opt_t)CFG_STR_CB(s->name, NULL, CFGF_NODEFAULT, check_value);
    }
    *out = (cfg_opt_t)CFG_END();
}

static cfg_t *describe(void)
{
    cfg_opt_t options[BLOCK_COUNT][MOST_OPTIONS];
    cfg_opt_t *end = options[BLOCK_config];
    cfg_t *cfg;

    _Static_assert(BLOCK_COUNT < MOST_OPTIONS / 2,
                   "room for the blocks beside the settings outside of them");
    for (enum block_id b = BLOCK_config; b < BLOCK_COUNT; b++)
        describe_block(b, options[b]);
    while (end->name)
        end++;
    for (enum block_id b = BLOCK_config + 1; b < BLOCK_COUNT; b++) {
        cfg_flag_t titled = block_has_title(b) ? CFGF_TITLE | CFGF_NO_TITLE_DUPES : 0;

        *end++ =
            (cfg_opt_t)CFG_SEC(config_blocks[b].name, options[b], CFGF_MULTI | CFGF_NODEFAULT | titled);
    }
    *end = (cfg_opt_t)CFG_END();
    cfg = cfg_init(options[BLOCK_config], CFGF_NONE); /* copies them */
    if (cfg)
        cfg_set_error_function(cfg, hear_error);
    return cfg;
}

/* ---- from libconfuse's tree to struct config ---- */

/* Writes the texts as the setting's value. They are known to be good. */
static void fill_setting(struct arena *arena, const struct setting *s, char *base,
                         const struct str *texts, size_t n)
{
    const struct value_row *type = &config_values[s->type];
    struct {
        void *v;
        size_t n;
    } list = {NULL, n};

    if (!type->is_list) {
        if (n)
            type->parse(arena, texts[0], base + s->offset);
        return;
    }
    list.v = arena_alloc_array(arena, type->size, n);
    for (size_t i = 0; i < n; i++)
        type->parse(arena, texts[i], (char *)list.v + i * type->size);
    memcpy(base + s->offset, &list, sizeof(list));
}

static void fill_standard(struct arena *arena, const struct setting *s, char *base)
{
    struct str texts[16], rest = str_from_c(s->standard);
    size_t n = 0;

    for (; rest.n && n < sizeof(texts) / sizeof(*texts); n++)
        if (!take_until(&rest, ' ', &texts[n])) {
            texts[n] = rest;
            rest = STR_NONE;
        }
    fill_setting(arena, s, base, texts, n);
}

static enum err fill_given(struct arena *arena, const struct setting *s, char *base, cfg_t *cfg)
{
    cfg_opt_t *opt = s->name ? cfg_getopt(cfg, s->name) : NULL;
    size_t n = opt ? cfg_opt_size(opt) : 0;
    struct str *texts = arena_array(now.cx->arena, struct str, n + 1);

    for (size_t i = 0; i < n; i++)
        texts[i] = str_from_c(cfg_opt_getnstr(opt, (unsigned)i));
    if (!s->name)
        texts[n++] = str_from_c(cfg_title(cfg));
    if (n > 0)
        fill_setting(arena, s, base, texts, n);
    else if (s->standard)
        fill_standard(arena, s, base);
    else if (s->block == BLOCK_config)
        return complain(0, "%s is missing", s->name);
    else
        return complain(cfg->line, "%s is missing in the block \"%s\" that ends here", s->name,
                        config_blocks[s->block].name);
    return OK;
}

/* cfg NULL: the file does not have this block. */
static enum err fill_block(struct arena *arena, enum block_id block, char *base, cfg_t *cfg)
{
    if (cfg && check_title(cfg, block) != OK)
        return now.result;
    for (const struct setting *s = config_settings; s < config_settings + config_setting_count; s++) {
        if (s->block != block)
            continue;
        if (!cfg && s->standard)
            fill_standard(arena, s, base);
        else if (cfg && fill_given(arena, s, base, cfg) != OK)
            return now.result;
    }
    if (block != BLOCK_config)
        *(bool *)base = cfg != NULL; /* `given` stands first in each block's struct */
    return OK;
}

static enum err fill_one(struct arena *arena, enum block_id id, struct config *c, cfg_t *cfg)
{
    const struct block *block = &config_blocks[id];
    unsigned n = cfg_size(cfg, block->name);

    if (n > 1)
        return complain(cfg_getnsec(cfg, block->name, 1)->line,
                        "a second block \"%s\" ends here: expected one", block->name);
    return fill_block(arena, id, (char *)c + block->offset,
                      n ? cfg_getnsec(cfg, block->name, 0) : NULL);
}

static enum err fill_many(struct arena *arena, enum block_id id, struct config *c, cfg_t *cfg)
{
    const struct block *block = &config_blocks[id];
    size_t n = cfg_size(cfg, block->name);
    char *array = arena_alloc_array(arena, block->size, n);

    memcpy((char *)c + block->offset, &array, sizeof(array));
    memcpy((char *)c + block->count_offset, &n, sizeof(n));
    for (size_t i = 0; i < n; i++)
        if (fill_block(arena, id, array + i * block->size,
                       cfg_getnsec(cfg, block->name, (unsigned)i)) != OK)
            return now.result;
    return OK;
}

static enum err fill(struct arena *arena, struct config *c, cfg_t *cfg)
{
    if (fill_block(arena, BLOCK_config, (char *)c, cfg) != OK)
        return now.result;
    for (enum block_id b = BLOCK_config + 1; b < BLOCK_COUNT; b++)
        if ((config_blocks[b].count_offset ? fill_many : fill_one)(arena, b, c, cfg) != OK)
            return now.result;
    return OK;
}

/* ---- the whole ---- */

static struct str join(struct arena *arena, struct str a, const char *between, struct str b)
{
    size_t n = strlen(between);
    char *p = arena_alloc(arena, a.n + n + b.n + 1);

    memcpy(p, a.p, a.n);
    memcpy(p + a.n, between, n);
    memcpy(p + a.n + n, b.p, b.n);
    return (struct str){p, a.n + n + b.n};
}

/* What follows from other settings, and what must agree with them. */
static enum err complete(struct arena *arena, struct config *c)
{
    if (!c->postmaster.n)
        c->postmaster = join(arena, S("postmaster"), "@", c->hostname);
    if (!c->control_socket.n)
        c->control_socket = join(arena, c->data_dir, "/", S("control.sock"));
    if (!c->submit_socket.n)
        c->submit_socket = join(arena, c->data_dir, "/", S("submit.sock"));
    if (!c->outgoing.helo.n)
        c->outgoing.helo = c->hostname;
    if ((c->relay.user.n > 0) != (c->relay.password_file.n > 0))
        return complain(0, "block \"relay\": user and password-file go together");
    if (c->dns.trust_anchor.n && !c->dns.servers.n)
        return complain(0, "block \"dns\": trust-anchor goes with servers");
    return OK;
}

/* What stands behind the quoted string that begins at p; NULL: it has no end. */
static char *skip_quoted(char *p)
{
    char quote = *p++;

    while (*p && *p != quote)
        p += *p == '\\' && p[1] ? 2 : 1;
    return *p ? p + 1 : NULL;
}

static int line_of(const char *text, const char *at)
{
    int line = 1;

    for (; text < at; text++)
        line += *text == '\n';
    return line;
}

static char *blank_until(char *p, const char *end)
{
    while (*p && strncmp(p, end, strlen(end)) != 0) {
        if (*p != '\n')
            *p = ' ';
        p++;
    }
    return p;
}

/* What libconfuse 3.3 gets wrong is done before it: it counts the lines of comments several times and stumbles over one
 * inside of a list, so they are blanked; and it takes a missing closing brace at the end. Two slashes are a
 * comment only where a word could begin: there are some in paths. */
static enum err prepare(char *text)
{
    const char *opened = text;
    int depth = 0;

    for (char *p = text, *next; *p; p = next) {
        next = p + 1;
        if (*p == '"' || *p == '\'') {
            next = skip_quoted(p);
            if (!next)
                return complain(line_of(text, p), "the string that begins here has no end");
        } else if (*p == '#' || (!strncmp(p, "//", 2) && (p == text || strchr(" \t\r\n{}=,", p[-1])))) {
            next = blank_until(p, "\n");
        } else if (!strncmp(p, "/*", 2)) {
            next = blank_until(p, "*/");
            for (int i = 0; i < 2 && *next; i++)
                *next++ = ' ';
        } else if (*p == '{') {
            opened = depth++ ? opened : p;
        } else if (*p == '}') {
            depth--;
        }
    }
    return depth > 0 ? complain(line_of(text, opened), "the brace that opens here is not closed") : OK;
}

/* libconfuse would put environment variables into values, and the rooms' environment is not the supervisor's. */
static enum err refuse_variables(const char *text)
{
    const char *at = strstr(text, "${");

    return at ? complain(line_of(text, at),
                         "\"${\" is not allowed: the environment is no part of the configuration")
              : OK;
}

static enum err parse(char *text, struct arena *arena, struct config *c)
{
    cfg_t *cfg;

    if (prepare(text) != OK || refuse_variables(text) != OK)
        return now.result;
    cfg = describe();
    if (!cfg)
        return complain(0, "no memory");
    if (cfg_parse_buf(cfg, text) != CFG_SUCCESS)
        complain(cfg->line, "expected a setting"); /* unless something better has been said */
    else if (fill(arena, c, cfg) == OK)
        complete(arena, c);
    cfg_free(cfg);
    return now.result;
}

enum err config_parse(struct cx *cx, struct str text, const char *file_name, struct arena *arena,
                      struct config **out)
{
    struct config *c = arena_alloc(arena, sizeof(*c));
    char *copy = text.n <= LONGEST_TEXT ? str_to_c(cx->arena, text) : NULL;
    HOLD(&turn);

    now = (struct parse){cx, file_name, OK};
    if (!copy)
        return complain(0, "expected text of at most %zu bytes, without NUL", LONGEST_TEXT);
    if (parse(copy, arena, c) == OK)
        *out = c;
    return now.result;
}

const struct config_listen *config_listen_find(const struct config *c, enum config_service service)
{
    for (size_t i = 0; i < c->listen_count; i++)
        if (c->listen[i].service == service)
            return &c->listen[i];
    return NULL;
}

const char *config_relaying_network(const struct config *c, const uint8_t address[16])
{
    for (size_t i = 0; i < c->network_count; i++)
        for (size_t k = 0; c->network[i].relay && k < c->network[i].from.n; k++)
            if (config_range_holds(&c->network[i].from.v[k], address))
                return c->network[i].name.p;
    return NULL;
}
