/* Crockford's base 32: no I, L, O or U, so an id survives being read out over the telephone. */
#include "base/ids.h"

#include "base/clock.h"

#include <stdatomic.h>
#include <stdio.h>

#define ID_DIGITS 13

static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
static _Atomic uint64_t last_id;

void id_text(uint64_t id, char out[ID_TEXT_SIZE])
{
    for (int i = ID_DIGITS - 1; i >= 0; i--, id >>= 5)
        out[i] = digits[id & 31];
    out[ID_DIGITS] = '\0';
}

bool parse_id(struct str s, uint64_t *out)
{
    uint64_t v = 0;

    if (s.n != ID_DIGITS)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        const char *at = s.p[i] ? strchr(digits, to_upper(s.p[i])) : NULL;

        if (!at || (i == 0 && at - digits > 15))
            return false;
        v = v << 5 | (uint64_t)(at - digits);
    }
    *out = v;
    return true;
}

void entry_id_text(struct entry_id id, char out[ID_TEXT_SIZE])
{
    id_text(id.body, out);
    snprintf(out + ID_DIGITS, ID_TEXT_SIZE - ID_DIGITS, ".%u", id.n);
}

bool parse_entry_id(struct str s, struct entry_id *out)
{
    struct str body;
    struct entry_id id;

    if (!take_until(&s, '.', &body) || !parse_id(body, &id.body) || !parse_u32(s, &id.n))
        return false;
    *out = id;
    return true;
}

void fresh_id_after(uint64_t after)
{
    uint64_t last = atomic_load(&last_id);

    while (last < after && !atomic_compare_exchange_weak(&last_id, &last, after))
        ;
}

uint64_t fresh_id(void)
{
    uint64_t by_clock = (uint64_t)now_ms() << 20;
    uint64_t last = atomic_load(&last_id), next;

    do
        next = by_clock > last ? by_clock : last + 1;
    while (!atomic_compare_exchange_weak(&last_id, &last, next));
    return next;
}
