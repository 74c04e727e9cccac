#include "net/dns_answer.h"

#define MOST_NAME 253 /* RFC 1035 §3.1: 255 octets on the wire */
#define MOST_LABEL 63

static bool is_label(struct str s)
{
    if (s.n == 0 || s.n > MOST_LABEL)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!is_alnum(s.p[i]) && s.p[i] != '-' && s.p[i] != '_')
            return false;
    return true;
}

bool is_host_name(struct str name)
{
    struct str label;

    if (name.n && name.p[name.n - 1] == '.')
        name.n--;
    if (name.n == 0 || name.n > MOST_NAME)
        return false;
    while (take_until(&name, '.', &label))
        if (!is_label(label))
            return false;
    return is_label(name);
}

/* domain-name of RFC 1035 §3.1: labels behind their length, then an empty one. The root is an empty text.
 * Case means nothing, and some servers play with it. */
static bool parse_wire_name(struct arena *a, struct str in, struct str *out)
{
    char text[MOST_NAME + 2];
    size_t n = 0;

    for (;;) {
        unsigned char length;
        struct str label;

        if (in.n == 0)
            return false;
        length = (unsigned char)in.p[0];
        label = str_upto(str_from(in, 1), length);
        if (length == 0)
            break;
        if (!is_label(label) || label.n != length || n + length + 1 > sizeof(text))
            return false;
        memcpy(text + n, label.p, label.n);
        n += label.n;
        text[n++] = '.';
        in = str_from(in, 1u + length);
    }
    *out = n ? str_lower(a, (struct str){text, n - 1}) : S("");
    return in.n == 1;
}

/* RFC 1035 §3.3.9. */
static bool parse_mx(struct arena *a, struct str in, struct dns_mx *out)
{
    if (in.n < 3)
        return false;
    out->preference = (uint16_t)((unsigned char)in.p[0] << 8 | (unsigned char)in.p[1]);
    return parse_wire_name(a, str_from(in, 2), &out->exchange);
}

static void insert_mx(struct dns_mx *all, size_t count, struct dns_mx mx)
{
    for (; count > 0 && all[count - 1].preference > mx.preference; count--)
        all[count] = all[count - 1];
    all[count] = mx;
}

static void read_mx(struct arena *a, const struct dns_rdata *in, struct dns_answer *out)
{
    struct dns_mx *all = arena_array(a, struct dns_mx, RESOLVER_MOST_MX), mx;

    for (size_t i = 0; i < in->count && out->mx_count < RESOLVER_MOST_MX; i++)
        if (parse_mx(a, in->records[i], &mx))
            insert_mx(all, out->mx_count++, mx);
    out->mx = all;
}

static void read_addresses(struct arena *a, enum dns_type type, const struct dns_rdata *in,
                           struct dns_answer *out)
{
    struct endpoint *all = arena_array(a, struct endpoint, RESOLVER_MOST_ADDRESSES);
    size_t size = type == DNS_AAAA ? 16 : 4;

    for (size_t i = 0; i < in->count && out->address_count < RESOLVER_MOST_ADDRESSES; i++)
        if (in->records[i].n == size)
            all[out->address_count++] =
                type == DNS_AAAA ? endpoint_v6(in->records[i].p, 0) : endpoint_v4(in->records[i].p, 0);
    out->addresses = all;
}

bool dns_read_records(struct arena *a, enum dns_type type, const struct dns_rdata *in,
                      struct dns_answer *out)
{
    if (type == DNS_MX)
        read_mx(a, in, out);
    else
        read_addresses(a, type, in, out);
    return out->mx_count + out->address_count > 0;
}
