/* net/dns_answer.h: from what libunbound brings to what callers read. Private to the resolver, apart from it for
 * its tests. Pure: no I/O, everything in the arena or in what was passed. */
#pragma once
#include "base/arena.h"
#include "net/resolver.h"

/* The rdata of one answer: as in RFC 1035 §3.3, names not compressed. */
struct dns_rdata {
    const struct str *records;
    size_t count;
};

/* Records that no caller could use (a name of odd bytes, a wrong length) are left out. True if one was usable. */
bool dns_read_records(struct arena *a, enum dns_type type, const struct dns_rdata *in,
                      struct dns_answer *out);

/* A domain in text, ASCII letters, digits, hyphens and underscores: what is asked for, and what is believed. */
bool is_host_name(struct str name);
