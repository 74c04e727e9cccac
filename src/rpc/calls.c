/* Everything here is made by the preprocessor from the two .def files. */
#include "rpc/calls.h"

#pragma GCC diagnostic ignored "-Wunused-parameter" /* of calls without fields */

#define RECORD(name, fields)                                                                           \
    void pack_##name(struct buf *b, const struct name *m)                                              \
    {                                                                                                  \
        fields                                                                                         \
    }
#define CALL(name, from, lane, request, reply)                                                         \
    RECORD(name##_request, request)                                                                    \
    RECORD(name##_reply, reply)
#define F PACK_F
#define R PACK_R
#define L PACK_L
#include "rpc/calls.def"
#include "rpc/leash.def"
#undef F
#undef R
#undef L
#undef RECORD

#define RECORD(name, fields)                                                                           \
    void unpack_##name(struct arena *arena, struct unpack *u, struct name *m)                          \
    {                                                                                                  \
        fields                                                                                         \
    }
#define F UNPACK_F
#define R UNPACK_R
#define L UNPACK_L
#include "rpc/calls.def"
#include "rpc/leash.def"
#undef F
#undef R
#undef L
#undef CALL
#undef RECORD

#define RECORD(name, fields)
#define CALL(name, from, lane, request, reply)                                                         \
    enum err read_##name##_reply(struct cx *cx, struct str answer, struct name##_reply *r)             \
    {                                                                                                  \
        struct unpack u = unpack_begin(answer);                                                        \
                                                                                                       \
        unpack_##name##_reply(cx->arena, &u, r);                                                       \
        return unpack_done(&u) ? OK : fail(cx, ERR_BUG, "%s: malformed reply", #name);                 \
    }
#include "rpc/calls.def"
#include "rpc/leash.def"
#undef CALL

const char *call_name(unsigned call)
{
    static const char *const names[] = {
        [CALL_none] = "?",
#define CALL(name, from, lane, request, reply) [CALL_##name] = #name,
#include "rpc/calls.def"
#include "rpc/leash.def"
#undef CALL
#undef RECORD
    };

    return names[call < CALL_COUNT ? call : CALL_none];
}
