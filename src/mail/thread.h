/* mail/thread.h: which message answers which (RFC 5256 §3): THREAD=ORDEREDSUBJECT and THREAD=REFERENCES. Pure.
 *
 * Time is n log n and there is no recursion, whatever chains of references somebody makes up. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "mail/facts.h"

/* A message, in the order of the mailbox. */
struct thread_item {
    uint32_t number; /* what the answer calls it: sequence number or UID; not 0 */
    bool is_reply;
    int64_t date_ms;         /* the sent date, or the internal date if there is none (§2.2) */
    struct str base_subject; /* folded; facts.h has it */
    uint64_t message_id;     /* 0: none */
    struct str references;   /* as in struct facts */
};

/* Of a message's facts, the texts copied into the arena. by_references: else the ids are left out. */
struct thread_item thread_item_of(struct arena *a, uint32_t number, const struct facts *f,
                                  int64_t internal_ms, bool by_references);

/* The tree, each node before its children. number 0: nobody is there, and its children (two or more) belong together. */
struct thread_node {
    uint32_t number;
    uint32_t depth;    /* 0: a thread begins */
    uint32_t children; /* how many nodes of depth + 1 follow before the next of this depth */
};

struct thread_tree {
    struct thread_node *nodes; /* in the arena; nothing else is left there */
    size_t count;
};

/* Siblings stand in the order of their dates, and of the mailbox. */
void thread_by_subject(struct arena *a, const struct thread_item *items, size_t n,
                       struct thread_tree *out);
/* False: with those that messages refer to but nobody has seen, they are more than `most`. *out is as it was. */
bool thread_by_references(struct arena *a, const struct thread_item *items, size_t n, size_t most,
                          struct thread_tree *out);
/* Bytes that either of them may take meanwhile, for n messages of at most so many. */
size_t thread_room(size_t n, size_t most);

/* 1*thread-list, as it stands behind "* THREAD " (§4); nothing of an empty tree. */
void thread_write(struct buf *out, const struct thread_tree *tree);
