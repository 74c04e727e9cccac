/* vault/store/threads.h: which emails of an account belong together: THREADID (RFC 8474 §5.2), and Thread of JMAP.
 *
 * As RFC 8621 §3 recommends: two letters are in one thread if a message id stands in Message-ID, In-Reply-To or References
 * of both, and their base subjects are the same, white space aside. A thread's id is the content id of the letter that
 * began it, so no other thread can ever be given it. What a letter was given it keeps: one that meets several threads takes
 * the oldest of them, and none are merged.
 *
 * A letter is threaded when somebody first asks for its thread, not when it comes: a delivery is in a hurry. So the order
 * is that of asking; that a letter comes after its answer makes no difference.
 *
 *     reader_thread(stored, cx, body, &thread, &found)      // reader.h; not found: it was not threaded yet
 *     letters[n++] = letter_of(body, facts);                // for those: no lock is held while this is found out
 *     threads_assign(store, cx, account, letters, n, &ticket);
 *
 * and when the ticket is durable, reader_thread() of a newer view tells. Safe from any thread. */
#pragma once
#include "mail/facts.h"
#include "vault/store/store.h"

/* Ids of a letter that count: its own, those of In-Reply-To, and of References the first, which a whole conversation
 * shares, and the last, which it answers. */
#define LETTER_FIRST 5
#define LETTER_LAST 14
#define LETTER_KEYS_MAX (1 + FACTS_ANSWERED_MAX + LETTER_FIRST + LETTER_LAST)
/* The account is locked so long: letters, and their keys, each of which is a row to be read and written. */
#define THREADS_AT_ONCE 500
#define THREAD_KEYS_AT_ONCE 2000

struct letter {
    struct body_id body;
    size_t count;
    uint64_t
        keys[LETTER_KEYS_MAX]; /* a message id together with the base subject: ascending, each once */
};

struct letter letter_of(struct body_id body, const struct facts *f);

/* At most THREADS_AT_ONCE. Those that have a thread already, or are gone meanwhile, are left alone. */
enum err threads_assign(struct store *s, struct cx *cx, struct account_id account,
                        const struct letter *letters, size_t n, struct ticket *ticket);
/* With a letter (body, and body_there: its contents, letters.h) that is copied or moved into another account: there it has the
 * same EMAILID, and so the thread that it was given here (RFC 8474 §5.2), if any, and if it has none there. Letters that come
 * to it there follow. The caller holds both accounts' parts. */
enum err thread_bring(struct txn *t, struct cx *cx, struct account_id from, struct body_id body,
                      struct account_id to, struct body_id body_there);
/* With the last email of this content. The caller holds the account's part. */
enum err thread_forget(struct txn *t, struct cx *cx, struct account_id account, struct body_id body);

/* The keys of a row of `thread`. False: it makes no sense. */
bool thread_keys(struct str packed, struct letter *out);
