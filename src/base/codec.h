/* base/codec.h: base 64 and hexadecimal, and random bytes. */
#pragma once
#include "base/buf.h"

void base64_encode(struct buf *out, struct str in); /* RFC 4648 §4, with padding, no line breaks */
/* Strict: no white space, right padding, unused bits zero (RFC 4954 §4 wants bad base 64 refused).
 * False: *out may hold a part. */
bool base64_decode(struct buf *out, struct str in);

void hex_encode(struct buf *out, struct str in);
bool hex_decode(struct buf *out, struct str in);

void random_bytes(void *p, size_t n); /* from the kernel; ends the process if there are none */
uint64_t random_u64(void);

/* Compares in a time that does not depend on where they differ. */
bool secret_same(struct str a, struct str b);
