/* mail/report.h: delivery reports (RFC 3464 in the multipart/report of RFC 6522): what became of a message, told to
 * the one who sent it.
 *
 * Three parts: plain English for people, whose first lines say who was not reached and why; the same for programs;
 * and the header, or the whole, of the message it is about. What other servers said is given verbatim, except for
 * bytes that could not be shown. Pure: the caller brings times and ids, sends it with the null reverse-path, and
 * never asks for a report about a report. */
#pragma once
#include "base/buf.h"

enum report_action {
    REPORT_FAILED,    /* given up */
    REPORT_DELAYED,   /* still trying, until retry_until_ms */
    REPORT_DELIVERED, /* NOTIFY=SUCCESS: in the mailbox */
    REPORT_RELAYED,   /* NOTIFY=SUCCESS: handed to a server that does no DSN */
    REPORT_EXPANDED   /* NOTIFY=SUCCESS: handed to the members of a list */
};

struct report_recipient {
    enum report_action action;
    struct str address; /* as it was in the envelope at the end: Final-Recipient */
    struct str orcpt;   /* decoded, "type;address"; empty: not given */
    struct str status;  /* RFC 3463: "5.1.1" */
    struct str server;  /* the name of the server that spoke; empty: the reason is our own */
    struct str reply;   /* what it said, code first, lines divided by '\n': "550 5.1.1 no such user" */
    struct str reason;  /* ours, when no server spoke: one plain sentence */
    int64_t last_attempt_ms; /* 0: none */
    int64_t retry_until_ms;  /* REPORT_DELAYED: when we give up */
};

struct report {
    struct str hostname; /* Reporting-MTA, and who speaks */
    struct str from;     /* an address, the postmaster's */
    struct str to;       /* the sender's address */
    struct str unique;   /* for this report's Message-ID */
    int64_t date_ms;     /* of this report */
    int64_t arrival_ms;  /* when the message came to us */
    struct str envid;    /* decoded; empty: not given */
    struct str original; /* the message, or its beginning with the header in it */
    bool full;           /* the message is returned, and original is all of it; else only its header */
    bool smtputf8;       /* the message came with SMTPUTF8, so the report may go with it */
    bool seven_bit; /* it goes to who knows which server: what may be base64 then is (RFC 6533 §4.5) */
    const struct report_recipient *recipients;
    size_t recipient_count;
};

/* The whole report as a message, lines in CRLF. */
void report_write(struct buf *out, const struct report *r);

/* What "5.1.1" means, in a plain sentence; of its subject if the very code is not known, and empty if that says
 * nothing either. Never NULL. */
const char *status_meaning(struct str status);
