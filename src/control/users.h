/* control/users.h: the logins of this machine, for the vault: it has to know who writes to the local socket, and can
 * look up nobody itself. */
#pragma once
#include "rpc/calls.h"

/* Everybody that the system enumerates, except the users that the rooms run as: those write to nobody. */
void users_list(struct arena *arena, struct room_users_request *out);

/* A descriptor that is readable when there may be others; -1: the system does not tell, and SIGHUP has to. */
int users_watch(const char *directory /* of the file passwd */);
/* Reads what is there. True: list them again. */
bool users_changed(int watch);
