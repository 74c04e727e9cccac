#include "base/hash.h"

uint64_t hash_mix(uint64_t h)
{
    h = (h ^ h >> 33) * UINT64_C(0xff51afd7ed558ccd);
    h = (h ^ h >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
    return h ^ h >> 33;
}

uint64_t hash_bytes(struct str bytes)
{
    uint64_t h = HASH_START;

    for (size_t i = 0; i < bytes.n; i++)
        h = hash_step(h, bytes.p[i]);
    return hash_mix(h);
}
