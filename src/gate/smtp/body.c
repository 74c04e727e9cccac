/* The body of a message, on its way from the wire to the vault: dots away (DATA), submission's mends, the MIME tree,
 * and into a buffer of one piece. Most mail is one piece and leaves with `deliver`; what is longer goes ahead piece
 * by piece. In front stands our Received field, which is part of the body that everybody shares.
 *
 * Whatever goes wrong on the way is remembered and told at the end, for until then the peer is not listening
 * (DATA) or must be heard out (BDAT, RFC 3030 §2). From then on the rest is only counted. */
#include "gate/smtp/session.h"

#include "base/clock.h"
#include "base/log.h"
#include "gate/answers.h"
#include "gate/smtp/params.h"
#include "mail/date.h"
#include "mail/idna.h"
#include "mail/message_id.h"
#include "mail/mime.h"
#include "mail/received.h"
#include "mail/submission.h"
#include "proto/dots.h"
#include "rpc/parts.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define RECEIVED_FIELDS_MAX 100 /* RFC 5321 §6.3: a loop, not a journey */
#define BUDGET_STEP ((size_t)16 * 1024)
#define HEADER_SLICE ((size_t)16 * 1024) /* so that what the filter gives at once stays small */

struct body {
    struct dots dots;
    struct submission_filter filter;
    struct mime mime;
    struct buf
        out; /* final bytes that the vault has not got yet: at most a piece, and a header for a moment */
    uint32_t pieces; /* sent ahead */
    uint64_t came;   /* octets, as RFC 1870 §3 counts them: without dots and without what we add */
    size_t charged;  /* to the budget */
    bool has_8bit;
    enum err failure;
    char cause[256];
};

/* ---- the budget: what all bodies under way take together ---- */

static atomic_size_t budget_left = (size_t)128 * 1024 * 1024;

void smtp_set_body_budget(size_t bytes)
{
    atomic_store(&budget_left, bytes);
}

static bool budget_take(size_t n)
{
    size_t left = atomic_load_explicit(&budget_left, memory_order_relaxed);

    while (left >= n)
        if (atomic_compare_exchange_weak(&budget_left, &left, left - n))
            return true;
    return false;
}

static bool body_charge(struct body *b, size_t bytes)
{
    size_t more;

    if (bytes <= b->charged)
        return true;
    more = (bytes - b->charged + BUDGET_STEP - 1) / BUDGET_STEP * BUDGET_STEP;
    if (!budget_take(more))
        return false;
    b->charged += more;
    return true;
}

/* The vault has it: what is left is for the log. */
static void body_sent(struct body *b)
{
    buf_free(&b->out);
    mime_free(&b->mime);
    atomic_fetch_add(&budget_left, b->charged);
    b->charged = 0;
}

/* Nothing of it will be needed. */
static void body_drop(struct body *b)
{
    submission_filter_free(&b->filter);
    body_sent(b);
}

uint64_t body_octets(const struct body *b)
{
    return b ? b->came : 0;
}

void body_free(struct body *b)
{
    if (b)
        body_drop(b);
    free(b);
}

static void body_fail(struct smtp *s, enum err e)
{
    struct body *b = s->body;

    if (b->failure)
        return;
    b->failure = e;
    snprintf(b->cause, sizeof(b->cause), "%s", s->cx.cause);
    body_drop(b);
}

/* ---- its beginning ---- */

/* RFC 5321 §4.4: local time with its offset. */
static int zone_minutes(int64_t ms)
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm tm;

    return localtime_r(&seconds, &tm) ? (int)(tm.tm_gmtoff / 60) : 0;
}

/* RFC-GAP: RFC 6531 §3.7.3 would have U-labels here (SHOULD) where MAIL said SMTPUTF8. But what goes on without it must
 * not hold them, and our own field would be all that keeps such a message from a server without SMTPUTF8. A local part
 * beyond ASCII does so anyway. */
static struct mailbox for_recipient(const struct envelope *e)
{
    struct mailbox one = {e->rcpts[0].to.local_part, e->rcpts[0].to.domain};

    if (is_ascii(one.local_part) && !is_ascii(one.domain))
        domain_to_ascii(e->arena, one.domain, &one.domain);
    return one;
}

static void write_received(struct smtp *s, struct buf *out, const char *id, int64_t now)
{
    const struct envelope *e = s->envelope;
    struct mailbox one = for_recipient(e);
    struct str tls = str_from_c(s->tls_text), version = STR_NONE;

    take_until(&tls, ' ', &version);
    received_write(out, &(struct received){
                            .helo = str_from_c(s->helo),
                            .client_address = s->role == SMTP_LOCAL ? STR_NONE : str_from_c(s->client),
                            .by = s->settings->hostname,
                            .esmtp = s->esmtp,
                            .auth = s->signed_on && has_auth(s),
                            .utf8 = e->params.smtputf8,
                            .tls_version = version,
                            .tls_cipher = tls,
                            .id = str_from_c(id),
                            /* For = "FOR" FWS ( Path / Mailbox ), and a bare name is neither */
                            .for_recipient = e->accepted == 1 && one.domain.n ? &one : NULL,
                            .date_ms = now,
                            .zone_minutes = zone_minutes(now),
                        });
}

/* RFC 6409 §8: what a mail program may leave to us. In the envelope's arena, for it outlives the filter. */
static struct submission_fixes make_fixes(struct smtp *s, const char *id, int64_t now)
{
    struct arena *a = s->envelope->arena;
    struct submission_fixes fixes;
    struct buf b = buf_make(1024);

    message_id_write(&b, str_from_c(id), s->settings->hostname);
    fixes.message_id = str_copy(a, buf_str(&b));
    buf_clear(&b);
    date_write(&b, now, zone_minutes(now));
    fixes.date = str_copy(a, buf_str(&b));
    buf_free(&b);
    return fixes;
}

/* At final bytes, once each. */
static void look_at(struct body *b, struct str bytes)
{
    b->has_8bit = b->has_8bit || !is_ascii(bytes);
    mime_feed(&b->mime, bytes);
}

static void body_begin(struct smtp *s)
{
    struct body *b = s->body = must_alloc(sizeof(*b));
    struct submission_fixes fixes = {0};
    int64_t now = now_ms();
    char id[ID_TEXT_SIZE];

    id_text(s->envelope->transaction.v, id);
    if (s->role != SMTP_MX)
        fixes = make_fixes(s, id, now);
    b->filter = submission_filter_make(s->role == SMTP_MX ? NULL : &fixes);
    b->out = buf_make(2 * BODY_PIECE + SUBMISSION_HEADER_MAX);
    b->mime = mime_make();
    if (!body_charge(b, BUDGET_STEP)) {
        body_fail(s, fail(&s->cx, ERR_NO_MEMORY, "the budget for bodies is used up"));
        return;
    }
    buf_reserve(&b->out, BUDGET_STEP);
    write_received(s, &b->out, id, now);
    look_at(b, buf_str(&b->out));
}

/* ---- its bytes ---- */

static void send_piece(struct smtp *s, struct body *b)
{
    struct body_piece_request q = {
        .transaction = s->envelope->transaction,
        .n = b->pieces,
        .piece = str_upto(buf_str(&b->out), BODY_PIECE),
    };
    struct body_piece_reply r;
    enum err e = vault_body_piece(&s->cx, &q, &r);

    if (e) {
        body_fail(s, e);
        return;
    }
    buf_take(&b->out, q.piece.n);
    b->pieces++;
}

/* Pieces leave until at most `most` bytes are left: only when it is sure that none of them is the last. */
static void send_pieces(struct smtp *s, struct body *b, size_t most)
{
    while (!b->failure && b->out.n > most)
        send_piece(s, b);
}

/* What is wrong with it as far as it has come. */
static enum err body_fault(const struct smtp *s, const struct body *b)
{
    if (b->dots.bare_cr || b->dots.bare_lf)
        return ERR_BARE_NEWLINE;
    if (b->dots.nul)
        return ERR_NUL_BYTE;
    if (b->came > s->settings->message_size)
        return ERR_TOO_BIG;
    if (b->filter.header_too_long)
        return ERR_HEADER_TOO_BIG;
    return b->filter.received_count >= RECEIVED_FIELDS_MAX ? ERR_MAIL_LOOP : OK;
}

static void body_check(struct smtp *s, const struct body *b)
{
    enum err e = body_fault(s, b);

    s->cx.cause[0] = '\0';
    if (e)
        body_fail(s, e);
}

/* What the filter appends is final: the tree's offsets count it. */
static void write_slice(struct smtp *s, struct body *b, struct str slice)
{
    size_t had = b->out.n;

    if (!body_charge(b, had + b->filter.header.n + slice.n)) {
        body_fail(s, fail(&s->cx, ERR_NO_MEMORY, "the budget for bodies is used up"));
        return;
    }
    submission_feed(&b->filter, slice, &b->out);
    look_at(b, str_from(buf_str(&b->out), had));
}

static void body_write(struct smtp *s, struct str bytes)
{
    struct body *b = s->body;

    b->came += bytes.n;
    if (b->failure)
        return;
    body_check(s, b);
    while (bytes.n && !b->failure) {
        struct str slice;

        send_pieces(s, b, BODY_PIECE - 1);
        slice = str_upto(bytes, b->filter.header_done ? BODY_PIECE - b->out.n : HEADER_SLICE);
        bytes = str_from(bytes, slice.n);
        if (!b->failure)
            write_slice(s, b, slice);
    }
}

/* ---- its end ---- */

static void body_finish(struct smtp *s)
{
    struct body *b = s->body;
    size_t had = b->out.n;

    if (b->failure)
        return;
    submission_end(&b->filter, &b->out);
    look_at(b, str_from(buf_str(&b->out), had));
    send_pieces(s, b, BODY_PIECE);
    if (!b->failure)
        body_check(s, b);
}

enum err ask_delivery(struct smtp *s, struct watch_id who)
{
    const struct envelope *e = s->envelope;
    struct body *b = s->body;
    struct deliver_request q = {
        .transaction = e->transaction,
        .session = s->session,
        .client = str_from_c(s->client),
        .helo = str_from_c(s->helo),
        .reverse_path = e->reverse_path,
        .params = e->params,
        .rcpts = e->rcpts,
        .rcpts_count = e->accepted,
        .pieces_before = b->pieces,
        .last = buf_str(&b->out),
    };
    struct rpc_channel *ch;
    enum err failure = answers_begin(&s->cx, CALL_deliver, &ch);

    if (failure)
        return failure;
    q.params.eightbit |= b->has_8bit;
    q.params.utf8_header = b->mime.utf8_header || (b->mime.is_cut && b->has_8bit);
    q.parts = body_parts_of(s->cx.arena, b->mime.parts, b->mime.count);
    q.parts_count = b->mime.count;
    pack_deliver_request(rpc_request(ch), &q);
    failure = answers_ask(&s->cx, ch, NULL, 0, who, &s->awaited);
    if (!failure)
        body_sent(b);
    return failure;
}

static void log_outcome(struct smtp *s, const char *id, enum err e, const struct deliver_reply *r)
{
    const char *from = log_value(str_from_c(path_text(s, &s->envelope->reverse_path)));
    const char *client = log_value(str_from_c(s->client));

    if (e)
        log_line(LOG_INFO, "message-refused",
                 "id=%s client=%s from=%s rcpts=%zu size=%" PRIu64 " error=%s cause=%s", id, client,
                 from, s->envelope->accepted, s->body->came, err_row(e)->name,
                 log_value(str_from_c(s->body->failure ? s->body->cause : s->cx.cause)));
    else
        log_line(LOG_INFO, "received",
                 "id=%s client=%s helo=%s from=%s rcpts=%zu size=%" PRIu64
                 " local=%u queued=%u message-id=%s",
                 id, client, log_value(str_from_c(s->helo)), from, s->envelope->accepted, s->body->came,
                 r->local, r->queued, log_value(s->body->filter.message_id));
}

static void message_over(struct smtp *s, enum err e, const struct deliver_reply *r)
{
    char id[ID_TEXT_SIZE];

    id_text(s->envelope->transaction.v, id);
    log_outcome(s, id, e, r);
    transaction_end(s, e != OK);
    s->steps++;
    if (e) {
        reply_error(s, e);
        return;
    }
    s->refusals = s->idle_commands = 0;
    reply(s, 250, "2.0.0", "ok, queued as %s", id);
}

/* The last byte has come. */
static void message_end(struct smtp *s)
{
    struct body *b = s->body;

    body_finish(s);
    if (b->failure) {
        message_over(s, b->failure, NULL);
        return;
    }
    mime_end(&b->mime);
    set_state(s, STATE_DELIVERING);
}

/* 250 only once it is durable (RFC 5321 §6.1), and the transaction is over either way. */
void delivery_answered(struct smtp *s, enum err e, struct str answer)
{
    struct deliver_reply r = {0};

    if (!e)
        e = read_deliver_reply(&s->cx, answer, &r);
    message_over(s, e, &r);
}

/* ---- DATA (RFC 5321 §4.1.1.4) ---- */

enum err cmd_data(struct smtp *s, struct str args)
{
    (void)args;
    body_begin(s);
    if (s->body->failure) { /* the peer can hear it before it has sent everything */
        enum err e = s->body->failure;

        body_free(s->body);
        s->body = NULL;
        return e;
    }
    set_state(s, STATE_IN_DATA);
    reply(s, 354, NULL, "end the message with <CRLF>.<CRLF>");
    return OK;
}

void feed_data(struct smtp *s, struct str *in)
{
    struct str piece;

    while (take_body(&s->body->dots, in, &piece))
        body_write(s, piece);
    if (s->body->dots.ended)
        message_end(s);
}

/* ---- BDAT (RFC 3030 §2) ---- */

/* Without a transaction that it could belong to, a chunk is swallowed all the same: its octets must not be taken for
 * commands, and some may be in the pipeline behind one that failed. */
static void swallowed(struct smtp *s)
{
    set_state(s, s->chunk_from);
    reply(s, 503, "5.5.1", "no transaction that this chunk could belong to");
}

static void chunk_end(struct smtp *s)
{
    struct body *b = s->body;

    if (!b) {
        swallowed(s);
        return;
    }
    if (s->chunk_last)
        body_done(&b->dots);
    if (s->chunk_last || b->failure) {
        message_end(s);
        return;
    }
    set_state(s, STATE_CHUNKS);
    reply(s, 250, "2.0.0", "%" PRIu64 " octets so far", b->came);
}

enum err cmd_bdat(struct smtp *s, struct str args)
{
    uint64_t size;
    bool last;

    if (!parse_bdat_args(args, &size, &last)) {
        /* where the chunk ends nobody knows, so nothing that follows can be trusted to be a command */
        mistake(s, 501, "5.5.4", "say BDAT size, or BDAT size LAST");
        set_state(s, STATE_ENDED);
        return OK;
    }
    if (s->state == STATE_RCPT)
        body_begin(s);
    s->chunk_from = s->state;
    s->chunk_left = size;
    s->chunk_last = last;
    set_state(s, STATE_IN_CHUNK);
    if (size == 0)
        chunk_end(s);
    return OK;
}

void feed_chunk(struct smtp *s, struct str *in)
{
    struct str piece = str_upto(*in, s->chunk_left < in->n ? (size_t)s->chunk_left : in->n);

    *in = str_from(*in, piece.n);
    s->chunk_left -= piece.n;
    if (s->body) {
        note_body(&s->body->dots, piece);
        body_write(s, piece);
    }
    if (s->chunk_left == 0)
        chunk_end(s);
}
