/* vault/imap/selected.h: the mailbox that is selected, and sets of messages in it.
 *
 * Between commands a session keeps only what its client knows (struct known, vault/store/roster.h). A command that looks
 * at messages takes the newest picture, walks it, and leaves out what the client does not know yet:
 *
 *     if (!selected_set(i, &a.set, c->uid, &uids))      // "1:*", "$": the UIDs that are meant; else the BAD is said
 *         return OK;
 *     e = selected_roster(i, &roster);
 *     numbers = numbers_of(i, roster);
 *     for (w = roster_walk(roster, &uids); (entry = roster_next(&w));)
 *         if ((number = number_of(&numbers, &w, entry)))
 *             …
 */
#pragma once
#include "vault/imap/imap.h"
#include "vault/store/messages.h"
#include "vault/store/roster.h"

struct sync;
struct contexts;

struct selected {
    struct mailbox_ref at;
    struct known *known;
    uint32_t rights; /* IMAP_RIGHT_ bits (proto/imap_access.h); EXAMINE: what remains of them */
    bool read_only;
    uint64_t told_whole; /* the modseq up to which the client has heard of all, removals too */
    bool told_less;      /* … and it was told so (RFC 7162 §3.2) */
    uint64_t flags_told; /* response.c's own: what FLAGS and PERMANENTFLAGS said last */
    struct imap_set_builder recent; /* UIDs that are \Recent in this session (RFC 3501 §2.3.2) */
    struct imap_set_builder saved;  /* UIDs that SEARCH saved: "$" (RFC 5182) */
    /* Changes of flags with this modseq are this session's own, and were told by the command that made them, as far as
     * its client wants to hear of them (.SILENT). 0: none. Good for one command */
    uint64_t told_modseq;
    uint64_t told_after; /* the mailbox's modseq before it */
    /* New messages that this session put here itself since the client was last told: it need not be shown them
     * (RFC 5465 §5.2) */
    struct imap_set_builder own;
    /* Others deleted it, or it may not be read any more (RFC 4314 §5.1.1): BYE, as soon as no reply is owed */
    bool gone, forbidden;
    struct sync *sync;         /* under way; sync.c's own */
    struct contexts *contexts; /* searches that are kept up to date; context.c's own */
    struct str name;           /* as the client calls it; its bytes stand behind this struct */
    char name_bytes[];
};

/* Is it this one? */
static inline bool selected_is(const struct imap *i, struct mailbox_ref at)
{
    return i->selected && mailbox_ref_same(i->selected->at, at);
}

/* Nothing is selected any more; nothing is said. Nothing selected is fine. */
void selected_end(struct imap *i);

enum err selected_roster(struct imap *i, struct roster **out); /* the newest; roster_drop() it */
/* The UIDs that a set means, in order, in i->arena. False: a number beyond EXISTS; the BAD is said. UIDs that are
 * not there any more, or not yet known to the client, may be among them. */
bool selected_set(struct imap *i, const struct imap_set *set, bool uid, struct imap_set *uids);
/* The same of a search key: numbers of which there is no message are no error there (RFC 7377 §2), and mean nothing. */
struct imap_set selected_meant(struct imap *i, const struct imap_set *set, bool uid);
/* How many messages a set names one by one, by their numbers: if fewer are there, some are gone of which the client has not
 * been told yet. 0: it names UIDs, or "$", and what is gone is passed over in silence. */
uint64_t selected_numbers(struct imap *i, const struct imap_set *set, bool uid);

/* RFC 9738: more messages than one command may work on? Of those in every one of the sets, that have these flags and that
 * the client knows: the highest, as many as there may be, are left in *uids, and the reply will say so. *left_out: how
 * many are not. 0: *uids is not touched. */
enum err selected_cut(struct imap *i, const struct imap_set *sets, size_t n, uint64_t flags,
                      struct imap_set *uids, uint64_t *left_out);
/* For a command that is done whole or not at all: a NO, if they are too many. True: it is said, or *e. */
bool selected_too_many(struct imap *i, const struct imap_set *uids, enum err *e);
bool imap_too_many(struct imap *i, uint64_t messages);

/* Message numbers, as the client counts, for a walk over a picture. */
struct numbers {
    const struct known *known; /* NULL: the picture's own are the same */
};
struct numbers numbers_of(const struct imap *i, const struct roster *r);
/* 0: the client does not know that message yet. */
static inline uint32_t number_of(const struct numbers *n, const struct roster_walk *w,
                                 const struct roster_entry *entry)
{
    return n->known ? known_number(n->known, entry->uid) : w->number;
}

/* The command that is running has made this change of flags, and tells of it itself. */
void selected_tells(struct imap *i, const struct flags_result *change);

/* New messages, `first` to `last` in the mailbox `at`, are this session's own. */
void selected_note_own(struct imap *i, struct mailbox_ref at, uint32_t first, uint32_t last);
bool selected_is_own(const struct imap *i, uint32_t uid);
void selected_forget_own(struct imap *i, uint32_t before); /* those below this UID */

bool selected_is_recent(const struct imap *i, uint32_t uid);
/* Takes the mark of \Recent, of those that no session has had (rev1 only): they are added to selected->recent. */
enum err selected_take_recent(struct imap *i, const struct roster *r);
uint32_t selected_recent_count(const struct imap *i, const struct roster *r);
