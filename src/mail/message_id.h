/* mail/message_id.h: Message-ID, In-Reply-To and References (RFC 5322 §3.6.4). Pure. */
#pragma once
#include "base/buf.h"

/* A Message-ID is shown, stored and compared; a longer one is passed over. RFC 5322 has no limit but its lines'. */
#define MESSAGE_ID_MAX 998

/* The next msg-id of a field's body, angle brackets included, whatever else stands there (In-Reply-To once held
 * phrases, §4.5.4). One with white space or a fold inside is passed over: it matches nothing anyway. False: no more,
 * and *in is untouched. */
bool take_message_id(struct str *in, struct str *out);

/* Appends "<unique@host>". The caller brings what is unique. */
void message_id_write(struct buf *out, struct str unique, struct str host);

/* A number that stands for it: the same for all spellings of the same id (RFC 5256 §3: quotes do not count, case does),
 * another for others, as far as 64 bits can tell them apart. Never 0. It may be kept: it will not change. */
uint64_t message_id_number(struct str id);
