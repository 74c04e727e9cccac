/* What stands outside of the accounts' rows. A reference says that an email needs its message: when both of the email's
 * rows were lost, the message comes back into INBOX by it. */
#include "vault/admin/repair_impl.h"

#include "base/arena.h"
#include "vault/accept/looks.h"
#include "vault/queue/queue.h"
#include "vault/store/email.h"

#include <inttypes.h>

/* ---- kept for an email that no row tells of ---- */

static bool is_copied(struct repair *r, uint64_t body)
{
    struct cold_row row;
    bool there = false;

    return cold_row_txn(repair_out(r, 0), &r->row, r->account, &(struct cold_key){.body = body}, &row,
                        &there) ||
           there;
}

/* The old row was read, so the account's step has dealt with the message. */
static bool was_read(struct repair *r, const struct ref_key *ref)
{
    struct cold_row row;
    bool there = false;

    return !cold_row_view(r->v, &r->row, (struct account_id){ref->part},
                          &(struct cold_key){.body = ref->body}, &row, &there) &&
           there;
}

static enum err add_email(struct repair *r, struct body_id body, struct placed *at)
{
    struct cold_row looks;
    uint64_t size = SIZE_UNKNOWN;
    struct new_email n = {.body = body,
                          .internal_date = repair_time_of(body),
                          .received = repair_time_of(body),
                          .looks = &looks};
    enum err e;

    if (!repair_body(r, body, &size))
        return ERR_DAMAGED;
    n.body_size = size;
    e = looks_of_stored(r->v, &r->row, repair_home(r, body), size, &looks, &n.facts);
    return e ? e : email_add(repair_out(r, 4000), &r->row, r->account, INBOX, &n, at);
}

static void bring_back(struct repair *r, const struct ref_key *ref)
{
    struct placed at;
    char text[ID_TEXT_SIZE];

    id_text(ref->body, text);
    if (add_email(r, (struct body_id){ref->body}, &at)) {
        tell(r, CHECK_BODY, "email %" PRIu64 " is lost, message %s: %s", ref->owner, text,
             r->row.cause);
        return;
    }
    r->reply->emails++;
    tell(r, CHECK_ROWS, "email %" PRIu64 " was made again from message %s, as UID %u of INBOX",
         ref->owner, text, at.uid);
}

static void look_at_email_reference(struct repair *r, const struct ref_key *ref)
{
    const struct known_account *a = repair_account_of(r, ref->part);

    if (!a || was_read(r, ref))
        return; /* of an account that was removed: its marks say so, or nothing is left of it */
    if (r->account.v != ref->part)
        repair_for(r, (struct account_id){ref->part});
    if (is_copied(r, ref->body))
        return;
    r->address = a->address;
    bring_back(r, ref);
    r->address = STR_NONE;
}

static void look_at_entry_reference(struct repair *r, const struct ref_key *ref)
{
    struct entry_id id = {ref->body, (uint32_t)ref->owner};
    struct entry_row row;
    bool there = false;
    char text[ID_TEXT_SIZE];

    if (!entry_read(r->v, &r->row, id, &row, &there) && there)
        return;
    entry_id_text(id, text);
    tell(r, CHECK_QUEUE, "entry %s of the queue is lost, and with it to whom it should go", text);
}

/* That others had a letter of a content which is there. */
static void copy_left(struct repair *r, const struct ref_key *ref)
{
    struct body_row row;
    bool there = false;

    if (!body_row_txn(repair_out(r, 100), &r->row, NO_ACCOUNT, &(struct body_key){.body = ref->body},
                      &row, &there) &&
        there)
        body_refer(r->t, (struct body_id){ref->body}, LEFT_PART, ref->owner);
}

static void look_at_reference(struct repair *r, void *arg, struct str key, struct str value)
{
    struct ref_key ref;

    (void)arg;
    (void)value;
    if (!ref_key_unpack(key, &ref))
        tell(r, CHECK_UNREADABLE, "a reference cannot be unpacked");
    else if (repair_is_released(r, (struct body_id){ref.body}, ref.part, ref.owner))
        return;
    else if (ref.part == QUEUE_PART)
        look_at_entry_reference(r, &ref);
    else if (ref.part == LEFT_PART)
        copy_left(r, &ref);
    else if (ref.part != BODY_PART) /* bodies stand for themselves */
        look_at_email_reference(r, &ref);
}

void repair_kept(struct repair *r)
{
    repair_walk(r, ref_part(NO_ACCOUNT), S("r"), S("s"), "a reference", look_at_reference, NULL);
    repair_for(r, NO_ACCOUNT);
}

/* ---- the queue ---- */

static bool anybody_waits(const struct entry_row *row)
{
    for (size_t i = 0; i < row->rcpts_count; i++)
        if (row->rcpts[i].state == RCPT_WAITING)
            return true;
    return false;
}

static void copy_entry(struct repair *r, const struct entry_key *key, struct entry_row *row,
                       size_t size)
{
    struct txn *t = repair_out(r, size + 200);

    entry_row_put(t, NO_ACCOUNT, key, row);
    if (!row->held)
        due_row_put(t, NO_ACCOUNT, &(struct due_key){.due = row->due, .body = key->body, .n = key->n},
                    &(struct due_row){0});
    body_refer(t, (struct body_id){key->body}, QUEUE_PART, key->n);
    r->reply->entries++;
}

static void look_at_entry(struct repair *r, void *arg, struct str key, struct str value)
{
    struct entry_key ek;
    struct entry_row row;
    char text[ID_TEXT_SIZE];

    (void)arg;
    if (!entry_key_unpack(key, &ek) || !entry_unpack(r->row.arena, value, &row)) {
        tell(r, CHECK_UNREADABLE, "a queue entry cannot be unpacked");
        return;
    }
    entry_id_text((struct entry_id){ek.body, ek.n}, text);
    if (!anybody_waits(&row))
        tell(r, CHECK_QUEUE, "entry %s waits for nobody", text);
    else if (!repair_body(r, (struct body_id){ek.body}, &row.size))
        tell(r, CHECK_BODY, "entry %s of the queue is lost: %s", text, r->row.cause);
    else
        copy_entry(r, &ek, &row, value.n);
}

void repair_queue(struct repair *r)
{
    repair_walk(r, entry_part(NO_ACCOUNT), S("q"), S("r"), "the queue", look_at_entry, NULL);
    repair_commit(r);
}

/* ---- the trace ---- */

static void copy_event(struct repair *r, void *arg, struct str key, struct str value)
{
    struct event_key ek;
    struct event_row row;

    (void)arg;
    if (event_key_unpack(key, &ek) && event_unpack(r->row.arena, value, &row))
        event_row_put(repair_out(r, value.n + 50), NO_ACCOUNT, &ek, &row);
    else
        tell(r, CHECK_UNREADABLE, "an event of the trace cannot be unpacked");
}

void repair_trace(struct repair *r)
{
    repair_walk(r, event_part(NO_ACCOUNT), S("t"), S("u"), "the trace", copy_event, NULL);
    repair_commit(r);
}
