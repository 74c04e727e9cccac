/* mail/content.h: Content-Type and the fields like it (RFC 2045 §5, RFC 2183): a value and its parameters. Pure. */
#pragma once
#include "mail/token.h"

struct content_type {
    struct str type, subtype; /* as written */
    struct str params;        /* what follows: for take_param() */
};

/* The body of a Content-Type field, raw. False: it is none, and RFC 2045 §5.2 says to take text/plain. "text" alone,
 * as old programs write, is none either. */
bool parse_content_type(struct str in, struct content_type *out);
/* The body of a Content-Disposition or Content-Transfer-Encoding field: a token, and what follows it. */
bool parse_content_token(struct str in, struct str *token, struct str *params);

/* The next parameter; the value, without quotes, replaces what the buf held. Parameters that are none are passed
 * over. RFC 2231's names ("filename*0*") stay as they are. False: no more. */
bool take_param(struct str *in, struct str *name, struct buf *value);
/* The first one of that name, in any case; the value replaces what the buf held. */
bool find_param(struct str params, struct str name, struct buf *value);

bool is_content_type(const struct content_type *t, struct str type,
                     struct str subtype); /* subtype empty: any */
