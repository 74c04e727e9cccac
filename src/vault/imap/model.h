/* vault/imap/model.h: what IMAP sessions on one account may be told, as a model that is simpler than the server.
 *
 * A run is a random conversation: some sessions, one command at a time, each reply checked against two things: the
 * *truth* (what is in the mailboxes, which the model knows because it knows every command and its outcome) and the
 * session's *picture* (how many messages it was told of, their UIDs and flags). Rules that hold after every reply:
 *
 *   - sequence numbers name messages the session was told of; EXISTS never shrinks without EXPUNGE or VANISHED
 *   - EXPUNGE never comes during FETCH, STORE or SEARCH by sequence number (RFC 9051 §7.5.1), and only removes what
 *     is really gone; VANISHED comes only to who enabled QRESYNC
 *   - FLAGS are those that the message has; a UID never changes and never comes back
 *   - FLAGS names a keyword before a message has it; \Recent is told of a message to one session alone
 *   - after NOOP the picture is the truth, and nothing the session believed of flags is wrong
 *   - a mailbox selected anew with QRESYNC (RFC 7162) brings an old picture up to the truth
 *   - EMAILID, THREADID, RFC822.SIZE and INTERNALDATE never change and are a copy's as well; the ids tell which letters are
 *     one conversation (model_letters.h)
 *
 * The same seed gives the same conversation. The wire is the caller's: a core in this process, or a socket. */
#pragma once
#include "base/buf.h"

struct model_wire {
    void *arg;
    /* A session signed on anew. */
    void (*open)(void *arg, size_t session);
    void (*close)(void *arg, size_t session);
    /* Bytes of the client; *reply gets everything the server says to them, until it has nothing more to say. Without
     * bytes: what it has said by itself, to a client that idles. */
    void (*say)(void *arg, size_t session, struct str bytes, struct buf *reply);
};

struct model_settings {
    uint64_t seed, steps;
    size_t sessions; /* 2 to 8 */
};

#define MODEL_TROUBLE 512
/* True: everything held. Else `trouble` says at which step what was wrong, and the last exchanges are on standard
 * error. */
bool model_run(const struct model_wire *wire, const struct model_settings *settings,
               char trouble[MODEL_TROUBLE]);
