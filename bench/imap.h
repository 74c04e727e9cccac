/* bench/imap.h: one IMAP session (RFC 9051) that does what a script says, step by step, and how long each took.
 *
 * A script is text, a step a line, fields separated by blanks; lines that begin with # are passed over:
 *
 *   NAME TIMES COMMAND…             the command as it stands, TIMES times, each awaited; "-" as a name: not reported
 *   NAME TIMES !APPEND BATCH BOX    TIMES letters (letter.h), BATCH in each APPEND (RFC 3502), as LITERAL+ literals
 *
 * The clock of a step runs from the command's last byte handed to the kernel until its tagged reply is read. A reply
 * other than OK fails the run. */
#pragma once
#include "options.h"
#include "report.h"
#include "stats.h"
#include "wire.h"

#define IMAP_MOST_STEPS 40

struct imap_step {
    char name[40], figure[64], bytes[64];
    uint64_t times, batch; /* batch: of !APPEND; 0: a command */
    struct str command;    /* in the script's text; of !APPEND: the mailbox */
    struct sample took;    /* each time, in microseconds */
    double octets;         /* of all replies */
    double seconds;        /* of all times together */
};

struct imap_script {
    struct imap_step steps[IMAP_MOST_STEPS];
    size_t n;
};
/* False: *wrong names the line. `text` must outlive the script. */
bool imap_script_parse(struct str text, struct imap_script *out, uint64_t *wrong);
void imap_script_free(struct imap_script *s);

struct imap {
    struct wire wire;
    const struct options *o;
    struct imap_script *script; /* n 0: sign on and log out */
    void (*done)(struct imap *m);
    void *owner;
    uint64_t account;
    char failure[200]; /* empty: all went well */
    int64_t signed_on_us;

    size_t step; /* from here on private */
    uint64_t round, tag, letter;
    enum { IMAP_GREETING, IMAP_STARTTLS, IMAP_LOGIN, IMAP_STEPS, IMAP_LOGOUT } state;
    int64_t asked_us;
    uint64_t octets; /* of this reply, as far as they were thrown away */
};

void imap_init(struct imap *m, const struct options *o);
void imap_start(struct imap *m, const struct sockaddr_in *to, uint64_t account);
void imap_free(struct imap *m);

/* Does `in` end with the tagged reply? A reply is long, and only its last line matters, so this looks at the end
 * alone. `whole`: nothing of it was thrown away. */
bool imap_take_reply(struct str in, struct str tag, bool whole, struct str *line);
