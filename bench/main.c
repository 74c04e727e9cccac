/* posthorn-bench: puts load on a mail server, any mail server, and says how it did. Exit status: 0 done, 1 the
 * run failed (a refused message is enough), 2 wrong usage. */
#include <signal.h>
#include <stdio.h>

#include "options.h"
#include "report.h"
#include "runs.h"
#include "wire.h"

int main(int argc, char **argv)
{
    struct report report = {.command = argc > 1 ? argv[1] : ""};
    struct options o;
    bool written;

    if (!options_parse(argc, argv, &o)) {
        options_usage();
        return 2;
    }
    signal(SIGPIPE, SIG_IGN); /* TLS writes without MSG_NOSIGNAL */
    if (!wires_start())
        return 1;
    o.run(&o, &report);
    wires_end();
    written = report_write(&report, o.json);
    return written && !report.failure[0] ? 0 : 1;
}
