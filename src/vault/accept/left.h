/* vault/accept/left.h: what is left of messages that never became whole: their senders went, or were refused in the end. */
#pragma once
#include "base/err.h"

struct vault;

/* Takes back the pieces of all of them that came ahead; gives how many bytes those had. Now and then: whoever sends much
 * and never ends it would fill the disk until the next start. */
uint64_t left_bodies_take_back(struct vault *v, struct cx *cx);
