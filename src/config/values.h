/* config/values.h: what the value of a setting can be, and how it is read.
 *
 * Each config_parse_NAME() reads one value and gives NULL, or says in words what it expected, fit for "expected …".
 * *out is written only on success; what it points to is in the arena. Pure. */
#pragma once
#include "base/arena.h"
#include "base/log.h"
#include "base/str.h"

/* What can be listened for: a protocol in one of its roles. */
enum config_service {
    SERVICE_SMTP,
    SERVICE_SUBMISSION,
    SERVICE_SUBMISSIONS,
    SERVICE_IMAP,
    SERVICE_IMAPS,
    SERVICE_POP3,
    SERVICE_POP3S,
    SERVICE_COUNT
};

const char *config_service_name(enum config_service s);

struct config_endpoint {
    struct str host; /* an address without brackets; of a host_port it may be a name */
    uint16_t port;
};

struct config_range {
    uint8_t address[16]; /* IPv4 mapped, ::ffff:a.b.c.d */
    unsigned bits;       /* of the 128, how many count */
};

bool config_range_holds(const struct config_range *r, const uint8_t address[16]);

#define VALUE(name, type)                                                                              \
    typedef type value_##name; /* so that settings.def can name it */                                  \
    const char *config_parse_##name(struct arena *a, struct str s, value_##name *out);
#define LIST(name, element)
#include "config/values.def"
#undef VALUE
#undef LIST
