/* base/hash.h: a number for bytes. Not against people who make two texts of one number. Both may be kept: they will not
 * change. */
#pragma once
#include "base/str.h"

uint64_t hash_bytes(struct str bytes); /* FNV-1a, mixed */
/* MurmurHash's last steps, without which the upper bits know little of the last characters. */
uint64_t hash_mix(uint64_t h);
/* One step of FNV-1a, from HASH_START on, for who does not have the bytes side by side. */
#define HASH_START UINT64_C(0xcbf29ce484222325)
static inline uint64_t hash_step(uint64_t h, char c)
{
    return (h ^ (unsigned char)c) * UINT64_C(0x100000001b3);
}
