/* Commands about the session itself, not about mail. */
#include "vault/imap/commands.h"

#include "base/arena.h"
#include "base/log.h"
#include "config/config.h"
#include "vault/imap/notify.h"
#include "vault/imap/place.h"
#include "vault/imap/selected.h"

#include <inttypes.h>

enum err cmd_capability(struct imap *i, const struct imap_command *c)
{
    struct imap_offer offer;

    if (!parse_imap_no_args(imap_parsing(i), c->args))
        return reply_misread(i);
    imap_offers(i, &offer);
    buf_add(&i->s->out, S("* "));
    imap_capability_write(&i->s->out, &offer);
    buf_add(&i->s->out, S("\r\n"));
    return OK;
}

enum err cmd_noop(struct imap *i, const struct imap_command *c)
{
    return parse_imap_no_args(imap_parsing(i), c->args) ? OK : reply_misread(i);
}

enum err cmd_logout(struct imap *i, const struct imap_command *c)
{
    if (!parse_imap_no_args(imap_parsing(i), c->args))
        return reply_misread(i);
    imap_say(i, "BYE", NULL, "see you");
    i->run.then = LEAVING;
    return OK;
}

/* ---- ENABLE (RFC 5161) ---- */

void imap_enable(struct imap *i, uint32_t bits)
{
    bool had = imap_has_condstore(i);

    i->enabled |= bits;
    if (bits & IMAP_ENABLE_QRESYNC)
        i->enabled |= IMAP_ENABLE_CONDSTORE; /* RFC 7162 §3.2.3 */
    if (!had && imap_has_condstore(i) && i->selected)
        buf_printf(&i->s->out, "* OK [HIGHESTMODSEQ %" PRIu64 "] so far\r\n",
                   known_modseq(i->selected->known));
}

enum err cmd_enable(struct imap *i, const struct imap_command *c)
{
    struct imap_offer offer;
    struct imap_enable a;
    uint32_t bits = 0;

    if (!parse_imap_enable(imap_parsing(i), c->args, &a))
        return reply_misread(i);
    imap_offers(i, &offer);
    for (size_t n = 0; n < a.count; n++)
        bits |= imap_enable_bits(a.capabilities[n], &offer);
    /* RFC 6855 §3, RFC 9051 §6.3.1: names and numbers would change their meaning under the client */
    if (i->selected && bits & (IMAP_ENABLE_UTF8 | IMAP_ENABLE_REV2) & ~i->enabled)
        return reply_bad(i, "not while a mailbox is selected");
    bits &= ~i->enabled;
    buf_add(&i->s->out, S("* "));
    imap_enabled_write(&i->s->out, bits);
    buf_add(&i->s->out, S("\r\n"));
    imap_enable(i, bits);
    return notify_enabled(i);
}

/* ---- ID (RFC 2971) ---- */

enum err cmd_id(struct imap *i, const struct imap_command *c)
{
    struct imap_id a;
    struct str name = STR_NONE, version = STR_NONE;

    if (!parse_imap_id(imap_parsing(i), c->args, &a))
        return reply_misread(i);
    for (size_t n = 0; n < a.count; n++) {
        if (str_same_nocase(a.pairs[n].field, S("name")))
            name = a.pairs[n].value;
        if (str_same_nocase(a.pairs[n].field, S("version")))
            version = a.pairs[n].value;
    }
    if (name.n)
        log_line(LOG_DEBUG, "imap-id", "account=%" PRIu64 " name=%s version=%s", i->s->who.account.v,
                 log_value(name), log_value(version));
    buf_add(&i->s->out, S("* ID (\"name\" \"Posthorn\")\r\n"));
    return OK;
}

/* ---- NAMESPACE (RFC 2342) ---- */

enum err cmd_namespace(struct imap *i, const struct imap_command *c)
{
    if (!parse_imap_no_args(imap_parsing(i), c->args))
        return reply_misread(i);
    buf_add(&i->s->out, S("* NAMESPACE ((\"\" \"/\")) ((\"" OTHER_USERS "/\" \"/\")) ((\"" SHARED
                          "/\" \"/\"))\r\n"));
    return OK;
}

/* ---- IDLE (RFC 9051 §6.3.13) ---- */

/* The tag is all that is kept of the command, so that a session that idles costs little. */
static void keep_tag(struct imap *i, const struct imap_command *c)
{
    size_t n = c->tag.n;

    i->idle_tag = must_alloc(n + 1);
    memcpy(i->idle_tag, c->tag.p, n);
    i->run.command = (struct imap_command){.tag = {i->idle_tag, n}};
    arena_release(i->arena);
}

enum err cmd_idle(struct imap *i, const struct imap_command *c)
{
    if (!parse_imap_no_args(imap_parsing(i), c->args))
        return reply_misread(i);
    buf_add(&i->s->out, S("+ idling\r\n"));
    if (i->selected) {
        i->s->watched = &i->selected->at.account;
        i->s->watched_count = 1;
        i->s->watch_changed = true;
    }
    keep_tag(i, c);
    i->phase = IDLING;
    return OK;
}

/* ---- COMPRESS (RFC 4978), UNAUTHENTICATE (RFC 8437) ---- */

/* RFC-GAP: RFC 4978 §1 would have TLS offer compression as well (SHOULD). It gives away what is compressed beside a secret
 * (CRIME), and TLS 1.3 has none. */

enum err cmd_compress(struct imap *i, const struct imap_command *c)
{
    if (!parse_imap_compress(imap_parsing(i), c->args))
        return reply_misread(i);
    if (i->compressed) /* RFC 4978 §3: NO is for another layer that compresses */
        return reply_bad_code(i, "COMPRESSIONACTIVE", "COMPRESS is active already");
    i->run.then = COMPRESSING;
    return OK;
}

enum err cmd_unauthenticate(struct imap *i, const struct imap_command *c)
{
    if (!parse_imap_no_args(imap_parsing(i), c->args))
        return reply_misread(i);
    if (!i->s->store->config()->imap_unauthenticate)
        return reply_bad(i, "that is switched off here"); /* RFC 8437 §8 */
    selected_end(i);
    notify_end(i);
    i->run.then = SIGNING_OFF;
    return OK;
}
