#include "vault/dispatch.h"

#define RECORD(name, fields)
#define CALL(name, from, lane, request, reply)                                                         \
    static enum err run_##name(struct caller *c, struct str payload, struct buf *out)                  \
    {                                                                                                  \
        struct name##_request q = {0};                                                                 \
        struct name##_reply r = {0};                                                                   \
        struct unpack u = unpack_begin(payload);                                                       \
        enum err e;                                                                                    \
                                                                                                       \
        unpack_##name##_request(c->cx.arena, &u, &q);                                                  \
        if (!unpack_done(&u))                                                                          \
            return fail(&c->cx, ERR_BAD_CALL, "%s: %zu bytes that make no sense", #name, payload.n);   \
        e = serve_##name(c, &q, &r);                                                                   \
        if (!e && !c->answered_later && !c->again_in_long_lane)                                        \
            pack_##name##_reply(out, &r);                                                              \
        return e;                                                                                      \
    }
#include "rpc/calls.def"
#include "rpc/leash.def"
#undef CALL

struct call_row {
    unsigned from;
    enum lane lane;
    enum err (*run)(struct caller *c, struct str payload, struct buf *out);
};

static const struct call_row rows[] = {
    [CALL_none] = {0, SHORT, NULL},
#define CALL(name, from, lane, request, reply) [CALL_##name] = {from, lane, run_##name},
#include "rpc/calls.def"
#include "rpc/leash.def"
#undef CALL
#undef RECORD
};

bool call_is_allowed(unsigned call, enum room room)
{
    return call > CALL_none && call < CALL_COUNT && (rows[call].from & room);
}

enum lane call_lane(unsigned call)
{
    return rows[call].lane;
}

enum err dispatch(struct caller *c, struct str payload, struct buf *reply)
{
    return rows[c->call].run(c, payload, reply);
}
