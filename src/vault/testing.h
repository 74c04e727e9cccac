/* vault/testing.h: for the tests of accepting and of the queue: a vault on the memory engine, served by its calls without
 * a gate. What returns no enum err fails the test when something goes wrong.
 *
 * The domain is acompany.test, its postmaster postmaster@acompany.test, the office 192.0.2.0/24, which may relay. In the
 * queue an attempt is repeated after an hour; the sender is warned after six, and it is given up after a day. */
#pragma once
#include "vault/caller.h"
#include "vault/vault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define GATE 7
#define OTHER_GATE 8

struct world {
    struct caller c; /* the MX gate numbered GATE */
    struct vault vault;
    struct account_id fred, tom; /* fred@ and tom@ */
    struct account_id full;      /* full@, whose quota is 100 bytes */
    struct account_id inside;    /* inside@, for mail from inside only */
    struct handle fred_on;       /* Fred, signed on at GATE by SMTP */
};

int set_up(void **state); /* for cmocka */
int tear_down(void **state);

void must(struct world *w, enum err e);
void durable(struct world *w, enum err e, struct ticket t);
struct account_id add_account(struct world *w, const char *address, uint64_t quota, bool internal_only);
void set_limit(struct world *w, struct account_id account, struct amount limit);
struct path path_of(const char *text); /* "local@domain", or a bare name */

/* One message, as a gate sends it. */
struct mail {
    const char *from, *to, *client; /* client: NULL is a stranger */
    struct handle session;
    struct str text;
    uint32_t notify, ret;
    struct body_id id; /* set by begin_mail() */
};

enum err begin_mail(struct world *w, struct mail *m);     /* the envelope */
enum err end_mail(struct world *w, const struct mail *m); /* the whole text; OK: it is durable */
enum err send_mail(struct world *w, struct mail *m);      /* both */

/* What came into an account's INBOX. */
size_t count_in(struct world *w, struct account_id account);
/* The whole of the nth message, prefix and first piece. In w->c.cx.arena. */
struct str message_in(struct world *w, struct account_id account, size_t at);
bool holds(struct str text, const char *what);

struct queue_list_reply queue_now(struct world *w);
