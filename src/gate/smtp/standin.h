/* gate/smtp/standin.h: a vault for the tests of the SMTP server: the calls it makes, answered from a few rules.
 *
 * It keeps an account of what it was asked, one line an item, however the items were grouped into calls:
 *
 *     mail <fred@acompany.test> size=1000 8bit utf8 ret=F envid=QQ314159
 *     rcpt <tom@acompany.test> notify=2 orcpt=rfc822;tom@acompany.test
 *     end                                          (envelope_end)
 *     deliver rcpts=1 pieces=0 parts=1 size=120
 *     received from …                              (our own field, unfolded)
 *     body Subject: hi                             (each line of the body)
 *     signon PLAIN · signon cancelled · signed off
 *
 * What the SMTP server must never do (another transaction's id, pieces out of order, a part tree that is not inside
 * the body) ends the process by assert. One thread. */
#pragma once
#include "base/buf.h"
#include "net/loop.h"

#include <semaphore.h>

void standin_reset(void);
/* How to tell whoever awaits an answer that it is there. Without, they look by themselves. */
void standin_wakes(void (*wake)(struct watch_id who));
/* From now on answers are held back, and *asked is posted when something was asked; until it lets go, which a single call
 * may wait for. Between the two sem_wait() puts the caller and the session in order. */
void standin_holds_back(sem_t *asked);
void standin_lets_go(void);
/* "rcpt unknown@* answers NO_SUCH_USER", "mail *@spam.test answers DENIED", "envelope answers BUSY",
 * "body_piece answers STORE", "local_begin answers DENIED", "deliver answers NO_SPACE", "signon_begin answers AUTH_BUSY",
 * "ask answers BUSY" (no open call can even be sent). Those on an address hold
 * for every address that fits; false: this is no rule. */
bool standin_rule(struct str rule);
struct str standin_account(void);
size_t standin_envelope_calls(void);
bool standin_is_idle(void); /* no transaction and no sign-on is open */
