/* Numbers and flags are written by the hundred thousand, so they go without printf. */
#include "proto/imap_write.h"

#include "base/utf8.h"
#include "proto/imap_name.h"

#include <inttypes.h>

void imap_astring_write(struct buf *out, struct str s, bool utf8)
{
    bool atom = s.n > 0 && !str_same_nocase(s, S("NIL"));

    for (size_t i = 0; i < s.n && atom; i++)
        atom = is_imap_astring_char(s.p[i]);
    if (atom)
        buf_add(out, s);
    else
        imap_string_write_as(out, s, utf8);
}

void imap_literal_head(struct buf *out, uint64_t n)
{
    buf_add_char(out, '{');
    buf_add_u64(out, n);
    buf_add(out, S("}\r\n"));
}

void imap_literal8_head(struct buf *out, uint64_t n)
{
    buf_add_char(out, '~');
    imap_literal_head(out, n);
}

void imap_mailbox_write(struct buf *out, struct str name, bool utf8)
{
    struct buf coded;

    if (utf8) {
        imap_astring_write(out, name, true);
        return;
    }
    coded = buf_make(BUF_UNLIMITED);
    imap_utf7_encode(&coded, name);
    imap_astring_write(out, buf_str(&coded), false);
    buf_free(&coded);
}

/* ---- flags ---- */

static const struct str system_names[] = {
    {"\\Seen", 5},    {"\\Answered", 9}, {"\\Flagged", 8},
    {"\\Deleted", 8}, {"\\Draft", 6},    {"\\Recent", 7},
};
#define SYSTEM_COUNT (sizeof(system_names) / sizeof(*system_names))
#define FIRST_KEYWORD 8 /* bit */

struct str imap_flag_name(uint32_t system_flag)
{
    for (size_t i = 0; i < SYSTEM_COUNT; i++)
        if (system_flag == UINT32_C(1) << i)
            return system_names[i];
    return STR_NONE;
}

void imap_flags_write(struct buf *out, uint64_t flags, const struct imap_keyword_names *keywords)
{
    bool first = true;

    while (flags) {
        size_t bit = (size_t)__builtin_ctzll(flags), row = bit - FIRST_KEYWORD;
        struct str name = STR_NONE;

        flags &= flags - 1;
        if (bit < SYSTEM_COUNT)
            name = system_names[bit];
        else if (bit >= FIRST_KEYWORD && row < keywords->count)
            name = keywords->names[row];
        if (name.n == 0)
            continue;
        if (!first)
            buf_add_char(out, ' ');
        first = false;
        buf_add(out, name);
    }
}

void imap_flag_list_write(struct buf *out, uint64_t flags, const struct imap_keyword_names *keywords)
{
    buf_add_char(out, '(');
    imap_flags_write(out, flags, keywords);
    buf_add_char(out, ')');
}

/* ---- status responses ---- */

void imap_text_write(struct buf *out, struct str text, bool utf8)
{
    while (text.n) {
        size_t n = utf8_character_length(text);

        if (n == 1 && (unsigned char)text.p[0] >= 0x20 && text.p[0] != 0x7f)
            buf_add_char(out, text.p[0]);
        else if (n == 1)
            buf_add_char(out, ' ');
        else if (n && utf8)
            buf_add(out, str_upto(text, n));
        else
            buf_add_char(out, '?');
        text = str_from(text, n ? n : 1);
    }
}

static void write_status(struct buf *out, const char *cond, struct str code, struct str text, bool utf8)
{
    buf_add_char(out, ' ');
    buf_add_c(out, cond);
    if (code.n) {
        buf_add(out, S(" ["));
        buf_add(out, code);
        buf_add_char(out, ']');
    }
    buf_add_char(out, ' ');
    imap_text_write(out, text, utf8);
    buf_add(out, S("\r\n"));
}

void imap_untagged(struct buf *out, const char *cond, struct str code, struct str text, bool utf8)
{
    buf_add_char(out, '*');
    write_status(out, cond, code, text, utf8);
}

void imap_tagged(struct buf *out, struct str tag, const char *cond, struct str code, struct str text,
                 bool utf8)
{
    buf_add(out, tag);
    write_status(out, cond, code, text, utf8);
}

void imap_code_appenduid(struct buf *out, uint32_t uid_validity, const struct imap_set *uids)
{
    buf_add(out, S("APPENDUID "));
    buf_add_u64(out, uid_validity);
    buf_add_char(out, ' ');
    imap_set_write(out, uids);
}

void imap_code_copyuid(struct buf *out, uint32_t uid_validity, const struct imap_set *from,
                       const struct imap_set *to)
{
    buf_add(out, S("COPYUID "));
    buf_add_u64(out, uid_validity);
    buf_add_char(out, ' ');
    imap_set_write(out, from);
    buf_add_char(out, ' ');
    imap_set_write(out, to);
}

/* A tag holds nothing that would have to be quoted, but "]", at which a client may take the code to be over. */
void imap_code_inprogress(struct buf *out, struct str tag, uint64_t done, uint64_t goal)
{
    size_t at;

    if (tag.n && !str_find_char(tag, ']', &at))
        buf_printf(out, "INPROGRESS (\"%.*s\" ", STR_ARG(tag));
    else
        buf_add(out, S("INPROGRESS (NIL "));
    if (done < goal && goal <= UINT32_MAX)
        buf_printf(out, "%" PRIu64 " %" PRIu64 ")", done, goal);
    else
        buf_add(out, S("NIL NIL)"));
}
