/* proto/sasl_line.h: what SASL says, on lines of SMTP (RFC 4954) and POP3 (RFC 5034): base 64, "=", "*". Pure. */
#pragma once
#include "base/buf.h"

/* RFC 4954 §4: a line of a sign-on may be this long, its line end included. */
#define SASL_LINE_MAX 12288

enum sasl_line {
    SASL_BYTES,  /* decoded and appended; maybe none */
    SASL_CANCEL, /* "*" */
    SASL_BAD     /* no base 64 (501 5.5.2); what was appended is worth nothing */
};

/* The argument behind AUTH's mechanism: "=" stands for an empty response (§4). */
enum sasl_line sasl_initial(struct buf *out, struct str argument);
/* The answer to a challenge: an empty line is an empty response, "*" gives up (§4). */
enum sasl_line sasl_answer(struct buf *out, struct str line);

/* A client's initial response: the other way round. (A challenge, and an answer, is just base64_encode().) */
void sasl_initial_write(struct buf *out, struct str response);
