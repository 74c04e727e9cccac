/* vault/pop3/pop3.h: what the files of POP3 after sign-on share; nobody else includes it. The way in is
 * pop3_session (session.h).
 *
 * pop3.c       the session: opening, the feed, the loop over commands, replies
 * commands.c   the table of commands, and what they do
 * sending.c    a message on its way to the client
 * surrogate.c  headers for clients without UTF8 mode */
#pragma once
#include "proto/lines.h"
#include "vault/pop3/sending.h"
#include "vault/session.h"
#include "vault/store/roster.h"

#define POP3_LINE_MAX 255              /* RFC 2449 §4, with its line end */
#define LEAST_IDLE_MS (10 * 60 * 1000) /* RFC 1939 §3 */

/* What the session is doing. Only in COMMANDS does it read; SENDING and LISTING go on until they are through, however
 * often the client has to read in between; LEAVING waits for nothing but its last words to go out. */
enum pop3_state { COMMANDS, SENDING, LISTING, LEAVING };

struct pop3 {
    struct session *s;
    enum pop3_state state;
    struct lines lines;
    struct view *view; /* open for one step at most: pop3_view() */

    /* the maildrop, as it was at sign-on (RFC 1939 §4): messages keep their numbers while the session lasts, and that is
     * how long it holds the picture, which it shares with all who look at the mailbox */
    struct roster *roster;
    const struct roster_counts *counts; /* its */
    bool *deleted;                      /* marked by DELE; by number, from 1 */
    size_t left;                        /* not marked */
    uint64_t left_bytes;                /* theirs */
    bool utf8;
    unsigned mistakes;

    struct sending sending; /* in SENDING */
    uint64_t sending_number;
    struct roster_walk walk; /* in LISTING: how far it has come */
    bool with_uids;          /* in LISTING: UIDL, not LIST */
};

/* A line, "+OK …" or "-ERR …". */
void say(struct pop3 *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* One for what a client should not have said; too many end the session. */
void mistake(struct pop3 *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_failure(struct pop3 *p, enum err e);
enum err pop3_view(struct pop3 *p, struct view **out);

struct args {
    struct str v[2];
    size_t n;
};
#define MOST_ARGS 2

enum { AUTHORIZATION = 1, TRANSACTION = 2 };

struct pop3_command {
    const char *name;
    unsigned states;
    size_t least, most; /* arguments */
    /* OK: it has replied, or a later step will. An error: the loop replies and logs. */
    enum err (*run)(struct pop3 *p, const struct args *a);
};

const struct pop3_command *pop3_command_find(struct str name); /* NULL: there is none */
/* LISTING goes on, until it is through or `out` holds enough. */
void list_on(struct pop3 *p);
/* SENDING likewise. A piece that cannot be read after "+OK" leaves nothing to say: the connection ends before the dot,
 * so that no client takes what it has for the message. */
void send_on(struct pop3 *p);
