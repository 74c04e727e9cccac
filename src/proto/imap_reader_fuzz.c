/* However the bytes are cut, and whatever becomes of each literal, the same things happen; no more is kept than the
 * limits say, and all that was fed is accounted for. */
#include "proto/imap_reader.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct imap_limits small = {
    .line = IMAP_TAG_MAX + 8, .text = 120, .literal = 40, .literals = 4, .nonsync = 100, .skip = 300};

struct run {
    struct imap_reader r;
    struct buf out; /* what happened */
    unsigned plan, asked;
    bool in_data;
};

static void decide(struct run *x)
{
    struct buf reply = buf_make(100);
    unsigned choice = x->plan >> 2 * (x->asked++ % 4) & 3;

    buf_printf(&x->out, "literal %llu %d %d of ", (unsigned long long)x->r.literal.size,
               x->r.literal.sync, x->r.literal.is_literal8);
    buf_add(&x->out, x->r.text);
    if (choice == 0)
        imap_refuse(&x->r, "NO");
    else if (choice == 1)
        imap_literal_bulk(&x->r, &reply);
    else
        imap_literal_inline(&x->r, &reply);
    assert(reply.n == 0 || x->r.literal.sync);
    buf_add(&x->out, buf_str(&reply));
    buf_free(&reply);
}

static void note(struct run *x, enum imap_event e)
{
    if (e == IMAP_DATA) {
        assert(x->r.data.n > 0);
        buf_add(&x->out, x->r.data);
        return;
    }
    buf_printf(&x->out, "\n%d ", (int)e);
    switch (e) {
    case IMAP_LITERAL:
        decide(x);
        break;
    case IMAP_COMMAND:
        assert(imap_reader_is_between(&x->r) && x->r.text.n <= small.text + 100);
        buf_add(&x->out, x->r.text);
        break;
    case IMAP_REFUSED:
    case IMAP_HANG_UP:
        buf_add(&x->out, e == IMAP_REFUSED ? x->r.tag : STR_NONE);
        buf_add_c(&x->out, x->r.why);
        break;
    default:
        break;
    }
}

static struct buf run(struct str in, size_t cut, unsigned plan)
{
    struct run x = {.r = imap_reader_make(&small), .out = buf_make(BUF_UNLIMITED), .plan = plan};
    enum imap_event e = IMAP_MORE;

    for (; in.n && e != IMAP_HANG_UP; in = str_from(in, cut)) {
        struct str part = str_upto(in, cut);

        while ((e = imap_read(&x.r, &part)) != IMAP_MORE) {
            note(&x, e);
            if (e == IMAP_HANG_UP)
                break;
        }
        assert(e == IMAP_HANG_UP || part.n == 0);
        assert(x.r.gathered.n <= small.text + 100);
    }
    imap_reader_free(&x.r);
    return x.out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str in = {(const char *)data, size};
    struct buf whole, cut_up;

    if (size < 3)
        return 0;
    in = str_from(in, 2);
    whole = run(in, in.n, data[1]);
    cut_up = run(in, 1 + data[0] % 9, data[1]);
    assert(str_same(buf_str(&whole), buf_str(&cut_up)));
    buf_free(&whole);
    buf_free(&cut_up);
    return 0;
}
