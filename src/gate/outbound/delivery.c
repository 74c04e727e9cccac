/* From a plan to a connection, and the client core on it. A session that ends without a verdict for everybody is
 * followed by the next address, by the same one in the clear if TLS was what failed, or by the same one anew if it was
 * the second message of a connection that the server had had enough of. */
#include "gate/outbound/delivery.h"

#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <stdlib.h>

#define CONNECT_MS ((int64_t)30 * 1000)
#define REMEMBERED_MS ((int64_t)60 * 1000)   /* that nobody answered */
#define SEARCH_MS ((int64_t)10 * 60 * 1000)  /* no other host is tried after it */
#define MESSAGE_MS ((int64_t)60 * 60 * 1000) /* and nothing of a message goes on after it */
#define REUSE_MS ((int64_t)60 * 1000)        /* of a connection */
#define REUSE_MOST 100
#define SLICE ((size_t)64 * 1024) /* of a body, written before the next is appended */

static const struct conn_ops delivery_ops;
static void try_targets(struct delivery *d);

static bool is_stopping(const struct delivery *d)
{
    return loop_is_stopping(d->o->parts.loop);
}

static const struct mx_target *target_of(const struct delivery *d)
{
    return &d->plan.targets[d->target];
}

/* ---- beginning and end ---- */

static void delivery_end(struct delivery *d)
{
    struct outbound *o = d->o;

    if (d->job.arena)
        job_end(&d->job, is_stopping(d));
    pthread_mutex_destroy(&d->lookup_lock);
    arena_free(d->arena);
    free(d);
    place_is_free(o);
}

void delivery_begin(struct outbound *o, const struct work *work)
{
    struct delivery *d = must_alloc(sizeof(*d));
    const struct config *config = o->parts.config();

    d->o = o;
    d->config = config;
    d->arena = arena_new(0);
    d->destination = str_copy(d->arena, work->destination);
    d->begun_ms = monotonic_ms();
    pthread_mutex_init(&d->lookup_lock, NULL);
    job_begin(&d->job, work);
    lookup_begin(d);
}

void delivery_planned(struct delivery *d)
{
    const struct mx_plan *p = &d->plan;

    if (!p->outcome) {
        try_targets(d);
        return;
    }
    job_note(&d->job, (struct client_words){p->status, p->text, false}, p->outcome, STR_NONE);
    delivery_end(d);
}

/* ---- connecting ---- */

static struct endpoint source_for(const struct config *config, const struct endpoint *to)
{
    struct endpoint e;

    for (size_t i = 0; i < config->outgoing.source.n; i++)
        if (parse_ip(config->outgoing.source.v[i], &e) && endpoint_is_v6(&e) == endpoint_is_v6(to))
            return e;
    return (struct endpoint){.any.sa_family = AF_UNSPEC};
}

static void note_own(struct delivery *d, const char *status, struct str text)
{
    job_note(&d->job, (struct client_words){str_from_c(status), text, false}, OUTCOME_DEFERRED,
             STR_NONE);
}

/* "connection to mx.b.test (192.0.2.1) failed: connection refused" */
static struct str why_refused(struct delivery *d, const char *why)
{
    char address[ENDPOINT_TEXT_SIZE];
    struct buf b = buf_make(1000);
    struct str s;

    endpoint_ip_text(&target_of(d)->address, address);
    buf_printf(&b, "connection to %.*s (%s) failed: %c%s", STR_ARG(target_of(d)->host), address,
               to_lower(why[0]), why + 1);
    s = str_copy(d->job.arena, buf_str(&b));
    buf_free(&b);
    return s;
}

static void name_target(struct delivery *d)
{
    struct job *j = &d->job;

    snprintf(j->host, sizeof(j->host), "%.*s", STR_ARG(target_of(d)->host));
    endpoint_text(&target_of(d)->address, j->address);
    j->tls[0] = '\0';
}

static bool connect_target(struct delivery *d)
{
    const struct mx_target *t = target_of(d);
    struct conn_target to = {
        .to = t->address, .from = source_for(d->config, &t->address), .timeout_ms = CONNECT_MS};
    struct cx cx = {.arena = d->arena};
    struct str why;

    name_target(d);
    if (!d->job.work.by_hand &&
        unreachable_find(d->o->unreachable, &t->address, monotonic_ms(), d->job.arena, &why)) {
        note_own(d, "4.4.1", why);
        return false;
    }
    if (conn_connect(&cx, d->o->parts.loop, &to, &delivery_ops, d)) {
        note_own(d, "4.4.1", why_refused(d, cx.cause));
        return false;
    }
    return true; /* the delivery belongs to the connection now */
}

static void try_targets(struct delivery *d)
{
    for (; d->target < d->plan.target_count && !is_stopping(d); d->target++) {
        if (d->job.words_outcome && monotonic_ms() - d->begun_ms > SEARCH_MS)
            break;
        if (connect_target(d))
            return;
    }
    delivery_end(d);
}

/* ---- messages over the connection ---- */

/* Lets the client have the message, from its first piece on. */
static bool send_message(struct delivery *d)
{
    struct job *j = &d->job;
    struct cx cx;

    if (job_take_piece(&cx, j, 0))
        return false;
    j->sent = true;
    client_send(d->client, &j->message);
    return true;
}

static bool take_another(struct delivery *d)
{
    struct arena *arena = arena_new(0);
    struct cx cx = {.arena = arena};
    struct queue_more_request q = {.destination = d->destination};
    struct queue_more_reply r;
    struct job before = d->job;
    bool got = false;

    job_end(&d->job, false);
    if (!is_stopping(d) && client_may_send(d->client) && d->messages < REUSE_MOST &&
        monotonic_ms() - d->connected_ms < REUSE_MS && vault_queue_more(&cx, &q, &r) == OK &&
        r.entries_count) {
        job_begin(&d->job, &r.entries[0]);
        memcpy(d->job.host, before.host, sizeof(before.host));
        memcpy(d->job.address, before.address, sizeof(before.address));
        memcpy(d->job.tls, before.tls, sizeof(before.tls));
        d->begun_ms = monotonic_ms();
        d->is_reused = got = true;
    }
    arena_free(arena);
    return got;
}

/* The client has nothing to do. False: and there is nothing. */
static bool next_message(struct delivery *d)
{
    struct job *j = &d->job;

    if (!j->sent)
        return send_message(d);
    j->sent = false;
    job_note_remotes(j, target_of(d)->host);
    if (client_wants_rest(d->client))
        return send_message(d);
    d->messages++;
    if (!job_is_decided(j))
        return false;
    return take_another(d) && send_message(d);
}

/* The next slice of the body. False: it cannot be had. */
static bool send_slice(struct delivery *d)
{
    struct job *j = &d->job;
    struct str slice;
    struct cx cx;

    if (j->piece_at == j->piece.n && !j->piece_last && job_take_piece(&cx, j, j->piece_n + 1)) {
        client_lost(d->client, S("4.3.0"), S("the message could not be read from the queue"));
        return false;
    }
    slice = str_upto(str_from(j->piece, j->piece_at), SLICE);
    j->piece_at += slice.n;
    client_body(d->client, slice, j->piece_last && j->piece_at == j->piece.n);
    return true;
}

/* ---- the connection ---- */

static void set_deadline(struct delivery *d)
{
    int64_t left = d->begun_ms + MESSAGE_MS - monotonic_ms(), timeout = client_timeout_ms(d->client);

    if (client_step(d->client) == d->step)
        return;
    d->step = client_step(d->client);
    conn_set_deadline(d->conn, left < timeout ? (left > 0 ? left : 1) : timeout);
}

/* RFC 6066 §3: SNI is for names. */
static void start_tls(struct delivery *d)
{
    struct str name = target_of(d)->host;

    conn_start_tls_client(d->conn, d->o->tls, name.p[0] == '[' ? STR_NONE : name,
                          d->client_settings.user.n && !d->client_settings.is_loopback);
}

static void turn(struct delivery *d)
{
    while (client_wants(d->client) == CLIENT_READY)
        if (!next_message(d))
            client_quit(d->client);
    switch (client_wants(d->client)) {
    case CLIENT_TLS:
        start_tls(d);
        break;
    case CLIENT_BODY:
        conn_want_drained(d->conn);
        break;
    case CLIENT_CLOSE:
        conn_close(d->conn);
        return;
    case CLIENT_INPUT:
    case CLIENT_READY:
        break;
    }
    set_deadline(d);
}

static void opened(struct conn *c)
{
    struct delivery *d = conn_state(c);
    const struct config *config = d->config;

    d->conn = c;
    d->client_settings = (struct client_settings){
        .helo = config->outgoing.helo.n ? config->outgoing.helo : config->hostname,
        .user = config->relay.user,
        .password = d->o->relay_password,
        .may_tls = !d->in_the_clear,
        .is_loopback = endpoint_is_loopback(&target_of(d)->address)};
    d->client = client_new(&d->client_settings, conn_out(c));
    d->connected_ms = monotonic_ms();
    d->messages = 0;
    d->is_reused = false;
    d->step = UINT64_MAX;
    conn_set_idle(c, NO_DEADLINE); /* the client knows how long to wait for what */
    set_deadline(d);
}

static void secured(struct conn *c)
{
    struct delivery *d = conn_state(c);

    snprintf(d->job.tls, sizeof(d->job.tls), "%s/%s", tls_version(conn_tls(c)),
             tls_cipher(conn_tls(c)));
    client_secured(d->client);
    turn(d);
}

static void input(struct conn *c, struct str *bytes)
{
    struct delivery *d = conn_state(c);

    client_feed(d->client, bytes);
    turn(d);
}

static void drained(struct conn *c)
{
    struct delivery *d = conn_state(c);

    if (client_wants(d->client) == CLIENT_BODY && !send_slice(d)) {
        conn_abort(c); /* the only way to leave a body unfinished */
        return;
    }
    turn(d);
}

static void timed_out(struct conn *c)
{
    conn_abort(c); /* closed() tells the client */
}

/* A message under way is finished; before it, there is no reason to begin. */
static void stopping(struct conn *c)
{
    struct delivery *d = conn_state(c);

    if (!d->job.sent)
        conn_close(c);
}

static const char *why_lost(const struct conn *c, enum conn_end end)
{
    switch (end) {
    case CONN_EOF:
        return "the server closed the connection too early";
    case CONN_BROKEN:
        return strerror(conn_errno(c));
    case CONN_TLS_FAILED:
        return conn_tls_trouble(c);
    case CONN_ABORTED:
    case CONN_TIMED_OUT:
        return "no answer came in time";
    case CONN_CLOSED:
    case CONN_REFUSED:
        break;
    }
    return "the connection was given up";
}

/* RFC 3463 §3.5: X.4.2, bad connection; §3.8: X.7.5, cryptographic failure */
static void tell_client(struct delivery *d, const struct conn *c, enum conn_end end)
{
    struct buf b = buf_make(1000);

    if (client_wants(d->client) == CLIENT_CLOSE)
        return;
    buf_printf(&b, "%.*s (%s): %s", STR_ARG(target_of(d)->host), d->job.address, why_lost(c, end));
    client_lost(d->client, end == CONN_TLS_FAILED ? S("4.7.5") : S("4.4.2"), buf_str(&b));
    buf_free(&b);
}

/* Opportunistic: what could have gone in the clear does not stay because TLS is broken there (RFC 7435). A password
 * does stay. */
static bool goes_in_the_clear(const struct delivery *d)
{
    return client_in_handshake(d->client) && !d->client_settings.user.n && !is_stopping(d);
}

enum sequel { NOTHING_MORE, THE_SAME_TARGET, THE_NEXT_TARGET };

static enum sequel sequel_of(const struct delivery *d, const struct client_trouble *trouble)
{
    if (!d->job.arena || job_is_decided(&d->job) || d->job.is_unreadable)
        return NOTHING_MORE;
    if (d->is_reused && trouble->try_next)
        return THE_SAME_TARGET;
    return trouble->try_next ? THE_NEXT_TARGET : NOTHING_MORE;
}

static void session_over(struct delivery *d)
{
    const struct client_trouble *trouble = client_trouble(d->client);
    enum sequel sequel;

    if (d->job.arena) {
        d->job.sent = false;
        job_note_remotes(&d->job, target_of(d)->host);
    }
    sequel = sequel_of(d, trouble);
    if (d->job.arena && sequel != THE_SAME_TARGET && trouble->outcome)
        job_note(&d->job, trouble->words, trouble->outcome, target_of(d)->host);
    client_free(d->client);
    d->client = NULL;
    if (sequel == NOTHING_MORE) {
        delivery_end(d);
        return;
    }
    if (sequel == THE_NEXT_TARGET) {
        d->in_the_clear = false;
        d->target++;
    }
    try_targets(d);
}

/* Shorter than any wait for the next attempt, so that a message that comes again is really tried. */
static int64_t remembered_ms(const struct config *config)
{
    int64_t ms = REMEMBERED_MS;

    for (size_t i = 0; i < config->queue.retry.n; i++)
        if (config->queue.retry.v[i] / 2 < ms)
            ms = config->queue.retry.v[i] / 2;
    return ms;
}

static void connection_failed(struct delivery *d, const struct conn *c)
{
    struct str why = why_refused(d, strerror(conn_errno(c)));

    unreachable_note(d->o->unreachable, &target_of(d)->address, why,
                     monotonic_ms() + remembered_ms(d->config));
    note_own(d, "4.4.1", why);
    d->in_the_clear = false;
    d->target++;
    try_targets(d);
}

static void closed(struct conn *c, enum conn_end end)
{
    struct delivery *d = conn_state(c);

    d->conn = NULL;
    if (!d->client && end == CONN_REFUSED) {
        connection_failed(d, c);
    } else if (!d->client) {
        delivery_end(d); /* the loop stops */
    } else if (goes_in_the_clear(d)) {
        log_line(LOG_INFO, "tls-failed", "host=%s address=%s cause=%s", log_value(target_of(d)->host),
                 d->job.address, log_value(str_from_c(conn_tls_trouble(c))));
        client_free(d->client);
        d->client = NULL;
        d->in_the_clear = true;
        try_targets(d);
    } else {
        tell_client(d, c, end);
        session_over(d);
    }
}

static const struct conn_ops delivery_ops = {
    .opened = opened,
    .secured = secured,
    .input = input,
    .drained = drained,
    .timed_out = timed_out,
    .stopping = stopping,
    .closed = closed,
};
