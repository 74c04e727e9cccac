/* bench/meter.h: what a server has used so far, as the kernel counts it.
 *
 * A server is one or more process trees. Descendants that are gone count too, for the kernel adds a child that
 * was waited for to its parent (its CPU in cutime and cstime, its input and output in /proc/PID/io).
 * Reading another user's io and smaps_rollup needs root; what cannot be read counts as nothing. */
#pragma once
#include <stdint.h>

#include "options.h"

struct meter {
    double cpu_s;     /* user and system */
    double written;   /* bytes dirtied for the disk by the server's processes */
    double switches;  /* voluntary context switches of the threads that live now: each is a wake-up */
    double pss;       /* bytes of memory, shared pages shared out; of now, not since some start */
    double processes; /* that live now */
    double machine_busy_s; /* of all processors, whoever kept them busy */
    double device_flushes; /* of the whole disk, whoever asked */
    double device_written; /* bytes */
};

void meter_read(const struct options *o, struct meter *out);
