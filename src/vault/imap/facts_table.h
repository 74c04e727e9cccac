/* vault/imap/facts_table.h: the facts of a mailbox's messages (mail/facts.h) kept in memory while somebody searches,
 * sorts or threads it, since they never change: the second search of a hundred thousand subjects reads no row.
 *
 * One table a mailbox, shared by all sessions and held by one at a time, for a step; those that nobody has asked for
 * longest go first when all together are beyond their limit. */
#pragma once
#include "mail/sort.h"
#include "vault/store/messages.h"

struct facts_table;

/* At the start: how much memory there is (base/machine.h). All tables together take a thirty-second of it, between 64
 * and 512 MiB; what is known of a million messages is some 240. */
void facts_tables_begin(uint64_t memory);

/* Waits for whoever holds it. Never NULL. */
struct facts_table *facts_table_take(struct mailbox_ref at);
void facts_table_give_back(struct facts_table **t); /* for scoped(); NULL is fine */

/* The packed facts of a message with this content, as long as the table is held; empty: not kept. By content and not by
 * UID: a mailbox that was a \Noselect name for a while counts from 1 again. */
struct str facts_table_find(struct facts_table *t, struct body_id body);
/* Copies it, if there is room. */
void facts_table_add(struct facts_table *t, struct body_id body, struct str packed);

/* ---- what SORT compares, as numbers (sort_keys()) ---- */

size_t facts_table_count(const struct facts_table *t);
/* Makes the numbers of all messages in the table for those of the criteria that need them, where they are not there or
 * something was added since. */
void facts_table_order(struct facts_table *t, const struct imap_sort_criterion *criteria, size_t n);
/* After that: those of one message, one for each criterion. False: something was added since, or it is not in the table. */
bool facts_table_keys(struct facts_table *t, struct body_id body,
                      const struct imap_sort_criterion *criteria, size_t n, uint64_t *keys);
