/* IMAP after sign-on, fed anything: the first byte chooses how it is cut, what follows is what the client says. The account
 * and its three messages are real, on the memory engine. Whatever a client says, the answer consists of whole lines, it
 * never waits without an answer being complete, and the session can be closed. */
#include "vault/imap/testing.h"

#include "base/arena.h"
#include "base/log.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void add_mails(void)
{
    world_mail(S("From: a@b.test\r\nSubject: one\r\n\r\nhello\r\n"));
    world_mail(S(
        "Subject: two\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b\r\n"
        "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        "Z3LDvG4K\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\ndeep\r\n--b--\r\n"));
    world_mail(S("broken"));
}

/* The world is made once: that takes longer than most of what a client says. */
static void start(void)
{
    static bool made;

    if (!made) {
        log_start("fuzz", LOG_ERROR + 1);
        world.cx.arena = arena_new(0);
        world_start();
        add_mails();
        world_keep();
        made = true;
    }
    world_start_again();
}

static void say(struct driven *d, struct str bytes)
{
    struct buf replies = buf_make(BUF_UNLIMITED);
    size_t before;

    do {
        before = bytes.n;
        driven_feed(d, &bytes, &replies);
    } while (bytes.n && bytes.n < before && d->wish == SESSION_MORE);
    driven_wake(d, &replies);
    assert(replies.n == 0 || str_ends_nocase(buf_str(&replies), S("\r\n")));
    buf_free(&replies);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str in = {(const char *)data, size};
    struct driven d = {0};
    size_t step;

    if (size < 2)
        return 0;
    start();
    d.who = world.fred;
    step = data[0] ? data[0] : size;
    say(&d, S("a SELECT INBOX\r\n"));
    for (in = str_from(in, 1); in.n && d.wish == SESSION_MORE; in = str_from(in, step))
        say(&d, str_upto(in, step));
    driven_close(&d);
    world_stop();
    return 0;
}
