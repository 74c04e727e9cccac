/* What a session may be told of flags, beyond whether it is true: a client shows only what FLAGS has named, and takes
 * \Recent for something that nobody but its user has seen. */
#include "vault/imap/model_picture.h"

static const char *const flag_names[] = {"\\Seen",  "\\Answered", "\\Flagged", "\\Deleted",
                                         "\\Draft", "$Forwarded", "blue"};

/* The word at the beginning of a list, which moves on; false at its end. */
static bool take_flag(struct str *list, struct str *word)
{
    if (!list->n)
        return false;
    if (!take_until(list, ' ', word)) {
        *word = *list;
        *list = STR_NONE;
    }
    return true;
}

unsigned parse_flags(struct str list)
{
    unsigned flags = 0;
    struct str word;

    while (take_flag(&list, &word))
        for (unsigned i = 0; i < FLAGS; i++)
            if (str_same_nocase(word, str_from_c(flag_names[i])))
                flags |= 1u << i;
    return flags;
}

void write_flags(struct buf *out, unsigned flags)
{
    const char *before = "(";

    for (unsigned i = 0; i < FLAGS; i++)
        if (flags & 1u << i) {
            buf_printf(out, "%s%s", before, flag_names[i]);
            before = " ";
        }
    buf_add_c(out, before[0] == '(' ? "()" : ")");
}

void told_named_flags(struct model *m, size_t s, struct str list)
{
    m->sessions[s].named_flags = parse_flags(list);
}

void told_permanent_flags(struct model *m, size_t s, struct str list)
{
    unsigned flags = parse_flags(list), named = m->sessions[s].named_flags;

    if (flags & ~named)
        wrong(m, "PERMANENTFLAGS are %02x, and FLAGS named %02x", flags, named);
}

void told_flag_list(struct model *m, size_t s, struct message *real, struct str list)
{
    struct picture *p = &m->sessions[s];
    unsigned flags = parse_flags(list);
    bool recent = false;
    struct str word;

    if (flags & ~p->named_flags)
        wrong(m, "uid %u has flags %02x, and FLAGS named %02x", real->uid, flags, p->named_flags);
    while (take_flag(&list, &word))
        recent |= str_same_nocase(word, S("\\Recent"));
    if (!recent || p->read_only) /* an EXAMINE takes it from nobody */
        return;
    if (real->recent && real->recent != p->selection)
        wrong(m, "uid %u was \\Recent to another session already", real->uid);
    real->recent = p->selection;
}
