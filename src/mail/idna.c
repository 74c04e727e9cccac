/* ASCII, which is nearly all mail, never reaches the libraries. */
#include "mail/idna.h"

#include "base/arena.h"

#include <idn2.h>
#include <stdlib.h>
#include <unicase.h>
#include <uninorm.h>

static bool give_ascii(struct arena *a, struct str domain, struct str *out)
{
    if (!is_domain(domain, 0) && !is_address_literal(domain))
        return false;
    *out = str_lower(a, domain);
    return true;
}

bool domain_to_ascii(struct arena *a, struct str domain, struct str *out)
{
    char *c, *ascii = NULL;
    bool good;

    if (is_ascii(domain))
        return give_ascii(a, domain, out);
    c = str_to_c(a, domain);
    if (!c || !is_utf8(domain) || domain.n > DOMAIN_MAX)
        return false;
    if (idn2_to_ascii_8z(c, &ascii, IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT) != IDN2_OK)
        return false;
    good = give_ascii(a, str_from_c(ascii), out);
    idn2_free(ascii);
    return good;
}

struct str domain_to_unicode(struct arena *a, struct str domain)
{
    char *c = str_to_c(a, domain), *unicode = NULL;
    struct str out;

    if (!c || domain.n > DOMAIN_MAX ||
        idn2_to_unicode_8z8z(c, &unicode, IDN2_NONTRANSITIONAL) != IDN2_OK)
        return domain;
    out = str_copy(a, str_from_c(unicode));
    idn2_free(unicode);
    return out;
}

/* Case folded and NFC, so that what two keyboards produce for one name meets (RFC 6532 §3.1, RFC 8265 §3.3). */
static bool fold(struct arena *a, struct str plain, struct str *out)
{
    uint8_t *folded;
    size_t n = 0;

    if (is_ascii(plain)) {
        *out = str_lower(a, plain);
        return true;
    }
    if (!is_utf8(plain))
        return false;
    folded = u8_casefold((const uint8_t *)plain.p, plain.n, NULL, UNINORM_NFC, NULL, &n);
    if (!folded)
        return false;
    *out = str_copy(a, (struct str){(const char *)folded, n});
    free(folded);
    return true;
}

static struct str unquoted(struct arena *a, struct str local_part)
{
    struct buf b = buf_make(local_part.n);
    struct str plain;

    local_part_unquote(&b, local_part);
    plain = str_copy(a, buf_str(&b));
    buf_free(&b);
    return plain;
}

bool address_key(struct arena *a, const struct mailbox *m, struct address_key *out)
{
    struct str plain = unquoted(a, m->local_part);
    struct address_key k = {.detail = STR_NONE, .domain = STR_NONE};
    size_t plus;

    if (!fold(a, plain, &k.local_part) || (m->domain.n && !domain_to_ascii(a, m->domain, &k.domain)))
        return false;
    k.user = k.local_part;
    if (str_find_char(k.local_part, '+', &plus) && plus > 0)
        k.user = str_upto(k.local_part, plus);
    if (str_find_char(plain, '+', &plus) && plus > 0)
        k.detail = str_from(plain, plus + 1);
    *out = k;
    return true;
}

void address_key_write(struct buf *out, const struct address_key *k)
{
    local_part_quote(out, k->local_part);
    if (k->domain.n) {
        buf_add_char(out, '@');
        buf_add(out, k->domain);
    }
}
