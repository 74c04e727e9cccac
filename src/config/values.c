/* Each function takes one text and either writes a value or says what it would have liked instead. */
#include "config/values.h"

#include "base/clock.h"

#include <arpa/inet.h>
#include <limits.h>

#define LONGEST_HOST_NAME 253 /* RFC 1035 §2.3.4, without the root's dot */
#define LONGEST_LABEL 63
#define LONGEST_MAIL_ADDRESS 254 /* RFC 5321 §4.5.3.1.3 less the brackets */

static const char *const service_names[SERVICE_COUNT] = {
    [SERVICE_SMTP] = "smtp",
    [SERVICE_SUBMISSION] = "submission",
    [SERVICE_SUBMISSIONS] = "submissions",
    [SERVICE_IMAP] = "imap",
    [SERVICE_IMAPS] = "imaps",
    [SERVICE_POP3] = "pop3",
    [SERVICE_POP3S] = "pop3s",
};

const char *config_service_name(enum config_service s)
{
    return service_names[s];
}

static bool is_one_of(struct str s, const char *const *names, size_t n, size_t *which)
{
    for (size_t i = 0; i < n; i++)
        if (str_same(s, str_from_c(names[i]))) {
            *which = i;
            return true;
        }
    return false;
}

const char *config_parse_service(struct arena *a, struct str s, enum config_service *out)
{
    static const char *const later[] = {"managesieve", "http", "https"};
    size_t i;

    (void)a;
    if (is_one_of(s, later, sizeof(later) / sizeof(*later), &i))
        return "another service: this one is not in this version yet";
    if (!is_one_of(s, service_names, SERVICE_COUNT, &i))
        return "smtp, submission, submissions, imap, imaps, pop3 or pop3s";
    *out = (enum config_service)i;
    return NULL;
}

const char *config_parse_engine(struct arena *a, struct str s, struct str *out)
{
    if (str_starts(s, S("postgresql://")))
        return "\"rocksdb\": keeping mail in PostgreSQL is not in this version yet";
    if (!str_same(s, S("rocksdb")))
        return "\"rocksdb\", the only engine so far";
    *out = str_copy(a, s);
    return NULL;
}

const char *config_parse_text(struct arena *a, struct str s, struct str *out)
{
    if (s.n == 0)
        return "some text";
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
            return "text of one line, without control characters";
    *out = str_copy(a, s);
    return NULL;
}

const char *config_parse_path(struct arena *a, struct str s, struct str *out)
{
    if (s.n == 0 || s.n >= PATH_MAX)
        return "the path of a file or directory";
    *out = str_copy(a, s);
    return NULL;
}

/* Letters, digits and hyphens, no hyphen at either end (RFC 1123 §2.1); no dot at the end. Underscores do occur in
 * the names of hosts inside networks. */
static bool is_host_name(struct str s)
{
    size_t label = 0;

    for (size_t i = 0; i <= s.n; i++) {
        if (i == s.n || s.p[i] == '.') {
            if (label == 0 || label > LONGEST_LABEL || s.p[i - 1] == '-')
                return false;
            label = 0;
        } else if (is_alnum(s.p[i]) || s.p[i] == '_' || (s.p[i] == '-' && label > 0)) {
            label++;
        } else {
            return false;
        }
    }
    return s.n <= LONGEST_HOST_NAME;
}

const char *config_parse_host_name(struct arena *a, struct str s, struct str *out)
{
    if (!is_host_name(s))
        return "a host name, such as \"mail.example.com\" (an international one in its xn-- form)";
    *out = str_copy(a, s);
    return NULL;
}

const char *config_parse_mail_address(struct arena *a, struct str s, struct str *out)
{
    size_t at;
    bool good = s.n <= LONGEST_MAIL_ADDRESS && is_utf8(s) && str_rfind_char(s, '@', &at) && at > 0 &&
                is_host_name(str_from(s, at + 1));

    for (size_t i = 0; good && i < at; i++)
        good = (unsigned char)s.p[i] > ' ' && !strchr("<>()[],;:\\\"@\x7f", s.p[i]);
    if (!good)
        return "a mail address, such as \"postmaster@example.com\"";
    *out = str_copy(a, s);
    return NULL;
}

const char *config_parse_flag(struct arena *a, struct str s, bool *out)
{
    static const char *const words[] = {"false", "no", "off", "true", "yes", "on"};
    size_t i;

    (void)a;
    if (!is_one_of(s, words, sizeof(words) / sizeof(*words), &i))
        return "true or false";
    *out = i >= 3;
    return NULL;
}

const char *config_parse_log_level(struct arena *a, struct str s, enum log_level *out)
{
    static const char *const words[] = {"debug", "info", "warning", "error"};
    size_t i;

    (void)a;
    if (!is_one_of(s, words, sizeof(words) / sizeof(*words), &i))
        return "debug, info, warning or error";
    *out = (enum log_level)i;
    return NULL;
}

const char *config_parse_duration(struct arena *a, struct str s, int64_t *out)
{
    (void)a;
    return parse_duration(s, out) ? NULL : "a duration, such as \"90s\", \"15m\", \"4h\" or \"5d\"";
}

const char *config_parse_size(struct arena *a, struct str s, uint64_t *out)
{
    (void)a;
    return parse_size(s, out) ? NULL : "a size, such as \"512K\", \"50M\" or \"2G\"";
}

const char *config_parse_count(struct arena *a, struct str s, uint32_t *out)
{
    (void)a;
    return parse_u32(s, out) ? NULL : "a whole number";
}

const char *config_parse_port(struct arena *a, struct str s, uint16_t *out)
{
    uint32_t v;

    (void)a;
    if (!parse_u32(s, &v) || v == 0 || v > UINT16_MAX)
        return "a port, from 1 to 65535";
    *out = (uint16_t)v;
    return NULL;
}

/* IPv4 is mapped into the 16 bytes, so that one comparison serves both families. */
static bool read_address(struct arena *a, struct str s, uint8_t out[16], bool *is_v4)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    const char *c = str_to_c(a, s);

    *is_v4 = c && inet_pton(AF_INET, c, out + 12) == 1;
    if (*is_v4)
        memcpy(out, mapped, sizeof(mapped));
    return *is_v4 || (c && inet_pton(AF_INET6, c, out) == 1);
}

static bool is_address(struct arena *a, struct str s)
{
    uint8_t bytes[16];
    bool is_v4;

    return read_address(a, s, bytes, &is_v4);
}

const char *config_parse_address(struct arena *a, struct str s, struct str *out)
{
    if (!is_address(a, s))
        return "an address without port, such as \"192.0.2.1\" or \"2001:db8::1\"";
    *out = str_copy(a, s);
    return NULL;
}

/* "192.0.2.1:25", "[2001:db8::1]:25", and "mail.example.com:25" where a name will do. */
static bool read_host_port(struct arena *a, struct str s, bool name_allowed,
                           struct config_endpoint *out)
{
    bool bracketed = take_char(&s, '[');
    struct config_endpoint e = {STR_NONE, 0};
    struct str host;

    if (!take_until(&s, bracketed ? ']' : ':', &host) || (bracketed && !take_char(&s, ':')))
        return false;
    if (!is_address(a, host) && (bracketed || !name_allowed || !is_host_name(host)))
        return false;
    if (config_parse_port(a, s, &e.port))
        return false;
    e.host = str_copy(a, host);
    *out = e;
    return true;
}

const char *config_parse_endpoint(struct arena *a, struct str s, struct config_endpoint *out)
{
    return read_host_port(a, s, false, out)
               ? NULL
               : "an address and a port, such as \"127.0.0.1:25\" or \"[::]:25\"";
}

const char *config_parse_host_port(struct arena *a, struct str s, struct config_endpoint *out)
{
    return read_host_port(a, s, true, out) ? NULL
                                           : "a host and a port, such as \"smtp.isp.example:587\"";
}

const char *config_parse_dns_server(struct arena *a, struct str s, struct config_endpoint *out)
{
    struct config_endpoint e = {STR_NONE, 53};
    struct str host = s;
    bool has_port = take_until(&s, '@', &host);

    if (!is_address(a, host) || (has_port && config_parse_port(a, s, &e.port)))
        return "an address, such as \"192.0.2.53\" or \"127.0.0.1@5353\"";
    e.host = str_copy(a, host);
    *out = e;
    return NULL;
}

/* Whether what lies behind the prefix is zero: 192.168.1.1/16 is more likely a slip than a wish. */
static bool is_network_address(const struct config_range *r)
{
    for (unsigned bit = r->bits; bit < 128; bit++)
        if (r->address[bit / 8] & (0x80 >> bit % 8))
            return false;
    return true;
}

const char *config_parse_network(struct arena *a, struct str s, struct config_range *out)
{
    struct config_range r;
    struct str host = s;
    bool has_bits = take_until(&s, '/', &host), is_v4;
    uint32_t bits;

    if (!read_address(a, host, r.address, &is_v4))
        return "a network or an address, such as \"192.168.0.0/16\" or \"2001:db8::1\"";
    bits = is_v4 ? 32 : 128;
    if (has_bits && (!parse_u32(s, &bits) || bits > (is_v4 ? 32 : 128)))
        return is_v4 ? "a prefix from /0 to /32" : "a prefix from /0 to /128";
    r.bits = bits + (is_v4 ? 96 : 0);
    if (!is_network_address(&r))
        return "a network's own address: the bits behind the prefix must be zero";
    *out = r;
    return NULL;
}

bool config_range_holds(const struct config_range *r, const uint8_t address[16])
{
    unsigned bytes = r->bits / 8, rest = r->bits % 8;

    if (memcmp(r->address, address, bytes))
        return false;
    return rest == 0 || ((r->address[bytes] ^ address[bytes]) & (0xff << (8 - rest))) == 0;
}
