/* Whatever a server says and a message holds, the report is three parts, of lines that SMTP takes. */
#include "mail/report.h"

#include "mail/mime.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct str take_field(struct str *in)
{
    struct str field;

    if (!take_until(in, '|', &field)) {
        field = *in;
        in->n = 0;
    }
    return field;
}

static void check(struct str report, bool full)
{
    struct mime m = mime_make();
    size_t parts = 0;

    mime_feed(&m, report);
    mime_end(&m);
    for (size_t i = 1; i < m.count; i++)
        parts += m.parts[i].parent == 0;
    assert(m.parts[0].kind == MIME_MULTIPART && parts == 3 && (full || m.count == 4));
    mime_free(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str in = {(const char *)data, size};
    struct report_recipient rcpt = {.action = size ? data[0] % 5 : 0};
    struct report r = {.hostname = S("h.test"),
                       .from = S("a@h.test"),
                       .to = S("b@h.test"),
                       .unique = S("u"),
                       .smtputf8 = size && data[0] & 8,
                       .full = size && data[0] & 16,
                       .recipients = &rcpt,
                       .recipient_count = 1};
    struct buf out = buf_make(BUF_UNLIMITED);

    in = str_from(in, 1);
    rcpt.address = take_field(&in);
    rcpt.orcpt = take_field(&in);
    rcpt.status = take_field(&in);
    rcpt.server = take_field(&in);
    rcpt.reply = take_field(&in);
    rcpt.reason = take_field(&in);
    r.envid = take_field(&in);
    r.original = in;
    report_write(&out, &r);
    check(buf_str(&out), r.full);
    buf_free(&out);
    return 0;
}
