#include "control/in_force.h"

#include "base/arena.h"
#include "base/scoped.h"
#include "control/certificates.h"
#include "control/layout.h"
#include "gate/outbound/outbound.h"

#include <ifaddrs.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- what the gate --mx has read ---- */

#define LONGEST_MX_FILE ((size_t)4 * 1024 * 1024)

static void feed_text(EVP_MD_CTX *d, struct str s)
{
    uint64_t n = s.n;

    EVP_DigestUpdate(d, &n, sizeof(n));
    EVP_DigestUpdate(d, s.p, s.n);
}

/* One that cannot be read counts as empty, as it does for the gate. */
static void feed_file(EVP_MD_CTX *d, const char *path)
{
    scoped(buf_free) struct buf b = buf_make(LONGEST_MX_FILE + 65536);
    struct cx cx = {0};

    if (file_read(&cx, path, LONGEST_MX_FILE, &b))
        buf_clear(&b);
    feed_text(d, buf_str(&b));
    if (b.n)
        explicit_bzero(b.p, b.n);
}

static void feed_resolver(EVP_MD_CTX *d, const struct config *config)
{
    for (size_t i = 0; i < config->dns.servers.n; i++) {
        feed_text(d, config->dns.servers.v[i].host);
        EVP_DigestUpdate(d, &config->dns.servers.v[i].port, sizeof(config->dns.servers.v[i].port));
    }
    feed_text(d, config->dns.trust_anchor);
    if (config->dns.trust_anchor.n)
        feed_file(d, config->dns.trust_anchor.p);
    if (config->dns.servers.n)
        return;
    feed_file(d, RESOLVER_RESOLV_CONF);
    feed_file(d, RESOLVER_HOSTS);
}

/* Where a connection would come back to ourselves: asked of the system if we listen on all of them. */
static void feed_addresses(EVP_MD_CTX *d, const struct config *config)
{
    const struct config_listen *listen = config_listen_find(config, SERVICE_SMTP);
    struct ifaddrs *all = NULL;
    bool wildcard = false;

    for (size_t i = 0; listen && i < listen->on.n; i++)
        wildcard |=
            str_same(listen->on.v[i].host, S("0.0.0.0")) || str_same(listen->on.v[i].host, S("::"));
    if (!wildcard || getifaddrs(&all))
        return;
    for (const struct ifaddrs *i = all; i; i = i->ifa_next) {
        int family = i->ifa_addr ? i->ifa_addr->sa_family : AF_UNSPEC;

        if (family == AF_INET || family == AF_INET6)
            EVP_DigestUpdate(d, i->ifa_addr,
                             family == AF_INET ? sizeof(struct sockaddr_in)
                                               : sizeof(struct sockaddr_in6));
    }
    freeifaddrs(all);
}

static void digest_mx_files(const struct config *config, unsigned char out[FILES_DIGEST])
{
    EVP_MD_CTX *d = EVP_MD_CTX_new();

    if (!d || !EVP_DigestInit_ex(d, EVP_sha256(), NULL))
        abort(); /* no memory */
    feed_file(d, OUTBOUND_ROOTS_FILE);
    feed_text(d, config->relay.user);
    if (config->relay.user.n)
        feed_file(d, config->relay.password_file.p);
    feed_resolver(d, config);
    feed_addresses(d, config);
    EVP_DigestFinal_ex(d, out, NULL);
    EVP_MD_CTX_free(d);
}

/* ---- all of it ---- */

/* The store and the sockets stand there, and the vault has its root there. */
static enum err check_unchanged(struct cx *cx, const struct settings *now,
                                const struct in_force *before)
{
    const struct config *old = before->settings.config, *new = now->config;
    const struct {
        const char *name;
        struct str old, new;
    } fixed[] = {{"data-dir", old->data_dir, new->data_dir},
                 {"control-socket", old->control_socket, new->control_socket}};

    for (size_t i = 0; i < sizeof(fixed) / sizeof(*fixed); i++)
        if (!str_same(fixed[i].old, fixed[i].new))
            return fail(cx, ERR_CONFIG,
                        "%s: %s cannot change while the server runs: it needs a restart",
                        now->file_name, fixed[i].name);
    return OK;
}

static enum err read_all(struct cx *cx, const char *config_path, const struct in_force *before,
                         int *lock, struct in_force *f)
{
    enum err e = settings_read(cx, config_path, f->arena, &f->settings);

    if (!e)
        e = settings_check_serving(cx, &f->settings);
    if (!e)
        e = settings_check_files(cx, &f->settings);
    if (!e && before)
        e = check_unchanged(cx, &f->settings, before);
    if (!e)
        e = layout_make(cx, f->settings.config);
    if (!e && *lock < 0)
        e = layout_lock(cx, f->settings.config, lock);
    if (!e)
        e = certificates_read(cx, f->settings.config, f->arena, &f->certificates,
                              &f->certificate_count);
    if (!e)
        e = listeners_open(cx, f->settings.config, f->arena, before ? &before->listeners : NULL,
                           &f->listeners);
    return e;
}

enum err in_force_read(struct cx *cx, const char *config_path, const struct in_force *before, int *lock,
                       struct in_force *out)
{
    struct in_force f = {.arena = arena_new(0)};
    enum err e = read_all(cx, config_path, before, lock, &f);

    if (e) {
        arena_free(f.arena);
        return e;
    }
    digest_mx_files(f.settings.config, f.mx_files);
    *out = f;
    return OK;
}

void in_force_close(struct in_force *f, const struct in_force *after)
{
    if (!f->arena)
        return;
    listeners_close(&f->listeners);
    if (!after || !str_same(f->settings.config->submit_socket, after->settings.config->submit_socket))
        unlink(f->settings.config->submit_socket.p);
    arena_free(f->arena);
    f->arena = NULL;
}
