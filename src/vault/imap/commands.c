#include "vault/imap/commands.h"

#define BOTH (AUTH | SELECTED)

static const struct imap_row commands[] = {
    /* RFC 9051 §6.1, §6.3 */
    {"CAPABILITY", BOTH, 0, cmd_capability},
    {"NOOP", BOTH, 0, cmd_noop},
    {"LOGOUT", BOTH, NO_SYNC, cmd_logout},
    {"ENABLE", BOTH, 0, cmd_enable},
    {"ID", BOTH, 0, cmd_id}, /* RFC 2971 */
    {"NAMESPACE", BOTH, 0, cmd_namespace},
    {"IDLE", BOTH, 0, cmd_idle},
    {"NOTIFY", BOTH, TELLS, cmd_notify},                   /* RFC 5465 */
    {"COMPRESS", BOTH, 0, cmd_compress},                   /* RFC 4978 */
    {"UNAUTHENTICATE", BOTH, NO_SYNC, cmd_unauthenticate}, /* RFC 8437 */
    {"SELECT", BOTH, NO_SYNC, cmd_select},
    {"EXAMINE", BOTH, NO_SYNC, cmd_examine},
    {"LIST", BOTH, 0, cmd_list},
    {"LSUB", BOTH, 0, cmd_lsub}, /* RFC 3501 §6.3.9 */
    {"STATUS", BOTH, 0, cmd_status},
    {"CREATE", BOTH, 0, cmd_create},
    {"DELETE", BOTH, 0, cmd_delete},
    {"RENAME", BOTH, 0, cmd_rename},
    {"SUBSCRIBE", BOTH, 0, cmd_subscribe},
    {"UNSUBSCRIBE", BOTH, 0, cmd_unsubscribe},
    {"APPEND", BOTH, 0, cmd_append, &append_mail_ops},
    {"REPLACE", SELECTED, HAS_UID | TELLS, cmd_replace, &append_mail_ops}, /* RFC 8508 */
    /* RFC 4314, RFC 9208, RFC 5464 */
    {"GETACL", BOTH, 0, cmd_getacl},
    {"SETACL", BOTH, 0, cmd_setacl},
    {"DELETEACL", BOTH, 0, cmd_deleteacl},
    {"LISTRIGHTS", BOTH, 0, cmd_listrights},
    {"MYRIGHTS", BOTH, 0, cmd_myrights},
    {"GETQUOTA", BOTH, 0, cmd_getquota},
    {"GETQUOTAROOT", BOTH, 0, cmd_getquotaroot},
    {"SETQUOTA", BOTH, 0, cmd_setquota},
    {"GETMETADATA", BOTH, 0, cmd_getmetadata},
    {"SETMETADATA", BOTH, SETS_VALUES, cmd_setmetadata},
    /* RFC 9051 §6.4 */
    {"CLOSE", SELECTED, NO_SYNC, cmd_close},
    {"UNSELECT", SELECTED, NO_SYNC, cmd_unselect},
    {"EXPUNGE", SELECTED, HAS_UID | NO_NUMBERS | TELLS, cmd_expunge},
    {"FETCH", SELECTED, HAS_UID | NO_EXPUNGE, cmd_fetch},
    {"STORE", SELECTED, HAS_UID | NO_EXPUNGE, cmd_store},
    {"COPY", SELECTED, HAS_UID, cmd_copy},
    {"MOVE", SELECTED, HAS_UID | TELLS, cmd_move},
    {"CHECK", SELECTED, 0, cmd_noop}, /* RFC 3501 §6.4.1 */
    {"SEARCH", SELECTED, NO_EXPUNGE | HAS_UID, cmd_search},
    {"SORT", SELECTED, NO_EXPUNGE | HAS_UID, cmd_sort},     /* RFC 5256 */
    {"THREAD", SELECTED, NO_EXPUNGE | HAS_UID, cmd_thread}, /* RFC 5256 */
    {"CANCELUPDATE", SELECTED, 0, cmd_cancelupdate},        /* RFC 5267 §4.3.5 */
    /* RFC 7377; it tells UIDs in any case, but an example in its §2 has "UID ESEARCH", which its grammar has not */
    {"ESEARCH", BOTH, HAS_UID | NO_NUMBERS, cmd_esearch},
    /* the gate's */
    {"LOGIN", 0, 0, NULL},
    {"AUTHENTICATE", 0, 0, NULL},
    {"STARTTLS", 0, 0, NULL},
};

const struct imap_row *imap_row_find(struct str name)
{
    for (size_t n = 0; n < sizeof(commands) / sizeof(*commands); n++)
        if (str_same_nocase(name, str_from_c(commands[n].name)))
            return &commands[n];
    return NULL;
}
