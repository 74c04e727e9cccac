#include "gate/signon/attach.h"

#include "base/arena.h"
#include "base/scoped.h"
#include "gate/answers.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct attachment {
    struct awaited *call; /* NULL: answered */
    enum err answer;
    bool signed_off;
    struct buf left;
    bool is_relayed;  /* TLS */
    bool relay_ended; /* the vault has closed its end of the pair, and all it said was passed on */
};

static void attachment_free(struct attachment *a)
{
    buf_free(&a->left);
    free(a);
}

/* ---- handing over ---- */

static enum err ask(struct cx *cx, struct conn *c, const struct attach_request *q, int fd,
                    struct awaited **call)
{
    struct rpc_channel *ch;
    enum err e = answers_begin(cx, CALL_attach, &ch);

    if (e)
        return e;
    pack_attach_request(rpc_request(ch), q);
    return answers_ask(cx, ch, &fd, 1, conn_id(c), call);
}

enum err attach_begin(struct cx *cx, struct conn *c, const struct attach_request *q,
                      struct attachment **out)
{
    struct attachment *a = must_alloc(sizeof(*a));
    int pair[2] = {-1, -1};
    enum err e;

    *a = (struct attachment){.is_relayed = conn_tls(c) != NULL, .left = buf_make(CONN_INPUT_LIMIT)};
    if (a->is_relayed && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0) {
        attachment_free(a);
        return fail(cx, ERR_SYSTEM, "no socket pair for a relay");
    }
    e = ask(cx, c, q, a->is_relayed ? pair[1] : conn_fd(c), &a->call);
    close_fd(&pair[1]);
    if (e) {
        close_fd(&pair[0]);
        attachment_free(a);
        return e;
    }
    if (a->is_relayed)
        conn_relay(c, pair[0]);
    else
        conn_pause(c);
    *out = a;
    return OK;
}

/* ---- and back ---- */

static void give_back(const struct attachment *a, struct conn *c)
{
    if (a->is_relayed)
        conn_unrelay(c, buf_str(&a->left));
    else
        conn_resume(c, buf_str(&a->left));
}

static bool is_answered(struct attachment *a)
{
    struct cx cx = {.arena = arena_new(0)};
    struct attach_reply r = {0};
    struct str payload;

    if (a->call && answers_look(&cx, &a->call, &a->answer, &payload) && !a->answer &&
        !read_attach_reply(&cx, payload, &r) && r.signed_off) {
        a->signed_off = true;
        buf_add(&a->left, r.left);
    }
    arena_free(cx.arena);
    return !a->call;
}

/* With a vault that has gone, everything that it held has ended. */
static enum attach_state state_of(const struct attachment *a)
{
    if (a->answer && a->answer != ERR_VAULT_AWAY)
        return ATTACH_REFUSED;
    return a->signed_off ? ATTACH_BACK : ATTACH_ENDED;
}

enum attach_state attach_look(struct attachment **at, struct conn *c, bool relay_ended, enum err *e)
{
    struct attachment *a = *at;
    enum attach_state state;

    a->relay_ended |= relay_ended;
    if (!is_answered(a) || (a->is_relayed && !a->relay_ended))
        return ATTACH_HELD;
    state = state_of(a);
    *e = a->answer;
    if (state != ATTACH_ENDED)
        give_back(a, c);
    attachment_free(a);
    *at = NULL;
    return state;
}

void attach_forget(struct attachment **at)
{
    struct attachment *a = *at;

    if (!a)
        return;
    *at = NULL;
    answers_forget(&a->call, NULL);
    attachment_free(a);
}
