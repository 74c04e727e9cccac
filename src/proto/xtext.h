/* proto/xtext.h: values that would not fit an ESMTP parameter, spelled so that they do.
 *
 * xtext (RFC 3461 §4) for AUTH=, ENVID= and ORCPT=rfc822;…; unitext (RFC 6533 §3) for ORCPT=utf-8;….
 * Pure; results are appended. */
#pragma once
#include "base/buf.h"

void xtext_encode(struct buf *out, struct str in);
/* False: a bad escape, or a byte xtext may not hold; *out may hold a part. */
bool xtext_decode(struct buf *out, struct str in);

/* `in` is UTF-8 (what is not stays as escapes of U+FFFD). ascii: the 7-bit form utf-8-addr-xtext, for servers and
 * reports without SMTPUTF8; else utf-8-addr-unitext, which keeps letters readable. */
void unitext_encode(struct buf *out, struct str in, bool ascii);
/* Takes all three forms of utf-8-enc-addr. False: a bad escape, no character, or not UTF-8. */
bool unitext_decode(struct buf *out, struct str in);

/* ORCPT (RFC 3461 §4.2): addr-type ";" address. */
struct orcpt {
    struct str type;    /* "rfc822", "utf-8" or another atom, as written */
    struct str address; /* still encoded */
};
/* The whole of `in` is one, and its address can be decoded. */
bool parse_orcpt(struct str in, struct orcpt *out);
void orcpt_decode(struct buf *out, const struct orcpt *o); /* the address in its plain form */
