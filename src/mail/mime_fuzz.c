/* Any bytes give a tree that mime_check() accepts, and the same one however they are cut. */
#include "mail/mime.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void parse(struct mime *m, struct str in, size_t cut)
{
    for (struct str rest = in; rest.n; rest = str_from(rest, cut))
        mime_feed(m, str_upto(rest, cut));
    mime_end(m);
    assert(mime_check(m->parts, m->count, in.n));
}

static void check_same(const struct mime_part *a, const struct mime_part *b)
{
    assert(a->parent == b->parent && a->start == b->start && a->body == b->body && a->end == b->end);
    assert(a->lines == b->lines && a->kind == b->kind);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mime whole = mime_make(), cut_up = mime_make();
    size_t cut = size ? 1 + data[0] % 7 : 1;
    struct str in = {(const char *)data, size};

    in = str_from(in, 1);
    parse(&whole, in, in.n);
    parse(&cut_up, in, cut);
    assert(whole.count == cut_up.count);
    for (size_t i = 0; i < whole.count; i++)
        check_same(&whole.parts[i], &cut_up.parts[i]);
    mime_free(&whole);
    mime_free(&cut_up);
    return 0;
}
