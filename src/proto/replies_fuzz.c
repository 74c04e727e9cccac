/* No input, however cut, gives a reply outside its limits; and the cuts change nothing. */
#include "proto/replies.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void note(struct buf *out, const struct reply *reply)
{
    assert(reply->code >= 200 && reply->code <= 599 && reply->text.n <= REPLY_TEXT_MAX);
    assert(reply->enhanced.n == 0 || reply->enhanced.p == reply->text.p);
    buf_printf(out, "%d ", reply->code);
    buf_add(out, reply->text);
}

static void read_all(struct str in, size_t cut, struct buf *out)
{
    struct replies r = replies_make();
    enum reply_result got = REPLY_NONE;
    struct reply reply;

    for (; in.n && got != REPLY_BROKEN; in = str_from(in, cut)) {
        struct str part = str_upto(in, cut);

        while ((got = take_reply(&r, &part, &reply)) == REPLY_TAKEN)
            note(out, &reply);
    }
    replies_free(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf whole = buf_make(BUF_UNLIMITED), cut_up = buf_make(BUF_UNLIMITED);
    struct str in = {(const char *)data, size};

    if (size < 2)
        return 0;
    in = str_from(in, 1);
    read_all(in, in.n, &whole);
    read_all(in, 1 + data[0] % 7, &cut_up);
    assert(str_same(buf_str(&whole), buf_str(&cut_up)));
    buf_free(&whole);
    buf_free(&cut_up);
    return 0;
}
