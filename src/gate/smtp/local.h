/* gate/smtp/local.h: a user of this machine has connected to the local socket. */
#pragma once
#include "base/err.h"
#include "base/ids.h"

/* Shows the connection to the vault, which finds out who that is. Waits. ERR_DENIED: nobody it knows. */
enum err local_begin(struct cx *cx, int fd, struct handle *session);
