/* gate/smtp/smtp_conn.h: the SMTP server (server.h) on a connection. */
#pragma once
#include "net/conn.h"

extern const struct conn_ops smtp_conn_ops;
