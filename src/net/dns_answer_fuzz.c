/* Any bytes as rdata: nothing is read beyond them, and what is believed is a host name. */
#include "net/dns_answer.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(enum dns_type type, const struct dns_rdata *in)
{
    struct arena *a = arena_new(0);
    struct dns_answer out = {.ttl = 0};

    dns_read_records(a, type, in, &out);
    assert(out.mx_count <= RESOLVER_MOST_MX && out.address_count <= RESOLVER_MOST_ADDRESSES);
    for (size_t i = 0; i < out.mx_count; i++)
        assert(out.mx[i].exchange.n == 0 || is_host_name(out.mx[i].exchange));
    arena_free(a);
}

/* Records are cut where a byte says so. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = {(const char *)data, size}, records[100];
    struct dns_rdata in = {records, 0};

    while (rest.n && in.count < 100) {
        size_t n = (unsigned char)rest.p[0];

        rest = str_from(rest, 1);
        records[in.count++] = str_upto(rest, n);
        rest = str_from(rest, n);
    }
    check(DNS_MX, &in);
    check(DNS_A, &in);
    check(DNS_AAAA, &in);
    return 0;
}
