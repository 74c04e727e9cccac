/* gate/smtp/params.h: the arguments of MAIL, RCPT and BDAT, with the parameters of the extensions.
 *
 * Pure: no I/O, no settings. What is decoded lives in the arena, the rest points into the input. */
#pragma once
#include "rpc/calls.h"

enum args_fault {
    ARGS_FINE,
    ARGS_SYNTAX,        /* not even FROM:< > */
    ARGS_ADDRESS,       /* between the brackets is no address */
    ARGS_NOT_ASCII,     /* an international address without SMTPUTF8 */
    ARGS_UNKNOWN_PARAM, /* 555 (RFC 5321 §4.1.1.11) */
    ARGS_BAD_PARAM,     /* a parameter we know, with a value it cannot have */
    ARGS_TWICE          /* a parameter twice (RFC 1870 §6, RFC 3461 §4.5) */
};

/* "FROM:<fred@acompany.test> SIZE=1000". takes_auth: AUTH= (RFC 4954 §5) is a parameter here; it is checked, then
 * forgotten, since we trust nobody to say who wrote a message. no_domain: a bare local part is enough, and leaves the
 * domain empty. */
enum args_fault parse_mail_args(struct arena *a, struct str in, bool no_domain, bool takes_auth,
                                struct path *from, struct mail_params *params);

/* "TO:<tom@acompany.test> NOTIFY=NEVER". no_domain: as above; <Postmaster> never needs one. */
enum args_fault parse_rcpt_args(struct arena *a, struct str in, bool no_domain, bool smtputf8,
                                struct rcpt *out);

/* "1000 LAST" (RFC 3030 §2). */
bool parse_bdat_args(struct str in, uint64_t *size, bool *last);

/* The next word of a command's arguments, and the blanks behind it. False: there is none. */
bool take_word(struct str *in, struct str *word);
