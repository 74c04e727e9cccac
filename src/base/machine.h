/* base/machine.h: what this machine has. */
#pragma once
#include <stdint.h>

/* Bytes of memory that this process may have: the machine's, or less where a control group (version 2, as containers and
 * systemd's MemoryMax have them) allows less. Reads files: call it before a sandbox is entered. */
uint64_t machine_memory(void);
/* The same of other files: what /proc/self/cgroup says, and where the tree of groups is. For tests. */
uint64_t machine_memory_by(const char *groups, const char *tree);
