/* What there is to type. The loop in main.c checks words, options and the number of arguments, so no command does. */
#include "control/operator.h"

const struct command commands[] = {
    {"serve", "", NULL, 0, 0, cmd_serve,
     "Run the server in the foreground. SIGTERM finishes what is under way and stops; SIGHUP reloads "
     "configuration and "
     "certificates."},
    {"check-config", "", NULL, 0, 0, cmd_check_config,
     "Say what is wrong with the configuration, and on which line."},
    {"help", "[COMMAND… | settings]", " --roff ", 0, 2, cmd_help,
     "Explain a command, or every setting of the configuration."},
    {"domain add", "NAME", NULL, 1, 1, cmd_domain_add, "Take mail for a domain."},
    {"domain remove", "NAME", NULL, 1, 1, cmd_domain_remove,
     "Take no more mail for a domain; it must be empty."},
    {"domain list", "", NULL, 0, 0, cmd_domain_list, "List the domains."},
    {"account add",
     "ADDRESS [--password-stdin] [--name TEXT] [--quota SIZE] [--messages N] [--internal-only]",
     " --password-stdin --name= --quota= --messages= --internal-only ", 1, 1, cmd_account_add,
     "Make an account. The password is asked for on the terminal; with --password-stdin it is the "
     "first "
     "line of standard input; without either the account has none until \"posthorn account password\". "
     "--quota and --messages: the most that it may hold. --internal-only: it exchanges mail with this "
     "server's domains only."},
    {"account list", "", NULL, 0, 0, cmd_account_list, "List the accounts."},
    {"account show", "ADDRESS", NULL, 1, 1, cmd_account_show, "Show one account."},
    {"account change",
     "ADDRESS [--name TEXT] [--quota SIZE | none] [--messages N | none] [--internal-only yes | no]",
     " --name= --quota= --messages= --internal-only= ", 1, 1, cmd_account_change,
     "Give an account another name, other limits, or say anew whether it exchanges mail with this "
     "server's "
     "domains only."},
    {"account remove", "ADDRESS", NULL, 1, 1, cmd_account_remove,
     "Remove an account and all of its mail."},
    {"account password", "ADDRESS [--password-stdin]", " --password-stdin ", 1, 1, cmd_account_password,
     "Give an account a new password, asked for on the terminal or, with --password-stdin, the first "
     "line of standard input."},
    {"account suspend", "ADDRESS", NULL, 1, 1, cmd_account_suspend,
     "End the account's sessions at once and let it sign on no more; its mail is still accepted."},
    {"account resume", "ADDRESS", NULL, 1, 1, cmd_account_resume, "Undo a suspension."},
    {"alias add", "ADDRESS TARGET…", NULL, 2, -1, cmd_alias_add,
     "Send mail for ADDRESS to the targets. An ADDRESS of the form @domain catches what nobody else "
     "has."},
    {"alias change", "ADDRESS TARGET…", NULL, 2, -1, cmd_alias_change,
     "Give an alias these targets in place of those it has."},
    {"alias list", "", NULL, 0, 0, cmd_alias_list, "List the aliases."},
    {"alias remove", "ADDRESS", NULL, 1, 1, cmd_alias_remove, "Remove an alias."},
    {"queue list", "", NULL, 0, 0, cmd_queue_list, "List the mail that waits for other servers."},
    {"queue show", "ID", NULL, 1, 1, cmd_queue_show,
     "Show one entry of the queue, and what the other server said."},
    {"queue retry", "ID | --domain NAME | --all", " --domain= --all ", 0, 1, cmd_queue_retry,
     "Try now."},
    {"queue hold", "ID | --domain NAME | --all", " --domain= --all ", 0, 1, cmd_queue_hold,
     "Do not try until released."},
    {"queue release", "ID | --domain NAME | --all", " --domain= --all ", 0, 1, cmd_queue_release,
     "Try again what was held."},
    {"queue remove", "ID | --domain NAME | --all", " --domain= --all ", 0, 1, cmd_queue_remove,
     "Remove without delivery and without a report."},
    {"trace", "WHAT", NULL, 1, 1, cmd_trace,
     "Tell what happened to a queue id, Message-ID or address, in order."},
    {"status", "", NULL, 0, 0, cmd_status,
     "Tell how the running server is; the exit status serves monitors."},
    {"check", "[--repair DIR]", " --repair= ", 0, 0, cmd_check,
     "Read the whole store and name what disagrees or cannot be read. With --repair, while no server "
     "runs, write what can be read into a new data directory, and name what was left out or made anew; "
     "the old one stays as it is."},
    {"index", "ADDRESS | --all", " --all ", 0, 1, cmd_index,
     "Make the full-text index of an account anew, or of every account, from what is stored, and wait "
     "until it is complete. "
     "Searches work meanwhile, without it. An index is otherwise made by itself when a text is looked "
     "for "
     "in a large mailbox, kept up to date, and replaced if it is damaged or lost."},
    {"backup", "DIR [--verify]", " --verify ", 1, 1, cmd_backup,
     "Copy the store into a directory, consistent, while the server runs or not; with the certificate "
     "made at "
     "first start and the text of the configuration. A second backup into the same directory copies "
     "only what is "
     "new, and takes the place of the first when all of it is there. With --verify, nothing is copied: "
     "the "
     "backup in DIR is read through, and refused if it could not be restored; neither a server nor a "
     "configuration is needed for that."},
    {"restore", "DIR [--queue keep|hold|drop]", " --queue= ", 1, 1, cmd_restore,
     "Copy a backup into an empty data directory, while no server runs. Every mailbox gets a new "
     "UIDVALIDITY: "
     "clients fetch their mail anew. Mail that was to be sent to other servers is held, since it may "
     "have been "
     "sent after the backup: \"posthorn queue release\" sends it, --queue keep does so at once, drop "
     "removes it."},
    {"sendmail", "[-t] [-i] [-f SENDER] [-F NAME] [-bm|-bs|-bp|-bi] [RECIPIENT…]", NULL, 0, -1, NULL,
     "Hand in a message from standard input, as cron and other programs do; for every user of this "
     "machine. Works by the names sendmail, mailq and newaliases too, and exits by sysexits.h."},
};

const size_t command_count = sizeof(commands) / sizeof(*commands);
