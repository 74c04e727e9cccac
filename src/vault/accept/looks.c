/* The headers that ENVELOPE and BODYSTRUCTURE need are read through a source: from the piece at hand, or piece by piece
 * from the store, the last one read being kept, since the parts are asked for in order. */
#include "vault/accept/looks.h"

#include "base/scoped.h"
#include "mail/facts.h"
#include "mail/imap_structure.h"
#include "mail/preview.h"
#include "rpc/parts.h"

#include <inttypes.h>

struct pieces {
    struct txn *t; /* one of the two reads */
    struct view *v;
    struct cx *cx;
    struct body_id id;
    uint64_t size;
    uint32_t ahead; /* pieces before `last`; t only */
    struct str last;
    uint32_t kept_n; /* the piece that was read last */
    struct str kept;
    enum err failed;
};

static enum err read_piece(struct pieces *p, uint32_t n, struct str *piece)
{
    struct piece_row row;
    bool found;
    enum err e;

    if (p->t && n == p->ahead)
        return *piece = p->last, OK;
    if (p->kept.p && p->kept_n == n)
        return *piece = p->kept, OK;
    if (p->v) {
        e = body_piece(p->v, p->cx, p->id, p->size, n, &p->kept);
    } else {
        e = piece_row_txn(p->t, p->cx, NO_ACCOUNT, &(struct piece_key){.body = p->id.v, .n = n}, &row,
                          &found);
        if (!e && !found)
            e = fail(p->cx, ERR_DAMAGED, "piece %u is not there", n);
        p->kept = row.raw;
    }
    if (e)
        p->kept = STR_NONE;
    p->kept_n = n;
    *piece = p->kept;
    return e;
}

static bool read_bytes(void *ctx, uint64_t at, size_t n, struct buf *out)
{
    struct pieces *p = ctx;

    while (n && at < p->size) {
        struct str piece;

        p->failed = read_piece(p, (uint32_t)(at / BODY_PIECE), &piece);
        if (p->failed)
            return false;
        piece = str_upto(str_from(piece, (size_t)(at % BODY_PIECE)), n);
        if (!piece.n)
            return false;
        buf_add(out, piece);
        at += piece.n;
        n -= piece.n;
    }
    return true;
}

/* A message of one piece is read where it lies. */
static struct mime_source source_of(struct pieces *p)
{
    struct mime_source source = {.read = read_bytes, .ctx = p};

    if (p->size && p->size <= BODY_PIECE)
        p->failed = read_piece(p, 0, &source.whole);
    return source;
}

/* More than any list of mails shows. A client is sent one of them at a time, whole (SESSION_LEAP): a message that needs
 * more, which only malice makes, is described as one without a header, or without parts. */
#define LONGEST_LOOK (1024 * 1024)
#define LONGEST_PREVIEW 4096 /* RFC 8970 §3.1: 256 characters */

static struct str take(struct cx *cx, struct buf *b)
{
    struct str s = str_copy(cx->arena, buf_str(b));

    buf_free(b);
    return s;
}

static enum err describe(struct pieces *p, const struct mime_part *parts, size_t n,
                         struct cold_row *looks, struct str *facts)
{
    struct mime_source source = source_of(p);
    struct buf room = buf_make(LONGEST_LOOK), envelope = buf_make(LONGEST_LOOK),
               structure = buf_make(LONGEST_LOOK), preview = buf_make(LONGEST_PREVIEW),
               known = buf_make(LONGEST_LOOK);
    struct str header;

    if (!p->failed && mime_header(parts, 0, &source, &room, &header)) {
        imap_envelope_write(&envelope, header);
        facts_write(&known, header);
    }
    if (!p->failed)
        imap_structure_write(&structure, parts, n, &source, true);
    if (!p->failed)
        preview_write(&preview, parts, n, &source);
    if (envelope.full) {
        buf_clear(&envelope);
        imap_envelope_write(&envelope, STR_NONE);
    }
    if (structure.full) {
        buf_clear(&structure);
        imap_structure_shorten(&structure, STR_NONE);
    }
    if (known.full) /* better none: then the header itself is asked */
        buf_clear(&known);
    buf_free(&room);
    *facts = take(p->cx, &known);
    looks->parser = LOOKS_PARSER;
    looks->envelope = take(p->cx, &envelope);
    looks->bodystructure = take(p->cx, &structure);
    looks->preview = take(p->cx, &preview);
    looks->parts_count = n;
    looks->parts = body_parts_of(p->cx->arena, parts, n);
    return p->failed;
}

enum err looks_of_new(struct txn *t, struct cx *cx, struct body_id id, uint32_t ahead, struct str last,
                      const struct body_part *claimed, size_t n, struct cold_row *looks,
                      struct str *facts)
{
    struct pieces p = {.t = t, .cx = cx, .id = id, .ahead = ahead, .last = last};
    struct mime_part *parts = arena_array(cx->arena, struct mime_part, n);

    p.size = (uint64_t)ahead * BODY_PIECE + last.n;
    for (size_t i = 0; i < n; i++)
        parts[i] = (struct mime_part){.parent = claimed[i].parent,
                                      .start = claimed[i].start,
                                      .body = claimed[i].body,
                                      .end = claimed[i].end,
                                      .lines = claimed[i].lines,
                                      .kind = claimed[i].kind};
    *looks = (struct cold_row){0};
    if (!mime_check(parts, n, p.size))
        return fail(cx, ERR_BAD_CALL, "a part tree that no message of %" PRIu64 " bytes has", p.size);
    return describe(&p, parts, n, looks, facts);
}

enum err looks_of_stored(struct view *v, struct cx *cx, struct body_id id, uint64_t size,
                         struct cold_row *looks, struct str *facts)
{
    struct pieces p = {.v = v, .cx = cx, .id = id, .size = size};
    scoped(mime_free) struct mime m = mime_make();

    for (uint32_t n = 0; n < body_pieces(size); n++) {
        struct str piece;
        enum err e = read_piece(&p, n, &piece);

        if (e)
            return e;
        mime_feed(&m, piece);
    }
    mime_end(&m);
    *looks = (struct cold_row){0};
    return describe(&p, m.parts, m.count, looks, facts);
}
