/* vault/store/body.h: the bytes of messages, stored once however many need them.
 *
 * A body is pieces of BODY_PIECE bytes under a fresh id, with its size and SHA-256 in a row of its own. Who needs it
 * holds a reference; a reference is made only in the transaction that writes the body, or by one that holds the lock
 * of a part that has one already. So a body without references can never get one again, and collect.c may delete it. */
#pragma once
#include "vault/store/store.h"

#define SHA256_SIZE 32
#define QUEUE_PART 0              /* `part` of the references that queue entries hold */
#define BODY_PART UINT64_MAX      /* … and that bodies hold which have the bytes of another */
#define LEFT_PART (BODY_PART - 1) /* no reference, and nothing is kept for it: letters.h */

/* The check value, fed piece by piece. */
struct digest;
struct digest *digest_new(void);
struct digest *digest_copy(const struct digest *d);
void digest_free(struct digest **d);
void digest_feed(struct digest *d, struct str bytes);
void digest_end(struct digest *d, char out[SHA256_SIZE]);
void digest_of(struct str bytes, char out[SHA256_SIZE]);

/* Pieces are not copied: they must stay where they are until the transaction has ended. */

/* A piece that comes ahead of its body, in a transaction of its own; the first also leaves the mark that lets a
 * start sweep it. */
void body_put_ahead(struct txn *t, struct body_id body, uint32_t n, struct str piece);

/* Takes back so many pieces, which went ahead of a body that never came. To be tried in the opening of the store in which
 * they did (txn_rests_on): after a failure nobody knows whether the body has come, and the next start sweeps what is left. */
void body_forget(struct txn *t, struct body_id body, uint32_t pieces);

/* The same for bodies of one piece each that will come, or be forgotten, in one transaction: they have one mark, which is
 * the first one's. At most BODIES_TOGETHER. */
#define BODIES_TOGETHER 250
void bodies_put_ahead(struct txn *t, const struct body_id *bodies, const struct str *pieces, size_t n);
/* As body_forget(). */
void bodies_forget(struct txn *t, const struct body_id *bodies, size_t n);

/* The last piece (or only, or none if empty) and the body's own row. ahead: pieces that came before. */
struct new_body {
    struct body_id id;
    uint32_t ahead;
    uint64_t opening; /* of the store in which they did (engine.h); 0: none came */
    uint64_t mark;    /* came ahead together with others: the first one's id; else 0 */
    struct str last;
    uint64_t size;
    char sha256[SHA256_SIZE];
};
void body_put(struct txn *t, const struct new_body *b);

/* A body with the bytes of an older one, which is kept as long. The caller holds a part with a reference to that one.
 * ERR_GONE: it is not there. */
enum err body_put_same(struct txn *t, struct cx *cx, struct body_id id, struct body_id as);

void body_refer(struct txn *t, struct body_id body, uint64_t part, uint64_t owner);
/* The reference will go when the grace is over. */
void body_release(struct txn *t, struct body_id body, uint64_t part, uint64_t owner);

/* When nobody refers to it any more. Adds to *bodies and *bytes what there was; nothing if it has gone already. *held: the one
 * that it has its bytes from, which nobody may refer to any more by now; 0: none. */
enum err body_delete(struct txn *t, struct cx *cx, struct body_id body, size_t *bodies, uint64_t *bytes,
                     struct body_id *held);

/* Where its pieces are: itself, or the one that it has its bytes from, which may have them from another. Also itself if it is
 * not there. */
enum err body_home(struct view *v, struct cx *cx, struct body_id id, struct body_id *home);
enum err body_find(struct view *v, struct cx *cx, struct body_id id, struct body_row *row, bool *found);
/* What was found for piece n of a body of that size: ERR_GONE, or ERR_DAMAGED where its length does not fit. */
enum err body_piece_check(struct cx *cx, struct body_id id, uint64_t size, uint32_t n, bool found,
                          struct str piece);
/* Piece n, checked; of its own or of the one that it has its bytes from. */
enum err body_piece(struct view *v, struct cx *cx, struct body_id id, uint64_t size, uint32_t n,
                    struct str *piece);

static inline uint32_t body_pieces(uint64_t size)
{
    return (uint32_t)((size + BODY_PIECE - 1) / BODY_PIECE);
}

/* Pieces whose `deliver` never came, because the vault ended first: deleted. At start, before the first call. */
enum err body_sweep(struct store *s, struct cx *cx, size_t *swept);
