/* posthorn: the command line. From what was typed to the row of commands.c, and from its answer to the exit status. */
#include "base/arena.h"
#include "control/operator.h"
#include "control/sendmail.h"
#include "control/spelling.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_CONFIG "/etc/posthorn/posthorn.conf"

static void print_command(FILE *out, const char *before, const struct command *c)
{
    fprintf(out, "%sposthorn %s%s%s\n", before, c->words, *c->usage ? " " : "", c->usage);
}

static void print_usage(FILE *out)
{
    fputs("usage: posthorn [--config FILE] [--json] COMMAND …\n\n", out);
    for (size_t i = 0; i < command_count; i++)
        print_command(out, "    ", &commands[i]);
    fputs("\n\"posthorn help COMMAND\" explains one, \"posthorn help settings\" the configuration.\n",
          out);
}

static bool is_in_group(const struct command *c, const char *group)
{
    size_t n = strlen(group);

    return !strncmp(c->words, group, n) && c->words[n] == ' ';
}

/* "account": the commands that begin so. False: there are none. */
static bool print_group(FILE *out, const char *group)
{
    bool found = false;

    for (size_t i = 0; i < command_count; i++)
        if (is_in_group(&commands[i], group)) {
            print_command(out, found ? "       " : "usage: ", &commands[i]);
            found = true;
        }
    return found;
}

const char *operator_option(const struct operator* op, const char *name)
{
    for (size_t i = 0; i < op->option_count; i++)
        if (!strcmp(op->options[i].name, name))
            return op->options[i].value;
    return NULL;
}

enum err usage_error(struct operator* op, const char *why)
{
    op->wrong_usage = true;
    return fail(&op->cx, ERR_BAD_VALUE, "%s", why);
}

enum err operator_settings(struct operator* op)
{
    if (op->settings.config)
        return OK;
    return settings_read(&op->cx, op->config_path, op->cx.arena, &op->settings);
}

/* How many of the arguments are this command's words; 0: not this command. */
static int match_words(const struct command *c, int argc, char **argv)
{
    struct str rest = str_from_c(c->words), word;
    int n = 0;

    while (rest.n) {
        if (!take_until(&rest, ' ', &word)) {
            word = rest;
            rest = STR_NONE;
        }
        if (n == argc || !str_same(word, str_from_c(argv[n])))
            return 0;
        n++;
    }
    return n;
}

static bool find_command(struct operator* op, int argc, char **argv)
{
    for (size_t i = 0; i < command_count; i++) {
        int words = match_words(&commands[i], argc, argv);

        if (words == 0)
            continue;
        op->command = &commands[i];
        op->argc = argc - words;
        op->argv = argv + words;
        return true;
    }
    return false;
}

/* Whether the command knows this option, and whether a value follows it. */
static bool knows_option(const struct command *c, const char *option, bool *has_value)
{
    size_t n = strlen(option);

    for (const char *at = c->options; at && (at = strstr(at, option)); at += n)
        if (at[-1] == ' ' && (at[n] == ' ' || at[n] == '=')) {
            *has_value = at[n] == '=';
            return true;
        }
    return false;
}

/* The options of every command, before it or behind. True: one was taken. */
static bool take_global(struct operator* op, int *argc, char ***argv)
{
    char **a = *argv;

    if (*argc > 1 && !strcmp(a[0], "--config"))
        op->config_path = a[1], *argv += 2, *argc -= 2;
    else if (*argc > 0 && !strncmp(a[0], "--config=", 9))
        op->config_path = a[0] + 9, *argv += 1, *argc -= 1;
    else if (*argc > 0 && !strcmp(a[0], "--json"))
        op->json = true, *argv += 1, *argc -= 1;
    else
        return false;
    return true;
}

static enum err take_option(struct operator* op, int *argc, char ***argv)
{
    char *word = **argv, *end;
    bool has_value;

    if (!strcmp(word, "--config")) /* else take_global() had taken it */
        return fail(&op->cx, ERR_BAD_VALUE, "--config needs a file");
    if ((end = strchr(word, '='))) /* --quota=2G */
        *end = '\0';
    if (!knows_option(op->command, word, &has_value) || op->option_count == MOST_OPTIONS_GIVEN)
        return fail(&op->cx, ERR_BAD_VALUE, "unknown option %s", word);
    if (has_value && !end && *argc == 1)
        return fail(&op->cx, ERR_BAD_VALUE, "%s needs a value", word);
    if (!has_value && end)
        return fail(&op->cx, ERR_BAD_VALUE, "%s takes no value", word);
    op->options[op->option_count].name = word;
    op->options[op->option_count++].value = end ? end + 1 : has_value ? (*argv)[1] : "";
    *argc -= 1 + (has_value && !end);
    *argv += 1 + (has_value && !end);
    return OK;
}

/* Sorts the arguments: options to op->options, the rest stays in op->argv. "--" ends the options. */
static enum err take_options(struct operator* op)
{
    int left = op->argc;
    bool ended = false;
    enum err e = OK;

    op->argc = 0;
    for (char **at = op->argv; left > 0 && !e;) {
        bool is_option = !ended && at[0][0] == '-' && at[0][1];

        if (is_option && !strcmp(*at, "--"))
            ended = true, at++, left--;
        else if (!is_option)
            op->argv[op->argc++] = *at++, left--;
        else if (!take_global(op, &left, &at))
            e = take_option(op, &left, &at);
    }
    return e;
}

static enum err check_count(struct operator* op)
{
    if (op->argc < op->command->least)
        return fail(&op->cx, ERR_BAD_VALUE, "an argument is missing");
    if (op->command->most >= 0 && op->argc > op->command->most)
        return fail(&op->cx, ERR_BAD_VALUE, "\"%s\" is too much", op->argv[op->command->most]);
    return OK;
}

static int wrong_usage(const struct operator* op)
{
    fprintf(stderr, "posthorn: %s\n", op->cx.cause);
    print_command(stderr, "usage: ", op->command);
    return EXIT_USAGE;
}

/* What was wanted stands before why it failed: "posthorn: account show x@y: there is no such thing". */
static int failed(const struct operator* op, enum err e)
{
    const char *cause = op->cx.cause[0] ? op->cx.cause : err_row(e)->text;
    const char *about = op->argc > 0 ? op->argv[0] : "";

    fprintf(stderr, "posthorn: %s%s%s: %s\n", op->command->words, *about ? " " : "", about, cause);
    return EXIT_FAILED;
}

/* Whoever reads only the beginning (| head) knows why the rest is not there. */
static int finish_output(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return EXIT_DONE;
    if (errno != EPIPE)
        fprintf(stderr, "posthorn: cannot write the answer: %s\n", strerror(errno));
    return EXIT_FAILED;
}

static int run(struct operator* op)
{
    enum err e;

    if (take_options(op) || check_count(op))
        return wrong_usage(op);
    e = op->command->run(op);
    vault_leave(op);
    if (op->wrong_usage)
        return wrong_usage(op);
    if (e)
        return failed(op, e);
    if (op->json && !op->answered)
        puts("{}");
    return finish_output();
}

static int asked_about_us(const char *option)
{
    if (!strcmp(option, "--version"))
        puts("posthorn " POSTHORN_VERSION);
    else
        print_usage(stdout);
    return EXIT_DONE;
}

static bool is_help(const char *word)
{
    return !strcmp(word, "--help") || !strcmp(word, "-h");
}

static void print_unknown(const char *word)
{
    const char *nearest = nearest_command(word);

    fprintf(stderr, "posthorn: there is no %s \"%s\", %s%s%ssee \"posthorn help\"\n",
            word[0] == '-' ? "option" : "command", word, nearest ? "perhaps \"" : "",
            nearest ? nearest : "", nearest ? "\": " : "");
}

static int no_command(int argc, char **argv)
{
    if (argc == 0) {
        print_usage(stderr);
    } else if (!strcmp(argv[0], "--version") || is_help(argv[0])) {
        return asked_about_us(argv[0]);
    } else if (argc > 1 && is_help(argv[1]) && print_group(stdout, argv[0])) {
        return EXIT_DONE;
    } else if (!print_group(stderr, argv[0])) {
        if (!strcmp(argv[0], "--config"))
            fputs("posthorn: --config needs a file\n", stderr);
        else
            print_unknown(argv[0]);
    }
    return EXIT_USAGE;
}

/* By one of the names that other programs know. */
static bool is_sendmail(const char *program)
{
    static const char *const names[] = {"sendmail", "mailq", "newaliases"};
    const char *slash = strrchr(program, '/'), *name = slash ? slash + 1 : program;

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (!strcmp(name, names[i]))
            return true;
    return false;
}

static int run_sendmail(struct operator* op, int argc, char **argv)
{
    int status = sendmail_main(op, argc, argv);

    arena_free(op->cx.arena);
    return status;
}

static int run_command(struct operator* op)
{
    for (int i = 0; i < op->argc; i++)
        if (is_help(op->argv[i])) {
            print_command(stdout, "usage: ", op->command);
            putchar('\n');
            print_help(op->command);
            return EXIT_DONE;
        }
    return run(op);
}

int main(int argc, char **argv)
{
    const char *path = getenv("POSTHORN_CONFIG");
    struct operator op = {.config_path = path && *path ? path : DEFAULT_CONFIG};
    int status;

    argc--;
    argv++;
    signal(SIGPIPE, SIG_IGN);
    op.cx.arena = arena_new(0);
    if (is_sendmail(argv[-1]))
        return run_sendmail(&op, argc + 1, argv - 1);
    while (take_global(&op, &argc, &argv))
        ;
    if (argc > 0 && !strcmp(argv[0], "sendmail"))
        return run_sendmail(&op, argc, argv);
    status = find_command(&op, argc, argv) ? run_command(&op) : no_command(argc, argv);
    arena_free(op.cx.arena);
    return status;
}
