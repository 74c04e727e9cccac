/* vault/engine/crc32c.h: CRC-32C (RFC 3720 §12.1, Castagnoli) by the processor's own instruction.
 *
 * RocksDB checks with it every byte that it writes to its log and its body files, and every byte it reads there.
 * Debian builds the library for any amd64, and then it goes through tables, at a gigabyte a second: a tenth of what
 * a message of 10 KB costs, a fifth of one of 100 KB. The instruction (SSE 4.2) is fifteen years old.
 *
 * The library calls its function through the dynamic linker, and a program's function of the same name comes first: so
 * this is the function, under the library's name for it. What is written stays the same, byte for byte; on processors
 * without the instruction, and on other architectures, the library's own is called. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#define CRC32C_LIBRARY_NAME "_ZN7rocksdb6crc32c6ExtendEjPKcm" /* rocksdb::crc32c::Extend */

/* The checksum of what gave `crc` with these bytes behind it; 0 is the checksum of nothing. Any thread. */
uint32_t crc32c_extend(uint32_t crc, const char *bytes, size_t n) __asm__(CRC32C_LIBRARY_NAME);

/* What RocksDB writes down instead: a checksum of bytes that hold their own checksum would be a constant. */
static inline uint32_t crc32c_masked(uint32_t crc)
{
    return (crc >> 15 | crc << 17) + 0xa282ead8u;
}
static inline uint32_t crc32c_unmasked(uint32_t masked)
{
    masked -= 0xa282ead8u;
    return masked >> 17 | masked << 15;
}

/* Whoever opens the database calls it: else a linker might leave the function out of the program. */
void crc32c_start(void);
