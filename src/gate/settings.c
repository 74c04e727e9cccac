/* The configuration and the certificates, as they come over the leash. */
#include "base/arena.h"
#include "gate/gate.h"

#include <stdatomic.h>

#define MOST_RCPTS 10000 /* that one call may carry (rpc/calls.def) */

/* One after the other, and none is ever freed: sessions that began with the one before still look at it. A reload
 * is rare. */
struct kept {
    struct gate_settings settings; /* the first member */
    struct arena *arena;
    const struct gate_settings *before;
};

static _Atomic(const struct gate_settings *) current;

const struct gate_settings *gate_settings(void)
{
    return atomic_load(&current);
}

static struct str domain_of(struct str address)
{
    size_t at;

    return str_rfind_char(address, '@', &at) ? str_from(address, at + 1) : STR_NONE;
}

static void put_in_force(struct arena *arena, const struct config *config, bool has_certificate)
{
    struct kept *k = arena_alloc(arena, sizeof(*k));

    k->arena = arena;
    k->before = gate_settings();
    k->settings.config = config;
    k->settings.smtp = (struct smtp_settings){
        .hostname = config->hostname,
        .message_size = config->limits.message_size,
        .recipients = config->limits.recipients < MOST_RCPTS ? config->limits.recipients : MOST_RCPTS,
        .errors = config->limits.errors,
        .idle_commands = config->limits.idle_commands,
        .allow_plaintext_auth = config->allow_plaintext_auth,
        .has_certificate = has_certificate,
        .scram = config->scram,
        .local_domain = domain_of(config->postmaster),
    };
    k->settings.signon = (struct signon_settings){
        .hostname = config->hostname,
        .errors = config->limits.errors,
        .allow_plaintext_auth = config->allow_plaintext_auth,
        .has_certificate = has_certificate,
        .scram = config->scram,
    };
    atomic_store(&current, &k->settings);
}

static enum err read_certificates(struct cx *cx, const struct settings_told *told,
                                  struct tls_server **out)
{
    struct tls_pair *pairs = arena_array(cx->arena, struct tls_pair, told->certificate_count);

    *out = NULL;
    for (size_t i = 0; i < told->certificate_count; i++)
        pairs[i] = (struct tls_pair){told->certificates[i].chain_pem, told->certificates[i].key_pem};
    return told->certificate_count ? tls_server_new(cx, pairs, told->certificate_count, out) : OK;
}

enum err gate_take_settings(struct cx *cx, const struct settings_told *told)
{
    struct arena *arena = arena_new(0);
    struct tls_server *server = NULL;
    struct config *config;
    enum err e = config_parse(cx, told->text, str_to_c(cx->arena, told->file_name), arena, &config);

    if (!e)
        e = read_certificates(cx, told, &server);
    if (e) {
        arena_free(arena);
        return e;
    }
    tls_current_set(gate.tls, server);
    put_in_force(arena, config, server != NULL);
    return OK;
}
