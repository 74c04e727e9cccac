/* vault/search/pages.h: the files of SQLite, as the index wants them: each page has a check value.
 *
 * SQLite believes what it reads, and a byte that is wrong in a list of messages would be a message that is never found. So
 * files are read and written through this: the last bytes of each page are a CRC-32C of the rest and of the page's place,
 * and a page for which it does not hold is SQLITE_CORRUPT. The rollback journal is what SQLite makes it.
 *
 * It also keeps to the few system calls that the vault has, and takes no locks: one process has the store, and each file
 * is opened once. Temporary files there are none. */
#pragma once
#include "base/err.h"

#include <sqlite3.h>

#define PAGE_SIZE 4096

/* Opens path, making it if it is missing. The connection belongs to one thread at a time. False: *db is NULL. */
bool pages_open(const char *path, sqlite3 **db);
