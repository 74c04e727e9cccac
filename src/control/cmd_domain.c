/* posthorn domain … and posthorn alias …: where mail goes. */
#include "base/arena.h"
#include "control/operator.h"

#include <stdio.h>

enum err cmd_domain_add(struct operator* op)
{
    struct domain_add_request q = {.domain = str_from_c(op->argv[0])};
    struct domain_add_reply r;
    enum err e = vault_reach_or_make(op);

    return e ? e : vault_domain_add(&op->cx, &q, &r);
}

enum err cmd_domain_remove(struct operator* op)
{
    struct domain_remove_request q = {.domain = str_from_c(op->argv[0])};
    struct domain_remove_reply r;
    enum err e = vault_reach(op);

    return e ? e : vault_domain_remove(&op->cx, &q, &r);
}

enum err cmd_domain_list(struct operator* op)
{
    static const struct column columns[] = {{"domain", "DOMAIN", TEXT}};
    struct domain_list_request q = {0};
    struct domain_list_reply r = {.more = true};
    json_t *rows = json_array();
    enum err e = vault_reach(op);

    while (!e && r.more) {
        r = (struct domain_list_reply){0};
        e = vault_domain_list(&op->cx, &q, &r);
        for (size_t i = 0; !e && i < r.domains_count; i++) {
            q.after = r.domains[i].text;
            json_array_append_new(rows, json_pack("{s:o}", "domain", json_text(q.after)));
        }
    }
    if (!e)
        print_rows(op, rows, COLUMNS(columns));
    json_decref(rows);
    return e;
}

/* It is made all the same: whom it names may be added next. */
static void tell_unknown(struct operator* op, const struct alias_add_reply *r)
{
    json_t *unknown = json_array(), *o;

    for (size_t i = 0; i < r->unknown_count; i++) {
        json_array_append_new(unknown, json_text(r->unknown[i].text));
        if (!op->json)
            printf("%.*s leads nowhere yet: there is no such account or alias\n",
                   STR_ARG(r->unknown[i].text));
    }
    o = json_pack("{s:o}", "unknown", unknown);
    if (op->json)
        print_object(op, o, NULL, 0);
    json_decref(o);
}

static enum err write_alias(struct operator* op, bool change)
{
    struct alias_add_request q = {
        .address = str_from_c(op->argv[0]), .targets_count = (size_t)op->argc - 1, .change = change};
    struct alias_add_reply r;
    enum err e = vault_reach(op);

    q.targets = arena_array(op->cx.arena, struct name, q.targets_count);
    for (size_t i = 0; i < q.targets_count; i++)
        q.targets[i].text = str_from_c(op->argv[i + 1]);
    if (!e)
        e = vault_alias_add(&op->cx, &q, &r);
    if (!e)
        tell_unknown(op, &r);
    return e;
}

enum err cmd_alias_add(struct operator* op)
{
    return write_alias(op, false);
}

enum err cmd_alias_change(struct operator* op)
{
    return write_alias(op, true);
}

enum err cmd_alias_remove(struct operator* op)
{
    struct alias_remove_request q = {.address = str_from_c(op->argv[0])};
    struct alias_remove_reply r;
    enum err e = vault_reach(op);

    return e ? e : vault_alias_remove(&op->cx, &q, &r);
}

static json_t *alias_object(const struct alias_info *a)
{
    json_t *targets = json_array();

    for (size_t i = 0; i < a->targets_count; i++)
        json_array_append_new(targets, json_text(a->targets[i].text));
    return json_pack("{s:o, s:o}", "address", json_text(a->address), "targets", targets);
}

enum err cmd_alias_list(struct operator* op)
{
    static const struct column columns[] = {{"address", "ADDRESS", TEXT}, {"targets", "GOES TO", LIST}};
    struct alias_list_request q = {0};
    struct alias_list_reply r = {.more = true};
    json_t *rows = json_array();
    enum err e = vault_reach(op);

    while (!e && r.more) {
        r = (struct alias_list_reply){0};
        e = vault_alias_list(&op->cx, &q, &r);
        for (size_t i = 0; !e && i < r.aliases_count; i++) {
            q.after = r.aliases[i].address;
            json_array_append_new(rows, alias_object(&r.aliases[i]));
        }
    }
    if (!e)
        print_rows(op, rows, COLUMNS(columns));
    json_decref(rows);
    return e;
}
