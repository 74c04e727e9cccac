#include "vault/engine/wrong_byte.h"

#include "vault/engine/crc32c.h"

#include <pthread.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static uint32_t difference_of[256]; /* made by a last byte that differs by this */
static uint8_t
    by_top_byte[256]; /* … and the other way round: the uppermost byte of it tells which one it was */

static void make_tables(void)
{
    char zero = 0;

    for (unsigned by = 0; by < 256; by++) {
        char byte = (char)by;

        difference_of[by] = crc32c_extend(0, &byte, 1) ^ crc32c_extend(0, &zero, 1);
        by_top_byte[difference_of[by] >> 24] = (uint8_t)by;
    }
}

void wrong_byte_search(struct wrong_byte *w, struct str block, uint32_t crc)
{
    pthread_once(&once, make_tables);
    *w = (struct wrong_byte){.at = block.n, .difference = crc ^ crc32c_extend(0, block.p, block.n)};
}

bool wrong_byte_next(struct wrong_byte *w)
{
    while (w->at > 0 && w->difference) {
        uint32_t d = w->difference;
        uint8_t by = by_top_byte[d >> 24];

        w->at--;
        w->difference = (d ^ difference_of[by]) << 8 | by; /* as it was before the byte at `at` */
        if (d == difference_of[by]) {
            w->by = by;
            return true;
        }
    }
    return false;
}
