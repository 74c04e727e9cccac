#include "base/codec.h"

#include "base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(struct buf *out, struct str in)
{
    for (size_t i = 0; i < in.n; i += 3) {
        size_t left = in.n - i;
        uint32_t v = (uint32_t)(unsigned char)in.p[i] << 16;
        char four[4];

        if (left > 1)
            v |= (uint32_t)(unsigned char)in.p[i + 1] << 8;
        if (left > 2)
            v |= (unsigned char)in.p[i + 2];
        four[0] = alphabet[v >> 18];
        four[1] = alphabet[v >> 12 & 63];
        four[2] = left > 1 ? alphabet[v >> 6 & 63] : '=';
        four[3] = left > 2 ? alphabet[v & 63] : '=';
        buf_add(out, (struct str){four, 4});
    }
}

static int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (is_digit(c))
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool base64_decode(struct buf *out, struct str in)
{
    if (in.n % 4)
        return false;
    for (size_t i = 0; i < in.n; i += 4) {
        bool last = i + 4 == in.n;
        int pad = last && in.p[i + 3] == '=' ? (in.p[i + 2] == '=' ? 2 : 1) : 0;
        uint32_t v = 0;
        char three[3];

        for (int k = 0; k < 4; k++) {
            int digit = k >= 4 - pad ? 0 : base64_digit(in.p[i + (size_t)k]);

            if (digit < 0)
                return false;
            v = v << 6 | (uint32_t)digit;
        }
        if ((pad == 1 && (v & 0xff)) || (pad == 2 && (v & 0xffff)))
            return false;
        three[0] = (char)(v >> 16), three[1] = (char)(v >> 8), three[2] = (char)v;
        buf_add(out, (struct str){three, (size_t)(3 - pad)});
    }
    return true;
}

void hex_encode(struct buf *out, struct str in)
{
    static const char hex[] = "0123456789abcdef";

    for (size_t i = 0; i < in.n; i++) {
        buf_add_char(out, hex[(unsigned char)in.p[i] >> 4]);
        buf_add_char(out, hex[(unsigned char)in.p[i] & 15]);
    }
}

bool hex_decode(struct buf *out, struct str in)
{
    if (in.n % 2)
        return false;
    for (size_t i = 0; i < in.n; i += 2) {
        int hi = hex_value(in.p[i]), lo = hex_value(in.p[i + 1]);

        if (hi < 0 || lo < 0)
            return false;
        buf_add_char(out, (char)(hi << 4 | lo));
    }
    return true;
}

void random_bytes(void *p, size_t n)
{
    char *to = p;

    while (n) {
        ssize_t k = getrandom(to, n, 0);

        if (k < 0 && errno != EINTR) {
            log_line(LOG_ERROR, "random", "errno=%d error=\"no random bytes\"", errno);
            abort();
        }
        if (k > 0)
            to += k, n -= (size_t)k;
    }
}

uint64_t random_u64(void)
{
    uint64_t v;

    random_bytes(&v, sizeof(v));
    return v;
}

bool secret_same(struct str a, struct str b)
{
    volatile unsigned char different = 0;

    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        different |= (unsigned char)(a.p[i] ^ b.p[i]);
    return different == 0;
}
