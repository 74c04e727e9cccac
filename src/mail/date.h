/* mail/date.h: dates as RFC 5322 §3.3 writes them. The caller brings the time; nothing here asks a clock or a
 * time zone. Pure. */
#pragma once
#include "base/buf.h"

/* "Sun, 22 Nov 2026 04:31:40 +0000". Milliseconds since 1970, UTC; the zone in minutes east of UTC. */
void date_write(struct buf *out, int64_t ms, int zone_minutes);

/* The body of a Date field, obsolete forms (§4.3) and the usual mistakes included: no weekday, comments, two-digit
 * years, no seconds, no zone or an unknown one (UTC), no time or an impossible one (midnight), full month names. False: not even that; outputs are untouched.
 * A leap second counts as the second before it. */
bool date_parse(struct str in, int64_t *ms, int *zone_minutes);
