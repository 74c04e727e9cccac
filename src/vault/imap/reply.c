#include "vault/imap/imap.h"

#include "base/arena.h"
#include "base/log.h"

#include <inttypes.h>

struct imap_parse *imap_parsing(struct imap *i)
{
    i->parse = imap_parse_make(i->arena, imap_is_utf8(i));
    return &i->parse;
}

static enum err reply(struct imap *i, const char *cond, const char *code, const char *text)
{
    i->run.cond = cond;
    i->run.text = str_copy(i->arena, str_from_c(text));
    if (code) {
        buf_clear(&i->run.code);
        buf_add_c(&i->run.code, code);
    }
    return OK;
}

enum err reply_ok(struct imap *i, const char *text)
{
    return reply(i, "OK", NULL, text);
}

enum err reply_no(struct imap *i, const char *code, const char *text)
{
    return reply(i, "NO", code, text);
}

enum err reply_gone(struct imap *i)
{
    return reply(i, i->run.lowest ? "OK" : "NO", "EXPUNGEISSUED", GONE_TEXT);
}

enum err reply_read_only(struct imap *i)
{
    return reply_no(i, "READ-ONLY", "this mailbox was opened to be read only");
}

enum err reply_bad(struct imap *i, const char *text)
{
    return reply(i, "BAD", NULL, text);
}

enum err reply_bad_code(struct imap *i, const char *code, const char *text)
{
    return reply(i, "BAD", code, text);
}

enum err reply_misread(struct imap *i)
{
    const char *why = i->parse.why ? i->parse.why : "the arguments are not understood";

    return i->parse.code ? reply_no(i, i->parse.code, why) : reply_bad(i, why);
}

struct buf *reply_code(struct imap *i)
{
    return &i->run.code;
}

void imap_say(struct imap *i, const char *cond, const char *code, const char *text)
{
    imap_untagged(&i->s->out, cond, str_from_c(code), str_from_c(text), imap_is_utf8(i));
}

/* What a client asks for and cannot have is no news for the operator. */
static bool is_trouble(enum err e)
{
    switch (e) {
    case ERR_DAMAGED:
    case ERR_CONFIG:
    case ERR_SYSTEM:
    case ERR_BUG:
        return true;
    case ERR_MAILBOX_FULL:
    case ERR_CHANGED:
    case ERR_LIMIT:
        return false;
    default:
        return err_is_temporary(e);
    }
}

void imap_log_failure(struct imap *i, enum err e)
{
    log_line(is_trouble(e) ? LOG_WARNING : LOG_DEBUG, "imap-failed",
             "account=%" PRIu64 " address=%s command=%s error=%s cause=%s", i->s->who.account.v,
             i->s->who.client, log_value(i->run.command.name), err_row(e)->name,
             log_value(str_from_c(i->s->cx->cause)));
}
