/* vault/signon/signon.h: signing on: a conversation that the vault holds, for whichever protocol.
 *
 * The calls are signon_begin, _step, _cancel and _end of calls.def. What a gate does:
 *
 *   begin(mechanism, client, tls, …)   NO_MECHANISM, TLS_NEEDED, AUTH_BUSY; with has_said it is the first step as well
 *   step(initial response)             empty if there is none: then the answer is the first challenge
 *   … step(answer) …                   MORE: to_client is the next challenge, perhaps empty
 *   DONE                               session is the handle. If to_client is not empty (SCRAM's last word), it is
 *                                      sent as a challenge, and the client's empty answer to it is thrown away
 *   an error                           the conversation is over: AUTH_FAILED, AUTHZ_FAILED, AUTH_BUSY, SUSPENDED, STORE …
 *
 * USER and PASS of POP3 are PLAIN: NUL name NUL password.
 *
 * Nothing in the answers, their number or the work they cost tells whether a name exists; only who gave the right
 * password hears that an account is suspended. Failures are one line of log each:
 *
 *   signon-failed address=192.0.2.1 service=pop3 name=fred@acompany.test reason=wrong-password
 *
 * reason: wrong-password, unknown-name, wrong-proof, wrong-authzid, suspended, no-such-text (a name or password that
 * cannot be anybody's), malformed, throttled. */
#pragma once
#include "vault/caller.h"
#include "vault/signon/handles.h"

struct store;
struct signons;

/* After the store was opened: makes the store's secret the first time. Touches what the libraries load at first use,
 * so that a sandbox may close after it. `clock_ms` is monotonic_ms() but for tests. */
enum err signons_open(struct cx *cx, struct store *store, struct handles *handles,
                      int64_t (*clock_ms)(void), struct signons **out);
void signons_close(struct signons *s);                   /* NULL is fine */
void signons_end_gate(struct signons *s, uint64_t gate); /* that gate is dead */
