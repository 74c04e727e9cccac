/* Three runs of bytes at a time, since the processor begins one such instruction a cycle and ends it three cycles later.
 * A run's checksum moves over the bytes of the next by a table: a checksum is linear, so what a byte of it becomes
 * behind RUN zeros is looked up, byte by byte, and added. */
#include "vault/engine/crc32c.h"

#ifdef __x86_64__
#include <assert.h>
#include <dlfcn.h>
#include <nmmintrin.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#define RUN ((size_t)512) /* three of them: a block. Bodies have many, rows none */
#define WORD sizeof(uint64_t)

typedef uint32_t extend(uint32_t crc, const char *bytes, size_t n);

static pthread_once_t once = PTHREAD_ONCE_INIT;
static extend *librarys; /* NULL: we do it */
static uint32_t moved[4][256];

static uint64_t word_at(const char *p)
{
    uint64_t w;

    memcpy(&w, p, WORD);
    return w;
}

__attribute__((target("sse4.2"))) static uint64_t one_run(uint64_t c, const char *p, size_t n)
{
    for (; n >= WORD; p += WORD, n -= WORD)
        c = _mm_crc32_u64(c, word_at(p));
    for (; n; p++, n--)
        c = _mm_crc32_u8((uint32_t)c, (uint8_t)*p);
    return c;
}

static uint32_t move_over_run(uint64_t c)
{
    return moved[0][c & 0xff] ^ moved[1][c >> 8 & 0xff] ^ moved[2][c >> 16 & 0xff] ^
           moved[3][c >> 24 & 0xff];
}

__attribute__((target("sse4.2"))) static uint64_t three_runs(uint64_t c, const char *p)
{
    uint64_t b = 0, d = 0;

    for (size_t i = 0; i < RUN; i += WORD) {
        c = _mm_crc32_u64(c, word_at(p + i));
        b = _mm_crc32_u64(b, word_at(p + RUN + i));
        d = _mm_crc32_u64(d, word_at(p + 2 * RUN + i));
    }
    return move_over_run(move_over_run(c) ^ b) ^ d;
}

static void choose(void)
{
    static const char zeros[RUN];

    if (!__builtin_cpu_supports("sse4.2")) {
        librarys = (extend *)dlsym(RTLD_NEXT, CRC32C_LIBRARY_NAME);
        assert(librarys);
        return;
    }
    for (size_t i = 0; i < 4; i++)
        for (uint32_t byte = 0; byte < 256; byte++)
            moved[i][byte] = (uint32_t)one_run(byte << (8 * i), zeros, RUN);
}

uint32_t crc32c_extend(uint32_t crc, const char *bytes, size_t n)
{
    uint64_t c = ~crc;

    pthread_once(&once, choose);
    if (librarys)
        return librarys(crc, bytes, n);
    for (; n >= 3 * RUN; bytes += 3 * RUN, n -= 3 * RUN)
        c = three_runs(c, bytes);
    return ~(uint32_t)one_run(c, bytes, n);
}

void crc32c_start(void)
{
    pthread_once(&once, choose);
}
#else
void crc32c_start(void) {}
#endif
