/* vault/admin/repair_impl.h: what the files of `check --repair` share: repair.c (the steps and the call), repair_out.c
 * (writing, bodies), repair_directory.c, repair_account.c, repair_email.c, repair_prefix.c and repair_mailbox.c (one
 * account), repair_rest.c (what is kept but in no account's rows; queue; trace). */
#pragma once
#include "vault/admin/check.h"
#include "vault/admin/marks.h"
#include "vault/admin/repair.h"
#include "vault/admin/walk.h"
#include "vault/store/body.h"

struct known_account {
    uint64_t id;
    struct str address; /* in repair.arena; empty: not known yet */
    bool has_entry;     /* in the directory */
};

struct home { /* a body that has its bytes from an older one */
    uint64_t of;
    struct body_id is;
};

struct repair {
    struct engine *from, *to;
    struct arena *arena; /* until the end */
    struct str postmaster;
    struct known_account *accounts; /* ascending */
    size_t account_count, account_room;
    size_t next; /* the account to be done next */
    int step;
    struct home *homes; /* by references; not before one is asked for (repair_out.c) */
    size_t home_count, home_room;
    bool knows_homes;

    /* of the step that runs */
    struct cx *cx;
    struct repair_reply *reply;
    struct view *v;
    struct cx row;             /* an arena for one row */
    struct marks marks;        /* what was given back already */
    struct account_id account; /* whose part can be written; 0: none */
    struct str address;        /* for people: of whom is told */
    struct txn *t;             /* NULL: nothing is waiting to be written */
    size_t waiting;            /* bytes in it, about */
    enum err failed;           /* writing; the cause is in cx */
};

/* Names something that was left out or made anew. */
void tell(struct repair *r, enum check_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

typedef void repair_look(struct repair *r, void *arg, struct str key, struct str value);
/* The rows of the old store that can be read; the rest is told. */
void repair_walk(struct repair *r, struct part part, struct str from, struct str to, const char *what,
                 repair_look *look, void *arg);

/* The old store's references of r->account to a body. */
void repair_references(struct repair *r, struct body_id body, repair_look *look, void *arg);

/* ---- writing ---- */

/* The transaction to write to, of the directory and r->account; about `bytes` are coming. */
struct txn *repair_out(struct repair *r, size_t bytes);
void repair_commit(struct repair *r);
void repair_for(struct repair *r, struct account_id account); /* whose part is written from here on */

#define SIZE_UNKNOWN UINT64_MAX
/* Copies a body, unless it was copied already. *size: as expected (or SIZE_UNKNOWN), then as it is. False: it cannot
 * be read whole; r->row.cause says why. */
bool repair_body(struct repair *r, struct body_id id, uint64_t *size);
/* The same for one of which something else says that it has the bytes of another: false, if its own row says otherwise. */
bool repair_same(struct repair *r, struct body_id id, struct body_id as, uint64_t *size);
/* The one that it has its bytes from, as the row or that one's reference says; else itself. */
struct body_id repair_home(struct repair *r, struct body_id id);
/* Has whoever owned this given it back? */
bool repair_is_released(struct repair *r, struct body_id body, uint64_t part, uint64_t owner);

/* A body's id tells when it came (base/ids.h). */
static inline uint64_t repair_time_of(struct body_id id)
{
    return id.v >> 20;
}

/* The lines of `size` bytes that stood before a message of r->address, in r->row.arena; empty: nothing tells of them. */
struct str repair_prefix(struct repair *r, struct body_id body, uint64_t size);

/* ---- the steps ---- */

void repair_find_accounts(struct repair *r);
struct known_account *repair_account_of(struct repair *r, uint64_t id);
void repair_directory(struct repair *r);
void repair_account(struct repair *r, struct known_account *a);
void repair_kept(struct repair *r); /* what references tell of, and nobody else */
void repair_queue(struct repair *r);
void repair_trace(struct repair *r);
