/* MAIL and RCPT, each parameter only where the server offers its extension. */
#include "gate/smtp/client_private.h"

#include "mail/address.h"
#include "proto/xtext.h"

#include <inttypes.h>

static void write_path(struct buf *out, const struct path *p)
{
    struct mailbox m = {p->local_part, p->domain};

    buf_add_char(out, '<');
    mailbox_write(out, &m);
    buf_add_char(out, '>');
}

bool client_path_is_sound(const struct path *p)
{
    struct buf b = buf_make(PATH_MAX_LENGTH);
    struct mailbox m;
    bool sound;

    if (!p->local_part.n)
        return !p->domain.n;
    mailbox_write(&b, &(struct mailbox){p->local_part, p->domain});
    sound =
        !b.full && is_mailbox(buf_str(&b), ADDRESS_UTF8, &m) && str_same(m.local_part, p->local_part);
    buf_free(&b);
    return sound;
}

/* RFC 3461 §4.3, §4.4 */
static void write_mail_dsn(struct buf *out, const struct mail_params *p)
{
    if (p->ret == 'F' || p->ret == 'H')
        buf_add(out, p->ret == 'F' ? S(" RET=FULL") : S(" RET=HDRS"));
    if (p->envid.n) {
        buf_add(out, S(" ENVID="));
        xtext_encode(out, p->envid);
    }
}

void client_write_mail(struct client *c)
{
    const struct client_message *m = c->message;

    buf_add(c->out, S("MAIL FROM:"));
    write_path(c->out, &m->reverse_path);
    if (c->offers.size)
        buf_printf(c->out, " SIZE=%" PRIu64, m->params.size);
    /* RFC-GAP: RFC 6152 §3 asks for a conversion to 7 bits where 8BITMIME is not offered. It would break
     * signatures, and who still does not offer it passes eight bits all the same. */
    if (m->has_8bit && c->offers.eightbitmime)
        buf_add(c->out, S(" BODY=8BITMIME"));
    if (m->needs_smtputf8)
        buf_add(c->out, S(" SMTPUTF8"));
    if (c->offers.dsn)
        write_mail_dsn(c->out, &m->params);
    buf_add(c->out, S("\r\n"));
}

/* RFC 3461 §4.1 */
static void write_notify(struct buf *out, uint32_t notify)
{
    static const struct {
        uint32_t bit;
        const char *word;
    } words[] = {{NOTIFY_SUCCESS, "SUCCESS"}, {NOTIFY_FAILURE, "FAILURE"}, {NOTIFY_DELAY, "DELAY"}};
    const char *divider = " NOTIFY=";

    if (notify & NOTIFY_NEVER) {
        buf_add(out, S(" NOTIFY=NEVER"));
        return;
    }
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        if (notify & words[i].bit) {
            buf_add_c(out, divider);
            buf_add_c(out, words[i].word);
            divider = ",";
        }
}

/* RFC 3461 §4.2, and RFC 6533 §3 for the type utf-8. orcpt is "type;address" in its plain form. */
static void write_orcpt(struct buf *out, struct str orcpt, bool smtputf8)
{
    struct str address = orcpt, type;

    if (!take_until(&address, ';', &type) || !type.n || !address.n)
        return;
    buf_add(out, S(" ORCPT="));
    buf_add(out, type);
    buf_add_char(out, ';');
    if (str_same_nocase(type, S("utf-8")))
        unitext_encode(out, address, !smtputf8);
    else
        xtext_encode(out, address);
}

void client_write_rcpt(struct client *c, const struct work_rcpt *r)
{
    buf_add(c->out, S("RCPT TO:"));
    write_path(c->out, &r->to);
    if (c->offers.dsn) {
        write_notify(c->out, r->notify);
        write_orcpt(c->out, r->orcpt, c->message->needs_smtputf8);
    }
    buf_add(c->out, S("\r\n"));
}
