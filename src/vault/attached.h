/* vault/attached.h: the driver of sessions that were handed over after sign-on (session.h). */
#pragma once
#include "base/ids.h"

#include <stddef.h>

/* From any thread: the sessions of an account (suspended, removed) or of a gate's life (it has died) end at once. */
void attached_end_account(struct account_id account);
void attached_end_gate(uint64_t gate);
size_t attached_count(void);
