/* rpc/calls.h: the structs of calls.def and leash.def, and the functions made from them.
 *
 * Gate and command line call vault_NAME (rpc/client.h says over what); the vault implements serve_NAME. The
 * supervisor calls room_…, a room implements serve_room_…. Lists and bytes of a reply live in cx->arena. */
#pragma once
#include "rpc/types.h"

/* Field values that are enums or sets. */
enum { PROTOCOL_SMTP = 1, PROTOCOL_POP3, PROTOCOL_IMAP, PROTOCOL_SIEVE, PROTOCOL_HTTP, PROTOCOL_LOCAL };
enum { SIGNON_MORE, SIGNON_DONE };
enum { MODE_UTF8 = 1 }; /* of attach: POP3's UTF8 (RFC 6856) */
enum {
    NOTIFY_NEVER = 1,
    NOTIFY_SUCCESS = 2,
    NOTIFY_FAILURE = 4,
    NOTIFY_DELAY = 8
}; /* RFC 3461 §4.1; 0: not given */
enum { OUTCOME_DELIVERED = 1, OUTCOME_RELAYED, OUTCOME_FAILED, OUTCOME_DEFERRED };
enum { RCPT_WAITING, RCPT_DONE, RCPT_FAILED };
enum { QUEUE_RETRY = 1, QUEUE_HOLD, QUEUE_RELEASE, QUEUE_REMOVE };

enum { RESTORE_KEEP = 1, RESTORE_HOLD, RESTORE_DROP }; /* what was still to be sent elsewhere */

/* Stands in a store's directory from the first byte of a restore until its last step is durable. */
#define RESTORE_MARK "RESTORING"

#define BODY_PIECE (256 * 1024) /* bytes of a body that travel, are stored and are read at once */

/* Who may call: a channel is one of these, from the moment it was made. */
enum room {
    MX = 1,
    USERS = 2,
    CONTROL = 4,
    SUPERVISOR = 8,
    EXAMINER = 16, /* the command line, at a vault that was started for check and repair alone */
    RESTORER = 32  /* the same, for finishing a restore */
};
enum lane { SHORT, LONG, OPEN };

/* Structs. An empty request still has a byte, for C has no empty structs. */
#define F STRUCT_F
#define R STRUCT_R
#define L STRUCT_L
#define RECORD(name, fields)                                                                           \
    struct name {                                                                                      \
        fields                                                                                         \
    };
#define CALL(name, from, lane, request, reply)                                                         \
    struct name##_request {                                                                            \
        char none;                                                                                     \
        request                                                                                        \
    };                                                                                                 \
    struct name##_reply {                                                                              \
        char none;                                                                                     \
        reply                                                                                          \
    };
#include "rpc/calls.def"
#include "rpc/leash.def"
#undef F
#undef R
#undef L
#undef RECORD
#undef CALL

/* Packing and unpacking: lists in `arena`, bytes into the input. After unpacking ask unpack_done(). */
#define RECORD(name, fields)                                                                           \
    void pack_##name(struct buf *b, const struct name *m);                                             \
    void unpack_##name(struct arena *arena, struct unpack *u, struct name *m);
#define CALL(name, from, lane, request, reply)                                                         \
    RECORD(name##_request, )                                                                           \
    RECORD(name##_reply, )
#include "rpc/calls.def"
#include "rpc/leash.def"
#undef CALL

/* A whole answer; ERR_BUG: it is malformed. */
#undef RECORD
#define RECORD(name, fields)
#define CALL(name, from, lane, request, reply)                                                         \
    enum err read_##name##_reply(struct cx *cx, struct str answer, struct name##_reply *r);
#include "rpc/calls.def"
#include "rpc/leash.def"
#undef CALL

/* Numbers and names. */
#define CALL(name, from, lane, request, reply) CALL_##name,
enum call {
    CALL_none,
#include "rpc/calls.def"
#include "rpc/leash.def"
    CALL_COUNT
};
#undef CALL
const char *call_name(unsigned call); /* "deliver"; "?" for none of ours */

/* Stubs: send, wait, unpack. ERR_VAULT_AWAY if the other side has gone. */
struct caller;
#define CALL(name, from, lane, request, reply)                                                         \
    enum err vault_##name(struct cx *cx, const struct name##_request *q, struct name##_reply *r);      \
    enum err serve_##name(struct caller *c, const struct name##_request *q, struct name##_reply *r);
#include "rpc/calls.def"
#undef CALL
#define CALL(name, from, lane, request, reply)                                                         \
    enum err serve_##name(struct caller *c, const struct name##_request *q, struct name##_reply *r);
#include "rpc/leash.def"
#undef CALL
#undef RECORD
