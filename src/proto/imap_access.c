/* ACL, QUOTA and METADATA: who may, how much, and what is noted beside it. */
#include "proto/imap_access.h"

#include "base/buf.h"

static bool take_mailbox_arg(struct imap_parse *p, struct str *in, struct str *name)
{
    return (take_imap_sp(in) && take_imap_mailbox(p, in, name)) ||
           imap_bad(p, "the name of a mailbox is expected");
}

/* ---- ACL ---- */

static const char right_letters[] = "lrswipkxtea"; /* by bit */
/* RFC 4314 §2.1.1 leaves it to us which of the two has "x" in it; in its examples "d" is "et". */
#define OLD_CREATE (IMAP_RIGHT_CREATE | IMAP_RIGHT_DELETE)
#define OLD_DELETE (IMAP_RIGHT_DELETE_MSG | IMAP_RIGHT_EXPUNGE)

static uint32_t right_of(char letter)
{
    const char *at = letter ? strchr(right_letters, letter) : NULL;

    if (at)
        return UINT32_C(1) << (at - right_letters);
    return letter == 'c' ? OLD_CREATE : letter == 'd' ? OLD_DELETE : 0;
}

bool parse_imap_rights(struct str s, uint32_t *out)
{
    uint32_t rights = 0;

    for (size_t i = 0; i < s.n; i++) {
        uint32_t right = right_of(s.p[i]);

        if (!right)
            return false;
        rights |= right;
    }
    *out = rights;
    return true;
}

void imap_rights_write(struct buf *out, uint32_t rights)
{
    rights &= IMAP_RIGHTS_ALL;
    if (rights == 0)
        buf_add(out, S("\"\""));
    for (size_t i = 0; right_letters[i]; i++)
        if (rights & UINT32_C(1) << i)
            buf_add_char(out, right_letters[i]);
    if (rights & OLD_CREATE)
        buf_add_char(out, 'c');
    if (rights & OLD_DELETE)
        buf_add_char(out, 'd');
}

static bool take_identifier(struct imap_parse *p, struct str *in, struct str *out)
{
    return (take_imap_sp(in) && take_imap_astring(p, in, out) && out->n) ||
           imap_bad(p, "an identifier is expected");
}

bool parse_imap_set_acl(struct imap_parse *p, struct str args, struct imap_set_acl *out)
{
    struct str rights;

    *out = (struct imap_set_acl){0};
    if (!take_mailbox_arg(p, &args, &out->mailbox) || !take_identifier(p, &args, &out->identifier))
        return false;
    if (!take_imap_sp(&args) || !take_imap_astring(p, &args, &rights))
        return imap_bad(p, "rights are expected");
    if (take_char(&rights, '+'))
        out->how = IMAP_ACL_ADD;
    else if (take_char(&rights, '-'))
        out->how = IMAP_ACL_REMOVE;
    if (!parse_imap_rights(rights, &out->rights))
        return imap_bad(p, "there is no such right"); /* §3.1 */
    return take_imap_end(p, &args);
}

bool parse_imap_acl_of(struct imap_parse *p, struct str args, struct imap_acl_of *out)
{
    return take_mailbox_arg(p, &args, &out->mailbox) && take_identifier(p, &args, &out->identifier) &&
           take_imap_end(p, &args);
}

/* ---- QUOTA ---- */

static bool take_root(struct imap_parse *p, struct str *in, struct str *root)
{
    return (take_imap_sp(in) && take_imap_astring(p, in, root)) ||
           imap_bad(p, "a quota root is expected");
}

bool parse_imap_quota_root(struct imap_parse *p, struct str args, struct str *root)
{
    return take_root(p, &args, root) && take_imap_end(p, &args);
}

bool parse_imap_set_quota(struct imap_parse *p, struct str args, struct imap_set_quota *out)
{
    out->count = 0;
    if (!take_root(p, &args, &out->root))
        return false;
    if (!take_text(&args, S(" (")))
        return imap_bad(p, "a list of resources is expected");
    if (take_char(&args, ')'))
        return take_imap_end(p, &args);
    do {
        struct imap_quota_resource *r = &out->resources[out->count];

        if (out->count++ == IMAP_QUOTA_RESOURCES_MAX)
            return imap_no(p, "LIMIT", "too many resources");
        if (!take_imap_atom(&args, &r->name) || !take_imap_sp(&args) ||
            !take_imap_number64(&args, &r->limit))
            return imap_bad(p, "the name of a resource and its limit is expected");
    } while (take_imap_sp(&args));
    if (!take_char(&args, ')'))
        return imap_bad(p, "the list of resources is not closed");
    return take_imap_end(p, &args);
}

/* ---- METADATA ---- */

#define ENTRY_LEVELS 2        /* RFC 5464 §3.2: of a name at least */
#define ENTRY_LEVELS_VENDOR 4 /* /shared/vendor/<vendor-token>/… */

/* "/shared" or "/private", and what is below. */
static bool is_path(struct str name)
{
    size_t at;

    if (name.n > IMAP_ENTRY_NAME_MAX || name.p[name.n - 1] == '/')
        return false;
    if (str_find(name, S("//"), &at) || str_find_char(name, '*', &at) || str_find_char(name, '%', &at))
        return false;
    for (size_t i = 0; i < name.n; i++)
        if (!is_printable(name.p[i]))
            return false;
    return (take_text(&name, S("/shared")) || take_text(&name, S("/private"))) &&
           (!name.n || name.p[0] == '/');
}

bool is_imap_entry(struct str path)
{
    struct str rest = path, scope, first = STR_NONE;
    size_t levels = 0;

    for (size_t i = 0; i < path.n; i++)
        levels += path.p[i] == '/';
    if (take_char(&rest, '/') && take_until(&rest, '/', &scope) && !take_until(&rest, '/', &first))
        first = rest;
    return levels >= (str_same(first, S("vendor")) ? ENTRY_LEVELS_VENDOR : ENTRY_LEVELS);
}

/* GETMETADATA may ask for all that is below: "/private" is no entry, but a path to some (§4.2.2, §5 entry). */
static bool take_path(struct imap_parse *p, struct str *in, struct str *out)
{
    struct str s = *in, name;

    if (!take_imap_astring(p, &s, &name) || name.n == 0)
        return imap_bad(p, "the name of an entry is expected");
    name = str_lower(p->arena, name);
    if (!is_path(name))
        return imap_bad(p, "an entry is named /shared/... or /private/...");
    *in = s;
    *out = name;
    return true;
}

bool take_imap_entry(struct imap_parse *p, struct str *in, struct str *out)
{
    struct str s = *in, name;

    if (!take_path(p, &s, &name))
        return false;
    if (!is_imap_entry(name))
        return imap_bad(p, "the entry's name has too few components");
    *in = s;
    *out = name;
    return true;
}

/* From "(" on. */
static bool take_entry_list(struct imap_parse *p, struct str *in, imap_take_fn *take,
                            const struct str **out, size_t *count)
{
    return take_char(in, '(') && take_imap_several(p, in, take, IMAP_ENTRIES_MAX, out, count) &&
           (take_char(in, ')') || imap_bad(p, "the list of entries is not closed"));
}

bool take_imap_entries(struct imap_parse *p, struct str *in, const struct str **out, size_t *count)
{
    struct str s = *in, *entry;

    if (s.n && s.p[0] == '(') {
        if (!take_entry_list(p, &s, take_imap_entry, out, count))
            return false;
    } else {
        entry = arena_array(p->arena, struct str, 1);
        *out = entry;
        *count = 1;
        if (!take_imap_entry(p, &s, entry))
            return false;
    }
    *in = s;
    return true;
}

static bool take_get_option(struct imap_parse *p, struct str *in, struct imap_get_metadata *out)
{
    static const struct imap_word depths[] = {
        {"0", IMAP_DEPTH_0}, {"1", IMAP_DEPTH_1}, {"infinity", IMAP_DEPTH_INFINITY}, {NULL, 0}};
    unsigned depth;

    if (take_imap_word(in, S("MAXSIZE"))) {
        out->has_maxsize = true;
        return (take_imap_sp(in) && take_imap_number(in, &out->maxsize)) ||
               imap_bad(p, "MAXSIZE takes a number");
    }
    if (!take_imap_word(in, S("DEPTH")))
        return imap_bad(p, "MAXSIZE or DEPTH is expected");
    if (!take_imap_sp(in) || !take_imap_word_of(in, depths, &depth))
        return imap_bad(p, "DEPTH is 0, 1 or infinity");
    out->depth = (enum imap_depth)depth;
    return true;
}

/* getmetadata-options, from "(" on */
static bool take_get_options(struct imap_parse *p, struct str *in, struct imap_get_metadata *out)
{
    take_char(in, '(');
    do {
        if (!take_get_option(p, in, out))
            return false;
    } while (take_imap_sp(in));
    return take_char(in, ')') || imap_bad(p, "the list of options is not closed");
}

/* RFC 5464's grammar and its examples differ, and clients follow either: options stand before the mailbox (§5) or
 * behind it (§4.2.1, §4.2.2), several entries in brackets (§5) or not (§4.4.1). None can be taken for another. */
bool parse_imap_get_metadata(struct imap_parse *p, struct str args, struct imap_get_metadata *out)
{
    bool options = false;
    struct str s;

    *out = (struct imap_get_metadata){0};
    s = args;
    if (take_imap_sp(&s) && s.n && s.p[0] == '(') {
        options = true;
        if (!take_get_options(p, &s, out))
            return false;
        args = s;
    }
    if (!take_mailbox_arg(p, &args, &out->mailbox))
        return false;
    s = args;
    if (!options && take_text(&s, S(" (")) && s.n && is_alpha(s.p[0])) {
        take_imap_sp(&args);
        if (!take_get_options(p, &args, out))
            return false;
    }
    if (!take_imap_sp(&args))
        return imap_bad(p, "the name of an entry is expected");
    if (args.n && args.p[0] == '('
            ? !take_entry_list(p, &args, take_path, &out->entries, &out->count)
            : !take_imap_several(p, &args, take_path, IMAP_ENTRIES_MAX, &out->entries, &out->count))
        return false;
    return take_imap_end(p, &args);
}

/* value = nstring / literal8 */
static bool take_value(struct imap_parse *p, struct str *in, struct str *out)
{
    return take_imap_literal8(p, in, out) || take_imap_nstring(p, in, out);
}

bool parse_imap_set_metadata(struct imap_parse *p, struct str args, struct imap_set_metadata *out)
{
    *out = (struct imap_set_metadata){0};
    if (!take_mailbox_arg(p, &args, &out->mailbox))
        return false;
    if (!take_text(&args, S(" (")))
        return imap_bad(p, "a list of entries and values is expected");
    out->values = arena_array(p->arena, struct imap_entry_value, IMAP_ENTRIES_MAX);
    do {
        struct imap_entry_value *v = &out->values[out->count];

        if (out->count++ == IMAP_ENTRIES_MAX)
            return imap_no(p, "LIMIT", "too many entries");
        if (!take_imap_entry(p, &args, &v->entry) || !take_imap_sp(&args) ||
            !take_value(p, &args, &v->value))
            return imap_bad(p, "an entry's value is a string or NIL");
    } while (take_imap_sp(&args));
    if (!take_char(&args, ')'))
        return imap_bad(p, "the list of entries is not closed");
    return take_imap_end(p, &args);
}
