/* The two passes go through the same code: `pass` is given what comes out of a filter or decoder, and counts it or sends
 * it. */
#include "vault/imap/passage.h"

#include <inttypes.h>

/* ---- what a section is ---- */

static enum err find_binary(struct passage *p, struct reading *r, bool *found)
{
    bool failed;

    *found = section_find_binary(&p->att->section, r->parts, r->count, r->m.prefix.n, &r->source,
                                 &p->range, &p->encoding, &p->crlf, &failed);
    if (failed)
        return r->failed ? r->failed
                         : fail(r->cx, ERR_DAMAGED, "body %" PRIu64 " is too short", r->body.v);
    p->unknown_encoding = *found && p->encoding == TRANSFER_UNKNOWN;
    return OK;
}

static enum err find(struct passage *p, struct reading *r, bool *found)
{
    const struct imap_section *s = &p->att->section;

    if (p->att->att == IMAP_ATT_BINARY || p->att->att == IMAP_ATT_BINARY_SIZE) {
        p->kind = PASSAGE_BINARY;
        return find_binary(p, r, found);
    }
    if (s->text == IMAP_SECTION_FIELDS || s->text == IMAP_SECTION_FIELDS_NOT)
        p->kind = PASSAGE_FIELDS;
    *found = section_find(s, r->parts, r->count, r->m.prefix.n, &p->range);
    return OK;
}

/* ---- passes ---- */

static void begin_pass(struct passage *p)
{
    p->at = p->range.at;
    if (p->kind == PASSAGE_FIELDS)
        p->filter = header_filter_begin(&p->att->section);
    if (p->kind == PASSAGE_BINARY)
        p->binary = binary_begin(p->encoding, p->crlf);
}

/* Bytes of the section: out NULL counts them. */
static void pass(struct passage *p, struct str bytes, struct buf *out)
{
    if (!out) {
        p->size += bytes.n;
        p->has_nul = p->has_nul || (bytes.n && memchr(bytes.p, 0, bytes.n));
        buf_add(&p->kept, bytes);
        return;
    }
    if (p->skip) {
        uint64_t skip = p->skip < bytes.n ? p->skip : bytes.n;

        p->skip -= skip;
        bytes = str_from(bytes, (size_t)skip);
    }
    if (bytes.n > p->left)
        bytes.n = (size_t)p->left;
    buf_add(out, bytes);
    p->left -= bytes.n;
}

static uint64_t range_end(const struct passage *p)
{
    return p->range.at + p->range.n;
}

static void pass_fields(struct passage *p, struct str bytes, struct buf *out)
{
    buf_clear(&p->room);
    header_filter_feed(&p->filter, bytes, &p->room);
    if (p->at == range_end(p))
        header_filter_end(&p->filter, &p->room);
    pass(p, buf_str(&p->room), out);
}

static void pass_binary(struct passage *p, struct str bytes, struct buf *out)
{
    pass(p, binary_next(&p->binary, bytes, &p->room), out);
    if (p->at == range_end(p))
        pass(p, binary_end(&p->binary, &p->room), out);
}

static enum err read_at(struct reading *r, uint64_t at, uint64_t n, struct str *bytes)
{
    enum err e = reading_at(r, at, n, bytes);

    if (!e && !bytes->n)
        return fail(r->cx, ERR_DAMAGED, "body %" PRIu64 " is too short", r->body.v);
    return e;
}

/* The next piece of the section, through what it goes through. */
static enum err pass_piece(struct passage *p, struct reading *r, struct buf *out)
{
    struct str bytes = STR_NONE;
    enum err e = OK;

    if (p->at < range_end(p))
        e = read_at(r, p->at, range_end(p) - p->at, &bytes);
    else if (out) /* the second pass gave less than the first */
        e = fail(r->cx, ERR_BUG, "%" PRIu64 " bytes of a section are missing", p->left);
    if (e)
        return e;
    p->at += bytes.n;
    if (p->kind == PASSAGE_FIELDS)
        pass_fields(p, bytes, out);
    else if (p->kind == PASSAGE_BINARY)
        pass_binary(p, bytes, out);
    else
        pass(p, bytes, out);
    return OK;
}

/* RFC 9051 §6.4.5: beyond the end is empty, across the end is cut. */
static void choose(struct passage *p)
{
    const struct imap_fetch_att *att = p->att;

    p->measured = true;
    p->n = p->size;
    if (att->has_partial) {
        p->skip = att->partial_first < p->size ? att->partial_first : p->size;
        p->n = p->size - p->skip;
        if (p->n > att->partial_count)
            p->n = att->partial_count;
    }
    p->left = p->n;
}

enum err passage_open(struct passage *p, struct reading *r, const struct imap_fetch_att *att,
                      bool *found)
{
    enum err e;

    *p = (struct passage){.att = att, .room = buf_make(BUF_UNLIMITED), .kept = buf_make(PASSAGE_KEPT)};
    e = find(p, r, found);
    if (e || !*found || p->unknown_encoding)
        return e;
    if (p->kind == PASSAGE_BINARY && p->encoding == TRANSFER_IDENTITY && !p->crlf &&
        att->att == IMAP_ATT_BINARY_SIZE)
        p->kind = PASSAGE_RAW;
    begin_pass(p);
    if (p->kind != PASSAGE_RAW)
        return OK;
    p->size = p->range.n;
    choose(p);
    p->at += p->skip; /* what is not wanted need not be read */
    p->skip = 0;
    if (p->left &&
        att->att != IMAP_ATT_BINARY_SIZE) { /* can it be read? Later would be too late to say */
        struct str bytes;

        return read_at(r, p->at, p->left, &bytes);
    }
    return OK;
}

enum err passage_measure(struct passage *p, struct reading *r)
{
    enum err e = pass_piece(p, r, NULL);

    if (e || p->at < range_end(p))
        return e;
    choose(p);
    begin_pass(p);
    return OK;
}

enum err passage_send(struct passage *p, struct reading *r, struct buf *out)
{
    if (p->kind == PASSAGE_RAW || p->kept.full)
        return pass_piece(p, r, out);
    buf_add(out, str_upto(str_from(buf_str(&p->kept), (size_t)p->skip), (size_t)p->n));
    p->left = 0;
    return OK;
}

void passage_close(struct passage *p)
{
    if (p->kind == PASSAGE_BINARY)
        binary_end(&p->binary, &p->room);
    buf_free(&p->room);
    buf_free(&p->kept);
    *p = (struct passage){0};
}
