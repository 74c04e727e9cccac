/* vault/store/mailbox.h: the messages of a mailbox as a list, and a message's bytes.
 *
 * Reading goes through a view, so it sees durable state and nothing newer. */
#pragma once
#include "vault/store/store.h"

struct listed {
    struct body_id body;
    uint64_t size; /* prefix and body */
    uint32_t uid;
};

/* A mailbox's emails in the order of their UIDs, from their blocks alone. *list is from malloc: the caller frees it.
 * `most` bounds it (0: no bound); ERR_LIMIT beyond. What cannot be read is left out, and *damaged counts the blocks. */
enum err mailbox_list(struct view *v, struct cx *cx, struct account_id account,
                      struct mailbox_id mailbox, size_t most, struct listed **list, size_t *n,
                      size_t *damaged);
/* ERR_NOT_FOUND: there is none, or it is \Noselect. */
enum err mailbox_state(struct view *v, struct cx *cx, struct account_id account,
                       struct mailbox_id mailbox, struct mailbox_row *row, struct counts_row *counts);

/* A message is a prefix (Return-Path, Delivered-To) and a body in pieces. */
struct message {
    struct str prefix; /* in cx->arena */
    struct body_id body;
    uint64_t body_size;
    uint32_t pieces; /* of BODY_PIECE bytes, the last shorter; none for an empty body */
};
/* Of an email whose content is this. ERR_GONE: removed, and the collector's grace is over. */
enum err message_find(struct view *v, struct cx *cx, struct account_id account, struct body_id body,
                      struct message *out);
/* Piece n, from 0; its length is checked against body_size. In cx->arena. */
enum err message_piece(struct view *v, struct cx *cx, const struct message *m, uint32_t n,
                       struct str *piece);
