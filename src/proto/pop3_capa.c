#include "proto/pop3_capa.h"

#include "proto/sasl_mechanisms.h"

static bool always(const struct pop3_offer *o)
{
    (void)o;
    return true;
}

static bool stls(const struct pop3_offer *o)
{
    return o->stls;
}

static bool passwords(const struct pop3_offer *o)
{
    return o->passwords;
}

static void mechanisms(const struct pop3_offer *o, struct buf *out)
{
    sasl_offer_write(out, &(struct sasl_offer){.scram = o->scram});
}

static const struct {
    const char *line;
    bool (*is_offered)(const struct pop3_offer *o);
    void (*arguments)(const struct pop3_offer *o,
                      struct buf *out); /* each with the blank before it; NULL: none */
} capabilities[] = {
    {"TOP", always},                     /* RFC 1939 */
    {"UIDL", always},                    /* RFC 1939 */
    {"USER", passwords},                 /* RFC 1939 */
    {"SASL", passwords, mechanisms},     /* RFC 5034 */
    {"STLS", stls},                      /* RFC 2595 */
    {"RESP-CODES", always},              /* RFC 2449 §6.4 */
    {"AUTH-RESP-CODE", always},          /* RFC 3206 */
    {"PIPELINING", always},              /* RFC 2449 §6.6 */
    {"EXPIRE NEVER", always},            /* RFC 2449 §6.7: nothing is deleted but by its owner */
    {"UTF8 USER", always},               /* RFC 6856 §2: in names and passwords too */
    {"IMPLEMENTATION Posthorn", always}, /* RFC 2449 §6.9 */
};

void pop3_capa_write(struct buf *out, const struct pop3_offer *offer)
{
    for (size_t i = 0; i < sizeof(capabilities) / sizeof(*capabilities); i++)
        if (capabilities[i].is_offered(offer)) {
            buf_add_c(out, capabilities[i].line);
            if (capabilities[i].arguments)
                capabilities[i].arguments(offer, out);
            buf_add(out, S("\r\n"));
        }
    buf_add(out, S(".\r\n"));
}
