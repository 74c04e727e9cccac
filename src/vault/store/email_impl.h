/* vault/store/email_impl.h: for this folder: one email among the changes of an edit. */
#pragma once
#include "vault/store/edit.h"
#include "vault/store/email.h"

/* All rows of it; quota is not looked at. */
enum err edit_add_email(struct edit *edit, struct box *box, const struct new_email *n,
                        struct roster_entry *entry);
