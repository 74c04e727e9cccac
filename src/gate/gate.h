/* gate/gate.h: one gate process, and what all its services share.
 *
 * posthorn-gate runs twice: --mx meets everybody, --users those who have an account. Everything here is made before
 * the first thread starts and stays until the process ends; what it points to is safe from any thread. */
#pragma once
#include "config/config.h"
#include "gate/signon/core.h"
#include "gate/smtp/server.h"
#include "net/loop.h"
#include "net/peers.h"
#include "net/tls.h"
#include "rpc/client.h"

struct gate {
    bool is_mx;
    struct loop *loop;
    struct rpc_client *vault;
    struct peers *peers;       /* of all services together */
    struct tls_current *tls;   /* the certificates in force; empty if there are none */
    struct resolver *resolver; /* in --mx */
    struct outbound *outbound; /* in --mx: mail to other servers */
};

extern struct gate gate;

/* What the operator decides, as the services want to have it. */
struct gate_settings {
    const struct config *config;
    struct smtp_settings smtp;
    struct signon_settings signon;
};

/* The settings in force. What was in force before stays where it is: a session keeps those it began with. */
const struct gate_settings *gate_settings(void);

/* At start and at SIGHUP: all of it or nothing. */
struct settings_told {
    struct str text, file_name;
    const struct certificate *certificates;
    size_t certificate_count;
};
enum err gate_take_settings(struct cx *cx, const struct settings_told *told);
