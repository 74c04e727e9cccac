/* bench/pop3.h: one POP3 session (RFC 1939): signs on, asks how much there is, downloads it if told to, quits.
 *
 * It does one job at a time and then says so by done(); the same struct can be started again, also inside
 * done(). Nothing is ever deleted. */
#pragma once
#include "options.h"
#include "wire.h"

enum pop3_job { POP3_SIGN_ON, POP3_COUNT, POP3_FETCH };

enum pop3_step {
    POP3_GREETING,
    POP3_STLS,
    POP3_USER,
    POP3_PASS,
    POP3_AUTH,
    POP3_STAT,
    POP3_RETR,
    POP3_QUIT
};

struct pop3 {
    struct wire wire;
    const struct options *o;
    void (*done)(struct pop3 *p);
    void *owner;      /* done()'s own */
    uint64_t account; /* number 0 is the first */
    bool tls;         /* as the options say; without: plain whatever they say */

    uint64_t messages, octets;        /* STAT's */
    uint64_t fetched, fetched_octets; /* RETR's, without the dot line */
    int64_t signed_on_us, fetched_us; /* when PASS was answered, and the last RETR */
    char failure[160];                /* empty: all went well */

    enum pop3_job job; /* from here on private */
    enum pop3_step step;
    uint64_t asked;
    bool in_text;
    bool after_line; /* the text read so far ends in CRLF */
};

void pop3_init(struct pop3 *p, const struct options *o);
void pop3_start(struct pop3 *p, const struct sockaddr_in *to, enum pop3_job job, uint64_t account);
void pop3_free(struct pop3 *p); /* closes too */

/* The text of a multi-line reply (RFC 1939 §3) up to its lone dot. Takes what is sure to be text and adds it to
 * *octets; true: the dot line was met and taken as well. *after_line tells, and is told, whether the next byte
 * begins a line; it starts out true. Dots that were stuffed count as they came. */
bool pop3_take_text(struct buf *in, bool *after_line, uint64_t *octets);
