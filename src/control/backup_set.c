#include "control/backup_set.h"

#include "base/codec.h"
#include "base/scoped.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdlib.h>

#define FORMAT 1
#define MOST_FILES 1000000
#define LONGEST_NAME 100
#define LONGEST_HOSTNAME 255
#define MOST_BYTES ((uint64_t)INT64_MAX) /* in all */

/* ---- check values ---- */

struct sum {
    EVP_MD_CTX *digest;
};

struct sum *sum_new(void)
{
    struct sum *s = must_alloc(sizeof(*s));

    s->digest = EVP_MD_CTX_new();
    if (!s->digest || !EVP_DigestInit_ex(s->digest, EVP_sha256(), NULL))
        abort();
    return s;
}

void sum_free(struct sum **s)
{
    if (!*s)
        return;
    EVP_MD_CTX_free((*s)->digest);
    free(*s);
    *s = NULL;
}

void sum_feed(struct sum *s, struct str bytes)
{
    if (bytes.n)
        EVP_DigestUpdate(s->digest, bytes.p, bytes.n);
}

void sum_end(struct sum *s, char hex[SHA256_HEX + 1])
{
    scoped(buf_free) struct buf b = buf_make(SHA256_HEX);
    unsigned char digest[SHA256_HEX / 2];

    EVP_DigestFinal_ex(s->digest, digest, NULL);
    hex_encode(&b, (struct str){(const char *)digest, sizeof(digest)});
    memcpy(hex, b.p, SHA256_HEX);
    hex[SHA256_HEX] = '\0';
}

static void sum_of(struct str bytes, char hex[SHA256_HEX + 1])
{
    scoped(sum_free) struct sum *s = sum_new();

    sum_feed(s, bytes);
    sum_end(s, hex);
}

/* ---- the set ---- */

void backup_set_free(struct backup_set *s)
{
    free(s->files);
    s->files = NULL;
    s->count = s->room = 0;
}

void backup_set_add(struct backup_set *s, struct str name, uint64_t size, const char *sha256)
{
    struct backup_line *l;

    if (s->count == s->room) {
        s->room = s->room ? s->room * 2 : 256;
        s->files = must_realloc(s->files, s->room * sizeof(*s->files));
    }
    l = &s->files[s->count++];
    *l = (struct backup_line){.name = str_copy(s->arena, name), .size = size};
    memcpy(l->sha256, sha256, SHA256_HEX);
}

const struct backup_line *backup_set_find(const struct backup_set *s, struct str name)
{
    for (size_t i = 0; i < s->count; i++)
        if (str_same(s->files[i].name, name))
            return &s->files[i];
    return NULL;
}

uint64_t backup_set_bytes(const struct backup_set *s)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < s->count; i++)
        bytes += s->files[i].size;
    return bytes;
}

void backup_set_write(const struct backup_set *s, struct buf *out)
{
    char hex[SHA256_HEX + 1];

    buf_printf(out, "posthorn-backup %d\nhostname %.*s\ntime %" PRIu64 "\nstore-format %" PRIu64 "\n",
               FORMAT, STR_ARG(s->hostname), s->time, s->store_format);
    for (size_t i = 0; i < s->count; i++)
        buf_printf(out, "file %s %" PRIu64 " %.*s\n", s->files[i].sha256, s->files[i].size,
                   STR_ARG(s->files[i].name));
    sum_of(buf_str(out), hex);
    buf_printf(out, "end %s\n", hex);
}

/* ---- reading it ---- */

static enum err fail_manifest(struct cx *cx)
{
    return fail(cx, ERR_DAMAGED, "the manifest is not as it was written: the backup is damaged");
}

/* "word value\n" */
static bool take_line(struct str *in, struct str word, struct str *value)
{
    struct str s = *in;

    if (!take_text(&s, word) || !take_char(&s, ' ') || !take_until(&s, '\n', value))
        return false;
    *in = s;
    return true;
}

static bool take_number(struct str *in, struct str word, uint64_t *number)
{
    struct str value;

    return take_line(in, word, &value) && parse_u64(value, number);
}

/* What a restore may write to: nobody's path leads out of the data directory. */
static bool is_good_name(struct str name)
{
    if (str_same(name, S("tls/cert.pem")) || str_same(name, S("tls/key.pem")) ||
        str_same(name, S("posthorn.conf")))
        return true;
    if (!take_text(&name, S("store/")) || !name.n || name.n > LONGEST_NAME || name.p[0] == '.')
        return false;
    for (size_t i = 0; i < name.n; i++)
        if (!is_alpha(name.p[i]) && !is_digit(name.p[i]) && name.p[i] != '.' && name.p[i] != '_' &&
            name.p[i] != '-')
            return false;
    return true;
}

/* It is shown to people: nothing in it may steer a terminal. */
static bool is_good_hostname(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] > '~')
            return false;
    return s.n > 0 && s.n <= LONGEST_HOSTNAME;
}

static bool is_sum(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (hex_value(s.p[i]) < 0 || (s.p[i] >= 'A' && s.p[i] <= 'F'))
            return false;
    return s.n == SHA256_HEX;
}

/* *room: how many bytes the files from here on may have together. */
static bool take_file(struct str *in, struct backup_set *s, uint64_t *room)
{
    struct str line, sum;
    uint64_t size;

    if (!take_line(in, S("file"), &line) || !take_until(&line, ' ', &sum) || !is_sum(sum) ||
        !take_u64(&line, &size) || !take_char(&line, ' ') || !is_good_name(line) ||
        s->count == MOST_FILES || size > *room)
        return false;
    *room -= size;
    backup_set_add(s, line, size, sum.p);
    return true;
}

static bool take_end(struct str text, struct str in)
{
    struct str before = str_upto(text, text.n - in.n), said;
    char hex[SHA256_HEX + 1];

    if (!take_line(&in, S("end"), &said) || in.n)
        return false;
    sum_of(before, hex);
    return str_same(said, str_from_c(hex));
}

enum err backup_set_parse(struct cx *cx, struct str text, struct backup_set *s)
{
    struct str in = text;
    uint64_t format, room = MOST_BYTES;

    if (!take_number(&in, S("posthorn-backup"), &format))
        return fail_manifest(cx);
    if (format != FORMAT)
        return fail(cx, ERR_CONFIG, "the backup has format %" PRIu64 ", this program knows %d", format,
                    FORMAT);
    if (!take_line(&in, S("hostname"), &s->hostname) || !is_good_hostname(s->hostname) ||
        !take_number(&in, S("time"), &s->time) ||
        !take_number(&in, S("store-format"), &s->store_format))
        return fail_manifest(cx);
    s->hostname = str_copy(s->arena, s->hostname);
    while (str_starts(in, S("file ")))
        if (!take_file(&in, s, &room))
            return fail_manifest(cx);
    return take_end(text, in) ? OK : fail_manifest(cx);
}
