/* gate/signon/signon_conn.h: the protocols up to the sign-on (core.h) on connections, their hand-over to the vault, and
 * the way back. The row of services.c says which. */
#pragma once
#include "net/conn.h"

extern const struct conn_ops signon_conn_ops;
