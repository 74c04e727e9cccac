#include "vault/store/quota.h"

#include <inttypes.h>

const struct amount ANY_MESSAGE = {.bytes = 1, .messages = 1};

static bool fits(uint64_t limit, uint64_t used, uint64_t more)
{
    return !limit || !more || (used <= limit && more <= limit - used);
}

static enum err over(struct cx *cx, struct account_id account, const char *what, uint64_t limit,
                     uint64_t used, uint64_t more)
{
    return fail(cx, ERR_OVER_QUOTA,
                "account %" PRIu64 ": %" PRIu64 " %s more than %" PRIu64 " of %" PRIu64, account.v,
                more, what, used, limit);
}

enum err quota_check(struct cx *cx, struct account_id account, const struct amount *limit,
                     const struct amount *used, const struct amount *more)
{
    if (!fits(limit->bytes, used->bytes, more->bytes))
        return over(cx, account, "bytes", limit->bytes, used->bytes, more->bytes);
    if (!fits(limit->messages, used->messages, more->messages))
        return over(cx, account, "messages", limit->messages, used->messages, more->messages);
    return OK;
}
