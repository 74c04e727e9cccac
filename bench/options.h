/* bench/options.h: what the load generator is asked to do.
 *
 * One struct for all its commands; the table in options.c says which option belongs to which command. Filled
 * once, at start, and only read afterwards. */
#pragma once
#include <netinet/in.h>
#include <sys/types.h>

#include "base/str.h"

enum command {
    CMD_SMTP = 1,
    CMD_POP3 = 2,
    CMD_SIGNON = 4,
    CMD_IMAP = 8,
    CMD_IMAP_SIGNON = 16,
    CMD_IDLE = 32,
};

struct report;

enum protocol { PROTOCOL_IMAP, PROTOCOL_POP3 };
enum tls_use { TLS_OFF, TLS_START, TLS_IMPLICIT };

#define MAX_PIDS 8
#define MAX_ADDRESS 256

/* "user%d@bench.test": the number, if any, stands between the two. */
struct pattern {
    struct str before, after;
    bool numbered;
};

struct options {
    enum command command;
    void (*run)(const struct options *o, struct report *report); /* runs.h: what the command does */
    struct sockaddr_in to;                                       /* the server */
    struct pattern address; /* the accounts: recipients, and who signs on */
    uint64_t accounts;      /* numbered from 1 */
    const char *password;
    uint64_t sessions;
    uint64_t time_limit_ms;
    enum tls_use tls;
    bool pipelining;
    bool sasl; /* AUTH PLAIN: at SMTP to submit at all, at POP3 in place of USER and PASS */

    uint64_t messages; /* smtp: in all */
    uint64_t size;     /* smtp: octets of a message, CRLF counted as two */
    uint64_t recipients;
    uint64_t per_connection; /* smtp: messages; 0: as many as there are */
    bool bdat;
    const char *from;
    struct sockaddr_in visible; /* smtp: the POP3 server that shows what arrived */
    bool wants_visible;

    enum protocol protocol; /* idle */
    bool select, idle;      /* idle: SELECT INBOX; IDLE */
    uint64_t rest_ms;       /* idle: how long nothing is done and the server is watched */

    uint64_t count;     /* signon: sign-ons in all; pop3: downloads in all; 0: one a session */
    const char *script; /* imap: the file with what is to be done (imap.h) */
    uint64_t window;    /* pop3: RETRs on their way when pipelining */

    pid_t pids[MAX_PIDS]; /* the server's process trees, to be measured */
    size_t pid_count;
    unsigned device_major, device_minor; /* the disk whose flushes are counted; 0, 0: none */
    const char *json;                    /* the file that gets the figures; "-": standard output */
};

/* False: what is wrong has been said on standard error. */
bool options_parse(int argc, char **argv, struct options *out);
void options_usage(void);

/* The address of an account: number 0 is the first. */
void pattern_write(const struct pattern *p, uint64_t account, char out[MAX_ADDRESS]);
