/* Flags are few and compared without case; a list of a command is walked, not hashed. */
#include "proto/imap_token.h"

static const struct imap_word system_flags[] = {
    {"Seen", IMAP_SEEN},
    {"Answered", IMAP_ANSWERED},
    {"Flagged", IMAP_FLAGGED},
    {"Deleted", IMAP_DELETED},
    {"Draft", IMAP_DRAFT},
    {"Recent", 0},
    {NULL, 0},
};

bool take_imap_flag(struct imap_parse *p, struct str *in, uint32_t *system, struct str *keyword)
{
    struct str s = *in, atom;
    unsigned bit;

    *system = 0;
    *keyword = STR_NONE;
    if (take_char(&s, '\\')) {
        if (!take_imap_word_of(&s, system_flags, &bit))
            return take_imap_atom(&s, &atom) ? imap_no(p, "CANNOT", "there is no such system flag")
                                             : imap_bad(p, "a flag is expected after the backslash");
        *system = bit;
        *in = s;
        return true;
    }
    if (!take_imap_atom(&s, &atom))
        return false;
    if (atom.n > IMAP_KEYWORD_MAX)
        return imap_no(p, "LIMIT", "a keyword is longer than this server keeps");
    *keyword = atom;
    *in = s;
    return true;
}

static bool holds(const struct str *keywords, size_t count, struct str keyword)
{
    for (size_t i = 0; i < count; i++)
        if (str_same_nocase(keywords[i], keyword))
            return true;
    return false;
}

/* flag *(SP flag); they are counted before they are kept. */
static bool take_flags(struct imap_parse *p, struct str *in, struct imap_flags *out)
{
    struct str kept[IMAP_KEYWORDS_MAX], *keywords, s = *in, keyword;
    struct imap_flags f = {0};
    uint32_t bit;

    do {
        if (!take_imap_flag(p, &s, &bit, &keyword))
            return imap_bad(p, "a flag is expected");
        f.system |= bit;
        if (!keyword.p || holds(kept, f.keyword_count, keyword))
            continue;
        if (f.keyword_count == IMAP_KEYWORDS_MAX)
            return imap_no(p, "LIMIT", "too many keywords in one list");
        kept[f.keyword_count++] = keyword;
    } while (take_imap_sp(&s));
    keywords = arena_array(p->arena, struct str, f.keyword_count);
    memcpy(keywords, kept, f.keyword_count * sizeof(*kept));
    f.keywords = keywords;
    *in = s;
    *out = f;
    return true;
}

bool take_imap_flag_list(struct imap_parse *p, struct str *in, struct imap_flags *out)
{
    struct str s = *in;

    if (!take_char(&s, '('))
        return false;
    if (take_char(&s, ')'))
        *out = (struct imap_flags){0};
    else if (!take_flags(p, &s, out) || !take_char(&s, ')'))
        return imap_bad(p, "a list of flags is not closed");
    *in = s;
    return true;
}

bool take_imap_flags(struct imap_parse *p, struct str *in, struct imap_flags *out)
{
    return take_flags(p, in, out);
}
