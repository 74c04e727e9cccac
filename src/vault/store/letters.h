/* vault/store/letters.h: which letter a message is, and under which content an account has it.
 *
 * A letter is what came to one account; it stays that when it is copied or moved into others (RFC 8474 §5.1: the same
 * EMAILID). What was delivered to several accounts is a letter in each, for each has its own Delivered-To, though all of
 * them share the content. So a letter is named by the account in which it came to be and its content there.
 *
 * An account's rows are found by the content, so two letters that share it cannot both stand there under it: the second is
 * a twin, under a content id of its own with the same bytes (body_put_same()). That happens to who was sent a letter that
 * somebody else then copies into a mailbox of theirs, or who is sent it once more when the first is with others; nobody else has
 * twins. That a letter is with others, or was, is a row beside the references to its content (LEFT_PART, owner: the account in
 * which it came to be), which goes with the content. */
#pragma once
#include "vault/store/store.h"

struct letter_id {
    struct account_id origin;
    struct body_id content;
};

/* Of the message that an account has under `body`, with this cold row. */
static inline struct letter_id letter_id_of(const struct cold_row *row, struct account_id account,
                                            struct body_id body)
{
    return (struct letter_id){.origin = row->origin.v ? row->origin : account,
                              .content = row->letter.v ? row->letter : body};
}

static inline bool letter_id_same(struct letter_id a, struct letter_id b)
{
    return a.origin.v == b.origin.v && a.content.v == b.content.v;
}

/* In the caller's transaction, which holds the account's part, and one with a reference to the letter's content, or to a twin
 * of it. *there: the account has the letter already, under *body with *row. Else it may have it under *body from now on; the
 * caller writes its rows, of the cold row what letter_row() says. */
enum err letter_place(struct txn *t, struct cx *cx, struct account_id account, struct letter_id letter,
                      struct body_id *body, struct cold_row *row, bool *there);
/* The same for one that comes to be here: a letter of its own, even if the account has another of this content, or had one
 * that others may still have. */
enum err letter_place_new(struct txn *t, struct cx *cx, struct account_id account,
                          struct body_id *body);
/* That the account has a letter under `body` which is, or was, with others: letter_place() writes it, and repair, which does
 * not ask that. */
void letter_left(struct txn *t, struct account_id account, struct letter_id letter,
                 struct body_id body);
void letter_row(struct cold_row *row, struct account_id account, struct letter_id letter,
                struct body_id body);

/* Adds the twins of a content, in whichever account they are: a struct body_id each. */
enum err letter_twins(struct view *v, struct cx *cx, struct body_id content, struct buf *out);
