#include "gate/signon/bindings.h"

size_t bindings_list(const struct bindings *b, struct binding out[BINDINGS_MOST])
{
    size_t n = 0;

    if (b->exporter_size)
        out[n++] = (struct binding){S("tls-exporter"), {b->exporter, b->exporter_size}};
    if (b->unique_size)
        out[n++] = (struct binding){S("tls-unique"), {b->unique, b->unique_size}};
    return n;
}
