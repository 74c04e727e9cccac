/* Taken bytes stay in front until there is a reason to move: most bufs empty wholly and begin anew. */
#include "base/buf.h"

#include "base/arena.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void buf_free_memory(struct buf *b)
{
    free(b->p - b->taken);
    *b = buf_make(b->limit);
}

void buf_clear(struct buf *b)
{
    buf_take(b, b->n);
    b->full = false;
}

static void move_to_front(struct buf *b)
{
    if (!b->taken)
        return;
    memmove(b->p - b->taken, b->p, b->n);
    b->p -= b->taken;
    b->cap += b->taken;
    b->taken = 0;
}

char *buf_reserve_more(struct buf *b, size_t n)
{
    if (b->full || n > b->limit - b->n) {
        b->full = true;
        return NULL;
    }
    if (b->cap - b->n < n && b->taken + (b->cap - b->n) >= n && b->taken >= b->n)
        move_to_front(b);
    if (b->cap - b->n < n) {
        size_t cap = b->cap ? b->cap : 256;

        move_to_front(b);
        while (cap - b->n < n)
            cap *= 2;
        b->p = must_realloc(b->p, cap);
        b->cap = cap;
    }
    return b->p + b->n;
}

void buf_grew(struct buf *b, size_t n)
{
    assert(n <= b->cap - b->n);
    b->n += n;
}

void buf_add_c(struct buf *b, const char *c)
{
    buf_add(b, str_from_c(c));
}

void buf_add_u64(struct buf *b, uint64_t v)
{
    char digits[20];
    size_t at = sizeof(digits);

    do {
        digits[--at] = (char)('0' + v % 10);
    } while ((v /= 10));
    buf_add(b, (struct str){digits + at, sizeof(digits) - at});
}

void buf_printf(struct buf *b, const char *format, ...)
{
    char small[512];
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(small, sizeof(small), format, args);
    va_end(args);
    assert(n >= 0);
    if ((size_t)n < sizeof(small)) {
        buf_add(b, (struct str){small, (size_t)n});
        return;
    }
    char *to = buf_reserve(b, (size_t)n + 1);

    if (!to)
        return;
    va_start(args, format);
    vsnprintf(to, (size_t)n + 1, format, args);
    va_end(args);
    b->n += (size_t)n;
}

void buf_take(struct buf *b, size_t n)
{
    assert(n <= b->n);
    b->p = b->p ? b->p + n : NULL;
    b->n -= n;
    b->cap -= n;
    b->taken += n;
    if (b->n == 0)
        move_to_front(b);
}

void buf_exchange(struct buf *a, struct buf *b)
{
    struct buf was = *a;

    assert(a->n <= b->limit && b->n <= a->limit);
    *a = *b;
    a->limit = was.limit;
    was.limit = b->limit;
    *b = was;
}

#define COLUMNS_OF_TERMINAL 80

void buf_add_paragraph(struct buf *b, struct str text, size_t indent)
{
    size_t column = 0;
    struct str word;

    while (text.n) {
        if (!take_until(&text, ' ', &word)) {
            word = text;
            text = STR_NONE;
        }
        if (column == 0 || column + 1 + str_columns(word) > COLUMNS_OF_TERMINAL) {
            buf_printf(b, "%s%*s", column ? "\n" : "", (int)indent, "");
            column = indent;
        } else {
            buf_add_char(b, ' ');
            column++;
        }
        buf_add(b, word);
        column += str_columns(word);
    }
    buf_add_char(b, '\n');
}
