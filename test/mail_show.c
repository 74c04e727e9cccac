/* What mail/ makes of the message on standard input, for test_mail.py to compare with what Python's library makes of it:
 * records of a line "name length" and so many bytes. */
#include "mail/base_subject.h"
#include "mail/content.h"
#include "mail/date.h"
#include "mail/header.h"
#include "mail/mime.h"
#include "mail/params.h"
#include "mail/preview.h"
#include "mail/section.h"
#include "mail/text.h"

#include <stdio.h>
#include <stdlib.h>

static void show(const char *name, struct str value)
{
    printf("%s %zu\n", name, value.n);
    if (value.n)
        fwrite(value.p, 1, value.n, stdout);
}

static void show_header(struct str header)
{
    struct buf text = buf_make(BUF_UNLIMITED);
    struct header_field f;
    int64_t ms;
    int zone;

    if (find_header_field(header, S("Subject"), &f)) {
        subject_text(&text, f.body);
        show("subject", buf_str(&text));
    }
    buf_clear(&text);
    if (find_header_field(header, S("Date"), &f) && date_parse(f.body, &ms, &zone)) {
        buf_printf(&text, "%lld", (long long)(ms / 1000));
        show("date", buf_str(&text));
    }
    buf_free(&text);
}

static void show_filename(const struct mime_part *parts, size_t i, const struct mime_source *source)
{
    struct buf header = buf_make(MIME_HEADER_READ_MAX);
    struct header_field f;
    struct str token, rest;

    mime_read_header(parts, i, source, &header);
    if (find_header_field(buf_str(&header), S("Content-Disposition"), &f) &&
        parse_content_token(f.body, &token, &rest)) {
        struct params p = params_read(rest);

        for (size_t n = 0; n < p.count; n++)
            if (str_same_nocase(p.items[n].name, S("filename")))
                show("filename", p.items[n].value);
        params_free(&p);
    }
    buf_free(&header);
}

/* The part's number, from its place among its siblings. */
static void number_part(const struct mime_part *parts, size_t i, struct imap_section *s,
                        uint32_t numbers[50])
{
    size_t way[50], depth = 0;

    for (size_t p = i; p; p = parts[p].parent)
        if (parts[parts[p].parent].kind == MIME_MULTIPART)
            way[depth++] = p;
    *s = (struct imap_section){.part = numbers, .part_depth = depth};
    for (size_t n = 0; n < depth; n++) {
        size_t part = way[depth - 1 - n];

        numbers[n] = 0;
        for (size_t k = 1; k <= part; k++)
            numbers[n] += parts[k].parent == parts[part].parent;
    }
    if (parts[parts[i].parent].kind != MIME_MULTIPART ||
        i == 0) /* a message without parts: its own first */
        numbers[s->part_depth++] = 1;
}

static void show_binary(const struct mime_part *parts, size_t count, size_t i,
                        const struct mime_source *source, struct str message)
{
    struct buf out = buf_make(BUF_UNLIMITED), room = buf_make(BUF_UNLIMITED);
    enum transfer_encoding encoding;
    struct section_range range;
    uint32_t numbers[51];
    struct imap_section s;
    bool crlf, failed;
    struct binary b;

    number_part(parts, i, &s, numbers);
    if (!section_find_binary(&s, parts, count, 0, source, &range, &encoding, &crlf, &failed) ||
        range.part != i) {
        show("lost", STR_NONE);
        return;
    }
    message = str_upto(str_from(message, range.at), range.n);
    b = binary_begin(encoding, crlf);
    for (; message.n; message = str_from(message, 1000))
        buf_add(&out, binary_next(&b, str_upto(message, 1000), &room));
    buf_add(&out, binary_end(&b, &room));
    show("binary", buf_str(&out));
    buf_free(&out);
    buf_free(&room);
}

static void show_text(const struct mime_part *parts, size_t i, const struct mime_source *source)
{
    struct message_text t = message_text_make();
    struct buf out = buf_make(BUF_UNLIMITED);
    struct str text;

    message_text_begin(&t, parts + i, 1, source, TEXT_BODY);
    while (message_text_next(&t, &text))
        buf_add(&out, text);
    show("text", buf_str(&out));
    message_text_free(&t);
    buf_free(&out);
}

int main(void)
{
    struct buf in = buf_make(BUF_UNLIMITED);
    struct mime m = mime_make();
    struct mime_source source;
    struct str message;
    size_t n;

    do {
        char *room = buf_reserve(&in, 65536);

        n = fread(room, 1, 65536, stdin);
        buf_grew(&in, n);
    } while (n);
    message = buf_str(&in);
    source = mime_source_of(&message);
    mime_feed(&m, message);
    mime_end(&m);
    show_header(str_upto(message, m.parts[0].body));
    for (size_t i = 0; i < m.count; i++) {
        if (m.parts[i].kind != MIME_LEAF)
            continue;
        show("leaf", STR_NONE);
        show_filename(m.parts, i, &source);
        show_binary(m.parts, m.count, i, &source, message);
        show_text(m.parts, i, &source);
    }
    mime_free(&m);
    buf_free(&in);
    return 0;
}
