#include "proto/sasl_mechanisms.h"

static const struct {
    const char *name;
    bool needs_keys, needs_binding, is_login;
} mechanisms[] = {
    {"PLAIN", false, false, false},            /* RFC 4616 */
    {"LOGIN", false, false, true},             /* never standardized, and everywhere */
    {"SCRAM-SHA-256", true, false, false},     /* RFC 7677 */
    {"SCRAM-SHA-256-PLUS", true, true, false}, /* RFC 7677 */
};
#define MECHANISMS (sizeof(mechanisms) / sizeof(*mechanisms))

static bool is_offered(const struct sasl_offer *o, size_t i)
{
    return (o->scram || !mechanisms[i].needs_keys) && (o->binding || !mechanisms[i].needs_binding) &&
           (o->login || !mechanisms[i].is_login);
}

void sasl_offer_write(struct buf *out, const struct sasl_offer *offer)
{
    for (size_t i = 0; i < MECHANISMS; i++)
        if (is_offered(offer, i))
            buf_printf(out, " %s", mechanisms[i].name);
}

struct str sasl_offered(const struct sasl_offer *offer, struct str name)
{
    for (size_t i = 0; i < MECHANISMS; i++)
        if (is_offered(offer, i) && str_same_nocase(name, str_from_c(mechanisms[i].name)))
            return str_from_c(mechanisms[i].name);
    return STR_NONE;
}
