/* For tests that link the vault without its main.c: what that has, and they do not need. */
#include "vault/caller.h"
#include "vault/session.h"

const struct session_ops *const session_protocols[] = {NULL}; /* nothing is attached here */

/* The leash is main.c's. */
#define RECORD(name, fields)
#define CALL(name, from, lane, request, reply)                                                         \
    enum err serve_##name(struct caller *c, const struct name##_request *q, struct name##_reply *r)    \
    {                                                                                                  \
        (void)c;                                                                                       \
        (void)q;                                                                                       \
        (void)r;                                                                                       \
        return ERR_BAD_CALL;                                                                           \
    }
#include "rpc/leash.def"
#undef CALL
#undef RECORD
