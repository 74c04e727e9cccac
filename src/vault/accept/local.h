/* vault/accept/local.h: users of this machine, who hand mail to the local socket (posthorn sendmail).
 *
 * The gate accepts the connection and passes it on; who connected is asked of the kernel here (serve_local_begin), so a
 * gate cannot name anybody. What it could pass instead does not do: one end of a pair it made has no name, the end from
 * which somebody connected has not ours. The logins come from the supervisor (room_users), since a room can look
 * up nobody after its doors have closed. Safe from any thread. */
#pragma once
#include "vault/caller.h"

struct local_users;

struct local_users *local_users_new(void);
void local_users_free(struct local_users *u);
void local_users_set(struct local_users *u, const struct local_user *v, size_t n);
/* A copy in `arena`. False: nobody has this uid. */
bool local_users_find(struct local_users *u, struct arena *arena, uint32_t uid, struct str *login);
