/* vault/dispatch.h: from a call's number to its handler, made from calls.def and leash.def. */
#pragma once
#include "vault/caller.h"

bool call_is_allowed(unsigned call, enum room room); /* the row's second column */
enum lane call_lane(unsigned call);
/* Unpacks, runs serve_NAME, packs. ERR_BAD_CALL: what came cannot be unpacked. */
enum err dispatch(struct caller *c, struct str payload, struct buf *reply);
