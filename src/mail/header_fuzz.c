/* The fields of a header are all of it, none overlaps another; and a filter's output does not depend on the cuts. */
#include "mail/submission.h"

#include "mail/date.h"
#include "mail/message_id.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_fields(struct str message)
{
    struct buf line = buf_make(BUF_UNLIMITED);
    struct str rest = message, id;
    const char *next = message.p;
    struct header_field f;
    int64_t ms;
    int zone;

    while (take_header_field(&rest, &f)) {
        assert(f.whole.p == next && f.name.n + f.body.n <= f.whole.n);
        next += f.whole.n;
        header_unfold(&line, f.body);
        date_parse(f.body, &ms, &zone);
        while (take_message_id(&f.body, &id))
            assert(id.n > 2);
    }
    assert(rest.p == next && header_length(message) >= message.n - rest.n);
    buf_free(&line);
}

static void filter(struct str in, size_t cut, const struct submission_fixes *fixes, struct buf *out)
{
    struct submission_filter f = submission_filter_make(fixes);

    for (; in.n; in = str_from(in, cut))
        submission_feed(&f, str_upto(in, cut), out);
    submission_end(&f, out);
    submission_filter_free(&f);
}

static void check_filter(struct str in, size_t cut)
{
    struct submission_fixes fixes = {S("<1@a.test>"), S("Sun, 22 Nov 2026 04:31:40 +0000")};
    struct buf whole = buf_make(BUF_UNLIMITED), cut_up = buf_make(BUF_UNLIMITED),
               plain = buf_make(BUF_UNLIMITED);

    filter(in, in.n, &fixes, &whole);
    filter(in, cut, &fixes, &cut_up);
    filter(in, cut, NULL, &plain);
    assert(str_same(buf_str(&whole), buf_str(&cut_up)));
    assert(str_same(str_from(buf_str(&plain), is_wsp(in.p[0]) ? 2 : 0), in));
    assert(count_header_fields(buf_str(&whole), S("Date")) >= 1);
    assert(count_header_fields(buf_str(&whole), S("Bcc")) == 0);
    buf_free(&whole);
    buf_free(&cut_up);
    buf_free(&plain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str in = {(const char *)data, size};

    if (size < 2)
        return 0;
    in = str_from(in, 1);
    read_fields(in);
    check_filter(in, 1 + data[0] % 7);
    return 0;
}
