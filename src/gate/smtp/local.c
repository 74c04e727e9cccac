#include "gate/smtp/local.h"

#include "gate/gate.h"

enum err local_begin(struct cx *cx, int fd, struct handle *session)
{
    struct local_begin_request q = {0};
    struct local_begin_reply r = {0};
    struct buf b = buf_make(16);
    struct str reply;
    enum err e;

    pack_local_begin_request(&b, &q);
    e = rpc_call(gate.vault, cx, CALL_local_begin, buf_str(&b), &fd, 1, &reply);
    buf_free(&b);
    if (!e)
        e = read_local_begin_reply(cx, reply, &r);
    *session = r.session;
    return e;
}
