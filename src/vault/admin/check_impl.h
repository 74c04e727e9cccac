/* vault/admin/check_impl.h: what the files of `check` share: check.c (the call), check_account.c, check_mail.c and
 * check_threads.c (one account), check_bodies.c (bodies, who needs them), check_shared.c (directory, queue, trace). */
#pragma once
#include "vault/admin/check.h"
#include "vault/admin/marks.h"
#include "vault/admin/walk.h"
#include "vault/caller.h"
#include "vault/store/body.h"

struct check {
    struct caller *c;
    struct view *v;
    struct check_reply *r;
    struct account_id account; /* the one being looked at, or 0 */
    struct str address;        /* of the account, for people */
    struct cx row;             /* an arena for one row */
    struct marks marks;
};

/* One disagreement; a thousand are told by name in one answer, the rest is counted. */
void found(struct check *k, enum check_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Rows of [from, to) go to look(k, arg, …), with k->row emptied after each. */
typedef void check_look(struct check *k, void *arg, struct str key, struct str value);
void check_walk(struct check *k, struct part part, struct str from, struct str to, const char *what,
                check_look *look, void *arg);

/* Is there such a row? What cannot be read is told, and is there. */
bool row_exists(struct check *k, struct part part, const struct buf *key, const char *what);
bool has_reference(struct check *k, struct body_id body, uint64_t part, uint64_t owner);
bool has_mark(struct check *k, struct body_id body, uint64_t part, uint64_t owner);
/* The body that an email or an entry needs: there, and of this size. `who` needs it. */
void check_body_of(struct check *k, const char *who, struct body_id body, uint64_t size);

void check_account(struct check *k);
void check_bodies(struct check *k);
void check_directory(struct check *k);
void check_queue_and_trace(struct check *k);
