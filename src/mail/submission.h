/* mail/submission.h: the header of a message on its way in: what it says, and what submission mends.
 *
 *     struct submission_filter f = submission_filter_make(&fixes);    // port 25: NULL, nothing is changed
 *     submission_feed(&f, piece, &out);                               // as often as there are pieces
 *     submission_end(&f, &out);
 *
 * The header waits inside until its empty line has come (at most SUBMISSION_HEADER_MAX); the body then passes
 * straight through. Pieces may be cut anywhere. No I/O; a struct belongs to one thread at a time. */
#pragma once
#include "mail/header.h"

/* Real headers rarely reach 64 KiB; it bounds what a stranger can make us hold and search. */
#define SUBMISSION_HEADER_MAX (256 * 1024)

/* RFC 6409 §8. Both are added only where missing. */
struct submission_fixes {
    struct str message_id; /* "<…@host>" */
    struct str date;       /* as date_write() gives it */
};

struct submission_filter {
    bool header_done;      /* what follows is known */
    bool header_too_long;  /* refuse: nothing more is passed on */
    size_t received_count; /* Received fields: 100 of them are a loop (RFC 5321 §6.3) */
    struct str message_id; /* with its brackets, as the message now has it; empty if there is none */
    struct buf header;     /* the header as it came, with its empty line if it had one */
    struct submission_fixes fixes; /* private, and the rest */
    bool mend;
    size_t line, searched;
};

/* fixes: lives as long as the filter; NULL: the message passes unchanged, but for an empty line before one that begins with
 * a blank, which would else continue the trace field that we write before it. Otherwise Message-ID and Date are added
 * where missing, and Bcc, Resent-Bcc (RFC 5322 §3.6.3) and Return-Path (RFC 5321 §4.4) are taken out. A message that
 * begins with its text, without any header, gets one. */
struct submission_filter submission_filter_make(const struct submission_fixes *fixes);
void submission_filter_free(struct submission_filter *f);

void submission_feed(struct submission_filter *f, struct str piece, struct buf *out);
/* The message is whole: a header without an empty line is done now. */
void submission_end(struct submission_filter *f, struct buf *out);

/* Delivered-To fields, for the loop of our own forwarding: *at is 0 at first. *address is trimmed, still raw. */
bool next_delivered_to(const struct submission_filter *f, size_t *at, struct str *address);
