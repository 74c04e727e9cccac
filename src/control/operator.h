/* control/operator.h: the command line at work: what was typed, whom it talks to, how it answers.
 *
 * A command returns OK, or an error whose cause becomes the one line on standard error; the exit status follows. */
#pragma once
#include "control/settings.h"
#include "rpc/client.h"

#include <jansson.h>

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct operator;

struct command {
    const char *words;   /* "account add" */
    const char *usage;   /* "ADDRESS [--password-stdin] …" */
    const char *options; /* " --password-stdin --name= ", with = those that take a value; NULL: none */
    int least, most;     /* arguments; most < 0: any number */
    enum err (*run)(struct operator* op); /* NULL: main() knows how */
    const char *help;
};

#define MOST_OPTIONS_GIVEN 16

struct operator
{
    struct cx cx;
    const char *config_path;
    bool json;
    const struct command *command;
    int argc; /* without the command's words and its options */
    char **argv;
    struct {
        const char *name, *value;
    } options[MOST_OPTIONS_GIVEN];
    size_t option_count;
    bool answered;            /* something was printed as JSON; else run() prints {} */
    bool wrong_usage;         /* set by usage_error() */
    struct settings settings; /* of the configuration, once operator_settings() has read it */
};

/* "…" for an option that takes a value, "" for one that does not; NULL: not given. */
const char *operator_option(const struct operator* op, const char *name);
enum err usage_error(struct operator* op, const char *why);
enum err operator_settings(struct operator* op);

extern const struct command commands[];
extern const size_t command_count;

/* ---- the vault: the running server's, or one of our own ---- */

/* After that the stubs vault_NAME work. ERR_NOT_FOUND: there is no store, and none is made. */
enum err vault_reach(struct operator* op);
/* The same for what a new store begins with: it is made if there is none. */
enum err vault_reach_or_make(struct operator* op);
/* For check and repair, however damaged the store is: the running server's vault, or one of our own that changes
 * nothing in its store. alone: ERR_LOCKED if a server runs. */
enum err vault_examine(struct operator* op, bool alone);
/* One of our own that finishes a restore; nobody else has the store. */
enum err vault_for_restore(struct operator* op);
/* Only a running server: ERR_VAULT_AWAY if there is none. */
enum err vault_reach_running(struct operator* op);
/* Our own vault has finished and let go of the store when this returns; nothing to do for a server's. */
void vault_leave(struct operator* op);

/* ---- answers ---- */

enum column_kind { TEXT, NUMBER, LIMIT, SIZE, TIME, FLAG, LIST }; /* LIMIT: a number; 0 is none */

struct column {
    const char *key;     /* in JSON */
    const char *heading; /* for people */
    enum column_kind kind;
};

/* An array of objects: JSON as it is, or a table of these columns; nothing at all for people if it is empty. */
void print_rows(struct operator* op, const json_t *rows, const struct column *columns, size_t count);
/* One object: JSON, or a line for each column. */
void print_object(struct operator* op, const json_t *object, const struct column *columns,
                  size_t count);
#define COLUMNS(c) (c), sizeof(c) / sizeof(*(c))

/* What a command is for, in lines that fit a terminal. */
void print_help(const struct command *c);

/* Bytes as JSON text; what is not UTF-8 in it is replaced. A time is written as RFC 3339, 0 as null. */
json_t *json_text(struct str s);
json_t *json_time(uint64_t ms);

/* ---- the commands ---- */
#define COMMAND(name) enum err name(struct operator* op)
COMMAND(cmd_backup);
COMMAND(cmd_restore);
COMMAND(cmd_index);
COMMAND(cmd_serve);
COMMAND(cmd_check_config);
COMMAND(cmd_help);
COMMAND(cmd_domain_add);
COMMAND(cmd_domain_remove);
COMMAND(cmd_domain_list);
COMMAND(cmd_account_add);
COMMAND(cmd_account_list);
COMMAND(cmd_account_show);
COMMAND(cmd_account_change);
COMMAND(cmd_account_remove);
COMMAND(cmd_account_password);
COMMAND(cmd_account_suspend);
COMMAND(cmd_account_resume);
COMMAND(cmd_alias_add);
COMMAND(cmd_alias_change);
COMMAND(cmd_alias_list);
COMMAND(cmd_alias_remove);
COMMAND(cmd_queue_list);
COMMAND(cmd_queue_show);
COMMAND(cmd_queue_retry);
COMMAND(cmd_queue_hold);
COMMAND(cmd_queue_release);
COMMAND(cmd_queue_remove);
COMMAND(cmd_trace);
COMMAND(cmd_status);
COMMAND(cmd_check);
#undef COMMAND
