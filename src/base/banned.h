/* base/banned.h: included by the compiler before every file of ours. These make mistakes easy; what to use
 * instead stands beside each. */
#pragma once
#include <stdio.h> /* first, so that the declarations themselves still compile */
#include <stdlib.h>
#include <string.h>

/* With _FORTIFY_SOURCE glibc makes these macros for clang, which will not poison a macro. */
#undef sprintf
#undef vsprintf

#pragma GCC poison strcpy strcat stpcpy  /* struct buf */
#pragma GCC poison sprintf vsprintf gets /* snprintf, buf_printf */
#pragma GCC poison strtok strtok_r       /* take_until */
#pragma GCC poison atoi atol atof        /* parse_u64 */
#pragma GCC poison strncpy strncat       /* str_copy */
