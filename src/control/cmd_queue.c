/* posthorn queue … and posthorn trace …: mail on its way. */
#include "base/arena.h"
#include "control/operator.h"
#include "vault/trace/trace.h"

#include <stdio.h>
#include <string.h>

static json_t *entry_id_json(struct entry_id id)
{
    char text[ID_TEXT_SIZE];

    entry_id_text(id, text);
    return json_string(text);
}

static const char *rcpt_state_word(uint32_t state)
{
    static const char *const words[] = {
        [RCPT_WAITING] = "waiting", [RCPT_DONE] = "done", [RCPT_FAILED] = "failed"};

    return state < sizeof(words) / sizeof(*words) ? words[state] : "?";
}

static json_t *recipients_json(const struct queue_info *e)
{
    json_t *list = json_array();

    for (size_t i = 0; i < e->rcpts_count; i++)
        json_array_append_new(list, json_pack("{s:o, s:s, s:o, s:o}", "to", json_text(e->rcpts[i].to),
                                              "state", rcpt_state_word(e->rcpts[i].state), "status",
                                              json_text(e->rcpts[i].status), "last_reply",
                                              json_text(e->rcpts[i].last_reply)));
    return list;
}

static json_t *entry_json(const struct queue_info *e)
{
    json_t *o = json_object();

    json_object_set_new(o, "id", entry_id_json(e->entry));
    json_object_set_new(o, "from", json_text(e->from));
    json_object_set_new(o, "destination", json_text(e->destination));
    json_object_set_new(o, "size", json_integer((json_int_t)e->size));
    json_object_set_new(o, "arrived", json_time(e->arrived));
    json_object_set_new(o, "due", json_time(e->due));
    json_object_set_new(o, "expires", json_time(e->expires));
    json_object_set_new(o, "attempts", json_integer(e->attempts));
    json_object_set_new(o, "held", json_boolean(e->held));
    json_object_set_new(o, "active", json_boolean(e->active));
    json_object_set_new(o, "recipients", recipients_json(e));
    return o;
}

static const struct column entry_columns[] = {
    {"id", "ID", TEXT},
    {"destination", "TO", TEXT},
    {"from", "FROM", TEXT},
    {"size", "SIZE", SIZE},
    {"attempts", "TRIES", NUMBER},
    {"due", "DUE", TIME},
    {"held", "HELD", FLAG},
    {"arrived", "ARRIVED", TIME},
    {"active", "TRYING NOW", FLAG},
    {"expires", "GIVEN UP", TIME},
};

enum err cmd_queue_list(struct operator* op)
{
    struct queue_list_request q = {0};
    struct queue_list_reply r = {.more = true};
    json_t *rows = json_array();
    enum err e = vault_reach(op);

    while (!e && r.more) {
        r = (struct queue_list_reply){0};
        e = vault_queue_list(&op->cx, &q, &r);
        for (size_t i = 0; !e && i < r.entries_count; i++) {
            q.after = r.entries[i].entry;
            json_array_append_new(rows, entry_json(&r.entries[i]));
        }
    }
    if (!e)
        print_rows(op, rows, entry_columns, 7); /* the rest is for "show" */
    json_decref(rows);
    return e;
}

static enum err take_entry_id(struct operator* op, struct entry_id *out)
{
    if (!parse_entry_id(str_from_c(op->argv[0]), out))
        return fail(&op->cx, ERR_BAD_VALUE,
                    "this is not the id of a queue entry, see \"posthorn queue list\"");
    return OK;
}

enum err cmd_queue_show(struct operator* op)
{
    static const struct column rcpt_columns[] = {{"to", "RECIPIENT", TEXT},
                                                 {"state", "STATE", TEXT},
                                                 {"status", "STATUS", TEXT},
                                                 {"last_reply", "LAST REPLY", TEXT}};
    struct queue_show_request q = {0};
    struct queue_show_reply r;
    json_t *object;
    enum err e;

    if ((e = take_entry_id(op, &q.entry)) || (e = vault_reach(op)) ||
        (e = vault_queue_show(&op->cx, &q, &r)))
        return e;
    object = entry_json(&r.entry);
    print_object(op, object, COLUMNS(entry_columns));
    if (!op->json) {
        putchar('\n');
        print_rows(op, json_object_get(object, "recipients"), COLUMNS(rcpt_columns));
    }
    json_decref(object);
    return OK;
}

/* Why an entry stays as it is. */
static const char *const nothing_to_change[] = {
    [QUEUE_RETRY] = "it is held: release it first",
    [QUEUE_HOLD] = "it is held already",
    [QUEUE_RELEASE] = "it is not held",
    [QUEUE_REMOVE] = "it has gone meanwhile",
};

static void print_changed(struct operator* op, uint32_t changed)
{
    json_t *object;

    if (op->json) {
        object = json_pack("{s:I}", "changed", (json_int_t)changed);
        print_object(op, object, NULL, 0);
        json_decref(object);
    } else if (op->argc == 0) {
        printf("%u %s\n", changed, changed == 1 ? "entry" : "entries");
    }
}

static enum err change(struct operator* op, uint32_t action)
{
    const char *domain = operator_option(op, "--domain");
    struct queue_change_request q = {
        .action = action, .domain = str_from_c(domain), .all = operator_option(op, "--all") != NULL};
    struct queue_change_reply r;
    enum err e;

    if ((op->argc > 0) + (domain != NULL) + q.all != 1)
        return usage_error(op, "expected an ID, --domain NAME or --all");
    if ((op->argc && (e = take_entry_id(op, &q.entry))) || (e = vault_reach(op)) ||
        (e = vault_queue_change(&op->cx, &q, &r)))
        return e;
    if (op->argc && !r.changed)
        return fail(&op->cx, ERR_BAD_VALUE, "%s", nothing_to_change[action]);
    print_changed(op, r.changed);
    return OK;
}

enum err cmd_queue_retry(struct operator* op)
{
    return change(op, QUEUE_RETRY);
}

enum err cmd_queue_hold(struct operator* op)
{
    return change(op, QUEUE_HOLD);
}

enum err cmd_queue_release(struct operator* op)
{
    return change(op, QUEUE_RELEASE);
}

enum err cmd_queue_remove(struct operator* op)
{
    return change(op, QUEUE_REMOVE);
}

/* ---- trace ---- */

static const struct {
    const char *event; /* in JSON */
    const char *words; /* for people: before the recipient */
} events[] = {
    [TRACE_ACCEPTED] = {"accepted", "accepted for"},
    [TRACE_DELIVERED] = {"delivered", "put into the mailbox of"},
    [TRACE_QUEUED] = {"queued", "to be sent on to"},
    [TRACE_SENT] = {"sent", "taken by the other server for"},
    [TRACE_DEFERRED] = {"deferred", "could not be sent yet to"},
    [TRACE_FAILED] = {"failed", "could not be delivered to"},
    [TRACE_REPORTED] = {"reported", "a report was sent to"},
    [TRACE_HELD] = {"held", "held for"},
    [TRACE_RELEASED] = {"released", "released for"},
    [TRACE_RETRIED] = {"retried", "to be tried again now for"},
    [TRACE_REMOVED] = {"removed", "removed for"},
};

static size_t event_index(uint32_t event)
{
    return event < sizeof(events) / sizeof(*events) && events[event].event ? event : 0;
}

static json_t *trace_json(const struct trace_info *t)
{
    size_t i = event_index(t->event);
    char id[ID_TEXT_SIZE];

    if (t->entry)
        entry_id_text((struct entry_id){t->message.v, t->entry}, id);
    else
        id_text(t->message.v, id);
    return json_pack("{s:o, s:s, s:s, s:s, s:o, s:o, s:o}", "time", json_time(t->time), "id", id,
                     "event", i ? events[i].event : "?", "words", i ? events[i].words : "?", "from",
                     json_text(t->from), "to", json_text(t->to), "text", json_text(t->text));
}

static const char *text_of(const json_t *row, const char *key)
{
    const char *text = json_string_value(json_object_get(row, key));

    return text ? text : "";
}

/* The id of a message, without the number of its queue entry. */
static struct str message_of(const json_t *row)
{
    struct str id = str_from_c(text_of(row, "id")), message;

    return take_until(&id, '.', &message) ? message : id;
}

/* One line an event; who sent it is said once for each message, and where it is another, such as a report's. */
static void print_story(const json_t *rows, bool more)
{
    const char *last_from = NULL;
    struct str last = STR_NONE;
    size_t i;
    json_t *row;

    json_array_foreach(rows, i, row)
    {
        const char *from = text_of(row, "from"), *text = text_of(row, "text");
        bool says_from = !last_from || !str_same(message_of(row), last) || strcmp(from, last_from) != 0;

        printf("%s  %s  %s %s%s%s%s%s%s\n", text_of(row, "time"), text_of(row, "id"),
               text_of(row, "words"), text_of(row, "to"), says_from ? ", from <" : "",
               says_from && strcmp(from, "<>") != 0 ? from : "", says_from ? ">" : "",
               *text ? ": " : "", text);
        last_from = from;
        last = message_of(row);
    }
    if (more)
        puts("… and more: ask for one of the ids");
}

enum err cmd_trace(struct operator* op)
{
    struct trace_request q = {.what = str_from_c(op->argv[0])};
    struct trace_reply r = {0};
    json_t *rows = json_array();
    enum err e = vault_reach(op);

    if (!e)
        e = vault_trace(&op->cx, &q, &r);
    for (size_t i = 0; !e && i < r.rows_count; i++)
        json_array_append_new(rows, trace_json(&r.rows[i]));
    if (!e && json_array_size(rows) == 0)
        e = fail(&op->cx, ERR_NOT_FOUND, "nothing is known about this in the last 30 days");
    else if (!e && op->json)
        print_rows(op, rows, NULL, 0);
    else if (!e)
        print_story(rows, r.more);
    json_decref(rows);
    return e;
}
