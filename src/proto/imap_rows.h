/* proto/imap_rows.h: for tests only: tables of commands and how they are understood. Included once by each test. */
#pragma once
#include "proto/imap_dump.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct arena *rows_arena;

static int rows_begin(void **state)
{
    (void)state;
    rows_arena = arena_new(0);
    return 0;
}

static int rows_end(void **state)
{
    (void)state;
    arena_free(rows_arena);
    return 0;
}

struct row {
    const char *name;
    struct str args;
    const char *out; /* NULL: the same; "BAD" and "NO [CODE]": refused so */
    const char *why;
};

#define ROW(name, args, out, why)                                                                      \
    {                                                                                                  \
        name, {args, sizeof(args) - 1}, out, why                                                       \
    }

static void rows_check(const char *name, struct str args, struct str want, const char *why)
{
    struct imap_parse p = imap_parse_make(rows_arena, false), q = imap_parse_make(rows_arena, true);
    struct buf out = buf_make(BUF_UNLIMITED), again = buf_make(BUF_UNLIMITED);

    if (!imap_dump(&p, str_from_c(name), args, &out)) {
        assert_non_null(p.why);
        buf_clear(&out);
        if (p.code)
            buf_printf(&out, "NO [%s]", p.code);
        else
            buf_printf(&out, "BAD");
    } else if (!imap_dump(&q, str_from_c(name), buf_str(&out), &again) ||
               !str_same(buf_str(&out), buf_str(&again))) {
        fail_msg("%s%.*s: does not come back: %.*s", name, STR_ARG(args), STR_ARG(buf_str(&again)));
    }
    if (!str_same(buf_str(&out), want))
        fail_msg("%s%.*s (%s): got %.*s %s", name, STR_ARG(args), why ? why : "",
                 STR_ARG(buf_str(&out)), p.why ? p.why : "");
    buf_free(&out);
    buf_free(&again);
    arena_reset(rows_arena);
}

#define CHECK(rows)                                                                                    \
    for (size_t i = 0; i < sizeof(rows) / sizeof(*(rows)); i++)                                        \
    rows_check((rows)[i].name, (rows)[i].args,                                                         \
               (rows)[i].out ? str_from_c((rows)[i].out) : (rows)[i].args, (rows)[i].why)
