/* control/layout.h: what stands in the data directory, and who it belongs to.
 *
 *   DATA/            0711   so that everybody can reach the two sockets, and see nothing
 *   DATA/lock        of the running server
 *   DATA/tls/        0711   the certificate made at first start (cert.pem 0644, key.pem 0600)
 *   DATA/store/      0700   the vault's alone, and its root when started as root
 *   submit.sock      0666   for posthorn sendmail
 *   control.sock     0660   root and the group posthorn; unless the configuration puts it elsewhere */
#pragma once
#include "config/config.h"

#define VAULT_USER "posthorn-vault"
#define GATE_USER "posthorn-gate"
#define CONTROL_GROUP "posthorn"

#define LAYOUT_RESTORING                                                                               \
    "restoring" /* DATA/restoring/: what a restore has copied so far; becomes store/ */

/* Makes what is missing. Started as root the two users must exist: ERR_CONFIG with the remedy, as for a restore that has
 * not finished. */
enum err layout_make(struct cx *cx, const struct config *config);

/* Makes nothing: ERR_NOT_FOUND with the remedy if no store is there, ERR_CONFIG as above. */
enum err layout_check_store(struct cx *cx, const struct config *config);

/* DATA alone. */
enum err layout_make_data(struct cx *cx, const struct config *config);

/* One server per data directory. *fd holds the lock as long as it is open. ERR_LOCKED names the directory. */
enum err layout_lock(struct cx *cx, const struct config *config, int *fd);

/* The listening sockets of the file system; a stale one is replaced, so hold the lock. */
enum err layout_control_socket(struct cx *cx, const struct config *config, int *fd);
enum err layout_submit_socket(struct cx *cx, const struct config *config, int *fd);

/* "DATA/name", in cx->arena. */
char *layout_path(struct cx *cx, const struct config *config, const char *name);

/* For connect() and bind(); false: too long for an address. */
struct sockaddr_un;
bool unix_address(struct str path, struct sockaddr_un *out);
