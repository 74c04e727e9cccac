/* Reports are messages of our own: a body, and an entry in the queue, written in the transaction of what they tell.
 * They go to the reverse-path, under the null reverse-path, so nothing ever answers them. */
#include "mail/report.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/scoped.h"
#include "config/config.h"
#include "mail/idna.h"
#include "vault/queue/queue.h"
#include "vault/store/body.h"
#include "vault/store/directory.h"
#include "vault/vault.h"

/* RFC 3461 §4.1: without NOTIFY failures and delays are told, success is not. */
static bool is_wanted(uint32_t notify, enum report_about about)
{
    if (notify & NOTIFY_NEVER)
        return false;
    if (about == ABOUT_FAILURE)
        return !notify || notify & NOTIFY_FAILURE;
    if (about == ABOUT_DELAY)
        return !notify || notify & NOTIFY_DELAY;
    return notify & NOTIFY_SUCCESS;
}

static enum report_action action_of(const struct entry_row *entry, enum report_about about)
{
    if (about == ABOUT_FAILURE)
        return REPORT_FAILED;
    if (about == ABOUT_DELAY)
        return REPORT_DELAYED;
    if (about == ABOUT_EXPANSION)
        return REPORT_EXPANDED;
    return entry->destination.n ? REPORT_RELAYED : REPORT_DELIVERED;
}

static size_t choose_recipients(struct cx *cx, const struct entry_row *entry, enum report_about about,
                                const bool *which, struct report_recipient *out)
{
    size_t n = 0;

    for (size_t i = 0; i < entry->rcpts_count; i++) {
        const struct entry_rcpt *r = &entry->rcpts[i];

        if (!which[i] || !is_wanted(r->notify, about))
            continue;
        out[n++] = (struct report_recipient){.action = action_of(entry, about),
                                             .address = path_text(cx, &r->to),
                                             .orcpt = r->orcpt,
                                             .status = r->status,
                                             .server = r->remote,
                                             .reply = r->remote.n ? r->last_reply : STR_NONE,
                                             .reason = r->remote.n ? STR_NONE : r->last_reply,
                                             .last_attempt_ms = now_ms(),
                                             .retry_until_ms = (int64_t)entry->expires};
    }
    return n;
}

static void put_body(struct txn *t, struct body_id id, struct str text)
{
    struct new_body b = {.id = id, .size = text.n};

    for (; text.n > BODY_PIECE; text = str_from(text, BODY_PIECE))
        body_put_ahead(t, id, b.ahead++, str_upto(text, BODY_PIECE));
    b.last = text;
    digest_of(text, b.sha256);
    body_put(t, &b);
}

/* Where the sender's mail goes: our own mailboxes, or another server. Where that cannot be read it is left to our own
 * deliverer, which tries again later: else the attempt that is told of here could not be settled, and the message it was about
 * would be sent again at once, for ever. */
static enum err find_destination(struct vault *v, struct cx *cx, const struct path *to,
                                 struct str *destination)
{
    scoped(view_close) struct view *view = view_open(v->engine);
    bool ours = false;
    enum err e;

    *destination = to->domain;
    if (!view)
        return fail(cx, ERR_STORE, "the store is closed");
    if (!domain_to_ascii(cx->arena, to->domain, destination))
        return OK;
    e = directory_is_ours(view, cx, *destination, &ours);
    if (ours || (e && e != ERR_STORE))
        *destination = LOCAL_DESTINATION;
    return e == ERR_STORE ? e : OK;
}

static void put_entry(struct txn *t, struct body_id id, const struct entry_row *about,
                      struct str destination, struct str text)
{
    struct entry_rcpt to = {.to = about->reverse_path, .notify = NOTIFY_NEVER, .state = RCPT_WAITING};
    struct new_entry e = {.id = {id.v, 1},
                          .destination = destination,
                          .params = {.smtputf8 = about->params.smtputf8 && !is_ascii(text),
                                     .utf8_header = about->params.smtputf8 && !is_ascii(text),
                                     .eightbit = !is_ascii(text)},
                          .size = text.n,
                          .rcpts = &to,
                          .rcpts_count = 1};

    queue_add(t, settings(), &e);
}

static void put_trace(struct txn *t, struct cx *cx, struct entry_id id, const struct entry_row *entry,
                      struct body_id report)
{
    struct trace_event ev = {.kind = TRACE_REPORTED,
                             .message = {id.body},
                             .entry = id.n,
                             .to = path_text(cx, &entry->reverse_path)};
    char text[ID_TEXT_SIZE], about[ID_TEXT_SIZE];

    id_text(report.v, text);
    id_text(id.body, about);
    ev.text = str_copy(cx->arena, str_from_c(text));
    trace_put(t, &ev);
    log_line(LOG_INFO, "reported", "id=%s about=%s to=%s", text, about, log_value(ev.to));
}

/* RFC 3461 §4.3: RET speaks of failures only; of other reports the header is enough. Who did not say gets the message
 * back, as people expect when mail returns. */
static bool returns_all(const struct entry_row *entry, enum report_about about, struct str head)
{
    return about == ABOUT_FAILURE && entry->params.ret != 'H' && entry->size == head.n;
}

/* A sender whose address is not ASCII is reached by SMTPUTF8 or not at all. */
static bool must_be_ascii(const struct entry_row *entry, struct str destination)
{
    return !str_same(destination, LOCAL_DESTINATION) && is_ascii(entry->reverse_path.local_part) &&
           is_ascii(entry->reverse_path.domain);
}

static void write_report(struct buf *out, struct cx *cx, const struct entry_row *entry, bool full,
                         bool seven_bit, struct str head, struct body_id id,
                         const struct report_recipient *recipients, size_t n)
{
    char unique[ID_TEXT_SIZE];
    struct report r = {.hostname = settings()->hostname,
                       .from = settings()->postmaster,
                       .to = path_text(cx, &entry->reverse_path),
                       .date_ms = now_ms(),
                       .arrival_ms = (int64_t)entry->arrived,
                       .envid = entry->params.envid,
                       .original = head,
                       .full = full,
                       .smtputf8 = entry->params.smtputf8,
                       .seven_bit = seven_bit,
                       .recipients = recipients,
                       .recipient_count = n};

    id_text(id.v, unique);
    r.unique = str_from_c(unique);
    report_write(out, &r);
}

enum err report_add_from(struct vault *v, struct txn *t, struct cx *cx, struct entry_id id,
                         const struct entry_row *entry, enum report_about about, const bool *which,
                         struct str head)
{
    struct report_recipient *recipients =
        arena_array(cx->arena, struct report_recipient, entry->rcpts_count);
    size_t n = choose_recipients(cx, entry, about, which, recipients);
    scoped(buf_free) struct buf text = buf_make(16 * 1024 * 1024);
    struct body_id report = {fresh_id()};
    struct str destination;
    enum err e;

    if (!n || !entry->reverse_path.local_part.n)
        return OK;
    e = find_destination(v, cx, &entry->reverse_path, &destination);
    if (e)
        return e;
    write_report(&text, cx, entry, returns_all(entry, about, head), must_be_ascii(entry, destination),
                 head, report, recipients, n);
    if (text.full)
        return fail(cx, ERR_BUG, "a report of more than 16 MiB");
    put_body(t, report, str_copy(cx->arena, buf_str(&text)));
    put_entry(t, report, entry, destination, buf_str(&text));
    put_trace(t, cx, id, entry, report);
    return OK;
}

enum err report_add(struct vault *v, struct txn *t, struct cx *cx, struct entry_id id,
                    const struct entry_row *entry, enum report_about about, const bool *which)
{
    struct str head = STR_NONE;
    bool any = false;

    for (size_t i = 0; i < entry->rcpts_count; i++)
        any |= which[i] && is_wanted(entry->rcpts[i].notify, about);
    if (!any || !entry->reverse_path.local_part.n)
        return OK;
    if (entry->size) {
        scoped(view_close) struct view *view = view_open(v->engine);
        enum err e =
            view ? body_piece(view, cx, (struct body_id){id.body}, entry->size, 0, &head) : ERR_STORE;

        if (e == ERR_STORE)
            return e;
        if (e) /* the report is worth more than the header it would quote */
            head = STR_NONE;
    }
    return report_add_from(v, t, cx, id, entry, about, which, head);
}
