/* gate/signon/standin.h: a vault for the tests of sign-on: fred's password is secret; SCRAM-SHA-256 is the exchange of
 * RFC 7677 §3. It keeps an account of what it was asked, one line each:
 *
 *     begin PLAIN 192.0.2.1 tls tls-exporter · cancel · end
 *
 * What a gate must never do (a step of a sign-on that is over, two at once) ends the process by assert. One thread. */
#pragma once
#include "base/buf.h"
#include "base/err.h"

void standin_reset(void);
void standin_begin_answers(enum err e); /* to signon_begin, from now on */
void standin_step_answers(enum err e);  /* to signon_step */
struct str standin_account(void);
bool standin_is_idle(
    void); /* no sign-on is under way, and no handle was given and neither ended nor kept */
void standin_keep_handle(void); /* it was taken to be attached */
