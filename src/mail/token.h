/* mail/token.h: what structured header fields are made of (RFC 5322 §3.2, RFC 2045 §5.1). Line ends count as white
 * space everywhere, so fields need no unfolding first. Pure. */
#pragma once
#include "base/buf.h"

/* CFWS: white space, line ends and comments, which nest. An open comment swallows the rest. */
void skip_cfws(struct str *in);
/* One comment; its text, without the outer brackets and backslashes, is appended. False: none begins here. */
bool take_comment(struct str *in, struct buf *out);
/* Appends what the quotes hold, without them, backslashes and line ends. An open one reaches to the end. */
bool take_quoted(struct str *in, struct buf *out);
/* RFC 2045 §5.1, generously: all but white space, controls and ()<>@,;:\"/[]?= */
bool take_mime_token(struct str *in, struct str *out);
