/* Answers are made as JSON in any case; for people the same values are laid out. */
#include "base/buf.h"
#include "base/clock.h"
#include "base/scoped.h"
#include "control/operator.h"

#include <stdio.h>
#include <string.h>

json_t *json_text(struct str s)
{
    json_t *text = json_stringn(s.p ? s.p : "", s.n);
    char *p;

    if (text)
        return text;
    p = must_alloc(s.n + 1); /* not UTF-8 */
    for (size_t i = 0; i < s.n; i++)
        p[i] = is_printable(s.p[i]) ? s.p[i] : '?';
    text = json_stringn(p, s.n);
    free(p);
    return text;
}

json_t *json_time(uint64_t ms)
{
    char text[TIME_TEXT_SIZE];

    if (ms == 0)
        return json_null();
    time_text((int64_t)ms, text);
    return json_string(text);
}

static void add_size(struct buf *out, uint64_t bytes)
{
    static const char units[] = " KMGT";
    double v = (double)bytes;
    size_t unit = 0;

    for (; v >= 1024 && units[unit + 1]; unit++)
        v /= 1024;
    if (unit == 0)
        buf_printf(out, "%llu", (unsigned long long)bytes);
    else
        buf_printf(out, v < 10 ? "%.1f%c" : "%.0f%c", v, units[unit]);
}

/* "2026-11-22T04:15:05.123Z" as "2026-11-22 04:15:05Z": as in the log, in UTC. */
static void add_time(struct buf *out, struct str text)
{
    buf_add(out, str_upto(text, 10));
    buf_add_char(out, ' ');
    buf_add(out, str_upto(str_from(text, 11), 8));
    buf_add_char(out, 'Z');
}

/* What strangers chose must not move the cursor of whoever reads it. */
static void add_text(struct buf *out, const char *text)
{
    for (; text && *text; text++)
        buf_add_char(out, (unsigned char)*text < ' ' || *text == 0x7f ? ' ' : *text);
}

static void add_value(struct buf *out, const json_t *value, enum column_kind kind)
{
    size_t i;
    json_t *element;

    if ((kind == NUMBER && json_is_integer(value)) || (kind == LIMIT && json_integer_value(value) > 0))
        buf_printf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (kind == SIZE && json_integer_value(value) > 0)
        add_size(out, (uint64_t)json_integer_value(value));
    else if (kind == FLAG)
        buf_add_c(out, json_is_true(value) ? "yes" : "no");
    else if (kind == TIME && json_is_string(value))
        add_time(out, str_from_c(json_string_value(value)));
    else if (kind == TEXT)
        add_text(out, json_string_value(value));
    if (kind == LIST)
        json_array_foreach(value, i, element)
        {
            buf_add_c(out, i ? ", " : "");
            add_text(out, json_string_value(element));
        }
    if (out->n == 0)
        buf_add_char(out, '-');
}

static void print_cell(struct str text, size_t wide, bool last)
{
    printf("%.*s%*s", STR_ARG(text), last ? 0 : (int)(wide - str_columns(text) + 2), "");
    if (last)
        putchar('\n');
}

static size_t column_width(const json_t *rows, const struct column *c)
{
    scoped(buf_free) struct buf cell = buf_make(BUF_UNLIMITED);
    size_t widest = str_columns(str_from_c(c->heading)), i;
    json_t *row;

    json_array_foreach(rows, i, row)
    {
        size_t w;

        buf_clear(&cell);
        add_value(&cell, json_object_get(row, c->key), c->kind);
        w = str_columns(buf_str(&cell));
        widest = w > widest ? w : widest;
    }
    return widest;
}

static void print_json(struct operator* op, const json_t *value)
{
    op->answered = true;
    json_dumpf(value, stdout, JSON_INDENT(2));
    putchar('\n');
}

#define MOST_COLUMNS 16

void print_rows(struct operator* op, const json_t *rows, const struct column *columns, size_t count)
{
    scoped(buf_free) struct buf cell = buf_make(BUF_UNLIMITED);
    size_t wide[MOST_COLUMNS], i;
    json_t *row;

    if (op->json) {
        print_json(op, rows);
        return;
    }
    if (json_array_size(rows) == 0)
        return;
    for (size_t c = 0; c < count; c++) {
        wide[c] = column_width(rows, &columns[c]);
        print_cell(str_from_c(columns[c].heading), wide[c], c + 1 == count);
    }
    json_array_foreach(rows, i, row)
    {
        for (size_t c = 0; c < count; c++) {
            buf_clear(&cell);
            add_value(&cell, json_object_get(row, columns[c].key), columns[c].kind);
            print_cell(buf_str(&cell), wide[c], c + 1 == count);
        }
    }
}

void print_object(struct operator* op, const json_t *object, const struct column *columns, size_t count)
{
    scoped(buf_free) struct buf cell = buf_make(BUF_UNLIMITED);
    size_t widest = 0;

    if (op->json) {
        print_json(op, object);
        return;
    }
    for (size_t c = 0; c < count; c++)
        widest = strlen(columns[c].heading) > widest ? strlen(columns[c].heading) : widest;
    for (size_t c = 0; c < count; c++) {
        buf_clear(&cell);
        add_value(&cell, json_object_get(object, columns[c].key), columns[c].kind);
        print_cell(str_from_c(columns[c].heading), widest, false);
        print_cell(buf_str(&cell), 0, true);
    }
}

void print_help(const struct command *c)
{
    scoped(buf_free) struct buf text = buf_make(BUF_UNLIMITED);

    buf_add_paragraph(&text, str_from_c(c->help), 4);
    fwrite(text.p, 1, text.n, stdout);
}
