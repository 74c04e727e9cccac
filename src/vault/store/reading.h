/* vault/store/reading.h: one stored message, to be read in parts: what FETCH shows of it and SEARCH looks into.
 *
 * A message is `prefix` bytes of header lines and, behind them, the body that the part tree was made of; offsets count
 * from the first byte of the prefix, those of the tree and of `source` from the body's. Pieces are read as they are
 * needed, the last one is kept. Lives for one step, and until `stored` is asked for another message. */
#pragma once
#include "mail/imap_structure.h"
#include "vault/store/reader.h"

struct reading {
    struct message_reader *stored;
    struct cx *cx;
    struct cold_row cold; /* lives until `stored` is asked for another message */
    struct message m;
    struct mime_part *parts;
    size_t count;
    struct mime_source source; /* of the body */
    struct body_id body;
    uint32_t kept_n;
    struct str kept;
    enum err failed; /* why the source gave nothing */
};

/* The tree is checked against the body (mime_check). ERR_GONE: the message was removed, and the collector's grace is
 * over. *r must stay where it is, for the source points to it. */
enum err reading_open(struct reading *r, struct message_reader *stored, struct cx *cx,
                      struct body_id body);
/* The bytes from `at` on, at most n, as many as lie side by side: of prefix or of one piece. Empty at the end. */
enum err reading_at(struct reading *r, uint64_t at, uint64_t n, struct str *bytes);
