/* base/directory.h: directories of the file system. */
#pragma once
#include <stdbool.h>

/* A directory and the files in it; not one that has directories in it, and not what a link leads to. What cannot be
 * removed stays, without a word. */
void directory_remove(const char *path);

/* Nothing is in it, or it is not there. False: something is, or it cannot be seen. */
bool directory_is_empty(const char *path);
