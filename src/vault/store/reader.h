/* vault/store/reader.h: what is kept of many messages of an account, read one message after the other.
 *
 * Cold rows, facts and pieces lie in the order of their bodies' ids, and so do, mostly, the messages of a mailbox: a
 * reader goes along with them (trail.h). One view, one thread; close it before the view.
 *
 *     scoped(reader_close) struct message_reader *r = reader_open(view, account, false);
 *     e = reader_cold(r, cx, entry->body, &cold, &found); */
#pragma once
#include "vault/store/letters.h"
#include "vault/store/mailbox.h"

struct message_reader;

/* much: so many messages that to keep what is read of them in the store's cache would do no good (view_scan_much()). */
struct message_reader *reader_open(struct view *v, struct account_id account, bool much);
void reader_close(struct message_reader **r); /* NULL is fine */
/* A cold row that cannot be read, or is an older parser's, is from now on made anew from the body: by looks_of_stored()
 * (vault/accept/looks.h), for those who may link it. The prefix of one that cannot be read is lost. */
void reader_mends(struct message_reader *r, uint32_t parser,
                  enum err (*make)(struct view *v, struct cx *cx, struct body_id id, uint64_t size,
                                   struct cold_row *looks, struct str *facts));

/* What a row points to lives in cx->arena, or until the reader is asked for one of its kind that is of another body. */
enum err reader_cold(struct message_reader *r, struct cx *cx, struct body_id body, struct cold_row *row,
                     bool *found);
/* The same without the parts, which nobody needs who only shows what is kept. */
enum err reader_looks(struct message_reader *r, struct cx *cx, struct body_id body,
                      struct cold_row *row, bool *found);
enum err reader_facts(struct message_reader *r, struct cx *cx, struct body_id body,
                      struct facts_row *row, bool *found);
/* The first piece as it lies there, of a body whose size nobody has looked up: it is not compared with that. */
enum err reader_first_piece(struct message_reader *r, struct cx *cx, struct body_id body,
                            struct str *piece, bool *found);
/* Of a letter that was threaded (threads.h). */
enum err reader_thread(struct message_reader *r, struct cx *cx, struct body_id body, uint64_t *thread,
                       bool *found);
/* As letter_twins(). */
enum err reader_twins(struct message_reader *r, struct cx *cx, struct body_id content, struct buf *out);
/* As message_piece(); the piece lives in cx->arena, or until another one is asked for. */
enum err reader_piece(struct message_reader *r, struct cx *cx, const struct message *m, uint32_t n,
                      struct str *piece);
