#include "testing/conversation.h"

#include "base/arena.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#define RANDOM_RUNS 6

enum cut { WHOLE, BYTES, RANDOM };

struct run {
    const struct conversation_core *core;
    const char *file;
    size_t line;
    enum cut cut;
    unsigned seed;
    bool failed;
    struct buf piece;   /* of C: lines, not yet fed */
    struct buf replies; /* not yet expected */
};

static void complain(struct run *r, const char *what, struct str expected, struct str got)
{
    static const char *const cuts[] = {"in one piece", "byte by byte", "cut at random"};

    if (!r->failed)
        fprintf(stderr, "%s:%zu (%s, seed %u): %s\n  expected %.*s\n  got      %.*s\n", r->file,
                r->line, cuts[r->cut], r->seed, what, STR_ARG(expected), STR_ARG(str_upto(got, 300)));
    r->failed = true;
}

bool glob_match(struct str pattern, struct str text)
{
    struct str after_star = STR_NONE, from = STR_NONE;
    bool star = false;

    while (text.n) {
        if (pattern.n && pattern.p[0] == '*') {
            star = true;
            after_star = pattern = str_from(pattern, 1);
            from = text;
        } else if (pattern.n && pattern.p[0] == text.p[0]) {
            pattern = str_from(pattern, 1);
            text = str_from(text, 1);
        } else if (star) {
            pattern = after_star;
            text = from = str_from(from, 1);
        } else {
            return false;
        }
    }
    while (pattern.n && pattern.p[0] == '*')
        pattern = str_from(pattern, 1);
    return pattern.n == 0;
}

static int hex_digit(char c)
{
    return is_digit(c) ? c - '0' : to_lower(c) - 'a' + 10;
}

static char escaped(char c)
{
    return (char)(c == 'r' ? '\r' : c == 'n' ? '\n' : c == 't' ? '\t' : c == '0' ? '\0' : c);
}

void add_unescaped(struct buf *out, struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] != '\\' || i + 1 == s.n) {
            buf_add_char(out, s.p[i]);
        } else if (s.p[++i] == 'x' && i + 2 < s.n) {
            buf_add_char(out, (char)(hex_digit(s.p[i + 1]) * 16 + hex_digit(s.p[i + 2])));
            i += 2;
        } else {
            buf_add_char(out, escaped(s.p[i]));
        }
    }
}

/* ---- feeding ---- */

static size_t cut_length(struct run *r, size_t left)
{
    size_t n = left;

    if (r->cut == BYTES)
        n = 1;
    if (r->cut == RANDOM) {
        r->seed = r->seed * 1103515245u + 12345u;
        n = 1 + (r->seed >> 16) % 40;
    }
    return n < left ? n : left;
}

/* In memory of exactly that size, so that a sanitizer sees a read beyond it. Returns how much was left. */
static size_t feed_some(struct run *r, struct str bytes)
{
    char *copy = must_alloc(bytes.n);
    struct str in = {copy, bytes.n};
    size_t before, said;

    memcpy(copy, bytes.p, bytes.n);
    do {
        before = in.n;
        said = r->replies.n;
        r->core->feed(&in, &r->replies);
    } while (in.n && (in.n < before || r->replies.n > said) && !r->core->is_closed());
    free(copy);
    return in.n;
}

/* As a driver does it: what is not taken comes again, with more behind it. */
static void settle(struct run *r)
{
    struct str rest = buf_str(&r->piece), kept = STR_NONE;
    struct str nothing = STR_NONE;

    r->core->feed(&nothing, &r->replies);
    while (rest.n && !r->core->is_closed()) {
        size_t n = cut_length(r, rest.n), left;

        kept = (struct str){rest.p - kept.n, kept.n + n}; /* what was left lies just before */
        left = feed_some(r, kept);
        kept = str_from(kept, kept.n - left);
        rest = str_from(rest, n);
    }
    buf_clear(&r->piece);
}

/* ---- the lines of a file ---- */

static void do_client(struct run *r, struct str value)
{
    if (r->piece.n == 0 && r->replies.n)
        complain(r, "a reply nobody expects", STR_NONE, buf_str(&r->replies));
    add_unescaped(&r->piece, value);
}

/* "* " at the beginning is IMAP's mark of what has no tag. */
static bool reply_fits(struct str pattern, struct str line)
{
    return take_text(&pattern, S("* ")) ? take_text(&line, S("* ")) && glob_match(pattern, line)
                                        : glob_match(pattern, line);
}

/* Where CR LF begins. By single characters: a sanitizer looks at all that memmem() is given, and replies may be long. */
static bool find_line_end(struct str s, size_t *at)
{
    for (size_t from = 0; str_find_char(str_from(s, from), '\n', at); from += *at + 1)
        if (from + *at > 0 && s.p[from + *at - 1] == '\r') {
            *at += from - 1;
            return true;
        }
    return false;
}

static void do_server(struct run *r, struct str value)
{
    struct str all, line;
    size_t at;

    settle(r);
    all = buf_str(&r->replies);
    if (!find_line_end(all, &at)) {
        complain(r, "no reply", value, all);
        return;
    }
    line = str_upto(all, at);
    if (!reply_fits(value, line))
        complain(r, "another reply", value, line);
    buf_take(&r->replies, at + 2);
}

static void do_closed(struct run *r, struct str value)
{
    settle(r);
    if (!r->core->is_closed())
        complain(r, "it does not want to close", value, STR_NONE);
}

static void do_own_word(struct run *r, struct str word, struct str value)
{
    if (r->piece.n)
        settle(r);
    if (!r->core->word(word, value, &r->replies))
        complain(r, "what does this line say?", STR_NONE, word);
}

static void run_line(struct run *r, struct str line)
{
    struct str word, value = line;
    uint64_t times = 1;

    if (line.n == 0 || line.p[0] == '#')
        return;
    if (!take_until(&value, ':', &word)) {
        complain(r, "no word", STR_NONE, line);
        return;
    }
    take_char(&value, ' ');
    if (word.n > 2 && word.p[1] == '*' && parse_u64(str_from(word, 2), &times))
        word = str_upto(word, 1);
    for (; times && !r->failed; times--) {
        if (str_same(word, S("C")))
            do_client(r, value);
        else if (str_same(word, S("S")))
            do_server(r, value);
        else if (str_same(word, S("closed")))
            do_closed(r, value);
        else
            do_own_word(r, word, value);
    }
}

static bool run_file(const struct conversation_core *core, const char *name, struct str text,
                     enum cut cut, unsigned seed)
{
    struct run r = {.core = core,
                    .file = name,
                    .cut = cut,
                    .seed = seed,
                    .piece = buf_make(BUF_UNLIMITED),
                    .replies = buf_make(BUF_UNLIMITED)};
    struct str line;

    core->begin();
    while (!r.failed && take_until(&text, '\n', &line)) {
        r.line++;
        run_line(&r, line);
    }
    if (!r.failed && r.piece.n)
        settle(&r);
    if (r.replies.n)
        complain(&r, "a reply nobody expects", STR_NONE, buf_str(&r.replies));
    if (!core->end())
        complain(&r, "something is left open", STR_NONE, STR_NONE);
    buf_free(&r.piece);
    buf_free(&r.replies);
    return !r.failed;
}

static struct buf read_file(const char *path)
{
    struct buf b = buf_make(BUF_UNLIMITED);
    FILE *f = fopen(path, "r");
    size_t n = 1;

    while (f && n) {
        n = fread(buf_reserve(&b, 4096), 1, 4096, f);
        buf_grew(&b, n);
    }
    if (f)
        fclose(f);
    return b;
}

static bool run_all_cuts(const struct conversation_core *core, const char *name, struct str text)
{
    bool passed = run_file(core, name, text, WHOLE, 0) && run_file(core, name, text, BYTES, 0);

    for (unsigned seed = 1; passed && seed <= RANDOM_RUNS; seed++)
        passed = run_file(core, name, text, RANDOM, seed);
    return passed;
}

int conversations_run(const char *folder, const struct conversation_core *core)
{
    struct dirent **files = NULL;
    int count = scandir(folder, &files, NULL, alphasort), run = 0, failed = 0;

    for (int i = 0; i < count; i++) {
        char path[512];
        struct buf text;

        if (str_ends_nocase(str_from_c(files[i]->d_name), S(".txt"))) {
            snprintf(path, sizeof(path), "%s/%s", folder, files[i]->d_name);
            text = read_file(path);
            failed += !run_all_cuts(core, files[i]->d_name, buf_str(&text));
            buf_free(&text);
            run++;
        }
        free(files[i]);
    }
    free(files);
    return run ? failed : -1;
}
