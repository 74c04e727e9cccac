/* The table of commands, and those that need no file of their own. The loop in server.c has looked at the row
 * before a handler runs: its state, its line's length, its argument's bytes. */
#include "gate/smtp/session.h"

#include "gate/smtp/params.h"
#include "proto/sasl_line.h"

#include <stdlib.h>

/* ---- EHLO and HELO (RFC 5321 §4.1.1.1) ---- */

/* What the peer calls itself is for the Received field and the log; nobody is turned away for it. Printing
 * characters are all we ask: Windows hosts say names with "_", and phones say anything. */
static bool take_helo(struct smtp *s, struct str args)
{
    struct str name;

    if (!take_word(&args, &name) || name.n > DOMAIN_MAX)
        return false;
    for (size_t i = 0; i < name.n; i++)
        if (!is_printable(name.p[i]))
            return false;
    free(s->helo);
    s->helo = must_alloc(name.n + 1);
    memcpy(s->helo, name.p, name.n);
    return true;
}

/* §4.1.4: as if RSET had been said; and it may stand in the midst of a session. */
static bool hello(struct smtp *s, struct str args, bool esmtp)
{
    if (!take_helo(s, args)) {
        mistake(s, 501, "5.5.4", "say %s and the name of your host", esmtp ? "EHLO" : "HELO");
        return false;
    }
    transaction_end(s, true);
    s->esmtp = esmtp;
    set_state(s, STATE_READY);
    return true;
}

static enum err cmd_ehlo(struct smtp *s, struct str args)
{
    if (hello(s, args, true))
        reply_ehlo(s);
    return OK;
}

static enum err cmd_helo(struct smtp *s, struct str args)
{
    if (hello(s, args, false))
        reply(s, 250, NULL, "%.*s", STR_ARG(s->settings->hostname));
    return OK;
}

/* ---- the small ones ---- */

static enum err cmd_rset(struct smtp *s, struct str args)
{
    (void)args;
    transaction_end(s, true);
    reply(s, 250, "2.0.0", "ok");
    return OK;
}

static enum err cmd_noop(struct smtp *s, struct str args)
{
    (void)args;
    reply(s, 250, "2.0.0", "ok");
    return OK;
}

static enum err cmd_quit(struct smtp *s, struct str args)
{
    (void)args;
    transaction_end(s, true);
    reply(s, 221, "2.0.0", "%.*s closing the connection", STR_ARG(s->settings->hostname));
    set_state(s, STATE_ENDED);
    return OK;
}

/* RFC 5321 §7.3: a site may have VRFY verify nobody, and then it answers 252; RCPT is the one place that tells. */
static enum err cmd_vrfy(struct smtp *s, struct str args)
{
    if (args.n == 0)
        mistake(s, 501, "5.5.4", "say VRFY and an address");
    else
        reply(s, 252, "2.0.0", "send some mail, I'll try my best"); /* the words of §3.5.3 and D.4 */
    return OK;
}

/* RFC 5321 §7.3 lets a site disable it, §4.5.1 does not ask for it: who is behind an alias is nobody's business. */
static enum err cmd_expn(struct smtp *s, struct str args)
{
    (void)args;
    mistake(s, 502, "5.5.1", "members of lists are not told");
    return OK;
}

static enum err cmd_help(struct smtp *s, struct str args)
{
    (void)args;
    reply(s, 214, "2.0.0", "EHLO HELO MAIL RCPT DATA BDAT RSET NOOP QUIT VRFY HELP%s%s: RFC 5321",
          offers_starttls(s) ? " STARTTLS" : "", offers_auth(s) ? " AUTH" : "");
    return OK;
}

/* ---- STARTTLS (RFC 3207) ---- */

static enum err cmd_starttls(struct smtp *s, struct str args)
{
    (void)args;
    if (s->tls) {
        mistake(s, 503, "5.5.1", "TLS is on already");
    } else if (!offers_starttls(s)) {
        mistake(s, 502, "5.5.1", "TLS is not offered here");
    } else {
        reply(s, 220, "2.0.0", "go ahead");
        signoff(s); /* RFC 3207 §4.2: it rests on what was said in the open */
        s->want = SMTP_TLS;
    }
    return OK;
}

/* ---- a browser, made to talk to us ---- */

/* A page can make a browser post to our port, and what it posts may hold SMTP commands. The request's first line
 * gives it away. */
static enum err cmd_http(struct smtp *s, struct str args)
{
    (void)args;
    reply(s, 421, "4.7.0", "this is a mail server");
    return OK;
}

#define TRANSACTION (STATE_MAIL | STATE_RCPT)

static const struct smtp_command commands[] = {
    /* RFC 5321 §4.1; which of them end a group of pipelined ones: RFC 2920 §3.1 */
    {"MAIL", STATE_READY, MAY_BE_UTF8, MAIL_LINE_MAX, cmd_mail},
    {"RCPT", TRANSACTION, JOINS_ENVELOPE | MAY_BE_UTF8, MAIL_LINE_MAX, cmd_rcpt},
    {"DATA", STATE_RCPT, ENDS_PIPELINE | NO_ARGUMENT, COMMAND_LINE_MAX, cmd_data},
    {"EHLO", ANY_STATE, ENDS_PIPELINE | LEADS_NOWHERE, COMMAND_LINE_MAX, cmd_ehlo},
    {"HELO", ANY_STATE, ENDS_PIPELINE | LEADS_NOWHERE, COMMAND_LINE_MAX, cmd_helo},
    {"RSET", ANY_STATE, NO_ARGUMENT | LEADS_NOWHERE, COMMAND_LINE_MAX, cmd_rset},
    {"NOOP", ANY_STATE, ENDS_PIPELINE | MAY_BE_UTF8 | LEADS_NOWHERE, COMMAND_LINE_MAX, cmd_noop},
    {"QUIT", ANY_STATE, ENDS_PIPELINE | NO_ARGUMENT, COMMAND_LINE_MAX, cmd_quit},
    {"VRFY", ANY_STATE, ENDS_PIPELINE | MAY_BE_UTF8 | LEADS_NOWHERE, COMMAND_LINE_MAX, cmd_vrfy},
    {"EXPN", ANY_STATE, ENDS_PIPELINE | MAY_BE_UTF8, COMMAND_LINE_MAX, cmd_expn},
    {"HELP", ANY_STATE, ENDS_PIPELINE | LEADS_NOWHERE, COMMAND_LINE_MAX, cmd_help},
    /* RFC 3030 §2: its chunk follows at once and has to be read whatever the state, so the handler looks at it */
    {"BDAT", ANY_STATE, CHUNK_FOLLOWS, COMMAND_LINE_MAX, cmd_bdat},
    /* RFC 3207 §4 */
    {"STARTTLS", STATE_START | STATE_READY, ENDS_PIPELINE | NO_ARGUMENT, COMMAND_LINE_MAX,
     cmd_starttls},
    /* RFC 4954 §4: after EHLO, and never within a transaction */
    {"AUTH", STATE_READY, ENDS_PIPELINE, SASL_LINE_MAX, cmd_auth},
    {"GET", ANY_STATE, 0, MAIL_LINE_MAX, cmd_http},
    {"POST", ANY_STATE, 0, MAIL_LINE_MAX, cmd_http},
    {"CONNECT", ANY_STATE, 0, MAIL_LINE_MAX, cmd_http},
};

const struct smtp_command *find_command(struct str name)
{
    for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
        if (str_same_nocase(name, str_from_c(commands[i].name)))
            return &commands[i];
    return NULL;
}

void wrong_order(struct smtp *s, const struct smtp_command *c)
{
    static const struct {
        enum smtp_state state;
        const char *text;
    } rows[] = {
        {STATE_START, "say EHLO first"},
        {STATE_READY, "say MAIL first"},
        {STATE_MAIL, "say RCPT first"},
        {STATE_RCPT, "a transaction is under way"},
        {STATE_CHUNKS, "after BDAT only BDAT or RSET"}, /* RFC 3030 §2 */
    };

    if (s->state == STATE_MAIL && c->run == cmd_data && s->envelope->refused) { /* RFC 5321 §3.3 */
        mistake(s, 554, "5.5.1", "no recipient was accepted");
        return;
    }
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (rows[i].state == s->state)
            mistake(s, 503, "5.5.1", "%s", rows[i].text);
}
