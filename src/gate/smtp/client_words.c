/* What a server says is kept as it is; its status comes with it (RFC 2034), or is made from the code. */
#include "gate/smtp/client_private.h"

#include "base/arena.h"

#include <stdio.h>

/* RFC 5321 §4.2.2 beside RFC 3463 §3, where the basic code says as much; any other code is X.0.0. */
static const struct {
    int code;
    const char *status;
} statuses[] = {
    {421, "4.3.2"}, {432, "4.7.12"}, {450, "4.2.0"}, {451, "4.3.0"}, {452, "4.3.1"},
    {454, "4.7.0"}, {455, "4.5.4"},  {500, "5.5.2"}, {501, "5.5.4"}, {502, "5.5.1"},
    {503, "5.5.1"}, {504, "5.5.4"},  {521, "5.3.2"}, {530, "5.7.0"}, {535, "5.7.8"},
    {551, "5.1.6"}, {552, "5.2.2"},  {553, "5.1.3"}, {555, "5.5.4"}, {556, "5.1.10"},
};

static struct str status_of(struct arena *a, const struct reply *r)
{
    char text[16];

    if (r->enhanced.n)
        return str_copy(a, r->enhanced);
    for (size_t i = 0; i < sizeof(statuses) / sizeof(*statuses); i++)
        if (statuses[i].code == r->code)
            return str_from_c(statuses[i].status);
    snprintf(text, sizeof(text), "%d.0.0", r->code / 100);
    return str_copy(a, str_from_c(text));
}

struct client_words client_words_of(struct arena *a, const struct reply *r)
{
    struct buf b = buf_make(CLIENT_REPLY_MAX);
    struct client_words words;

    buf_printf(&b, "%d", r->code);
    if (r->text.n)
        buf_add_char(&b, ' ');
    buf_add(&b, str_upto(r->text, CLIENT_REPLY_MAX - b.n));
    words = (struct client_words){status_of(a, r), str_copy(a, buf_str(&b)), true};
    buf_free(&b);
    return words;
}

struct client_words client_words_own(struct arena *a, struct str status, struct str text)
{
    return (struct client_words){str_copy(a, status), str_copy(a, str_upto(text, CLIENT_REPLY_MAX)),
                                 false};
}
