/* Each option is a row: its name, how its value is read, where it goes and which commands know it. */
#include "options.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "runs.h"

enum kind { FLAG, TEXT, NUMBER, SIZE, DURATION, ENDPOINT, PATTERN, TLS, PROTOCOL, PID, DEVICE };

struct option {
    const char *name;
    enum kind kind;
    size_t offset;
    unsigned commands;
    const char *value;
    const char *help;
};

#define ALL (CMD_SMTP | CMD_POP3 | CMD_SIGNON | CMD_IMAP | CMD_IMAP_SIGNON | CMD_IDLE)
#define AT(field) offsetof(struct options, field)

static const struct option table[] = {
    {"--to", ENDPOINT, AT(to), ALL, "IP:PORT", "the server (IPv4)"},
    {"--address", PATTERN, AT(address), ALL, "PATTERN", "the accounts, such as user%d@bench.test"},
    {"--accounts", NUMBER, AT(accounts), ALL, "N", "how many of them, numbered from 1 (1)"},
    {"--password", TEXT, AT(password), ALL, "TEXT", "the password of all of them (battery-staple)"},
    {"--sessions", NUMBER, AT(sessions), ALL, "N", "connections at once (1)"},
    {"--time-limit", DURATION, AT(time_limit_ms), ALL, "TIME", "give up after that (10m)"},
    {"--tls", TLS, AT(tls), ALL, "off|start|implicit",
     "STARTTLS or STLS, or TLS from the first byte (off)"},
    {"--pipelining", FLAG, AT(pipelining), CMD_SMTP | CMD_POP3, NULL, "do not wait for each reply"},
    {"--auth-plain", FLAG, AT(sasl), ALL & ~CMD_IDLE, NULL,
     "AUTH PLAIN; without it none at SMTP, USER and PASS at POP3"},
    {"--messages", NUMBER, AT(messages), CMD_SMTP, "N", "in all (1000)"},
    {"--size", SIZE, AT(size), CMD_SMTP, "SIZE", "of each message (10K)"},
    {"--recipients", NUMBER, AT(recipients), CMD_SMTP, "N", "of each message (1)"},
    {"--per-connection", NUMBER, AT(per_connection), CMD_SMTP, "N", "messages on one connection (all)"},
    {"--bdat", FLAG, AT(bdat), CMD_SMTP, NULL, "BDAT in place of DATA (RFC 3030)"},
    {"--from", TEXT, AT(from), CMD_SMTP, "ADDRESS",
     "reverse-path; with --auth-plain the account itself"},
    {"--visible", ENDPOINT, AT(visible), CMD_SMTP, "IP:PORT",
     "POP3: wait until every message stands in its mailbox"},
    {"--count", NUMBER, AT(count), CMD_POP3 | CMD_SIGNON | CMD_IMAP_SIGNON, "N",
     "sign-ons or downloads in all (one a session)"},
    {"--script", TEXT, AT(script), CMD_IMAP, "FILE",
     "the commands, a line each: NAME TIMES COMMAND (bench/imap.h)"},
    {"--window", NUMBER, AT(window), CMD_POP3, "N", "RETRs on their way with --pipelining (100)"},
    {"--protocol", PROTOCOL, AT(protocol), CMD_IDLE, "imap|pop3", "(imap)"},
    {"--select", FLAG, AT(select), CMD_IDLE, NULL, "SELECT INBOX"},
    {"--idle", FLAG, AT(idle), CMD_IDLE, NULL, "IDLE (RFC 2177)"},
    {"--rest", DURATION, AT(rest_ms), CMD_IDLE, "TIME", "how long to watch the server then (10s)"},
    {"--pid", PID, 0, ALL, "PID", "measure this process and its descendants (may be repeated)"},
    {"--device", DEVICE, 0, ALL, "MAJOR:MINOR", "count this disk's flushes and sectors"},
    {"--json", TEXT, AT(json), ALL, "FILE",
     "write the figures there; - is standard output, without the table"},
};

static const struct {
    const char *name;
    enum command command;
    void (*run)(const struct options *o, struct report *report);
    const char *help;
} commands[] = {
    {"smtp", CMD_SMTP, run_smtp, "send messages"},
    {"pop3", CMD_POP3, run_pop3, "download all messages of an account, in every session"},
    {"signon", CMD_SIGNON, run_signon, "sign on by POP3 and quit, over and over"},
    {"imap", CMD_IMAP, run_imap, "do what a script says, in every session, and time each step"},
    {"imap-signon", CMD_IMAP_SIGNON, run_imap_signon, "sign on by IMAP and log out, over and over"},
    {"idle", CMD_IDLE, run_idle, "sign on and wait, in every session: what one costs"},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

void options_usage(void)
{
    fputs("posthorn-bench COMMAND OPTION...\n\n", stderr);
    for (size_t i = 0; i < COUNT(commands); i++)
        fprintf(stderr, "  %-12s %s\n", commands[i].name, commands[i].help);
    for (size_t i = 0; i < COUNT(table); i++) {
        char left[64];

        snprintf(left, sizeof left, "%s %s", table[i].name, table[i].value ? table[i].value : "");
        fprintf(stderr, "%s  %-28s %s\n", i ? "" : "\n", left, table[i].help);
    }
}

static bool parse_endpoint(struct str s, struct sockaddr_in *out)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    char host[INET_ADDRSTRLEN];
    struct str ip;
    uint32_t port;

    if (!take_until(&s, ':', &ip) || ip.n >= sizeof host || !parse_u32(s, &port) || !port ||
        port > UINT16_MAX)
        return false;
    memcpy(host, ip.p, ip.n);
    host[ip.n] = '\0';
    if (inet_pton(AF_INET, host, &a.sin_addr) != 1)
        return false;
    a.sin_port = htons((uint16_t)port);
    *out = a;
    return true;
}

static bool parse_pattern(struct str s, struct pattern *out)
{
    size_t at;

    if (s.n > MAX_ADDRESS - 32)
        return false;
    *out = (struct pattern){.before = s};
    if (str_find(s, S("%d"), &at))
        *out = (struct pattern){str_upto(s, at), str_from(s, at + 2), true};
    return true;
}

static const char *const tls_names[] = {
    [TLS_OFF] = "off", [TLS_START] = "start", [TLS_IMPLICIT] = "implicit"};
static const char *const protocol_names[] = {[PROTOCOL_IMAP] = "imap", [PROTOCOL_POP3] = "pop3"};

static bool parse_word(struct str s, const char *const *names, size_t n, unsigned *out)
{
    for (size_t i = 0; i < n; i++)
        if (str_same(s, str_from_c(names[i]))) {
            *out = (unsigned)i;
            return true;
        }
    return false;
}

static bool parse_pid(struct str s, struct options *o)
{
    uint32_t pid;

    if (!parse_u32(s, &pid) || !pid || pid > INT32_MAX || o->pid_count == MAX_PIDS)
        return false;
    o->pids[o->pid_count++] = (pid_t)pid;
    return true;
}

static bool parse_device(struct str s, struct options *o)
{
    struct str major;

    return take_until(&s, ':', &major) && parse_u32(major, &o->device_major) &&
           parse_u32(s, &o->device_minor);
}

static bool set_value(struct options *o, const struct option *row, const char *text)
{
    void *field = (char *)o + row->offset;
    struct str s = str_from_c(text);
    int64_t ms;

    switch (row->kind) {
    case FLAG:
        *(bool *)field = true;
        return true;
    case TEXT:
        *(const char **)field = text;
        return true;
    case NUMBER:
        return parse_u64(s, field) && *(uint64_t *)field >= 1 && *(uint64_t *)field <= 100000000;
    case SIZE:
        return parse_size(s, field) && *(uint64_t *)field >= 2048 && *(uint64_t *)field <= 1 << 30;
    case DURATION:
        if (!parse_duration(s, &ms) || ms <= 0)
            return false;
        *(uint64_t *)field = (uint64_t)ms;
        return true;
    case ENDPOINT:
        return parse_endpoint(s, field);
    case PATTERN:
        return parse_pattern(s, field);
    case TLS:
        return parse_word(s, tls_names, COUNT(tls_names), field);
    case PROTOCOL:
        return parse_word(s, protocol_names, COUNT(protocol_names), field);
    case PID:
        return parse_pid(s, o);
    case DEVICE:
        return parse_device(s, o);
    }
    return false;
}

static bool complain(const char *what, const char *about)
{
    fprintf(stderr, "posthorn-bench: %s: %s\n", about, what);
    return false;
}

static const struct option *find_option(const char *name, enum command command)
{
    for (size_t i = 0; i < COUNT(table); i++)
        if (!strcmp(table[i].name, name) && (table[i].commands & command))
            return &table[i];
    return NULL;
}

static bool find_command(const char *name, struct options *out)
{
    for (size_t i = 0; i < COUNT(commands); i++)
        if (!strcmp(commands[i].name, name)) {
            out->command = commands[i].command;
            out->run = commands[i].run;
            return true;
        }
    return complain("no such command", name);
}

static bool check(const struct options *o)
{
    if (!o->to.sin_port)
        return complain("is missing", "--to");
    if (!o->address.before.n)
        return complain("is missing", "--address");
    if (o->accounts > 1 && !o->address.numbered)
        return complain("needs %d for more than one account", "--address");
    if (o->recipients > o->accounts)
        return complain("more than there are accounts", "--recipients");
    return true;
}

bool options_parse(int argc, char **argv, struct options *out)
{
    struct options o = {.accounts = 1,
                        .password = "battery-staple",
                        .sessions = 1,
                        .time_limit_ms = 600000,
                        .messages = 1000,
                        .size = 10240,
                        .recipients = 1,
                        .from = "load@sender.test",
                        .rest_ms = 10000,
                        .window = 100};

    if (argc < 2)
        return complain("which command?", "usage");
    if (!find_command(argv[1], &o))
        return false;
    for (int i = 2; i < argc; i++) {
        const struct option *row = find_option(argv[i], o.command);

        if (!row)
            return complain("no such option for this command", argv[i]);
        if (row->kind != FLAG && ++i == argc)
            return complain("needs a value", row->name);
        if (!set_value(&o, row, argv[i]))
            return complain("not a fitting value", row->name);
    }
    o.wants_visible = o.visible.sin_port != 0;
    *out = o;
    return check(&o);
}

void pattern_write(const struct pattern *p, uint64_t account, char out[MAX_ADDRESS])
{
    if (p->numbered)
        snprintf(out, MAX_ADDRESS, "%.*s%" PRIu64 "%.*s", STR_ARG(p->before), account + 1,
                 STR_ARG(p->after));
    else
        snprintf(out, MAX_ADDRESS, "%.*s", STR_ARG(p->before));
}
