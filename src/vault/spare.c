#include "vault/spare.h"

#include "base/scoped.h"

#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards all_used, and `used` of each */
static long all_used;

long spare_take(struct spare_user *u, long wanted)
{
    long there = sysconf(_SC_NPROCESSORS_ONLN) - 1;
    HOLD(&lock);

    if (wanted > there - all_used)
        wanted = there - all_used;
    if (wanted > u->most - u->used)
        wanted = u->most - u->used;
    if (wanted < 0)
        wanted = 0;
    u->used += wanted;
    all_used += wanted;
    return wanted;
}

void spare_give_back(struct spare_user *u, long n)
{
    HOLD(&lock);

    u->used -= n;
    all_used -= n;
}
