/* vault/imap/fetch.h: the items of a FETCH response, for FETCH and for whoever tells of messages as FETCH does (RFC 5465
 * §5.1). */
#pragma once
#include "proto/imap_fetch.h"
#include "vault/imap/passage.h"
#include "vault/imap/response.h"

/* Those that the cold row answers. */
#define FETCH_COLD                                                                                     \
    (IMAP_ATT_BIT(IMAP_ATT_ENVELOPE) | IMAP_ATT_BIT(IMAP_ATT_BODY) |                                   \
     IMAP_ATT_BIT(IMAP_ATT_BODYSTRUCTURE) | IMAP_ATT_BIT(IMAP_ATT_PREVIEW) |                           \
     IMAP_ATT_BIT(IMAP_ATT_EMAILID))
/* Those that are read from the message. */
#define FETCH_PASSAGES                                                                                 \
    (IMAP_ATT_BIT(IMAP_ATT_RFC822) | IMAP_ATT_BIT(IMAP_ATT_RFC822_HEADER) |                            \
     IMAP_ATT_BIT(IMAP_ATT_RFC822_TEXT) | IMAP_ATT_BIT(IMAP_ATT_BODY_SECTION) |                        \
     IMAP_ATT_BIT(IMAP_ATT_BINARY) | IMAP_ATT_BIT(IMAP_ATT_BINARY_SIZE))

/* A whole response of hot items, "* 5 FETCH (FLAGS (\Seen))" CRLF. False: nothing is written, for its flags are too long
 * for this quick way. */
bool fetch_hot_write(const struct imap *i, struct flag_text *flags, struct buf *out,
                     const struct imap_fetch *a, uint32_t number, const struct roster_entry *entry);
/* One item each, with its name. */
void fetch_hot_item_write(const struct imap *i, struct flag_text *flags, struct buf *out,
                          enum imap_att att, const struct roster_entry *entry);
void fetch_cold_item_write(const struct imap *i, struct buf *out, enum imap_att att,
                           const struct roster_entry *entry, const struct cold_row *cold);
/* Is it left out? With UIDONLY the response begins with the UID; in it that stands only if it was asked for (RFC 9586
 * §3.3). */
static inline bool fetch_leaves_out(const struct imap *i, const struct imap_fetch *a, enum imap_att att)
{
    return att == IMAP_ATT_UID && a->uid_unasked && a->att_count > 1 && imap_is_uidonly(i);
}
/* The item's name and what stands before its bytes; what is not there is NIL, and its size a number (RFC 9051 §7.5.2). */
void fetch_passage_head(const struct imap *i, struct buf *out, const struct imap_fetch_att *att,
                        const struct passage *p);
void fetch_passage_nil(const struct imap *i, struct buf *out, const struct imap_fetch_att *att);

/* Who writes whole responses at once, each in its own thread. */
struct fetch_hand {
    const struct imap *i;
    const struct imap_fetch *items; /* of the three kinds */
    struct message_reader *stored;
    struct flag_text flags;
    struct cx cx; /* its arena: of one message, yours to empty */
};
/* False: something cannot be read, or not so, or the buf is full; it may hold a part then. */
bool fetch_whole_write(struct fetch_hand *h, struct buf *out, uint32_t number,
                       const struct roster_entry *entry);

/* How far a FETCH has come among the messages it tells of. */
struct fetch_mark {
    struct roster_walk walk;
    uint64_t found,
        told; /* messages of the set that are there; those of them that were to be told of */
};
/* The next one that is to be told of, by its number: 0 and NULL: none. */
uint32_t fetch_next(struct fetch_mark *m, const struct numbers *numbers, uint64_t changed_since,
                    const struct roster_entry **entry);
/* What UID FETCH of these items would say, as a step for news.h: \Seen is not set. Of messages the client does not know
 * yet, or that are gone, nothing. The set is copied. */
struct imap_step fetch_step(struct arena *a, const struct imap_fetch *items,
                            const struct imap_set *uids);
