/* proto/imap_append.h: APPEND and REPLACE (RFC 9051 §6.3.12; RFC 3502 MULTIAPPEND; RFC 4469 CATENATE; RFC 8508 REPLACE;
 * RFC 6855 §4 UTF8). The data of messages goes past the text (imap_reader.h, bulk literals): here only its marks. */
#pragma once
#include "proto/imap_args.h"

#define IMAP_APPEND_MESSAGES_MAX 10000 /* of one command */
#define IMAP_CATENATE_PARTS_MAX 1000 /* of one message: as many as a MIME tree may have (mail/mime.h) */

/* What is known of an APPEND or REPLACE while its literals come. Zeroed for each command. */
struct imap_append_seen {
    bool replace, uid;
    struct str mailbox; /* in its inner form, in p->arena */
    uint32_t message;   /* of which message of the command the literal is, from 0 */
    bool utf8;          /* it comes as UTF8 (~{…}): it may hold 8-bit headers */
    bool catenate;      /* it is one part of that message */
    size_t at;          /* private: how far the text was read */
};

/* Is the literal that is announced now the data of a message? `text` is what IMAP_LITERAL shows: the command before
 * it. False for the name of a mailbox, a URL, and everything in other commands: those are inline. If true, *seen is
 * filled in, and the core may refuse at once where that mailbox does not exist ([TRYCREATE]), is full ([OVERQUOTA]),
 * or the size is beyond the limit ([TOOBIG]). Asked for each literal of a command in turn. */
bool imap_literal_is_message(struct imap_parse *p, struct str text, struct imap_append_seen *seen);

struct imap_append_part {
    bool is_url, utf8;     /* utf8: came as UTF8 (~{…}) */
    struct str url;        /* URL: RFC 5092; taken apart with parse_imap_url() */
    struct imap_bulk data; /* else */
};

struct imap_append_message {
    struct imap_flags flags;
    bool has_date;
    int64_t date_ms;
    int zone_minutes;
    bool catenate; /* parts are joined in order; otherwise there is one, not a URL */
    const struct imap_append_part *parts; /* at least one */
    size_t part_count;
};

struct imap_append {
    struct str mailbox;
    const struct imap_append_message *messages;
    size_t count; /* 1 at least */
};
bool parse_imap_append(struct imap_parse *p, struct str args, struct imap_append *out);

/* REPLACE seq-number mailbox append-message; UID REPLACE likewise */
struct imap_replace {
    uint32_t number; /* sequence number or UID; 0 is "*" */
    struct str mailbox;
    struct imap_append_message message;
};
bool parse_imap_replace(struct imap_parse *p, struct str args, struct imap_replace *out);

/* A URL of CATENATE that this server can follow: a message or part of the same account ("/INBOX/;UID=20",
 * "/Drafts;UIDVALIDITY=385759045/;UID=20/;SECTION=1.2", RFC 5092), also with "imap://user@host" in front, which the caller
 * compares; or seen from `base`, the selected mailbox in its inner form, empty if there is none ("Drafts/;UID=20",
 * ";UID=20", RFC 4469 §3). `utf8_names` does not matter: URLs are percent-encoded UTF-8 (RFC 5092 §8). */
struct imap_url {
    struct str user, host; /* .p NULL: relative */
    struct str mailbox;    /* in its inner form; empty: the selected one */
    uint32_t uid_validity; /* 0: not given */
    uint32_t uid;
    struct str section; /* decoded, as inside BODY[…]; .p NULL: the whole message */
    bool has_partial;
    uint64_t partial_first, partial_count; /* count 0: to the end */
};
bool parse_imap_url(struct arena *a, struct str url, struct str base, struct imap_url *out);
