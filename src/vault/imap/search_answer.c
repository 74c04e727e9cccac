#include "vault/imap/search_answer.h"

#include "base/arena.h"
#include "vault/imap/place.h"

#include <inttypes.h>
#include <stdlib.h>

/* ---- which of them ---- */

struct slice {
    size_t first, n;
};

/* PARTIAL 1:500 from the front, -1:-500 from the end (RFC 9394 §3.1). */
static struct slice partial_of(const struct search_result *r)
{
    const struct imap_partial *p = &r->returns.partial;
    size_t first = p->first - 1, n = (size_t)p->last - p->first + 1;

    if (first >= r->n)
        return (struct slice){0, 0};
    if (n > r->n - first)
        n = r->n - first;
    return (struct slice){p->from_end ? r->n - first - n : first, n};
}

/* ---- numbers ---- */

/* As a sequence-set that keeps the order: only what counts up by one becomes a range (RFC 5267 §3.2). */
static void write_set(struct buf *out, const struct search_result *r, struct slice s)
{
    for (size_t k = 0; k < s.n;) {
        uint32_t first = r->v[s.first + k].name, last = first;

        while (++k < s.n && r->v[s.first + k].name == last + 1)
            last++;
        if (out->n && is_digit(out->p[out->n - 1]))
            buf_add_char(out, ',');
        buf_printf(out, last > first ? "%" PRIu32 ":%" PRIu32 : "%" PRIu32, first, last);
    }
}

static void write_plain(struct buf *out, const struct search_result *r)
{
    char digits[16];

    for (size_t k = 0; k < r->n; k++) {
        uint32_t v = r->v[k].name;
        size_t at = sizeof(digits);

        do
            digits[--at] = (char)('0' + v % 10);
        while (v /= 10);
        digits[--at] = ' ';
        buf_add(out, (struct str){digits + at, sizeof(digits) - at});
    }
}

/* What MODSEQ and "$" are about: the first, the last and the part that are told, if nothing is told of all (RFC 4731 §3.2,
 * RFC 9394 §3.2). */
static bool is_told(const struct search_result *r, const struct slice *part, size_t k)
{
    uint32_t options = r->returns.options;

    if (!(options & (IMAP_RETURN_MIN | IMAP_RETURN_MAX | IMAP_RETURN_PARTIAL)) ||
        options & (IMAP_RETURN_ALL | IMAP_RETURN_COUNT))
        return true;
    return (options & IMAP_RETURN_MIN && k == 0) || (options & IMAP_RETURN_MAX && k == r->n - 1) ||
           (k >= part->first && k < part->first + part->n);
}

static struct slice part_told(const struct search_result *r)
{
    return r->returns.options & IMAP_RETURN_PARTIAL ? partial_of(r) : (struct slice){0, 0};
}

/* Of those that are told; 0: there are none. */
static uint64_t modseq_of(const struct search_result *r)
{
    struct slice part = part_told(r);
    uint64_t most = 0;

    for (size_t k = 0; k < r->n; k++)
        if (r->v[k].modseq > most && is_told(r, &part, k))
            most = r->v[k].modseq;
    return most;
}

/* ---- ESEARCH ---- */

/* The range is written as it was asked for (RFC 9394 §3.1, §4). */
static void write_partial(struct buf *out, const struct search_result *r)
{
    const struct imap_partial *p = &r->returns.partial;
    const char *sign = p->from_end ? "-" : "";
    struct slice s = partial_of(r);

    buf_printf(out, " PARTIAL (%s%" PRIu32 ":%s%" PRIu32 " ", sign, p->backwards ? p->last : p->first,
               sign, p->backwards ? p->first : p->last);
    if (s.n)
        write_set(out, r, s);
    else
        buf_add(out, S("NIL"));
    buf_add_char(out, ')');
}

/* In the order of the messages that are told: of a part, those of its own (RFC 6203 §4, §6). */
static void write_relevancy(struct buf *out, const struct search_result *r)
{
    struct slice s = r->returns.options & IMAP_RETURN_PARTIAL ? partial_of(r) : (struct slice){0, r->n};

    buf_add(out, S(" RELEVANCY ("));
    for (size_t k = 0; k < s.n; k++)
        buf_printf(out, "%s%u", k ? " " : "", r->v[s.first + k].relevancy);
    buf_add_char(out, ')');
}

static void write_correlators(struct buf *out, struct imap *i, const struct search_result *r)
{
    buf_printf(out, "* ESEARCH (TAG \"%.*s\"", STR_ARG(r->tag));
    if (r->over_mailboxes) {
        buf_add(out, S(" MAILBOX "));
        place_name_write(i, out, r->at, r->mailbox);
        buf_printf(out, " UIDVALIDITY %" PRIu32, r->uid_validity);
    }
    buf_add(out, r->uid ? S(") UID") : S(")"));
}

/* What "RETURN ()" means, and rev2 without RETURN (RFC 4731 §3.1). */
static uint32_t options_of(const struct search_result *r)
{
    uint32_t options = r->returns.options;
    uint32_t results = IMAP_RETURN_MIN | IMAP_RETURN_MAX | IMAP_RETURN_ALL | IMAP_RETURN_COUNT |
                       IMAP_RETURN_PARTIAL | IMAP_RETURN_SAVE | IMAP_RETURN_RELEVANCY;

    return options & results ? options : options | IMAP_RETURN_ALL;
}

static void write_esearch(struct buf *out, struct imap *i, const struct search_result *r)
{
    uint32_t options = options_of(r);
    uint64_t modseq = r->with_modseq ? modseq_of(r) : 0;

    if ((r->over_mailboxes && !r->n) || !(options & ~(uint32_t)IMAP_RETURN_SAVE))
        return;
    write_correlators(out, i, r);
    if (options & IMAP_RETURN_MIN && r->n)
        buf_printf(out, " MIN %" PRIu32, r->v[0].name);
    if (options & IMAP_RETURN_MAX && r->n)
        buf_printf(out, " MAX %" PRIu32, r->v[r->n - 1].name);
    if (options & IMAP_RETURN_COUNT)
        buf_printf(out, " COUNT %zu", r->n);
    if (options & IMAP_RETURN_ALL && r->n) {
        buf_add(out, S(" ALL "));
        write_set(out, r, (struct slice){0, r->n});
    }
    if (options & IMAP_RETURN_PARTIAL)
        write_partial(out, r);
    if (options & IMAP_RETURN_RELEVANCY && r->n)
        write_relevancy(out, r);
    if (modseq)
        buf_printf(out, " MODSEQ %" PRIu64, modseq);
    buf_add(out, S("\r\n"));
}

void search_answer_write(struct buf *out, struct imap *i, const struct search_result *r)
{
    if (r->esearch) {
        write_esearch(out, i, r);
        return;
    }
    buf_add(out, r->kind == RESULT_SORT ? S("* SORT") : S("* SEARCH"));
    write_plain(out, r);
    if (r->with_modseq && r->n)
        buf_printf(out, " (MODSEQ %" PRIu64 ")", modseq_of(r));
    buf_add(out, S("\r\n"));
}

/* ---- SAVE ---- */

static int compare_uids(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

void search_saved(const struct search_result *r, struct imap_set_builder *out)
{
    struct slice part = part_told(r);
    uint32_t *uids = arena_array(r->arena, uint32_t, r->n);
    size_t n = 0;

    for (size_t k = 0; k < r->n; k++)
        if (is_told(r, &part, k))
            uids[n++] = r->v[k].uid;
    if (r->kind == RESULT_SORT && n)
        qsort(uids, n, sizeof(*uids), compare_uids);
    for (size_t k = 0; k < n; k++)
        imap_set_add(out, uids[k]);
}
