/* sandbox/filter.h: the seccomp layer, from calls.def. */
#pragma once
#include "sandbox/sandbox.h"

/* For this thread and those it starts. Needs no_new_privs. */
enum err filter_install(struct cx *cx, enum sandbox_kind kind);
