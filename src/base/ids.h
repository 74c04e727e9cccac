/* base/ids.h: ids are structs of one field, so that the compiler notices when two are swapped. 0 is nobody. */
#pragma once
#include "base/str.h"

struct account_id {
    uint64_t v;
}; /* grows, never used again */
struct mailbox_id {
    uint64_t v;
}; /* within its account; INBOX is 1 */
struct email_id {
    uint64_t v;
}; /* within its account */
struct body_id {
    uint64_t v;
}; /* time-ordered, of the whole store; also the message's `id=` in log and trace */
struct entry_id {
    uint64_t body;
    uint32_t n;
}; /* a queue entry: the nth destination of a message, from 1 */

/* 128 random bits that the vault keeps beside an account: dead when the connection or the sign-on ends. */
struct handle {
    uint64_t hi, lo;
};

/* A message's id for people: 13 characters, sorted by time as the number is. An entry's: "<body>.<n>". */
#define ID_TEXT_SIZE 32
void id_text(uint64_t id, char out[ID_TEXT_SIZE]);
bool parse_id(struct str s, uint64_t *out);
void entry_id_text(struct entry_id id, char out[ID_TEXT_SIZE]);
bool parse_entry_id(struct str s, struct entry_id *out);

/* Fresh and time-ordered: 44 bits of milliseconds, then 20 bits that count on; never the same twice in a process,
 * and greater than `after`, which the caller read from its store, if the clock was set back. */
uint64_t fresh_id(void);
void fresh_id_after(uint64_t after);
