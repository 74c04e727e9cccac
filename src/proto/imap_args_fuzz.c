/* Any arguments of any command: what is understood of them can be written as a command again, and then says the same;
 * what is refused has a reason. The input is a command with its tag, which tells how names are spelled: "U" for UTF-8. */
#include "proto/imap_dump.h"

#include "proto/imap_name.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Upper case, as imap_dump() knows it; false: not a command of ours. */
static bool find_name(const struct imap_command *c, char out[64])
{
    for (size_t i = 0; i < imap_dump_count(); i++)
        if (str_same_nocase(c->name, imap_dump_name(i))) {
            snprintf(out, 64, "%s%.*s", c->uid ? "UID " : "", STR_ARG(imap_dump_name(i)));
            return true;
        }
    return false;
}

static void check_command(const struct imap_command *c, struct arena *arena)
{
    struct imap_parse p = imap_parse_make(arena, str_same(c->tag, S("U"))),
                      q = imap_parse_make(arena, true);
    struct buf first = buf_make(BUF_UNLIMITED), second = buf_make(BUF_UNLIMITED);
    char name[64];

    if (!find_name(c, name))
        return;
    if (imap_dump(&p, str_from_c(name), c->args, &first)) {
        assert(imap_dump(&q, str_from_c(name), buf_str(&first), &second));
        assert(str_same(buf_str(&first), buf_str(&second)));
    } else {
        assert(p.why && is_ascii(str_from_c(p.why)));
    }
    buf_free(&first);
    buf_free(&second);
}

/* A name that was read is written and read as itself, in either spelling. */
static void check_name(struct str wire, struct arena *arena)
{
    struct buf b = buf_make(BUF_UNLIMITED);
    struct str name, again;

    if (!imap_name_read(arena, wire, false, &name)) {
        assert(is_utf8(name));
        imap_utf7_encode(&b, name);
        if (!imap_name_check(name)) {
            assert(!imap_name_read(arena, buf_str(&b), false, &again) && str_same(name, again));
            assert(imap_pattern_matches(name, name));
        }
    }
    buf_free(&b);
}

/* Put in order, a set has the members it had. */
static void check_set(struct str in, struct arena *arena)
{
    struct imap_parse p = imap_parse_make(arena, false);
    struct imap_set set, ordered;
    uint32_t n, before = 0, max = 40;
    uint64_t size = 0;

    if (!take_imap_set(&p, &in, &set) || set.saved || set.count > 1000)
        return;
    ordered = imap_set_resolve(arena, &set, max, true);
    for (struct imap_set_walk w = {&ordered}; imap_set_next(&w, &n); before = n, size++)
        assert(n > before && n <= max && imap_set_has(&ordered, n));
    assert(size == imap_set_size(&ordered));
    for (n = 1; n <= max; n++) {
        bool found = false;

        for (size_t i = 0; i < set.count; i++) {
            uint32_t a = set.ranges[i].first ? set.ranges[i].first : max;
            uint32_t b = set.ranges[i].last ? set.ranges[i].last : max;

            found |= (n >= a && n <= b) || (n >= b && n <= a);
        }
        assert(found == imap_set_has(&ordered, n));
    }
}

static void check_literals(struct str text, struct arena *arena)
{
    struct imap_parse p = imap_parse_make(arena, false);
    struct imap_append_seen seen = {.at = 0};

    for (size_t n = 0; n <= text.n; n += 1 + text.n / 16)
        if (imap_literal_is_message(&p, str_upto(text, n), &seen))
            assert(seen.at <= n && seen.mailbox.p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new(0);
    struct str in = {(const char *)data, size};
    struct imap_command c;
    struct imap_url url;

    if (parse_imap_command(in, &c)) {
        check_command(&c, arena);
        check_name(str_from(c.args, 1), arena);
        check_set(str_from(c.args, 1), arena);
        if (parse_imap_url(arena, str_from(c.args, 1), S("a/b"),
                           &url)) /* one without a mailbox is relative */
            assert(url.uid && (url.mailbox.p || str_starts_nocase(str_from(c.args, 1), S(";UID="))));
    }
    check_literals(in, arena);
    arena_free(arena);
    return 0;
}
