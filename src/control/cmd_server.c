/* The commands that concern the server itself: serve, check-config, help, status. */
#include "base/arena.h"
#include "base/clock.h"
#include "base/scoped.h"
#include "control/certificates.h"
#include "control/operator.h"
#include "control/room.h"
#include "control/spelling.h"
#include "control/supervisor.h"
#include "gate/dns.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void free_json(json_t **value)
{
    json_decref(*value);
}

/* Takes the value. For people nothing is printed: they have read it already, in words. */
static enum err print_json_of(struct operator* op, json_t *value)
{
    if (op->json)
        print_object(op, value, NULL, 0);
    json_decref(value);
    return OK;
}

enum err cmd_serve(struct operator* op)
{
    char rooms[PATH_MAX];
    struct supervisor_options options = {.config_path = op->config_path, .rooms = rooms};
    enum err e = room_directory(&op->cx, rooms, sizeof(rooms));

    op->answered = true; /* its log is all there is to say */
    return e ? e : supervisor_run(&op->cx, &options);
}

#define DNS_PATIENCE_MS 5000

/* As the gate will do it. */
static enum err try_dns(struct operator* op, struct dns_validation *out)
{
    struct resolver_settings settings;
    enum err e = dns_settings(&op->cx, op->settings.config, &settings);

    return e ? e : resolver_try(&op->cx, &settings, DNS_PATIENCE_MS, out);
}

/* What serve would stumble over. Files are looked at as well, unless they are still to be made or belong to somebody
 * else. */
enum err cmd_check_config(struct operator* op)
{
    struct dns_validation dns;
    struct certificate *certificates;
    size_t count;
    enum err e = operator_settings(op);

    if (!e)
        e = settings_check_serving(&op->cx, &op->settings);
    if (!e && geteuid() == 0)
        e = settings_check_files(&op->cx, &op->settings);
    if (!e && op->settings.config->tls_count && geteuid() == 0)
        e = certificates_read(&op->cx, op->settings.config, op->cx.arena, &certificates, &count);
    if (!e)
        e = try_dns(op, &dns);
    if (e)
        return e;
    if (!op->json)
        printf("%s: good%s\nDNS answers %s be validated: %s\n", op->config_path,
               geteuid() == 0 ? "" : ", but only root can look at the files that it names",
               dns.validates ? "will" : "will not", dns.why);
    return print_json_of(op, json_pack("{s:s, s:b, s:b, s:b, s:s}", "file", op->config_path, "good",
                                       true, "files_read", geteuid() == 0, "dns_validated",
                                       dns.validates, "dns_why", dns.why));
}

static enum err help_settings(struct operator* op)
{
    scoped(buf_free) struct buf text = buf_make(BUF_UNLIMITED);

    if (operator_option(op, "--roff"))
        config_manual_roff(&text);
    else
        config_manual_text(&text);
    if (!op->json)
        fwrite(text.p, 1, text.n, stdout);
    return print_json_of(op, json_pack("{s:o}", "text", json_text(buf_str(&text))));
}

static bool is_asked_for(const struct operator* op, const struct command *c)
{
    char words[64];

    snprintf(words, sizeof(words), "%s%s%s", op->argv[0], op->argc > 1 ? " " : "",
             op->argc > 1 ? op->argv[1] : "");
    return str_starts(str_from_c(c->words), str_from_c(words));
}

static json_t *command_object(const struct command *c)
{
    return json_pack("{s:s, s:s, s:s}", "command", c->words, "usage", c->usage, "help", c->help);
}

static enum err no_such_command(struct operator* op)
{
    const char *nearest = nearest_command(op->argv[0]);
    char why[80];

    snprintf(why, sizeof(why), "there is no such command%s%s%s", nearest ? ", perhaps \"" : "",
             nearest ? nearest : "", nearest ? "\"" : "");
    return usage_error(op, why);
}

/* "help account" explains every command that begins so. */
enum err cmd_help(struct operator* op)
{
    scoped(free_json) json_t *rows = json_array();

    if (op->argc > 0 && !strcmp(op->argv[0], "settings"))
        return help_settings(op);
    for (size_t i = 0; i < command_count; i++)
        if (op->argc == 0 || is_asked_for(op, &commands[i])) {
            const struct command *c = &commands[i];

            json_array_append_new(rows, command_object(c));
            if (!op->json) {
                printf("posthorn %s%s%s\n", c->words, *c->usage ? " " : "", c->usage);
                print_help(c);
            }
        }
    if (json_array_size(rows) == 0)
        return no_such_command(op);
    return print_json_of(op, json_incref(rows));
}

/* ---- status ---- */

static json_t *status_object(struct operator* op, const struct status_reply *r)
{
    json_t *o = json_object();
    int64_t end;

    json_object_set_new(o, "up_since", json_time(r->up_since));
    json_object_set_new(o, "store_open", json_boolean(r->store_open));
    json_object_set_new(o, "queue_length", json_integer((json_int_t)r->queue_length));
    json_object_set_new(o, "queue_oldest", json_time(r->queue_oldest));
    json_object_set_new(o, "disk_free", json_integer((json_int_t)r->disk_free));
    json_object_set_new(o, "disk_used", json_integer((json_int_t)r->disk_used));
    json_object_set_new(o, "has_room", json_boolean(r->has_room));
    json_object_set_new(o, "signed_on", json_integer((json_int_t)r->signed_on));
    json_object_set_new(o, "sessions", json_integer((json_int_t)r->sessions));
    json_object_set_new(o, "delivered", json_integer((json_int_t)r->delivered));
    json_object_set_new(o, "commits", json_integer((json_int_t)r->commits));
    json_object_set_new(o, "flushes", json_integer((json_int_t)r->flushes));
    json_object_set_new(o, "damaged", json_boolean(r->damaged));
    json_object_set_new(o, "last_backup", json_time(r->last_backup));
    if (certificates_end(&op->cx, op->settings.config, &end) == OK)
        json_object_set_new(o, "certificate_end", json_time((uint64_t)end));
    else
        json_object_set_new(o, "certificate_end", json_null());
    return o;
}

/* What a monitor should wake somebody for. */
static enum err judge_status(struct operator* op, const struct status_reply *r)
{
    int64_t end;

    if (!r->store_open)
        return fail(&op->cx, ERR_STORE, "the store cannot be written at the moment");
    if (!r->has_room)
        return fail(&op->cx, ERR_NO_SPACE,
                    "the disk is full, but for the setting disk-reserve (%" PRIu64
                    " MB): no new mail is accepted",
                    op->settings.config->limits.disk_reserve >> 20);
    if (r->damaged)
        return fail(
            &op->cx, ERR_DAMAGED,
            "a file of the store is damaged: \"posthorn check\" says what is lost, --repair helps");
    if (certificates_end(&op->cx, op->settings.config, &end) == OK && end < now_ms())
        return fail(&op->cx, ERR_CONFIG, "the certificate has expired");
    return OK;
}

enum err cmd_status(struct operator* op)
{
    static const struct column columns[] = {
        {"up_since", "up since", TIME},         {"signed_on", "signed on", NUMBER},
        {"sessions", "sessions", NUMBER},       {"delivered", "delivered since then", NUMBER},
        {"queue_length", "queue", NUMBER},      {"queue_oldest", "oldest in queue", TIME},
        {"disk_used", "store", SIZE},           {"disk_free", "disk free", SIZE},
        {"has_room", "accepts new mail", FLAG}, {"store_open", "store can be written", FLAG},
        {"damaged", "store is damaged", FLAG},  {"certificate_end", "certificate's end", TIME},
        {"last_backup", "last backup", TIME},
    };
    struct status_request q = {0};
    struct status_reply r = {0};
    json_t *object;
    enum err e;

    if ((e = vault_reach_running(op)) || (e = vault_status(&op->cx, &q, &r)))
        return e;
    object = status_object(op, &r);
    print_object(op, object, COLUMNS(columns));
    json_decref(object);
    return judge_status(op, &r);
}
