/* The deflater may be thrown away whenever it was flushed: what the next one writes refers to nothing before, and the
 * peer's inflater goes on with it as with any other block. So an idle session keeps an inflater only, whose window the
 * client may refer to at any time.
 *
 * The inflater stops after each block, so that the end of the stream is found where a command says it is. */
#include "vault/compression.h"

#include "base/arena.h"

#include <assert.h>
#include <stdlib.h>
#include <zlib.h>

/* RFC 4978 §4: responses are repetitive, the least effort gets most of it. A window of 8 KiB and 32 KiB of hash. */
#define LEVEL 1
#define WINDOW_BITS 13
#define MEMORY_LEVEL 6
#define ANY_WINDOW 15 /* the client's, which may be the largest there is */

struct compression {
    z_stream in, out;
    struct buf plain;
    bool has_out, is_over;
};

struct compression *compression_new(void)
{
    struct compression *c = must_alloc(sizeof(*c));
    int z = inflateInit2(&c->in, -ANY_WINDOW);

    assert(z == Z_OK); /* else out of memory */
    c->plain = buf_make(COMPRESSION_PLAIN);
    return c;
}

void compression_free(struct compression **at)
{
    struct compression *c = *at;

    if (!c)
        return;
    compression_rest(c);
    inflateEnd(&c->in);
    buf_free(&c->plain);
    free(c);
    *at = NULL;
}

void compression_rest(struct compression *c)
{
    if (c->has_out)
        deflateEnd(&c->out);
    c->has_out = false;
    if (c->plain.n == 0)
        buf_free(&c->plain);
}

struct buf *compression_plain(struct compression *c)
{
    return &c->plain;
}

bool compression_is_over(const struct compression *c)
{
    return c->is_over;
}

static Bytef *bytes_of(const char *p)
{
    return (Bytef *)(uintptr_t)p; /* zlib wants it writable, and writes nothing */
}

void compression_write(struct compression *c, struct buf *out, struct str plain)
{
    int z;

    if (plain.n == 0)
        return;
    if (!c->has_out) {
        c->out = (z_stream){0};
        z = deflateInit2(&c->out, LEVEL, Z_DEFLATED, -WINDOW_BITS, MEMORY_LEVEL, Z_DEFAULT_STRATEGY);
        assert(z == Z_OK);
        c->has_out = true;
    }
    c->out.next_in = bytes_of(plain.p);
    c->out.avail_in = (uInt)plain.n;
    do {
        size_t room = 4096 + c->out.avail_in / 2, left = out->limit - out->n;
        char *p = buf_reserve(out, room < left ? room : left + (left == 0));

        if (room > left)
            room = left;
        if (!p)
            return; /* `full` says it */
        c->out.next_out = (Bytef *)p;
        c->out.avail_out = (uInt)room;
        z = deflate(&c->out, Z_SYNC_FLUSH);
        assert(z == Z_OK || z == Z_BUF_ERROR);
        buf_grew(out, room - c->out.avail_out);
    } while (c->out.avail_out == 0);
}

/* One call of inflate(). */
static int inflate_some(struct compression *c, struct str *in, char *to, size_t room, size_t *got)
{
    int z;

    c->in.next_in = bytes_of(in->p);
    c->in.avail_in = (uInt)in->n;
    c->in.next_out = (Bytef *)to;
    c->in.avail_out = (uInt)room;
    z = inflate(&c->in, Z_BLOCK);
    *got = room - c->in.avail_out;
    *in = str_from(*in, in->n - c->in.avail_in);
    c->is_over |= z == Z_STREAM_END;
    return z;
}

bool compression_read(struct compression *c, struct str *in)
{
    size_t room = COMPRESSION_PLAIN - c->plain.n, got;
    char *p;
    int z;

    if (room > 16 * 1024)
        room = 16 * 1024;
    if (c->is_over || !in->n || !room)
        return true;
    p = buf_reserve(&c->plain, room);
    assert(p);
    z = inflate_some(c, in, p, room, &got);
    buf_grew(&c->plain, got);
    return z == Z_OK || z == Z_BUF_ERROR || z == Z_STREAM_END;
}

#define AT_BLOCK_END 128 /* z_stream.data_type after Z_BLOCK, and the bits not used of the last byte */
#define BITS_LEFT 7

bool compression_end(struct compression *c, struct str *in)
{
    while (in->n && !c->is_over) {
        char byte;
        size_t got;
        int z = inflate_some(c, in, &byte, 1, &got);

        if ((z != Z_OK && z != Z_STREAM_END && z != Z_BUF_ERROR) || got)
            return false;
        if (c->in.data_type & AT_BLOCK_END && !(c->in.data_type & BITS_LEFT))
            return true;
    }
    return true;
}
