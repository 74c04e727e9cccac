/* One line after another, a literal between two of them.
 *
 *                    literal announced          inline, bulk
 *           ┌─ LINE ───────────────────▶ ASKED ────────────▶ INLINE or BULK ─┐
 *           │   ▲                          │                     │           │ all of it has come
 *           │   └──────────────────────────│─────────────────────│───────────┘
 *   too long│                              ▼ refused             ▼ refused
 *   unclean │                         REFUSED_NOW                │
 *           │                              │ "{n+}"              │
 *           │                              ▼                     │
 *           └─▶ SKIP_LINE ◀────────▶ SKIP_LITERAL ◀──────────────┘
 *                                          │ more than limits->skip
 *                                          └──▶ DEAD
 *
 * A line without a literal at its end ends the command: IMAP_COMMAND, or IMAP_REFUSED from SKIP_LINE. So does, when
 * skipping, one with a literal that the client holds back until it has heard "+": it hears the refusal instead.
 * `gathered` is empty in the skipping states, but for the tag, which is kept apart. */
#include "proto/imap_reader.h"

#include "proto/imap_token.h"

#include <assert.h>

enum { LINE, ASKED, INLINE, BULK, REFUSED_NOW, SKIP_LINE, SKIP_LITERAL, DEAD };

const struct imap_limits imap_limits_signed_off = {
    .line = 8192,
    .text = 16384,
    .literal = 8192,
    .literals = 64, /* ID may hold 30 pairs, each of them two literals */
    .nonsync = 4096,
    .skip = 65536,
};

/* Literals: an ESEARCH over many mailboxes, a SETMETADATA, a MULTIAPPEND of as many messages as imap_append.h takes,
 * with some flags and a date each. A message that is refused is skipped as far as the largest that people send; more
 * of it is not worth the wait for either side. */
const struct imap_limits imap_limits_signed_on = {
    .line = IMAP_LINE_MAX,
    .text = 1024 * 1024,
    .literal = 65536,
    .literals = 10000,
    .nonsync = UINT64_MAX,
    .skip = UINT64_C(256) << 20,
};

struct imap_reader imap_reader_make(const struct imap_limits *limits)
{
    struct imap_reader r = {.limits = limits};

    /* The announcement of a literal may be a little longer as it is kept, and as a mark, than as it came. */
    r.gathered = buf_make(limits->text + 2 * IMAP_LITERAL_SPEC_MAX);
    return r;
}

void imap_reader_free(struct imap_reader *r)
{
    buf_free(&r->gathered);
}

static void begin_command(struct imap_reader *r)
{
    buf_free(&r->gathered);
    r->line_at = r->inline_bytes = r->literal_count = 0;
    r->bulk_count = 0;
    r->state = LINE;
    r->cr = r->given = false;
    r->tail_size = r->tag_size = 0;
    r->text = r->tag = STR_NONE;
}

bool imap_reader_is_between(const struct imap_reader *r)
{
    return r->given || (r->state == LINE && r->gathered.n == 0);
}

void imap_reader_limit(struct imap_reader *r, const struct imap_limits *limits)
{
    assert(imap_reader_is_between(r));
    imap_reader_free(r);
    *r = imap_reader_make(limits);
}

void imap_reader_forget(struct imap_reader *r)
{
    begin_command(r);
}

/* ---- lines ---- */

/* How many bytes of `in` belong to this line, CRLF included; 0 if it does not end here. `cr`: the byte before `in`
 * is a CR of the same line. */
static size_t line_length(struct str in, bool cr)
{
    size_t from = 0, at;

    while (str_find_char(str_from(in, from), '\n', &at)) {
        at += from;
        if (at ? in.p[at - 1] == '\r' : cr)
            return at + 1;
        from = at + 1;
    }
    return 0;
}

/* Why a line, without its CRLF, is not one; NULL if it is. */
static const char *fault_of_line(struct str line)
{
    size_t at;

    if (str_find_char(line, '\n', &at) || str_find_char(line, '\r', &at))
        return "BAD a line ends in CRLF, and holds neither alone";
    if (str_find_char(line, '\0', &at))
        return "BAD a command holds no NUL";
    return NULL;
}

/* The announcement of a literal at the end of a line: where it begins. A number that does not fit counts as the
 * largest. */
static bool find_literal(struct str line, struct imap_literal *out, size_t *at)
{
    size_t end = line.n, digit;
    bool plus = false;

    if (end == 0 || line.p[--end] != '}')
        return false;
    if (end && line.p[end - 1] == '+') {
        plus = true;
        end--;
    }
    for (digit = end; digit && is_digit(line.p[digit - 1]);)
        digit--;
    if (digit == end || digit == 0 || line.p[digit - 1] != '{')
        return false;
    *at = digit - 1;
    *out = (struct imap_literal){.sync = !plus};
    if (!parse_u64((struct str){line.p + digit, end - digit}, &out->size))
        out->size = UINT64_MAX;
    if (*at && line.p[*at - 1] == '~') {
        out->is_literal8 = true;
        --*at;
    }
    return true;
}

/* ---- what is refused ---- */

static bool hang_up(struct imap_reader *r, const char *why, enum imap_event *event)
{
    r->state = DEAD;
    r->why = why;
    *event = IMAP_HANG_UP;
    return true;
}

/* The command begins with what is gathered and goes on with `more`. */
static void keep_tag(struct imap_reader *r, struct str more)
{
    struct str first = str_upto(buf_str(&r->gathered), IMAP_TAG_MAX + 1), text, tag;
    char begin[IMAP_TAG_MAX + 1];

    more = str_upto(more, sizeof(begin) - first.n);
    if (first.n)
        memcpy(begin, first.p, first.n);
    if (more.n)
        memcpy(begin + first.n, more.p, more.n);
    text = (struct str){begin, first.n + more.n};
    if (take_imap_tag(&text, &tag) && take_imap_sp(&text)) {
        memcpy(r->tag_bytes, tag.p, tag.n);
        r->tag_size = (unsigned char)tag.n;
    }
}

/* The end of a line that is skipped, as long as an announcement may be. */
static void note_tail(struct imap_reader *r, struct str bytes)
{
    size_t keep, room;

    bytes = str_from(bytes, bytes.n > sizeof(r->tail) ? bytes.n - sizeof(r->tail) : 0);
    room = sizeof(r->tail) - bytes.n;
    keep = room < r->tail_size ? room : r->tail_size;
    memmove(r->tail, r->tail + r->tail_size - keep, keep);
    if (bytes.n)
        memcpy(r->tail + keep, bytes.p, bytes.n);
    r->tail_size = (unsigned char)(keep + bytes.n);
    r->cr = r->tail_size && r->tail[r->tail_size - 1] == '\r';
}

/* From here on the command is only skipped. `line`: what has been read of the present line. `more`: what follows on
 * what is gathered. */
static void give_up(struct imap_reader *r, struct str line, struct str more, const char *why)
{
    keep_tag(r, more);
    r->why = why;
    r->tail_size = 0;
    note_tail(r, line);
    buf_free(&r->gathered);
    r->line_at = 0;
    r->state = SKIP_LINE;
}

static bool refused(struct imap_reader *r, enum imap_event *event)
{
    r->tag = (struct str){r->tag_bytes, r->tag_size};
    r->given = true;
    *event = IMAP_REFUSED;
    return true;
}

/* A literal of a command that is skipped. */
static bool skip_literal(struct imap_reader *r, const struct imap_literal *literal,
                         enum imap_event *event)
{
    if (literal->sync)
        return refused(r, event);
    if (literal->size > r->limits->skip)
        return hang_up(r, "[TOOBIG] a literal is larger than this server takes", event);
    r->left = literal->size;
    r->state = SKIP_LITERAL;
    return false;
}

/* The end of it, without CRLF, is in r->tail. */
static bool skipped_line(struct imap_reader *r, enum imap_event *event)
{
    struct str line = {r->tail, r->tail_size};
    struct imap_literal literal;
    size_t at;

    r->tail_size = 0;
    r->cr = false;
    return find_literal(line, &literal, &at) ? skip_literal(r, &literal, event) : refused(r, event);
}

static bool skip_line(struct imap_reader *r, struct str *in, enum imap_event *event)
{
    size_t n = line_length(*in, r->cr);

    note_tail(r, str_upto(*in, n ? n : in->n));
    *in = str_from(*in, n ? n : in->n);
    if (n == 0)
        return false;
    r->tail_size = (unsigned char)(r->tail_size - 2);
    return skipped_line(r, event);
}

static void skip_bytes(struct imap_reader *r, struct str *in)
{
    size_t n = in->n < r->left ? in->n : (size_t)r->left;

    *in = str_from(*in, n);
    r->left -= n;
    if (r->left == 0)
        r->state = SKIP_LINE;
}

/* ---- a command ---- */

static void gather(struct imap_reader *r, struct str bytes)
{
    buf_add(&r->gathered, bytes);
    assert(!r->gathered.full);
}

/* The line just read, all of it gathered, ends with the announcement of r->literal, `at` bytes from its beginning. */
static bool announce(struct imap_reader *r, size_t at, enum imap_event *event)
{
    const char *why = NULL;

    if (++r->literal_count > r->limits->literals)
        why = "BAD too many literals in one command";
    else if (r->literal.size > INT64_MAX || (!r->literal.sync && r->literal.size > r->limits->nonsync))
        why = "BAD [TOOBIG] the literal is larger than this server takes";
    if (why) {
        give_up(r, STR_NONE, STR_NONE, why);
        return skip_literal(r, &r->literal, event);
    }
    r->gathered.n = r->line_at + at;
    r->text = buf_str(&r->gathered);
    r->state = ASKED;
    *event = IMAP_LITERAL;
    return true;
}

/* `line` is without CRLF. */
static bool whole_line(struct imap_reader *r, struct str line, enum imap_event *event)
{
    bool is_gathered = r->gathered.n > 0;
    const char *fault = fault_of_line(line);
    size_t at;

    r->cr = false;
    if (fault) {
        give_up(r, line, is_gathered ? STR_NONE : line, fault);
        return skipped_line(r, event);
    }
    if (find_literal(line, &r->literal, &at)) {
        if (!is_gathered)
            gather(r, line);
        return announce(r, at, event);
    }
    r->text = is_gathered ? str_upto(buf_str(&r->gathered), r->gathered.n - 2) : line;
    r->given = true;
    *event = IMAP_COMMAND;
    return true;
}

static bool read_line(struct imap_reader *r, struct str *in, enum imap_event *event)
{
    size_t n = line_length(*in, r->cr), all = n ? n : in->n;
    struct str so_far = str_from(buf_str(&r->gathered), r->line_at), line;

    if (so_far.n + all > r->limits->line + 2 || r->gathered.n + all > r->limits->text + 2) {
        give_up(r, so_far, *in, "BAD the command is too long");
        return false;
    }
    line = str_upto(*in, all);
    if (n == 0 || r->gathered.n > 0) {
        gather(r, line);
        r->cr = line.p[all - 1] == '\r';
        line = str_from(buf_str(&r->gathered), r->line_at);
    }
    *in = str_from(*in, all);
    return n ? whole_line(r, str_upto(line, line.n - 2), event) : false;
}

/* The line behind a literal. */
static void next_line(struct imap_reader *r)
{
    r->line_at = r->gathered.n;
    r->cr = false;
    r->state = LINE;
}

static void read_inline(struct imap_reader *r, struct str *in)
{
    size_t n = in->n < r->left ? in->n : (size_t)r->left;

    gather(r, str_upto(*in, n));
    *in = str_from(*in, n);
    r->left -= n;
    if (r->left == 0)
        next_line(r);
}

static bool read_bulk(struct imap_reader *r, struct str *in, enum imap_event *event)
{
    size_t n = in->n < r->left ? in->n : (size_t)r->left;

    if (r->left == 0) {
        next_line(r);
        *event = IMAP_DATA_END;
        return true;
    }
    r->data = str_upto(*in, n);
    *in = str_from(*in, n);
    r->left -= n;
    *event = IMAP_DATA;
    return true;
}

/* One step. True: *event has happened. */
static bool step(struct imap_reader *r, struct str *in, enum imap_event *event)
{
    switch (r->state) {
    case LINE:
        return read_line(r, in, event);
    case INLINE:
        read_inline(r, in);
        return false;
    case BULK:
        return read_bulk(r, in, event);
    case REFUSED_NOW:
        return skip_literal(r, &r->literal, event);
    case SKIP_LINE:
        return skip_line(r, in, event);
    case SKIP_LITERAL:
        skip_bytes(r, in);
        return false;
    default:
        assert(r->state == DEAD); /* ASKED: the caller owes a decision */
        *event = IMAP_HANG_UP;
        return true;
    }
}

enum imap_event imap_read(struct imap_reader *r, struct str *in)
{
    enum imap_event event;

    if (r->given)
        begin_command(r);
    while (in->n || r->state == REFUSED_NOW || r->state == DEAD || (r->state == BULK && r->left == 0))
        if (step(r, in, &event))
            return event;
    return IMAP_MORE;
}

/* ---- what becomes of a literal ---- */

static void go_on(struct imap_reader *r, struct buf *out)
{
    r->left = r->literal.size;
    if (r->literal.sync)
        buf_add(out, S("+ OK\r\n"));
}

void imap_literal_inline(struct imap_reader *r, struct buf *out)
{
    assert(r->state == ASKED);
    if (r->literal.size > r->limits->literal - r->inline_bytes ||
        r->literal.size > r->limits->text - r->gathered.n) {
        imap_refuse(r, "BAD [TOOBIG] the literal is larger than this server takes here");
        return;
    }
    r->inline_bytes += (size_t)r->literal.size;
    buf_printf(&r->gathered, "%s{%zu}\r\n", r->literal.is_literal8 ? "~" : "", (size_t)r->literal.size);
    go_on(r, out);
    r->state = INLINE;
    if (r->left == 0)
        next_line(r);
}

void imap_literal_bulk(struct imap_reader *r, struct buf *out)
{
    assert(r->state == ASKED);
    r->literal.index = r->bulk_count++;
    imap_bulk_write(&r->gathered,
                    &(struct imap_bulk){r->literal.index, r->literal.size, r->literal.is_literal8});
    go_on(r, out);
    r->state = BULK;
}

void imap_refuse(struct imap_reader *r, const char *why)
{
    unsigned char was = r->state;

    assert(was == ASKED || was == BULK || (was == LINE && r->literal_count > 0 && !r->given));
    give_up(r, STR_NONE, STR_NONE, why);
    if (was == ASKED)
        r->state = REFUSED_NOW;
    else if (was == BULK)
        r->state = SKIP_LITERAL;
}

/* ---- lines that are no commands ---- */

static void take_bytes(struct imap_reader *r, struct str *in, size_t n)
{
    r->cr = n ? in->p[n - 1] == '\r' : r->cr;
    *in = str_from(*in, n);
}

enum imap_raw imap_read_raw(struct imap_reader *r, struct str *in, struct str *line)
{
    size_t n, all;

    if (r->given)
        begin_command(r);
    n = line_length(*in, r->cr);
    all = n ? n : in->n;
    if (r->state == SKIP_LINE || r->gathered.n + all > IMAP_RAW_MAX) {
        buf_free(&r->gathered);
        r->state = SKIP_LINE;
        take_bytes(r, in, all);
        if (n == 0)
            return IMAP_RAW_MORE;
        begin_command(r);
        return IMAP_RAW_TOO_LONG;
    }
    *line = str_upto(*in, all);
    if (n == 0 || r->gathered.n > 0) {
        gather(r, *line);
        *line = buf_str(&r->gathered);
    }
    take_bytes(r, in, all);
    if (n == 0)
        return IMAP_RAW_MORE;
    line->n -= 2;
    r->given = true;
    return IMAP_RAW_LINE;
}
