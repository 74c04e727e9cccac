/* posthorn check: of a small store that is in order it finds nothing; then one thing at a time is broken, and it must
 * say so. */
#include "vault/admin/test_world.h"

#include "base/scoped.h"
#include "vault/store/directory.h"
#include "vault/store/threads.h"

/* ---- what can be broken; each in w->t, which has every part ---- */

#define BREAKS(name) static void name(struct world *w)

BREAKS(exists_wrong)
{
    CHANGE(counts, w->tom, row.exists++, .mailbox = 1);
}
BREAKS(unseen_wrong)
{
    CHANGE(counts, w->tom, row.unseen = 0, .mailbox = 1);
}
BREAKS(bytes_wrong)
{
    CHANGE(counts, w->tom, row.bytes++, .mailbox = 1);
}
BREAKS(uid_next_low)
{
    CHANGE(counts, w->tom, row.uid_next = 3, .mailbox = 1);
}
BREAKS(box_modseq_low)
{
    CHANGE(counts, w->tom, row.modseq = 1, .mailbox = 1);
}
BREAKS(box_modseq_high)
{
    CHANGE(counts, w->tom, row.modseq = 99, .mailbox = 1);
}
BREAKS(no_validity)
{
    CHANGE(mailbox, w->tom, row.uid_validity = 0, .mailbox = 1);
}
BREAKS(validity_high)
{
    CHANGE(mailbox, w->tom, row.uid_validity++, .mailbox = 1);
}
BREAKS(no_inbox)
{
    mailbox_row_delete(w->t, w->tom, AT(mailbox, .mailbox = 1));
}
BREAKS(deleted_wrong)
{
    CHANGE(counts, w->tom, row.deleted_bytes = 7, .mailbox = 1);
}
BREAKS(no_counts)
{
    counts_row_delete(w->t, w->tom, AT(counts, .mailbox = 2));
}
BREAKS(name_only_with_counts)
{
    CHANGE(mailbox, w->tom, row.no_select = true, .mailbox = 2);
}
BREAKS(name_missing)
{
    name_row_delete(w->t, w->tom, AT(name, .name = S("Drafts")));
}
BREAKS(name_of_nothing)
{
    name_row_put(w->t, w->tom, AT(name, .name = S("Other")), &(struct name_row){.mailbox = {77}});
}
BREAKS(name_of_another)
{
    name_row_put(w->t, w->tom, AT(name, .name = S("Drafts")), &(struct name_row){.mailbox = {1}});
}
BREAKS(parent_missing)
{
    CHANGE(mailbox, w->tom, row.parent.v = 77, .mailbox = 2);
}
BREAKS(mailboxes_wrong)
{
    CHANGE(state, w->tom, row.mailboxes++, 0);
}
BREAKS(annotation_of_nothing)
{
    annotation_row_put(w->t, w->tom, AT(annotation, .mailbox = 77, .entry = S("/shared/comment")),
                       &(struct annotation_row){.value = S("x")});
}
BREAKS(annotation_not_counted)
{
    annotation_row_put(w->t, w->tom, AT(annotation, .mailbox = 2, .entry = S("/shared/comment")),
                       &(struct annotation_row){.value = S("x")});
}
BREAKS(rights_on_nothing)
{
    acl_row_put(w->t, w->tom, AT(acl, .mailbox = 77, .who = 1), &(struct acl_row){.rights = 1});
}
BREAKS(block_nonsense)
{
    block_row_put(w->t, w->tom, AT(block, .mailbox = 1, .block = 0),
                  &(struct block_row){.raw = S("?")});
}
BREAKS(tail_nonsense)
{
    CHANGE(counts, w->tom, row.tail = S("?"), .mailbox = 1);
}
BREAKS(next_mailbox_low)
{
    CHANGE(state, w->tom, row.next_mailbox = 1, 0);
}
BREAKS(next_email_low)
{
    CHANGE(state, w->tom, row.next_email = 3, 0);
}
BREAKS(emails_wrong)
{
    CHANGE(state, w->tom, row.used.messages = 7, 0);
}
BREAKS(used_wrong)
{
    CHANGE(state, w->tom, row.used.bytes--, 0);
}
BREAKS(modseq_low)
{
    CHANGE(state, w->tom, row.modseq = 2, 0);
}
BREAKS(floor_high)
{
    CHANGE(state, w->tom, row.log_floor = 99, 0);
}
BREAKS(version_wrong)
{
    CHANGE(state, w->tom, row.version = 9, 0);
}
BREAKS(no_state)
{
    state_row_delete(w->t, w->tom, AT(state, 0));
}
BREAKS(log_gap)
{
    change_row_delete(w->t, w->tom, AT(change, .modseq = 3));
}
BREAKS(log_nonsense)
{
    CHANGE(change, w->tom, row.items[0].what = S("?"), .modseq = 3);
}
BREAKS(log_uid_high)
{
    CHANGE(change, w->tom, row.items[0].what = S("\x03\x25"), .modseq = 3);
}
BREAKS(message_missing)
{
    CHANGE_FEW(w->tom, 1, (few.v[0] = few.v[1], few.n = 1));
}
BREAKS(message_size)
{
    CHANGE_FEW(w->tom, 1, few.v[0].size++);
}
BREAKS(message_modseq)
{
    CHANGE_FEW(w->tom, 1, few.v[0].modseq = 90);
}
BREAKS(email_twice)
{
    CHANGE_FEW(w->tom, 1, (few.v[2] = few.v[0], few.v[2].uid = 4, few.n = 3));
}
BREAKS(message_nowhere)
{
    CHANGE_FEW(w->tom, 1, (void)few);
    counts_row_put(w->t, w->tom, AT(counts, .mailbox = 9), &few.counts);
}
BREAKS(looks_missing)
{
    cold_row_delete(w->t, w->tom, AT(cold, .body = w->first.v));
}
BREAKS(looks_size)
{
    CHANGE(cold, w->tom, row.body_size++, .body = w->first.v);
}
BREAKS(part_outside)
{
    struct body_part part = {.body = 5, .end = 17};
    CHANGE(cold, w->tom, (row.parts = &part, row.parts_count = 1), .body = w->first.v);
}
BREAKS(looks_of_nothing)
{
    CHANGE(cold, w->tom, (void)row, .body = w->first.v);
    cold_row_put(w->t, w->tom, AT(cold, .body = w->queued.v), &row);
}
BREAKS(message_other_body)
{
    CHANGE_FEW(w->tom, 1, few.v[0].body = w->second);
}
BREAKS(body_missing)
{
    body_row_delete(w->t, NO_ACCOUNT, AT(body, .body = w->first.v));
}
BREAKS(body_size)
{
    CHANGE(body, NO_ACCOUNT, row.size = 15, .body = w->first.v);
}
BREAKS(body_pieces_wrong)
{
    CHANGE(body, NO_ACCOUNT, row.pieces = 2, .body = w->first.v);
}
BREAKS(piece_missing)
{
    piece_row_delete(w->t, NO_ACCOUNT, AT(piece, .body = w->first.v, .n = 0));
}
BREAKS(piece_changed)
{
    CHANGE(piece, NO_ACCOUNT, row.raw = S("Subject: uno\r\n\r\n"), .body = w->first.v, .n = 0);
}
BREAKS(piece_too_many)
{
    piece_row_put(w->t, NO_ACCOUNT, AT(piece, .body = w->first.v, .n = 1),
                  &(struct piece_row){.raw = S("more")});
}
BREAKS(piece_of_nothing)
{
    piece_row_put(w->t, NO_ACCOUNT, AT(piece, .body = fresh_id(), .n = 0),
                  &(struct piece_row){.raw = S("more")});
}
BREAKS(body_for_nobody)
{
    put_body(w->t, S("\r\n"));
}
BREAKS(reference_missing)
{
    ref_row_delete(w->t, NO_ACCOUNT, AT(ref, .body = w->first.v, .part = w->tom.v, .owner = 2));
}
BREAKS(facts_of_nothing)
{
    facts_row_put(w->t, w->tom, AT(facts, .body = 77), &(struct facts_row){.raw = S("?")});
}
static void put_thread(struct world *w, struct body_id body, uint64_t thread, struct str keys)
{
    thread_row_put(w->t, w->tom, AT(thread, .body = body.v),
                   &(struct thread_row){.thread = thread, .keys = keys});
}
BREAKS(thread_of_nothing)
{
    put_thread(w, (struct body_id){77}, 77, STR_NONE);
}
BREAKS(thread_of_another)
{
    put_thread(w, w->first, 77, STR_NONE);
}
BREAKS(thread_nonsense)
{
    put_thread(w, w->first, w->first.v, S("short"));
}
BREAKS(link_missing)
{
    put_thread(w, w->first, w->first.v, S("12345678"));
}
BREAKS(link_count)
{
    put_thread(w, w->first, w->first.v, S("\0\0\0\0\0\0\0\7"));
    link_row_put(w->t, w->tom, AT(link, .key = 7),
                 &(struct link_row){.thread = w->first.v, .letters = 2});
}
BREAKS(link_of_nothing)
{
    link_row_put(w->t, w->tom, AT(link, .key = 7),
                 &(struct link_row){.thread = w->first.v, .letters = 1});
}
BREAKS(reference_for_nobody)
{
    body_refer(w->t, w->first, w->tom.v, 77);
}
BREAKS(reference_to_another)
{
    body_refer(w->t, w->first, w->tom.v, 3);
}
static struct body_id twin(struct world *w)
{
    struct body_id id = {fresh_id()};

    must(w, body_put_same(w->t, &w->c.cx, id, w->second));
    put_email(w, w->t, w->fred, id, 16);
    return id;
}
BREAKS(twin_without_hold)
{
    ref_row_delete(w->t, NO_ACCOUNT,
                   AT(ref, .body = w->second.v, .part = BODY_PART, .owner = twin(w).v));
}
BREAKS(twin_of_another)
{
    struct body_id id = twin(w);

    CHANGE(cold, w->fred, row.letter = w->first, .body = id.v);
}
BREAKS(twin_of_another_size)
{
    struct body_id id = twin(w);

    CHANGE(body, NO_ACCOUNT, row.sha256 = S("?"), .body = id.v);
}
BREAKS(twins_piece_changed)
{
    twin(w);
    piece_row_put(w->t, NO_ACCOUNT, AT(piece, .body = w->second.v),
                  &(struct piece_row){.raw = S("Subject: two\r\n\r\r")});
}
BREAKS(twin_of_a_younger)
{
    struct body_id younger = twin(w), id = twin(w);

    CHANGE(body, NO_ACCOUNT, row.same_as = id, .body = younger.v);
    body_refer(w->t, id, BODY_PART, younger.v);
}
BREAKS(changed_and_held_by_an_older)
{
    struct body_id id = put_body(w->t, S("Subject: new\r\n\r\n"));

    body_refer(w->t, id, BODY_PART, w->first.v);
    piece_row_put(w->t, NO_ACCOUNT, AT(piece, .body = id.v),
                  &(struct piece_row){.raw = S("Subject: old\r\n\r\n")});
}
BREAKS(mark_on_a_hold)
{
    body_release(w->t, w->second, BODY_PART, twin(w).v);
}
BREAKS(home_unsaid)
{
    struct body_id id = twin(w);

    CHANGE(cold, w->fred, row.letter = w->second, .body = id.v);
}
BREAKS(left_unsaid)
{
    CHANGE(cold, w->fred, row.origin = w->tom, .body = w->second.v);
}
BREAKS(hold_of_nothing)
{
    body_refer(w->t, w->first, BODY_PART, 77);
}
BREAKS(twin_with_a_piece)
{
    body_put_ahead(w->t, twin(w), 1, S("more"));
}
BREAKS(reference_to_nothing)
{
    body_refer(w->t, (struct body_id){99}, QUEUE_PART, 1);
}
BREAKS(mark_on_the_living)
{
    body_release(w->t, w->first, w->tom.v, 2);
}
BREAKS(mark_without_reference)
{
    body_release(w->t, w->first, w->tom.v, 77);
}
BREAKS(held_and_due)
{
    CHANGE(entry, NO_ACCOUNT, row.held = true, .body = w->queued.v, .n = 1);
}
BREAKS(due_elsewhen)
{
    CHANGE(entry, NO_ACCOUNT, (void)row, .body = w->queued.v, .n = 1);
    due_row_put(w->t, NO_ACCOUNT, AT(due, .due = row.due + 1, .body = w->queued.v, .n = 1),
                &(struct due_row){0});
}
BREAKS(due_missing)
{
    CHANGE(entry, NO_ACCOUNT, row.due++, .body = w->queued.v, .n = 1);
}
BREAKS(entry_missing)
{
    entry_row_delete(w->t, NO_ACCOUNT, AT(entry, .body = w->queued.v, .n = 1));
}
BREAKS(entry_for_nobody)
{
    CHANGE(entry, NO_ACCOUNT, row.rcpts[0].state = RCPT_DONE, .body = w->queued.v, .n = 1);
}
BREAKS(entry_size)
{
    CHANGE(entry, NO_ACCOUNT, row.size++, .body = w->queued.v, .n = 1);
}
BREAKS(entry_reference)
{
    ref_row_delete(w->t, NO_ACCOUNT, AT(ref, .body = w->queued.v, .part = QUEUE_PART, .owner = 1));
}
BREAKS(no_format)
{
    format_row_delete(w->t, NO_ACCOUNT, AT(format, 0));
}
BREAKS(sequence_low)
{
    CHANGE(sequence, NO_ACCOUNT, row.next_account = w->tom.v, 0);
}
BREAKS(route_missing)
{
    route_row_delete(w->t, NO_ACCOUNT, AT(route, .address = S("tom@acompany.test")));
}
BREAKS(route_to_another)
{
    CHANGE(route, NO_ACCOUNT, row.account = w->fred, .address = S("tom@acompany.test"));
}
BREAKS(route_to_nobody)
{
    CHANGE(route, NO_ACCOUNT, row.account.v = 77, .address = S("tom@acompany.test"));
}
BREAKS(account_missing)
{
    account_row_delete(w->t, NO_ACCOUNT, AT(account, .account = w->tom.v));
}
BREAKS(account_part_missing)
{
    txn_delete_range(w->t, (struct part){PART_ACCOUNT, w->tom.v}, S(""), S("\xff"));
}
BREAKS(domain_missing)
{
    domain_row_delete(w->t, NO_ACCOUNT, AT(domain, .name = S("acompany.test")));
}
BREAKS(password_of_nobody)
{
    CHANGE(credential, NO_ACCOUNT, (void)row, .account = w->tom.v);
    credential_row_put(w->t, NO_ACCOUNT, AT(credential, .account = 77), &row);
}

static const struct named_row {
    void (*breaks)(struct world *w);
    const char *said;
} disagreements[] = {
    {exists_wrong, "tom@acompany.test: mailbox INBOX counts 3 messages"},
    {unseen_wrong, "tom@acompany.test: mailbox INBOX counts 2 messages, 0 unseen"},
    {bytes_wrong, "tom@acompany.test: mailbox INBOX counts 2 messages"},
    {uid_next_low, "mailbox INBOX would give UID 3 next, and has 3"},
    {box_modseq_low, "mailbox INBOX is at modseq 1, an email in it at 4"},
    {box_modseq_high, "the account is at modseq 5, mailbox INBOX at 99"},
    {no_validity, "mailbox INBOX has UIDVALIDITY 0"},
    {validity_high, "the account has given up to"},
    {facts_of_nothing, "tom@acompany.test: there are facts of message"},
    {thread_of_nothing, "tom@acompany.test: there is a thread of message"},
    {thread_of_another, "has no message ids, and is in another one's thread"},
    {thread_nonsense, "the thread of a message cannot be unpacked"},
    {link_missing, "a message id of a threaded message leads to no thread"},
    {link_count, "a message id counts 2 threaded messages that have it; there are 1"},
    {link_of_nothing, "a message id counts 1 threaded messages that have it; there are 0"},
    {no_inbox, "the account has no INBOX"},
    {no_inbox, "UID 2 is in mailbox 1, which does not exist"},
    {no_inbox, "there are counts of mailbox 1, which does not exist"},
    {next_mailbox_low, "the account would give the id 1 next, and has mailbox 1"},
    {next_email_low, "the account would give the id 3 next, and has email 3"},
    {emails_wrong, "the account counts 7 emails"},
    {used_wrong, "the account counts 2 emails of 65 bytes; there are 2 of 66"},
    {modseq_low, "the account is at modseq 2, its change log at 5"},
    {floor_high, "the change log begins above 99"},
    {version_wrong, "the account's format is 9"},
    {no_state, "the account has no counters"},
    {no_state, "account 2 has no mailboxes"},
    {log_gap, "the change log should have 4 entries above 1, and has 3"},
    {log_nonsense, "change 3 makes no sense"},
    {log_uid_high, "change 3 tells of UID 40"},
    {message_missing, "for email 2, which is in no mailbox, and nobody will collect it"},
    {message_size, "mailbox 1 UID 2 says 34 bytes, message"},
    {message_modseq, "mailbox INBOX is at modseq 5, an email in it at 90"},
    {email_twice, "email 2 is in mailbox 1 as UID 2, and in mailbox 1 as UID 4"},
    {message_nowhere, "UID 2 is in mailbox 9, which does not exist"},
    {message_nowhere, "there are counts of mailbox 9, which does not exist"},
    {looks_missing, "mailbox 1 UID 2: the looks of its message"},
    {looks_missing, "is kept for account 2, email 2, which does not exist"},
    {looks_size, ": 17 bytes, message"},
    {part_outside, ": its part 0 lies outside of it"},
    {looks_of_nothing, ": its looks are kept, and no email refers to it"},
    {message_other_body, "email 2 does not refer to its message"},
    {message_other_body, "for email 2, which is in no mailbox"},
    {deleted_wrong, "mailbox INBOX counts 0 messages of 7 bytes as deleted; there are 0 of 0"},
    {no_counts, "mailbox Drafts has no counts"},
    {name_only_with_counts, "mailbox Drafts is a name only, and has counts"},
    {name_missing, "mailbox Drafts is not found by its name"},
    {name_of_nothing, "the name Other leads to mailbox 77, which has another or none"},
    {name_of_another, "the name Drafts leads to mailbox 1, which has another or none"},
    {parent_missing, "mailbox Drafts is below mailbox 77, which does not exist"},
    {mailboxes_wrong, "the account counts 7 mailboxes, 0 bytes of annotations; there are 6, 0"},
    {annotation_of_nothing, "there is an annotation of mailbox 77, which does not exist"},
    {annotation_not_counted, "0 bytes of annotations; there are 6, 16"},
    {rights_on_nothing, "there are rights on mailbox 77, which does not exist"},
    {block_nonsense, "messages of a mailbox cannot be unpacked"},
    {tail_nonsense, "the counts of a mailbox cannot be unpacked"},
    {body_missing, "its message"},
    {body_missing, "is kept for account 2, email 2, and is missing"},
    {body_size, "has 16 bytes, of 15 in all"},
    {body_pieces_wrong, "2 pieces for 16 bytes"},
    {piece_missing, "has no piece 0"},
    {piece_changed, "tom@acompany.test: message"},
    {piece_changed, "email 2: the bytes do not have the check value they were stored with"},
    {piece_too_many, "piece 1 belongs to nothing"},
    {piece_of_nothing, "piece 0 belongs to nothing"},
    {body_for_nobody, "is kept for nobody"},
    {reference_missing, "email 2 does not refer to its message"},
    {reference_for_nobody, "is kept for email 77, which is in no mailbox"},
    {reference_to_another, "is kept for email 3, which is in no mailbox"},
    {twin_without_hold, "does not refer to the one that it has its bytes from"},
    {twin_of_another, ", whose bytes it does not have"},
    {twin_of_another_size, "is not what it has its bytes from"},
    {twins_piece_changed, "email 1: the bytes do not have the check value they were stored with"},
    {twins_piece_changed, "email 2: the bytes do not have the check value they were stored with"},
    {twin_of_a_younger, "is not what it has its bytes from"},
    {changed_and_held_by_an_older, ": the bytes do not have the check value they were stored with"},
    {mark_on_a_hold, "is to be collected, and message"},
    {home_unsaid, "was sent as message"},
    {left_unsaid, "and nothing says that others have it"},
    {hold_of_nothing, "which does not exist"},
    {twin_with_a_piece, "piece 1 belongs to nothing"},
    {reference_to_nothing, "is kept for queue entry 1, and is missing"},
    {mark_on_the_living, "is to be collected, and email 2 still needs it"},
    {mark_without_reference, "is to be collected for account 2, email 77, which does not refer"},
    {held_and_due, "is held, and the schedule thinks otherwise"},
    {due_elsewhen, "stands in the schedule twice, or at the wrong time"},
    {due_missing, "is waiting, and the schedule thinks otherwise"},
    {entry_missing, "the schedule knows an entry"},
    {entry_missing, "is kept for queue entry 1, which does not exist"},
    {entry_for_nobody, "waits for nobody"},
    {entry_size, ": 17 bytes, message"},
    {entry_reference, "does not refer to its message"},
    {no_format, "the store does not say that it has format "},
    {sequence_low, "the next account would get the id 2, and this one has 2"},
    {route_missing, "tom@acompany.test: its address does not lead to it"},
    {route_to_another, "leads to account 1, whose address is fred@acompany.test"},
    {route_to_nobody, "leads to account 77, which does not exist"},
    {account_missing, "account 2: its mail is here, and the directory does not know it"},
    {account_missing, "there is a password for account 2, which does not exist"},
    {account_part_missing, "account 2 has no mailboxes"},
    {domain_missing, "sales@acompany.test: the domain of this address is not one of ours"},
    {password_of_nobody, "there is a password for account 77"},
};

/* Mail on its way belongs to nothing yet, and is in order. */
static void test_what_went_ahead(void **state)
{
    struct world *w = *state;
    struct body_id together[3] = {{fresh_id()}, {fresh_id()}, {fresh_id()}};
    struct ticket ticket;

    w->t = txn_begin(w->vault.engine, NULL, 0);
    body_put_ahead(w->t, (struct body_id){fresh_id()}, 0, S("alone"));
    bodies_put_ahead(w->t, together, (struct str[]){S("one"), S("two"), S("three")}, 3);
    durable(w, txn_commit(&w->t, &w->c.cx, &ticket), ticket);
    assert_int_equal(check_text(w).n, 0);
}

/* A letter without message ids is a thread of its own; and stays that beside another of its content. */
static void test_brought_thread(void **state)
{
    struct world *w = *state;
    const struct letter l = {.body = w->second};
    struct imap_range third = {3, 3};
    struct copied c;
    struct ticket t;

    durable(w, threads_assign(w->vault.store, &w->c.cx, w->tom, &l, 1, &t), t);
    durable(w,
            messages_copy(w->vault.store, &w->c.cx, (struct mailbox_ref){w->tom, INBOX},
                          &(struct imap_set){.ranges = &third, .count = 1},
                          (struct mailbox_ref){w->fred, INBOX}, 0, &c, &t),
            t);
    assert_string_equal(str_to_c(w->c.cx.arena, check_text(w)), "");
}

static void check_row(size_t i)
{
    const struct named_row *row = &disagreements[i];
    struct world *w;
    struct str said;
    struct ticket ticket;
    size_t at;

    world_open((void **)&w);
    said = check_text(w);
    if (said.n)
        fail_msg("a store in order: %.*s", STR_ARG(said));
    w->t = txn_begin(
        w->vault.engine,
        (struct part[]){{PART_DIRECTORY, 0}, {PART_ACCOUNT, w->fred.v}, {PART_ACCOUNT, w->tom.v}}, 3);
    row->breaks(w);
    durable(w, txn_commit(&w->t, &w->c.cx, &ticket), ticket);
    said = check_text(w);
    if (!str_find(said, str_from_c(row->said), &at))
        fail_msg("row %zu: \"%s\" is not among\n%.*s", i, row->said, STR_ARG(said));
    world_close((void **)&w);
}

static void test_each_disagreement_is_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(disagreements) / sizeof(*disagreements); i++)
        check_row(i);
}

/* A block that cannot be read is named with the account it belongs to, and what lies behind it is still looked at. */
static void test_damage_is_named(void **state)
{
    struct world *w = *state;
    scoped(buf_free) struct buf key = buf_make(64);
    struct str said;
    struct ticket t;
    size_t at;

    cold_key_pack(&key, &(struct cold_key){.body = w->first.v});
    memory_engine_damage(w->vault.engine, (struct part){PART_ACCOUNT, w->tom.v}, buf_str(&key));
    durable(w, domain_create(w->vault.store, &w->c.cx, S("other.test"), &t), t); /* for a newer view */
    said = check_text(w);
    assert_true(str_find(said, S("tom@acompany.test: the looks of messages:"), &at));
    assert_true(str_find(said, S("tom@acompany.test: mailbox 1 UID 2: the looks of its message"), &at));
    assert_false(str_find(said, S("UID 3"), &at));
    assert_false(str_find(said, S("fred"), &at));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_disagreement_is_named),
        cmocka_unit_test_setup_teardown(test_brought_thread, world_open, world_close),
        cmocka_unit_test_setup_teardown(test_what_went_ahead, world_open, world_close),
        cmocka_unit_test_setup_teardown(test_damage_is_named, world_open, world_close),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
