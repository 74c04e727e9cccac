/* control/address_list.h: the addresses of a To, Cc or Bcc field (RFC 5322 §3.4), for sendmail -t. Pure.
 *
 * Generous, as sendmail always was: "Tom Example <tom@x>", "tom@x (Tom)", "friends: a@x, b@x;" and bare names. */
#pragma once
#include "base/buf.h"

/* The next address, appended to *out as it would stand between angle brackets. False: there is none left. */
bool take_listed_address(struct str *in, struct buf *out);
