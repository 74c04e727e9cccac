/* An endpoint that parses is written as one that parses to the same; a network has its own address. */
#include "net/sockaddr.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str in = {(const char *)data, size};
    char text[ENDPOINT_TEXT_SIZE];
    struct endpoint e, again;
    struct network n;

    if (parse_endpoint(in, 25, &e)) {
        endpoint_text(&e, text);
        assert(parse_endpoint(str_from_c(text), 0, &again));
        assert(endpoint_same_ip(&e, &again) && endpoint_port(&e) == endpoint_port(&again));
        n = network_of_peer(&e);
        assert(network_has(&n, &e));
    }
    if (parse_network(in, &n)) {
        e = endpoint_v6(n.ip, 0);
        assert(network_has(&n, &e));
    }
    return 0;
}
