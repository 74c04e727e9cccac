/* gate/smtp/client_private.h: what the files of the SMTP client share. Nobody else includes it. */
#pragma once
#include "gate/smtp/client.h"
#include "proto/dots.h"
#include "proto/replies.h"

/*  GREETING ─► EHLO ─► (STARTTLS ─► HANDSHAKE ─► EHLO) ─► (AUTH…) ─► READY
 *               └► HELO ──────────────────────────────────────────────┘
 *
 *  READY ─► (RSET) ─► ENVELOPE ─► BODY ─► DOT ─► READY
 *                        │  └► LONE_DOT ─► READY       354, though nobody may have the message
 *                        └► READY                      nobody is left; `dirty`: RSET before the next
 *
 *  READY ─► QUIT ─► OVER                               and from everywhere to OVER: hang up
 *
 *  message is set from RSET or ENVELOPE to DOT and LONE_DOT, and nowhere else. */
enum client_phase {
    GREETING,
    EHLO,
    HELO,
    STARTTLS,
    HANDSHAKE,
    AUTH_PLAIN,
    AUTH_LOGIN,
    AUTH_LOGIN_USER,
    AUTH_LOGIN_PASSWORD,
    READY,
    RSET,
    ENVELOPE,
    BODY,
    DOT,
    LONE_DOT,
    QUIT,
    OVER,
};

/* What the server offers (RFC 5321 §4.1.1.1), from its answer to EHLO. */
struct client_offers {
    bool starttls, pipelining, eightbitmime, smtputf8, dsn, size, auth_plain, auth_login;
    uint64_t size_limit; /* 0: not said; so the next two, of RFC 9422 */
    uint64_t rcpt_max, mail_max;
};
struct client_offers parse_offers(struct str ehlo_text);

/* MAIL, then RCPT for those that are undecided, then DATA: so many commands were sent, so many are answered. */
enum client_rcpt_state {
    LEFT_OUT,
    TO_SEND,
    SENT,
    TAKEN,
    PUT_OFF, /* by the server: 452 */
    BEYOND,  /* more than it said it takes at once (RFC 9422 RCPTMAX): in another transaction */
    ANSWERED
};

struct client_envelope {
    unsigned sent, answered;
    bool mail_sent, mail_refused, data_sent;
    size_t next,
        next_answer; /* recipients: the first that may be TO_SEND, the first that may be SENT */
    size_t taken;
    uint8_t *states; /* per recipient an enum client_rcpt_state, in the message's arena */
};

struct client {
    const struct client_settings *settings;
    struct buf *out;
    struct replies replies;
    struct arena *arena; /* for trouble */
    enum client_phase phase;
    struct client_offers offers;
    struct client_message *message;
    struct client_envelope envelope;
    struct stuffing stuffing;
    struct client_trouble trouble;
    bool secured, dirty, wants_rest;
    uint64_t mails; /* said in this session */
    uint64_t step;
};

void client_set_phase(struct client *c, enum client_phase phase);
/* The session is over. The first trouble stays. */
void client_give_up(struct client *c, struct client_words words, uint32_t outcome, bool try_next);
void client_give_up_on_reply(struct client *c, const struct reply *r, bool try_next);
void client_give_up_on_babble(struct client *c); /* what it says is not SMTP, or not in its place */

/* client_words.c: what was said, as it is kept. */
struct client_words client_words_of(struct arena *a, const struct reply *r);
struct client_words client_words_own(struct arena *a, struct str status, struct str text);

/* client_greet.c: from the greeting to READY. */
void client_greeting_reply(struct client *c, const struct reply *r);
void client_say_ehlo(struct client *c);

/* client_mail.c: a message. */
void client_message_reply(struct client *c, const struct reply *r);
void client_leave_taken(struct client *c,
                        struct client_words words); /* the dot was sent, and no answer came */

/* client_params.c: MAIL and RCPT with their parameters. */
void client_write_mail(struct client *c);
void client_write_rcpt(struct client *c, const struct work_rcpt *r);
/* It can be said in a command without becoming another. */
bool client_path_is_sound(const struct path *p);
