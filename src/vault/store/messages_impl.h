/* vault/store/messages_impl.h: what messages.c and copy.c share. */
#pragma once
#include "vault/store/email_impl.h"
#include "vault/store/messages.h"

/* One or two mailboxes of one or two accounts under change. Where both are the same, the pointers are too. */
struct two_boxes {
    struct txn *t;
    struct edit edits[2], *from_edit, *to_edit;
    struct box boxes[2], *from, *to;
};

enum err two_boxes_open(struct two_boxes *b, struct store *s, struct cx *cx, struct mailbox_ref from,
                        struct mailbox_ref to);
/* ERR_OVER_QUOTA: what has been added is too much. Where a message went for another, only the difference counts. */
enum err check_quota(struct edit *e);
enum err two_boxes_commit(struct two_boxes *b, struct ticket *ticket);
void two_boxes_close(struct two_boxes *b); /* for scoped() */
