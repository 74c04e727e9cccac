/* vault/signon/weak.h: passwords that are found by trying (RFC 9051 §11.7). Pure. */
#pragma once
#include "base/str.h"

#define PASSWORD_LEAST 8 /* characters */

/* What is wrong with a password that somebody wants to be given, for people; NULL: nothing. Nobody may have one of those that
 * are tried first (§11.7: MUST): words that everybody chooses, behind all the digits, signs and capitals that everybody hides
 * them with, rows of keys, and the account's own name. `address` is the account's. */
const char *password_weakness(struct str password, struct str address);
