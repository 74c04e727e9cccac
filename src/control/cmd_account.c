/* posthorn account …: the people. */
#include "base/arena.h"
#include "base/clock.h"
#include "control/operator.h"
#include "control/password.h"

#include <stdio.h>
#include <string.h>

static const struct column account_columns[] = {
    {"address", "ADDRESS", TEXT},
    {"name", "NAME", TEXT},
    {"emails", "EMAILS", NUMBER},
    {"used", "USED", SIZE},
    {"quota", "QUOTA", SIZE},
    {"message_quota", "MOST EMAILS", LIMIT},
    {"suspended", "SUSPENDED", FLAG},
    {"created", "CREATED", TIME},
    {"internal_only", "INTERNAL ONLY", FLAG},
    {"has_password", "PASSWORD", FLAG},
};

static json_t *account_object(const struct account_info *a)
{
    json_t *o = json_object();

    json_object_set_new(o, "address", json_text(a->address));
    json_object_set_new(o, "name", json_text(a->name));
    json_object_set_new(o, "emails", json_integer((json_int_t)a->used.messages));
    json_object_set_new(o, "used", json_integer((json_int_t)a->used.bytes));
    json_object_set_new(o, "quota", json_integer((json_int_t)a->limit.bytes));
    json_object_set_new(o, "message_quota", json_integer((json_int_t)a->limit.messages));
    json_object_set_new(o, "suspended", json_boolean(a->suspended));
    json_object_set_new(o, "internal_only", json_boolean(a->internal_only));
    json_object_set_new(o, "has_password", json_boolean(a->has_password));
    json_object_set_new(o, "created", json_time(a->created));
    return o;
}

/* --quota and --messages; "none" is 0. A number is one of 63 bits in IMAP and JSON (RFC 9208 §3.1.2). */
static enum err take_limit(struct operator* op, struct amount *limit)
{
    const char *size = operator_option(op, "--quota"), *messages = operator_option(op, "--messages");

    *limit = (struct amount){0};
    if (size && strcmp(size, "none") != 0 && !parse_size(str_from_c(size), &limit->bytes))
        return usage_error(op, "--quota: expected a size, such as 500M or 2G, or none");
    if (messages && strcmp(messages, "none") != 0 &&
        (!parse_u64(str_from_c(messages), &limit->messages) || !limit->messages ||
         limit->messages > INT64_MAX))
        return usage_error(op, "--messages: expected a number, such as 100000, or none");
    return OK;
}

/* As passwd tells root. */
static void tell_weakness(const struct operator* op, struct str weakness)
{
    if (weakness.n)
        fprintf(stderr,
                "posthorn: %s has it now, but %.*s; another one: posthorn account password %s\n",
                op->argv[0], STR_ARG(weakness), op->argv[0]);
}

enum err cmd_account_add(struct operator* op)
{
    struct account_add_request q = {.address = str_from_c(op->argv[0]),
                                    .name = str_from_c(operator_option(op, "--name")),
                                    .internal_only = operator_option(op, "--internal-only") != NULL};
    struct account_add_reply r;
    enum err e;

    if ((e = take_limit(op, &q.limit)) ||
        (e = password_read(&op->cx, operator_option(op, "--password-stdin") != NULL, &q.password)) ||
        (e = vault_reach(op)) || (e = vault_account_add(&op->cx, &q, &r)))
        return e;
    tell_weakness(op, r.weakness);
    if (!q.password.n && !op->json)
        printf("%s has no password yet: posthorn account password %s\n", op->argv[0], op->argv[0]);
    return OK;
}

enum err cmd_account_list(struct operator* op)
{
    struct account_list_request q = {0};
    struct account_list_reply r = {.more = true};
    json_t *rows = json_array();
    enum err e = vault_reach(op);

    while (!e && r.more) {
        r = (struct account_list_reply){0};
        e = vault_account_list(&op->cx, &q, &r);
        for (size_t i = 0; !e && i < r.accounts_count; i++) {
            q.after = r.accounts[i].address;
            json_array_append_new(rows, account_object(&r.accounts[i]));
        }
    }
    if (!e)
        print_rows(op, rows, account_columns, 7); /* the rest is for "show" */
    json_decref(rows);
    return e;
}

enum err cmd_account_show(struct operator* op)
{
    struct account_show_request q = {.address = str_from_c(op->argv[0])};
    struct account_show_reply r;
    json_t *object;
    enum err e;

    if ((e = vault_reach(op)) || (e = vault_account_show(&op->cx, &q, &r)))
        return e;
    object = account_object(&r.account);
    print_object(op, object, COLUMNS(account_columns));
    json_decref(object);
    return OK;
}

static enum err take_internal_only(struct operator* op, struct account_change_request *q)
{
    const char *text = operator_option(op, "--internal-only");

    q->has_internal_only = text != NULL;
    q->internal_only = text && !strcmp(text, "yes");
    if (text && !q->internal_only && strcmp(text, "no") != 0)
        return usage_error(op, "--internal-only: expected yes or no");
    return OK;
}

enum err cmd_account_change(struct operator* op)
{
    const char *name = operator_option(op, "--name");
    struct account_change_request q = {.address = str_from_c(op->argv[0]),
                                       .has_name = name != NULL,
                                       .name = str_from_c(name),
                                       .has_bytes = operator_option(op, "--quota") != NULL,
                                       .has_messages = operator_option(op, "--messages") != NULL};
    struct account_change_reply r;
    enum err e = take_limit(op, &q.limit);

    if (!e)
        e = take_internal_only(op, &q);
    if (!e && !q.has_name && !q.has_bytes && !q.has_messages && !q.has_internal_only)
        return usage_error(op, "expected --name, --quota, --messages or --internal-only");
    if (e || (e = vault_reach(op)))
        return e;
    return vault_account_change(&op->cx, &q, &r);
}

enum err cmd_account_remove(struct operator* op)
{
    struct account_remove_request q = {.address = str_from_c(op->argv[0])};
    struct account_remove_reply r;
    enum err e = vault_reach(op);

    return e ? e : vault_account_remove(&op->cx, &q, &r);
}

enum err cmd_account_password(struct operator* op)
{
    struct account_password_request q = {.address = str_from_c(op->argv[0])};
    struct account_password_reply r;
    enum err e = password_read(&op->cx, operator_option(op, "--password-stdin") != NULL, &q.password);

    if (!e && !q.password.n)
        return usage_error(op, "there is no terminal to ask on: use --password-stdin");
    if (e || (e = vault_reach(op)) || (e = vault_account_password(&op->cx, &q, &r)))
        return e;
    tell_weakness(op, r.weakness);
    return OK;
}

static enum err suspend(struct operator* op, bool suspended)
{
    struct account_suspend_request q = {.address = str_from_c(op->argv[0]), .suspended = suspended};
    struct account_suspend_reply r;
    enum err e = vault_reach(op);

    return e ? e : vault_account_suspend(&op->cx, &q, &r);
}

enum err cmd_account_suspend(struct operator* op)
{
    return suspend(op, true);
}

enum err cmd_account_resume(struct operator* op)
{
    return suspend(op, false);
}
