/* vault/accept/looks.h: what a message looks like (ENVELOPE, BODYSTRUCTURE, preview, part tree), computed once, when it
 * is accepted, by the same code for every way in. */
#pragma once
#include "vault/store/body.h"

#define LOOKS_PARSER 1 /* kept in the row: what an older parser made is computed anew when read */

/* facts: for the row of that name (mail/facts.h). What is made is in cx->arena.
 *
 * From a body that is being accepted: `last` is at hand, earlier pieces are read back from the store. The parts are
 * the gate's claim, and checked: ERR_BAD_CALL. */
enum err looks_of_new(struct txn *t, struct cx *cx, struct body_id id, uint32_t ahead, struct str last,
                      const struct body_part *parts, size_t parts_count, struct cold_row *looks,
                      struct str *facts);
/* From a stored one; the parts are parsed here. */
enum err looks_of_stored(struct view *v, struct cx *cx, struct body_id id, uint64_t size,
                         struct cold_row *looks, struct str *facts);
