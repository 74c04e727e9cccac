/* vault/imap/commands.h: the handlers, as commands.c puts them into its table. A new one is one line here and one there. */
#pragma once
#include "vault/imap/imap.h"

/* Special uses that no mailbox can be given (RFC 6154 §3): these are no places to put mail into. */
#define VIRTUAL_USES (IMAP_USE_ALL | IMAP_USE_FLAGGED | IMAP_USE_IMPORTANT)

#define HANDLER(name) enum err name(struct imap *i, const struct imap_command *c)

/* cmd_session.c */
HANDLER(cmd_capability);
HANDLER(cmd_noop);
HANDLER(cmd_logout);
HANDLER(cmd_enable);
HANDLER(cmd_id);
HANDLER(cmd_namespace);
HANDLER(cmd_idle);
HANDLER(cmd_compress);
HANDLER(cmd_unauthenticate);
/* cmd_select.c */
HANDLER(cmd_select);
HANDLER(cmd_examine);
HANDLER(cmd_close);
HANDLER(cmd_unselect);
/* cmd_list.c */
HANDLER(cmd_list);
HANDLER(cmd_lsub);
HANDLER(cmd_status);
/* cmd_folders.c */
HANDLER(cmd_create);
HANDLER(cmd_delete);
HANDLER(cmd_rename);
HANDLER(cmd_subscribe);
HANDLER(cmd_unsubscribe);
/* cmd_acl.c */
HANDLER(cmd_getacl);
HANDLER(cmd_setacl);
HANDLER(cmd_deleteacl);
HANDLER(cmd_listrights);
HANDLER(cmd_myrights);
/* cmd_quota.c */
HANDLER(cmd_getquota);
HANDLER(cmd_getquotaroot);
HANDLER(cmd_setquota);
/* cmd_metadata.c */
HANDLER(cmd_getmetadata);
HANDLER(cmd_setmetadata);
/* cmd_append.c */
HANDLER(cmd_append);
HANDLER(cmd_replace);
extern const struct imap_mail_ops append_mail_ops;
/* cmd_search.c */
HANDLER(cmd_search);
HANDLER(cmd_sort);
HANDLER(cmd_thread);
HANDLER(cmd_esearch);
/* cmd_fetch.c, cmd_store.c, cmd_copy.c, cmd_expunge.c */
HANDLER(cmd_fetch);
HANDLER(cmd_store);
HANDLER(cmd_copy);
HANDLER(cmd_move);
HANDLER(cmd_expunge);
/* context.c */
HANDLER(cmd_cancelupdate);
/* cmd_notify.c */
HANDLER(cmd_notify);
