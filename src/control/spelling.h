/* control/spelling.h: what somebody may have meant. */
#pragma once

/* The first word of a command that differs little from what was typed; NULL: none does. */
const char *nearest_command(const char *typed);
