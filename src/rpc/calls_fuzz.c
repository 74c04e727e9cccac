/* Unpacking is where the vault meets a gate: each call's request and reply, from any bytes. What unpacks is packed
 * again, and must then unpack to the same bytes. */
#include "rpc/calls.h"
#include "rpc/frame.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TRY(name)                                                                                      \
    {                                                                                                  \
        struct unpack u = unpack_begin(in);                                                            \
        struct name m = {0}, again = {0};                                                              \
                                                                                                       \
        unpack_##name(arena, &u, &m);                                                                  \
        if (unpack_done(&u)) {                                                                         \
            struct buf first = buf_make(BUF_UNLIMITED), second = buf_make(BUF_UNLIMITED);              \
                                                                                                       \
            pack_##name(&first, &m);                                                                   \
            u = unpack_begin(buf_str(&first));                                                         \
            unpack_##name(arena, &u, &again);                                                          \
            assert(unpack_done(&u));                                                                   \
            pack_##name(&second, &again);                                                              \
            assert(str_same(buf_str(&first), buf_str(&second)));                                       \
            buf_free(&first);                                                                          \
            buf_free(&second);                                                                         \
        }                                                                                              \
    }

#define RECORD(name, fields)
#define CALL(name, from, lane, request, reply)                                                         \
    case CALL_##name:                                                                                  \
        TRY(name##_request)                                                                            \
        TRY(name##_reply)                                                                              \
        break;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str in = {(const char *)data, size}, payload;
    struct arena *arena;
    struct frame f;
    bool bad;

    if (frame_parse(in, &f, &payload, &bad))
        assert(payload.n == f.size && frame_size(&f) <= size);
    if (!size)
        return 0;
    in = str_from(in, 1);
    arena = arena_new(0);
    switch (data[0] % CALL_COUNT) {
#include "rpc/calls.def"
#include "rpc/leash.def"
    default:
        break;
    }
    arena_free(arena);
    return 0;
}
