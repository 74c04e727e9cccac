/* vault/admin/repair_world.h: for the tests of repair: the world of test_world.h is repaired into another store, and looked at. */
#pragma once
#include "vault/admin/repair.h"
#include "vault/admin/test_world.h"

#include "base/scoped.h"

struct repaired {
    struct engine *engine;
    struct str told; /* a line each */
    struct repair_reply sums;
};

/* The whole of w->vault.engine; out->engine is the caller's. */
void repair_all(struct world *w, struct repaired *out);
/* What check says of the new store. */
struct str check_repaired(struct world *w, struct repaired *r);
/* "fred…: 1=two; tom…: 2=one 3=two!; queue 1": UID=subject, ! without its prefix. third: one more address, or empty. */
struct str contents_text(struct world *w, struct engine *e, struct str third);

/* The row cannot be read from now on: DAMAGE(counts, w->tom, .mailbox = 1). */
#define DAMAGE(row, account, ...)                                                                      \
    do {                                                                                               \
        scoped(buf_free) struct buf key = buf_make(512);                                               \
        row##_key_pack(&key, &(struct row##_key){__VA_ARGS__});                                        \
        memory_engine_damage(w->vault.engine, row##_part(account), buf_str(&key));                     \
    } while (0)

/* ---- what happens to the world before it is damaged ---- */

void deliver_to_tom(struct world *w);
void thread_both(struct world *w);            /* Tom's two messages are in one thread */
struct body_id copy_to_fred(struct world *w); /* Tom's third, beside Fred's own: the twin */
void send_again(struct world *w);             /* Fred's message comes to him once more */
struct body_id twin_of(struct world *w, struct engine *e); /* the one twin of w->second there is */
