/* gate/signon/pop3_conn.h: POP3 up to the sign-on (pop3.h) on a connection, and its hand-over to the vault. */
#pragma once
#include "net/conn.h"

extern const struct conn_ops pop3_conn_ops;
