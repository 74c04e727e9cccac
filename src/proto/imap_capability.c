/* Conditions, and the table above them. */
#include "proto/imap_capability.h"

static bool always(const struct imap_offer *o)
{
    (void)o;
    return true;
}

static bool before_sign_on(const struct imap_offer *o)
{
    return !o->signed_on;
}

static bool after_sign_on(const struct imap_offer *o)
{
    return o->signed_on;
}

static bool starttls(const struct imap_offer *o)
{
    return !o->signed_on && o->starttls;
}

static bool passwords(const struct imap_offer *o)
{
    return !o->signed_on && o->passwords;
}

static bool no_passwords(const struct imap_offer *o)
{
    return !o->signed_on && !o->passwords;
}

static bool scram(const struct imap_offer *o)
{
    return passwords(o) && o->scram;
}

static bool scram_plus(const struct imap_offer *o)
{
    return scram(o) && o->binding;
}

static bool can_compress(const struct imap_offer *o)
{
    return o->signed_on && !o->compressed;
}

static bool unauthenticate(const struct imap_offer *o)
{
    return o->signed_on && o->unauthenticate;
}

static bool append_limit(const struct imap_offer *o)
{
    return o->signed_on && o->append_limit;
}

static bool message_limit(const struct imap_offer *o)
{
    return o->signed_on && o->message_limit;
}

static uint64_t append_limit_of(const struct imap_offer *o)
{
    return o->append_limit;
}

static uint64_t message_limit_of(const struct imap_offer *o)
{
    return o->message_limit;
}

struct capability {
    const char *keyword;
    bool (*is_offered)(const struct imap_offer *o);
    bool ready;
    uint32_t enables;
    uint64_t (*number)(const struct imap_offer *o); /* written behind the keyword */
};

#define CAP(keyword, when, ready, enables) {keyword, when, ready, enables, NULL},
#define CAP_OF(keyword, when, ready, number) {keyword, when, ready, 0, number},
static const struct capability capabilities[] = {
#include "proto/imap_capability.def"
};
#undef CAP
#undef CAP_OF
#define COUNT (sizeof(capabilities) / sizeof(*capabilities))

static bool is_announced(const struct capability *c, const struct imap_offer *offer)
{
    return c->ready && c->is_offered(offer);
}

void imap_capability_write(struct buf *out, const struct imap_offer *offer)
{
    buf_add(out, S("CAPABILITY"));
    for (const struct capability *c = capabilities; c < capabilities + COUNT; c++) {
        if (!is_announced(c, offer))
            continue;
        buf_add_char(out, ' ');
        buf_add_c(out, c->keyword);
        if (c->number)
            buf_add_u64(out, c->number(offer));
    }
}

static const struct capability *find(struct str keyword, const struct imap_offer *offer)
{
    for (const struct capability *c = capabilities; c < capabilities + COUNT; c++)
        if (is_announced(c, offer) && str_same_nocase(keyword, str_from_c(c->keyword)))
            return c;
    return NULL;
}

bool imap_is_capable(struct str keyword, const struct imap_offer *offer)
{
    return find(keyword, offer) != NULL;
}

uint32_t imap_enable_bits(struct str keyword, const struct imap_offer *offer)
{
    const struct capability *c = find(keyword, offer);
    uint32_t bits = c ? c->enables : 0;

    return bits & IMAP_ENABLE_QRESYNC ? bits | IMAP_ENABLE_CONDSTORE : bits;
}

void imap_enabled_write(struct buf *out, uint32_t bits)
{
    buf_add(out, S("ENABLED"));
    for (const struct capability *c = capabilities; c < capabilities + COUNT; c++)
        if (c->enables & bits) {
            buf_add_char(out, ' ');
            buf_add_c(out, c->keyword);
        }
}
