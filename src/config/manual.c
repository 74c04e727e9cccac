/* The manual, made from the same rows that are read and checked, so that it cannot say anything else. */
#include "config/table.h"

/* How the two forms write a heading, a setting and a paragraph. */
struct form {
    void (*block)(struct buf *out, const struct block *b);
    void (*setting)(struct buf *out, const struct setting *s);
};

static void add_kind(struct buf *out, const struct setting *s)
{
    const struct value_row *type = &config_values[s->type];

    if (type->is_list)
        buf_add_c(out, "list of ");
    for (const char *p = type->name; *p; p++)
        buf_add_char(out, *p == '_' ? ' ' : *p);
    if (s->least)
        buf_printf(out, " from %s to %s", s->least, s->most);
    if (!s->standard)
        buf_add_c(out, "; must be given");
    else if (s->standard[0])
        buf_printf(out, "; default: %s", s->standard);
}

#define INDENT 8

static void text_block(struct buf *out, const struct block *b)
{
    buf_printf(out, "\n%s%s%s { … }%s\n", b->name, b->title[0] ? " " : "", b->title,
               b->count_offset ? "   (may stand several times)" : "");
    buf_add_paragraph(out, str_from_c(b->manual), INDENT / 2);
}

static void text_setting(struct buf *out, const struct setting *s)
{
    size_t indent = s->block == BLOCK_config ? 0 : INDENT / 2;

    buf_printf(out, "\n%*s%s  (", (int)indent, "", s->name);
    add_kind(out, s);
    buf_add_c(out, ")\n");
    buf_add_paragraph(out, str_from_c(s->manual), indent + INDENT / 2);
}

/* In roff a hyphen is written \- to stay one, a backslash \e, and a line must not begin with a dot or a quote. */
static void add_roff(struct buf *out, const char *text)
{
    for (const char *p = text; *p; p++)
        if (*p == '-')
            buf_add_c(out, "\\-");
        else if (*p == '\\')
            buf_add_c(out, "\\e");
        else
            buf_add_char(out, *p);
    buf_add_char(out, '\n');
}

static void roff_block(struct buf *out, const struct block *b)
{
    buf_printf(out, ".SH BLOCK %s %s\n", b->name, b->title);
    add_roff(out, b->manual);
}

static void roff_setting(struct buf *out, const struct setting *s)
{
    buf_add_c(out, ".TP\n.B ");
    add_roff(out, s->name);
    buf_add_c(out, "(");
    add_kind(out, s);
    buf_add_c(out, ")\n.br\n");
    add_roff(out, s->manual);
}

static void add_all(struct buf *out, const struct form *form)
{
    for (enum block_id b = BLOCK_config; b < BLOCK_COUNT; b++) {
        if (b != BLOCK_config)
            form->block(out, &config_blocks[b]);
        for (const struct setting *s = config_settings; s < config_settings + config_setting_count; s++)
            if (s->block == b && s->name)
                form->setting(out, s);
    }
}

void config_manual_text(struct buf *out)
{
    static const struct form form = {text_block, text_setting};

    buf_add_paragraph(out,
                      S("Durations take s m h d, sizes K M G. A list is {\"one\", \"two\"}. A comment "
                        "begins with #."),
                      0);
    add_all(out, &form);
}

void config_manual_roff(struct buf *out)
{
    static const struct form form = {roff_block, roff_setting};

    buf_add_c(
        out,
        ".TH POSTHORN.CONF 5\n.SH NAME\nposthorn.conf \\- configuration of the mail server posthorn\n"
        ".SH DESCRIPTION\nSettings are written name = value, in any order. Durations take s m h d, "
        "sizes "
        "K M G. A list is {\"one\", \"two\"}. A comment begins with #. An unknown setting or a bad "
        "value "
        "is an error, told by posthorn check\\-config; the server does not start on it.\n"
        ".SH SETTINGS\n");
    add_all(out, &form);
    buf_add_c(out, ".SH SEE ALSO\n.BR posthorn (1)\n");
}
