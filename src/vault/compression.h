/* vault/compression.h: DEFLATE in both directions (RFC 4978, RFC 1951), for the driver of sessions.
 *
 * What comes in is inflated into a buffer of COMPRESSION_PLAIN bytes at most, and only as fast as it is used up: a small
 * input that stands for much costs time in portions, never memory. What goes out is flushed with each call. One thread at
 * a time. */
#pragma once
#include "base/buf.h"

#define COMPRESSION_PLAIN ((size_t)64 * 1024)

struct compression;

struct compression *compression_new(void);
void compression_free(struct compression **c); /* NULL is fine */

/* Appends what `plain` becomes, to the last byte. */
void compression_write(struct compression *c, struct buf *out, struct str plain);
/* Takes from the front of *in up to the end of one block, or until no more fits. False: this is no DEFLATE. */
bool compression_read(struct compression *c, struct str *in);
struct buf *
compression_plain(struct compression *c); /* what was read and not yet used: buf_take() from it */
/* The client has ended its stream: nothing compressed comes any more, and what is left of *in is as it is. */
bool compression_is_over(const struct compression *c);
/* After a command that ends compression: moves *in past what still belongs to the stream, the flush behind the command
 * (RFC 8437 §4.1). False: there is something else in it. */
bool compression_end(struct compression *c, struct str *in);
/* Gives back what is held only for better compression of what follows soon. */
void compression_rest(struct compression *c);
