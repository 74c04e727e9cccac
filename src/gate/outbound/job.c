/* One entry: its body in pieces, what became of its recipients, and the report. */
#include "gate/outbound/delivery.h"

#include "base/log.h"
#include "mail/idna.h"

static struct work copy_work(struct arena *arena, const struct work *work)
{
    struct buf b = buf_make(BUF_UNLIMITED);
    struct work copy = {0};
    struct unpack u;

    pack_work(&b, work);
    u = unpack_begin(str_copy(arena, buf_str(&b)));
    unpack_work(arena, &u, &copy);
    buf_free(&b);
    return copy;
}

/* RFC 6531 §3.2: a domain in A-labels may go to every server, and where SMTPUTF8 is offered either form will do. */
static void spell_domain(struct arena *arena, struct path *p)
{
    if (is_ascii(p->local_part) && !is_ascii(p->domain))
        domain_to_ascii(arena, p->domain, &p->domain);
}

static bool path_is_ascii(const struct path *p)
{
    return is_ascii(p->local_part) && is_ascii(p->domain);
}

static bool envelope_is_ascii(const struct work *w)
{
    if (!path_is_ascii(&w->reverse_path))
        return false;
    for (size_t i = 0; i < w->rcpts_count; i++)
        if (!path_is_ascii(&w->rcpts[i].to))
            return false;
    return true;
}

/* RFC 6531 §3.2: said if the message needs it, not because its sender could have used it. One that came without SMTPUTF8
 * and has such a header all the same goes on as it came, broken as it is. */
static bool needs_smtputf8(const struct work *w)
{
    return !envelope_is_ascii(w) || (w->params.smtputf8 && w->params.utf8_header);
}

void job_begin(struct job *j, const struct work *work)
{
    *j = (struct job){.arena = arena_new(0), .piece_arena = arena_new(0)};
    j->work = copy_work(j->arena, work);
    spell_domain(j->arena, &j->work.reverse_path);
    for (size_t i = 0; i < j->work.rcpts_count; i++)
        spell_domain(j->arena, &j->work.rcpts[i].to);
    j->remotes = arena_array(j->arena, struct str, j->work.rcpts_count);
    j->message =
        (struct client_message){.arena = j->arena,
                                .reverse_path = j->work.reverse_path,
                                .params = j->work.params,
                                .rcpts = arena_array(j->arena, struct client_rcpt, j->work.rcpts_count),
                                .rcpt_count = j->work.rcpts_count};
    for (size_t i = 0; i < j->work.rcpts_count; i++)
        j->message.rcpts[i].asked = &j->work.rcpts[i];
    j->message.has_8bit = j->work.params.eightbit;
    j->message.needs_smtputf8 = needs_smtputf8(&j->work);
}

bool job_is_decided(const struct job *j)
{
    for (size_t i = 0; i < j->message.rcpt_count; i++)
        if (!j->message.rcpts[i].outcome)
            return false;
    return true;
}

void job_note(struct job *j, struct client_words words, uint32_t outcome, struct str host)
{
    if (j->words_outcome == OUTCOME_DEFERRED && outcome == OUTCOME_FAILED)
        return; /* some host may take it later: that one's word counts */
    j->words = (struct client_words){str_copy(j->arena, words.status), str_copy(j->arena, words.reply),
                                     words.from_server};
    j->words_host = str_copy(j->arena, host);
    j->words_outcome = outcome;
}

enum err job_take_piece(struct cx *cx, struct job *j, uint32_t n)
{
    struct queue_piece_request q = {.entry = j->work.entry, .n = n};
    struct queue_piece_reply r;
    enum err e;

    j->piece_at = 0;
    if (j->has_piece && j->piece_n == n)
        return OK;
    j->has_piece = false;
    arena_reset(j->piece_arena);
    cx->arena = j->piece_arena;
    e = vault_queue_piece(cx, &q, &r);
    if (e) {
        j->is_unreadable = true;
        job_note(
            j,
            (struct client_words){S("4.3.0"), S("the message could not be read from the queue"), false},
            OUTCOME_DEFERRED, STR_NONE);
        return e;
    }
    j->piece = r.piece;
    j->piece_n = n;
    j->piece_last = r.last;
    j->has_piece = true;
    return OK;
}

/* ---- verdicts ---- */

void job_note_remotes(struct job *j, struct str host)
{
    for (size_t i = 0; i < j->message.rcpt_count; i++) {
        const struct client_rcpt *r = &j->message.rcpts[i];

        if (r->outcome && r->words.from_server && !j->remotes[i].n)
            j->remotes[i] = str_copy(j->arena, host);
    }
}

static void decide_the_rest(struct job *j)
{
    if (!j->words_outcome)
        job_note(j, (struct client_words){S("4.3.0"), S("the attempt was broken off"), false},
                 OUTCOME_DEFERRED, STR_NONE);
    for (size_t i = 0; i < j->message.rcpt_count; i++) {
        struct client_rcpt *r = &j->message.rcpts[i];

        if (r->outcome)
            continue;
        r->outcome = j->words_outcome;
        r->words = j->words;
        j->remotes[i] = j->words.from_server ? j->words_host : STR_NONE;
    }
}

static bool anybody_is_decided(const struct job *j)
{
    for (size_t i = 0; i < j->message.rcpt_count; i++)
        if (j->message.rcpts[i].outcome)
            return true;
    return false;
}

/* ---- the report ---- */

static void log_attempt(const struct job *j, const char *id)
{
    static const char *const names[] = {"", "delivered", "relayed", "failed", "deferred"};
    unsigned counts[5] = {0};
    struct buf outcome = buf_make(200);

    for (size_t i = 0; i < j->message.rcpt_count; i++)
        counts[j->message.rcpts[i].outcome]++;
    for (size_t i = OUTCOME_DELIVERED; i <= OUTCOME_DEFERRED; i++)
        if (counts[i])
            buf_printf(&outcome, "%s%s:%u", outcome.n ? "," : "", names[i], counts[i]);
    log_line(LOG_INFO, "attempt", "id=%s destination=%s host=%s address=%s tls=%s outcome=%.*s", id,
             log_value(j->work.destination), log_value(str_from_c(j->host)),
             log_value(str_from_c(j->address)), j->tls[0] ? j->tls : "no", STR_ARG(buf_str(&outcome)));
    buf_free(&outcome);
}

static void report(struct job *j)
{
    struct cx cx = {.arena = j->arena};
    struct queue_done_request q = {.entry = j->work.entry,
                                   .results =
                                       arena_array(j->arena, struct result, j->message.rcpt_count),
                                   .results_count = j->message.rcpt_count};
    struct queue_done_reply r;
    char id[ID_TEXT_SIZE];
    enum err e;

    entry_id_text(j->work.entry, id);
    log_attempt(j, id);
    for (size_t i = 0; i < j->message.rcpt_count; i++) {
        const struct client_rcpt *to = &j->message.rcpts[i];

        q.results[i] = (struct result){.n = to->asked->n,
                                       .outcome = to->outcome,
                                       .status = to->words.status,
                                       .reply = to->words.reply,
                                       .remote = j->remotes[i]};
    }
    e = vault_queue_done(&cx, &q, &r);
    if (e) /* nothing to be done about it here: the entry is due again, whatever became of the mail */
        log_line(LOG_WARNING, "attempt-not-noted", "id=%s error=%s cause=%s", id, err_row(e)->name,
                 log_value(str_from_c(cx.cause)));
}

void job_end(struct job *j, bool is_stopping)
{
    if (!is_stopping || anybody_is_decided(j)) {
        decide_the_rest(j);
        report(j);
    }
    arena_free(j->piece_arena);
    arena_free(j->arena);
    *j = (struct job){0};
}
