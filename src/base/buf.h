/* base/buf.h: bytes that grow, up to a limit.
 *
 * Whatever grows with a stranger's input grows in a buf, which gets its limit when it is made. Append freely:
 * a buf that meets its limit stays as it is, says so in `full`, and you check once, at the end.
 * A buf belongs to one thread at a time. */
#pragma once
#include "base/str.h"

struct buf {
    char *p;      /* the bytes not yet taken begin here */
    size_t n;     /* how many there are */
    size_t cap;   /* private: room from p on */
    size_t taken; /* private: bytes in front of p that were taken */
    size_t limit; /* n never grows beyond this */
    bool full;    /* something did not fit, and nothing has been added since */
};

#define BUF_UNLIMITED ((size_t)1 << 40) /* for what our own code writes and nobody else can lengthen */

static inline struct buf buf_make(size_t limit) /* takes no memory yet */
{
    return (struct buf){.limit = limit};
}
void buf_free_memory(struct buf *b); /* of buf_free() alone */
/* And it can be used again, as if just made with the same limit. */
static inline void buf_free(struct buf *b)
{
    if (b->p)
        buf_free_memory(b);
    else
        b->full = false;
}
void buf_clear(struct buf *b); /* empty and not full; keeps its memory */

char *buf_reserve_more(struct buf *b, size_t n); /* of buf_reserve() alone */
/* Room for n bytes behind the last; NULL and full if beyond the limit. */
static inline char *buf_reserve(struct buf *b, size_t n)
{
    if (n <= b->cap - b->n && n <= b->limit - b->n && !b->full) /* there is room: most often */
        return b->p + b->n;
    return buf_reserve_more(b, n);
}

static inline void buf_add(struct buf *b, struct str s)
{
    char *to = s.n ? buf_reserve(b, s.n) : NULL; /* nothing needs no memory */

    if (to) {
        memcpy(to, s.p, s.n);
        b->n += s.n;
    }
}
void buf_add_c(struct buf *b, const char *c);
static inline void buf_add_char(struct buf *b, char c)
{
    if (b->n < b->cap && b->n < b->limit && !b->full) /* there is room: most often */
        b->p[b->n++] = c;
    else
        buf_add(b, (struct str){&c, 1});
}
void buf_add_u64(struct buf *b,
                 uint64_t v); /* its digits; for what is written by the hundred thousand */
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_grew(struct buf *b, size_t n); /* so many were written into what was reserved */
/* Each gets what the other held, and the memory with it: nothing is copied. It must fit: limits stay. */
void buf_exchange(struct buf *a, struct buf *b);
void buf_take(struct buf *b, size_t n); /* forget the first n bytes */
/* For people, whose terminal has 80 columns: words in lines that begin with `indent` blanks, and a newline at the end. */
void buf_add_paragraph(struct buf *b, struct str text, size_t indent);

static inline struct str buf_str(const struct buf *b)
{
    return (struct str){b->p, b->n};
}
