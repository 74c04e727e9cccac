/* Whatever is written reads back the same, however both are cut; and reading never depends on the cuts. */
#include "proto/dots.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_wire(struct str in, size_t cut, struct dots *d, struct buf *out)
{
    struct str piece;

    for (; in.n && !d->ended; in = str_from(in, cut)) {
        struct str part = str_upto(in, cut);

        while (take_body(d, &part, &piece))
            buf_add(out, piece);
    }
}

static void check_cuts(struct str in, size_t cut)
{
    struct buf whole = buf_make(BUF_UNLIMITED), cut_up = buf_make(BUF_UNLIMITED);
    struct dots a = {0}, b = {0};

    read_wire(in, in.n, &a, &whole);
    read_wire(in, cut, &b, &cut_up);
    assert(str_same(buf_str(&whole), buf_str(&cut_up)));
    assert(a.ended == b.ended && a.bare_cr == b.bare_cr && a.bare_lf == b.bare_lf && a.nul == b.nul);
    buf_free(&whole);
    buf_free(&cut_up);
}

static void check_round_trip(struct str in, size_t cut)
{
    struct buf wire = buf_make(BUF_UNLIMITED), back = buf_make(BUF_UNLIMITED),
               again = buf_make(BUF_UNLIMITED);
    struct stuffing w = {0}, v = {0};
    struct dots d = {0};

    for (struct str rest = in; rest.n; rest = str_from(rest, cut))
        stuff_body(&w, &wire, str_upto(rest, cut));
    stuff_end(&w, &wire);
    read_wire(buf_str(&wire), cut, &d, &back);
    assert(d.ended && !d.bare_cr && !d.bare_lf);
    stuff_body(&v, &again, buf_str(&back));
    stuff_end(&v, &again);
    assert(str_same(buf_str(&wire), buf_str(&again)));
    buf_free(&wire);
    buf_free(&back);
    buf_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str in = {(const char *)data, size};

    if (size < 2)
        return 0;
    in = str_from(in, 1);
    check_cuts(in, 1 + data[0] % 7);
    check_round_trip(in, 1 + data[0] % 7);
    return 0;
}
