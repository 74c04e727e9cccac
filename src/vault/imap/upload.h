/* vault/imap/upload.h: a message on its way in from an IMAP client (APPEND, REPLACE), kept within bounds while it comes.
 *
 * Bytes gather until they are a piece (BODY_PIECE); a piece that is not the last goes ahead into the store, in a
 * transaction of its own and without a reference, and is swept at start if the message never becomes whole. What all
 * sessions hold in memory together, with what the messages look like, has a limit, of which every account has its share
 * (vault/share.h). One thread at a time. */
#pragma once
#include "mail/mime.h"
#include "vault/session.h"
#include "vault/store/messages.h"

struct upload {
    struct store *store;
    struct account_id who; /* signed on; what is held counts as theirs */
    struct body_id id;
    uint64_t size;    /* so far */
    uint32_t ahead;   /* pieces that went ahead */
    uint64_t opening; /* of the store in which they did */
    uint64_t mark;    /* they did so together with others'; see body.h */
    struct buf last;
    struct digest *digest; /* of those; NULL while there are none */
    struct mime mime;
    size_t reserved, looks_reserved; /* of what all may hold */
    bool is_message;                 /* else a part that will be joined to one */
    bool utf8_header;                /* its header is not all ASCII; after upload_end() */
    bool taken;                      /* the store has it: nothing is to be taken back */
    struct cold_row looks;
    struct str facts;
    char sha256[SHA256_SIZE];
};

/* `size`: what is announced, or the most there will be. ERR_NO_MEMORY, ERR_TOO_MUCH: share_take(). */
enum err upload_begin(struct upload *u, const struct session *s, uint64_t size, bool is_message);
enum err upload_feed(struct upload *u, struct cx *cx, struct str bytes);
/* All has come: what it looks like is made, in cx->arena. Fails as above. */
enum err upload_end(struct upload *u, struct cx *cx);
/* Its last piece goes ahead as well, so that nothing of it is in memory. After upload_end(). */
enum err upload_put_away(struct upload *u, struct cx *cx);
/* The bytes of several messages that are each all in memory go ahead, where they also stay. The store takes all of them,
 * or none. Another thread may be in upload_end(). */
enum err uploads_put_ahead(struct upload **v, size_t n, struct cx *cx);
/* Those among them that were not taken are taken back, in one transaction for each opening of the store. */
void uploads_take_back(struct upload **v, size_t n, struct cx *cx);
/* Piece n of it, as it came; in cx->arena or its own. */
enum err upload_piece(struct upload *u, struct cx *cx, uint32_t n, struct str *piece);
uint32_t upload_pieces(const struct upload *u);
struct new_body upload_body(const struct upload *u);
/* Not taken: what went ahead is taken back. Frees what it holds, not itself. */
void upload_forget(struct upload *u, struct cx *cx);

void upload_set_budget(size_t bytes); /* of all sessions together; for tests */
