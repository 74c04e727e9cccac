/* vault/admin/marks.h: what the collector is to take (rows.def, dead), in memory: for check and repair. */
#pragma once
#include "vault/store/rows.h"

struct mark {
    uint64_t body, part, owner;
};
struct marks {
    struct mark *v;
    size_t n, room;
};

bool marks_add(struct marks *m, struct arena *a,
               struct str dead_row); /* false: it cannot be unpacked */
void marks_sort(struct marks *m);    /* then: */
bool marks_have(const struct marks *m, struct body_id body, uint64_t part, uint64_t owner);
void marks_free(struct marks *m);
