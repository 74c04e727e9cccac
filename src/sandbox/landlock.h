/* sandbox/landlock.h: the Landlock layer. */
#pragma once
#include "sandbox/sandbox.h"

/* For this thread and those it starts; needs no_new_privs. directory: a descriptor of what stays reachable, or -1 for
 * nothing. network: TCP may still be bound and connected. *version: the kernel's interface; 0, and OK: it has
 * none. */
enum err landlock_restrict(struct cx *cx, int directory, bool network, unsigned *version);
