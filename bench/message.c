/* A pool of random lines is made once; a message is a header and one copy out of the pool. */
#include "message.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include "base/arena.h"
#include "base/codec.h"

#define LINE 78 /* 76 characters and CRLF (RFC 2045 §6.8) */
#define POOL_LINES 20000
#define BIGGEST ((size_t)POOL_LINES * LINE)

struct message_source {
    char *pool;
    uint64_t run, number, seed;
};

struct message_source *message_source_new(void)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    struct message_source *m = must_alloc(sizeof *m);

    m->run = random_u64();
    m->seed = random_u64();
    m->pool = must_alloc(BIGGEST);
    random_bytes(m->pool, BIGGEST);
    for (size_t i = 0; i < BIGGEST; i++)
        m->pool[i] = alphabet[(unsigned char)m->pool[i] % 64];
    for (size_t i = 0; i < BIGGEST; i += LINE)
        memcpy(m->pool + i + LINE - 2, "\r\n", 2);
    return m;
}

void message_source_free(struct message_source *m)
{
    if (m)
        free(m->pool);
    free(m);
}

/* Knuth's MMIX generator: which stretch of the pool comes next needs to be unlike, not secret. */
static size_t next_below(struct message_source *m, size_t n)
{
    m->seed = m->seed * 6364136223846793005u + 1442695040888963407u;
    return (size_t)(m->seed >> 33) % n;
}

/* Whole lines first; what is left becomes one line, or two when it could not hold its own CRLF and a byte. */
static void add_body(struct message_source *m, struct buf *out, size_t size)
{
    size_t lines = size / LINE, rest = size % LINE;
    const char *from;

    if (rest && rest < 3 && lines) {
        lines--;
        rest += LINE;
    }
    while (lines) {
        size_t take = lines < POOL_LINES / 2 ? lines : POOL_LINES / 2;

        buf_add(out, (struct str){m->pool + LINE * next_below(m, POOL_LINES - take), take * LINE});
        lines -= take;
    }
    from = m->pool + LINE * next_below(m, POOL_LINES);
    if (rest > LINE) {
        buf_add(out, (struct str){from + LINE / 2, LINE / 2});
        rest -= LINE / 2;
    }
    if (rest)
        buf_add(out, (struct str){from + LINE - rest, rest});
}

void message_add(struct message_source *m, struct buf *out, size_t size, const char *from,
                 const char *to)
{
    size_t before = out->n, header;
    time_t now = time(NULL);
    char date[64];
    struct tm tm;

    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S +0000", gmtime_r(&now, &tm));
    buf_printf(out,
               "From: <%s>\r\nTo: <%s>\r\nSubject: Message %" PRIu64 "\r\nDate: %s\r\n"
               "Message-ID: <%016" PRIx64 ".%" PRIu64 "@bench.test>\r\nMIME-Version: 1.0\r\n"
               "Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n",
               from, to, m->number, date, m->run, m->number);
    m->number++;
    header = out->n - before;
    assert(header < size);
    add_body(m, out, size - header);
}
