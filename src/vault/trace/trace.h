/* vault/trace/trace.h: what happened to each message, in order, kept for `posthorn trace`.
 *
 * An event is written in the transaction that makes it true, so the trace never tells what did not happen. */
#pragma once
#include "vault/store/store.h"

enum trace_event_kind {
    TRACE_ACCEPTED = 1, /* from, to: all recipients; text: size, client, Message-ID */
    TRACE_DELIVERED,    /* into a mailbox here */
    TRACE_QUEUED,       /* for another server */
    TRACE_SENT,         /* another server took it */
    TRACE_DEFERRED,
    TRACE_FAILED,
    TRACE_REPORTED, /* a report about it was written: text names the report's id */
    TRACE_HELD,
    TRACE_RELEASED,
    TRACE_RETRIED,
    TRACE_REMOVED,
};
const char *trace_event_name(unsigned kind); /* "accepted" */

struct trace_event {
    enum trace_event_kind kind;
    struct body_id message;
    uint32_t entry; /* 0: the message as a whole */
    struct str from, to, text;
};
void trace_put(struct txn *t, const struct trace_event *ev);

#define TRACE_KEPT_MS ((int64_t)30 * 86400 * 1000)
/* Drops what is older, by range. */
enum err trace_drop_before(struct store *s, struct cx *cx, int64_t before_ms);

/* "fred@acompany.test", "<>": for events and log. In cx->arena. */
struct str path_text(struct cx *cx, const struct path *p);
