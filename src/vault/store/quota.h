/* vault/store/quota.h: whether more fits into an account.
 *
 * Used by whoever brings mail: RCPT and deliveries ask for room for ANY_MESSAGE, so that a message may go over by its
 * size; who knows what comes (APPEND, COPY) asks for all of it. */
#pragma once
#include "vault/store/store.h"

/* A message whose size does not matter: there is room for it while there is any. */
extern const struct amount ANY_MESSAGE;

static inline bool quota_limits(const struct amount *limit)
{
    return limit->bytes || limit->messages;
}

/* ERR_OVER_QUOTA: of something of which there is more to come, it would be more than the limit. What does not grow is never
 * too much, also where the limit was lowered below what is there. */
enum err quota_check(struct cx *cx, struct account_id account, const struct amount *limit,
                     const struct amount *used, const struct amount *more);
