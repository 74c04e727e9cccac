/* vault/admin/check.h: the kinds of disagreement that `posthorn check` tells apart. */
#pragma once

enum check_kind {
    CHECK_UNREADABLE = 1, /* the database says that a block is damaged, or a row makes no sense */
    CHECK_ROWS,           /* rows that should name each other do not */
    CHECK_COUNTERS,       /* a counter is not what it counts */
    CHECK_BODY,           /* a message's bytes are not what was stored */
    CHECK_REFERENCE,      /* kept for nobody, or used without being kept */
    CHECK_QUEUE,
};
