#include "vault/store/ranges.h"

#include "base/pack.h"
#include "base/scoped.h"

void ranges_add(struct arena *a, struct ranges *r, uint32_t first, uint32_t last)
{
    if (r->n && r->v[r->n - 1].last + 1 == first) {
        r->v[r->n - 1].last = last;
        return;
    }
    if (r->n == r->room) {
        struct imap_range *more = arena_array(a, struct imap_range, r->room ? r->room * 2 : 4);

        if (r->n)
            memcpy(more, r->v, r->n * sizeof(*more));
        r->room = r->room ? r->room * 2 : 4;
        r->v = more;
    }
    r->v[r->n++] = (struct imap_range){first, last};
}

uint64_t ranges_size(const struct ranges *r)
{
    uint64_t n = 0;

    for (size_t i = 0; i < r->n; i++)
        n += (uint64_t)r->v[i].last - r->v[i].first + 1;
    return n;
}

/* For each range how far it begins behind the one before, and how long it is. */
struct str ranges_pack(struct arena *a, const struct ranges *r)
{
    scoped(buf_free) struct buf b = buf_make(BUF_UNLIMITED);
    uint32_t before = 0;

    for (size_t i = 0; i < r->n; i++) {
        pack_u64(&b, r->v[i].first - before);
        pack_u64(&b, r->v[i].last - r->v[i].first);
        before = r->v[i].last;
    }
    return str_copy(a, buf_str(&b));
}

bool ranges_unpack(struct arena *a, struct str in, struct ranges *r)
{
    struct unpack u = unpack_begin(in);
    uint64_t before = 0;

    *r = (struct ranges){0};
    while (u.ok && u.in.n) {
        uint64_t gap = unpack_number(&u, UINT32_MAX), more = unpack_number(&u, UINT32_MAX);

        if (!u.ok || !gap || before + gap + more > UINT32_MAX)
            return false;
        ranges_add(a, r, (uint32_t)(before + gap), (uint32_t)(before + gap + more));
        before += gap + more;
    }
    return unpack_done(&u) && r->n;
}
