/* vault/store/folders_testing.h: for the tests of mailboxes: what is done to TOM's, by name, and how they look. What begins
 * with try_ is durable when it returns OK; the rest must not fail. */
#pragma once
#include "vault/store/folders.h"
#include "vault/store/folders_edit.h"
#include "vault/store/testing.h"

enum err try_create(const char *name, struct mailbox_id *id);
enum err try_delete(const char *name);
enum err try_rename(const char *from, const char *to);
enum err try_subscribe(struct str name, bool yes);
struct mailbox_id make_folder(const char *name);

enum err find_in(struct account_id account, struct str name, struct folder *f);
struct folder folder_named(const char *name);
bool folder_exists(const char *name);
struct folder folder_by_id(struct mailbox_id id);
/* All, without the first five that everybody has beside INBOX: "INBOX a (b) b/c", in brackets what is \Noselect. Each is
 * the same whether it is listed, found by its name or by its id; and the account counts as many. */
const char *tree_text(void);
