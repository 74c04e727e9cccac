/* proto/imap_access.h: the commands of ACL (RFC 4314), QUOTA (RFC 9208) and METADATA (RFC 5464). */
#pragma once
#include "proto/imap_args.h"

/* Rights (RFC 4314 §2.1), as bits; obsolete "c" and "d" come as what they stand for (§2.1.1): "kx" and "et". */
enum {
    IMAP_RIGHT_LOOKUP = 1,       /* l */
    IMAP_RIGHT_READ = 2,         /* r */
    IMAP_RIGHT_SEEN = 4,         /* s */
    IMAP_RIGHT_WRITE = 8,        /* w */
    IMAP_RIGHT_INSERT = 16,      /* i */
    IMAP_RIGHT_POST = 32,        /* p */
    IMAP_RIGHT_CREATE = 64,      /* k */
    IMAP_RIGHT_DELETE = 128,     /* x: the mailbox */
    IMAP_RIGHT_DELETE_MSG = 256, /* t */
    IMAP_RIGHT_EXPUNGE = 512,    /* e */
    IMAP_RIGHT_ADMIN = 1024      /* a */
};
#define IMAP_RIGHTS_ALL 2047
/* "lrswipkxtea", and for old clients "cd" where any of what they stand for is held (§2.1.1); none: "" in quotes. */
void imap_rights_write(struct buf *out, uint32_t rights);
/* "lrs". False: a letter that is no right (BAD, §3.1). */
bool parse_imap_rights(struct str s, uint32_t *out);

struct imap_set_acl {
    struct str mailbox, identifier; /* "-fred": negative rights */
    enum imap_acl_how { IMAP_ACL_REPLACE, IMAP_ACL_ADD, IMAP_ACL_REMOVE } how;
    uint32_t rights;
};
bool parse_imap_set_acl(struct imap_parse *p, struct str args, struct imap_set_acl *out);

/* DELETEACL, LISTRIGHTS */
struct imap_acl_of {
    struct str mailbox, identifier;
};
bool parse_imap_acl_of(struct imap_parse *p, struct str args, struct imap_acl_of *out);

/* GETQUOTA; GETQUOTAROOT has parse_imap_mailbox() */
bool parse_imap_quota_root(struct imap_parse *p, struct str args, struct str *root);
#define IMAP_QUOTA_RESOURCES_MAX 20
struct imap_set_quota {
    struct str root;
    struct imap_quota_resource {
        struct str name;
        uint64_t limit;
    } resources[IMAP_QUOTA_RESOURCES_MAX];
    size_t count;
};
bool parse_imap_set_quota(struct imap_parse *p, struct str args, struct imap_set_quota *out);

/* METADATA. Entries are checked as §3.1 has it: begin with /shared/ or /private/, no empty component, no "*", "%", NUL
 * nor 8-bit; without case, so they come in lower case. */
#define IMAP_ENTRY_NAME_MAX 1000
#define IMAP_ENTRIES_MAX 100
struct imap_get_metadata {
    struct str mailbox;        /* empty: the server's */
    const struct str *entries; /* or "/private", "/shared": of what is below, DEPTH tells */
    size_t count;
    bool has_maxsize;
    uint32_t maxsize;
    enum imap_depth { IMAP_DEPTH_0, IMAP_DEPTH_1, IMAP_DEPTH_INFINITY } depth;
};
bool parse_imap_get_metadata(struct imap_parse *p, struct str args, struct imap_get_metadata *out);

struct imap_set_metadata {
    struct str mailbox; /* empty: the server's */
    struct imap_entry_value {
        struct str entry, value; /* value.p NULL: NIL, remove it. A literal8 may hold NULs */
    } * values;
    size_t count;
};
bool parse_imap_set_metadata(struct imap_parse *p, struct str args, struct imap_set_metadata *out);

/* May it have a value (RFC 5464 §3.2), or is it only a path to some that may, such as "/private/vendor"? */
bool is_imap_entry(struct str path);
/* One entry's name: in lower case, in the arena. */
bool take_imap_entry(struct imap_parse *p, struct str *in, struct str *out);
/* entries = entry / "(" entry *(SP entry) ")" */
bool take_imap_entries(struct imap_parse *p, struct str *in, const struct str **out, size_t *count);
