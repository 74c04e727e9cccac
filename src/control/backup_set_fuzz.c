/* Any manifest, also one whose check value is right, names nothing outside of a data directory, and is written as it was
 * read if it can be read at all. */
#include "base/scoped.h"
#include "control/backup_set.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct str name)
{
    static const char *const others[] = {"tls/cert.pem", "tls/key.pem", "posthorn.conf"};

    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
        if (str_same(name, str_from_c(others[i])))
            return;
    if (!take_text(&name, S("store/")) || !name.n || name.p[0] == '.' || memchr(name.p, '/', name.n) ||
        memchr(name.p, '\0', name.n))
        abort();
}

static void parse(struct str text)
{
    struct arena *arena = arena_new(0);
    struct backup_set s = {.arena = arena};
    struct cx cx = {.arena = arena};
    scoped(buf_free) struct buf again = buf_make(2 * text.n + 1000);
    enum err e = backup_set_parse(&cx, text, &s);

    if (e && !cx.cause[0])
        abort();
    for (size_t i = 0; i < s.count; i++)
        check(s.files[i].name);
    if (!e && backup_set_bytes(&s) > INT64_MAX)
        abort();
    if (!e)
        backup_set_write(&s, &again);
    if (!e && buf_str(&again).n > text.n) /* shorter: numbers with zeros before them */
        abort();
    backup_set_free(&s);
    arena_free(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};
    scoped(buf_free) struct buf sealed = buf_make(size + 1000);
    scoped(sum_free) struct sum *sum = sum_new();
    char hex[SHA256_HEX + 1];

    parse(text);
    sum_feed(sum, text);
    sum_end(sum, hex);
    buf_add(&sealed, text);
    buf_printf(&sealed, "end %s\n", hex);
    parse(buf_str(&sealed));
    return 0;
}
