/* vault/engine/wrong_byte.h: the one byte of a block that its CRC-32C does not fit for.
 *
 * A checksum is linear: what two of them differ by depends on what the bytes differ by, and on how many stand behind them.
 * So the difference is taken back over the block, from its end, and wherever it becomes what a single byte makes, that
 * byte explains all of it. In a block with one wrong byte this one is found. Another is too, or any in a block with more of
 * them, once in 16,777,216 / n times: whoever asks must see for himself whether a block is right with it. */
#pragma once
#include "base/str.h"

struct wrong_byte {
    size_t at;  /* in the block */
    uint8_t by; /* what it differs by: exclusive or */
    uint32_t difference;
};

/* `crc` is what the block's checksum should be. Then wrong_byte_next() gives each byte that would explain it, the last
 * one first, until it is false. Any thread. */
void wrong_byte_search(struct wrong_byte *w, struct str block, uint32_t crc);
bool wrong_byte_next(struct wrong_byte *w);
