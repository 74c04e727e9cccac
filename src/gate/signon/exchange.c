#include "gate/signon/exchange.h"

static void note(struct exchange *x, uint32_t state, struct str to_client, struct handle session)
{
    x->under_way = true;
    if (state != SIGNON_DONE)
        return;
    x->proven = true;
    x->session = session;
    x->owes_empty = to_client.n > 0;
}

enum err exchange_begin(struct exchange *x, struct cx *cx, const struct exchange_with *with,
                        struct str said, struct str *challenge)
{
    struct binding bindings[BINDINGS_MOST];
    struct signon_begin_request q = {.protocol = with->protocol,
                                     .mechanism = with->mechanism,
                                     .client = with->client,
                                     .tls = with->tls,
                                     .bindings = bindings,
                                     .bindings_count = bindings_list(with->bindings, bindings),
                                     .has_said = true,
                                     .said = said};
    struct signon_begin_reply r = {0};
    enum err e = vault_signon_begin(cx, &q, &r);

    if (e)
        return e;
    *x = (struct exchange){.signon = r.signon};
    note(x, r.state, r.to_client, r.session);
    *challenge = r.to_client;
    return OK;
}

static enum err take_empty(struct exchange *x, struct cx *cx, struct str said)
{
    if (said.n) {
        exchange_give_up(x, cx);
        return fail(cx, ERR_BAD_VALUE, "an answer of %zu bytes to the mechanism's last word", said.n);
    }
    x->owes_empty = false;
    return OK;
}

enum err exchange_step(struct exchange *x, struct cx *cx, struct str said, struct str *challenge)
{
    struct signon_step_request q = {.signon = x->signon, .from_client = said};
    struct signon_step_reply r = {0};
    enum err e;

    if (x->owes_empty)
        return take_empty(x, cx, said);
    e = vault_signon_step(cx, &q, &r);
    if (e) {
        *x = (struct exchange){0};
        return e;
    }
    note(x, r.state, r.to_client, r.session);
    *challenge = r.to_client;
    return OK;
}

struct handle exchange_take(struct exchange *x)
{
    struct handle session = x->session;

    *x = (struct exchange){0};
    return session;
}

void exchange_give_up(struct exchange *x, struct cx *cx)
{
    struct signon_cancel_request cancel = {.signon = x->signon};
    struct signon_end_request end = {.session = x->session};
    struct signon_cancel_reply cancelled;
    struct signon_end_reply ended;

    if (x->proven)
        vault_signon_end(cx, &end, &ended);
    else if (x->under_way)
        vault_signon_cancel(cx, &cancel, &cancelled);
    *x = (struct exchange){0};
}
