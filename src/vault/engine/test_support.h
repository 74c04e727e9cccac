/* vault/engine/test_support.h: what the tests of this folder have in common. */
#pragma once
#include "vault/engine/engine.h"
#include "vault/engine/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

struct test_dir { /* a directory of its own under $TMPDIR, removed at the end */
    char path[256];
};
void test_dir_make(struct test_dir *d);
void test_dir_remove(struct test_dir *d);

/* A value for tests that have something to say about it only when it is wrong. */
void put_c(struct txn *t, struct part part, const char *key, const char *value);
/* The value as text, "-" if there is none, the error's name if it cannot be read. In cx->arena. */
const char *view_text(struct engine *e, struct cx *cx, struct part part, const char *key);
/* "key=value key=value …" of a scan that is closed then; ends with the error's name if it met one. */
const char *scan_text(struct scan **s, struct cx *cx);
const char *view_scan_text(struct engine *e, struct cx *cx, struct part part, const char *from,
                           const char *to, bool backwards);
/* One row, durable. */
void commit_durably(struct engine *e, struct cx *cx, struct part part, const char *key,
                    const char *value);
struct ticket commit_one(struct engine *e, struct cx *cx, struct part part, const char *key,
                         const char *value);
