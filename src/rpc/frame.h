/* rpc/frame.h: how a call travels: a header of 16 bytes, then the packed fields; descriptors with its first byte.
 *
 * Both sides may be an enemy's: a length beyond the limit ends the channel. Little-endian, as both sides are one
 * machine. Not thread-safe: a channel has one reader and one writer at a time. */
#pragma once
#include "base/buf.h"

#define FRAME_HEADER 16
/* The longest frame: a body's piece, or a page of a list, with room to spare. A buffer, which doubles, then takes 4 MiB for
 * it and for what is read along with it, and not 8. */
#define FRAME_LIMIT ((4u << 20) - (128u << 10))
/* Calls that one program has under way, each in a thread that waits for it; and its channels: one for each, the first,
 * on which the others are announced, and the one for the answers to open calls. */
#define FRAME_CALLS_MOST 64
#define FRAME_CHANNELS_MOST (FRAME_CALLS_MOST + 2)
#define FRAME_FDS 80 /* descriptors that come with one call */

struct frame {
    uint32_t size; /* of the payload */
    uint16_t call; /* enum call */
    uint8_t
        error; /* in a reply: enum err; the payload is then the cause in words, for the command line only */
    uint8_t
        fds; /* that come with it. Those of one read may be a later frame's: the kernel hands out what
                      came before a frame with descriptors together with it */
    uint64_t id; /* chosen by the caller; the reply repeats it */
};

/* In an id: the answer is not awaited on the channel of the call, but comes on the one for open calls. A frame without a
 * call that has it makes that the one it brings. */
#define FRAME_OPEN ((uint64_t)1 << 63)

/* Begins a frame in *out (which must be empty or at a frame's end); append the payload; then end it. */
size_t frame_begin(struct buf *out, uint16_t call, uint16_t error, uint64_t id);
void frame_end(struct buf *out, size_t begun);
void frame_carries(struct buf *out, size_t begun,
                   size_t fds); /* descriptors; before the end or after it */
void frame_set_id(struct buf *out, size_t begun, uint64_t id);

/* A whole frame at the front of *in? False: not yet, or *bad: it can never become one. payload points into in;
 * take frame_size(f) bytes when done with it. */
bool frame_parse(struct str in, struct frame *f, struct str *payload, bool *bad);
static inline size_t frame_size(const struct frame *f)
{
    return FRAME_HEADER + f->size;
}

/* Moves those that came with f to `own` (of FRAME_FDS), from the front of fds[*fd_count]; gives how many there were, which
 * may be fewer than it says: whoever sent it lies. */
size_t frame_take_fds(const struct frame *f, int *fds, size_t *fd_count, int *own);

/* Sending with descriptors, and receiving. frame_send waits until all is written (the socket may be non-blocking:
 * it polls). False: the other side has gone. */
bool frame_send(int fd, struct str bytes, const int *fds, size_t fd_count);
/* Reads what is there, appending to *in; descriptors go to fds[*fd_count…], those beyond FRAME_FDS are closed.
 * 1: something came; 0: nothing there at the moment (non-blocking); -1: end or error. */
int frame_receive(int fd, struct buf *in, int *fds, size_t *fd_count);
