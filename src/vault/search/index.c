/* A content is a document with a number, from 1 on without gaps; in the full-text table it has two rows, 2n for its header
 * and 2n + 1 for its body. The table keeps no text and no places (content='', detail=none), only which rows have a trigram:
 * half of what the text takes. Which content a number is stands in a table of its own, and all of that in memory, 24 bytes
 * a content. */
#include "vault/search/index.h"

#include "base/arena.h"
#include "vault/search/pages.h"

#include <stdlib.h>
#include <unistd.h>

/* Of the tables, and of what is put into them: another number, and the file is made anew. */
#define FORMAT 1
#define LONGEST_PATH 400

enum { ADD_DOC, ADD_TEXT, ASK, REACH, STATEMENTS };

static const char *const statements[STATEMENTS] = {
    [ADD_DOC] = "INSERT INTO doc (id, body, stamp) VALUES (?1, ?2, ?3)",
    [ADD_TEXT] = "INSERT INTO text (rowid, words) VALUES (?1, ?2)",
    [ASK] = "SELECT rowid FROM text WHERE text MATCH ?1",
    [REACH] = "UPDATE reached SET modseq = ?1, email = ?2",
};

struct index {
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENTS];
    struct index_reached reached;
    struct index_known
        *docs; /* by number: the first is 1; those from `committed` on are not in the file for sure */
    size_t count, room, committed;
    struct index_known *known; /* in order, each body once */
    size_t known_count;
    bool in_transaction;
};

/* ---- SQLite ---- */

static enum err broken(struct index *x, struct cx *cx, int code)
{
    const char *why = x->db ? sqlite3_errmsg(x->db) : "cannot be opened";

    if (code == SQLITE_FULL)
        return fail(cx, ERR_NO_SPACE, "index: %s", why);
    return fail(cx, ERR_DAMAGED, "index: %s", why);
}

static enum err run(struct index *x, struct cx *cx, const char *sql)
{
    int code = sqlite3_exec(x->db, sql, NULL, NULL, NULL);

    return code ? broken(x, cx, code) : OK;
}

/* One that gives no rows. */
static enum err finish(struct index *x, struct cx *cx, sqlite3_stmt *s)
{
    int code = sqlite3_step(s);

    sqlite3_reset(s);
    sqlite3_clear_bindings(s);
    return code == SQLITE_DONE ? OK : broken(x, cx, code);
}

static enum err begin(struct index *x, struct cx *cx)
{
    enum err e = x->in_transaction ? OK : run(x, cx, "BEGIN");

    x->in_transaction |= !e;
    return e;
}

/* ---- opening ---- */

static enum err set_up(struct index *x, struct cx *cx)
{
    return run(x, cx,
               "PRAGMA page_size = 4096; PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = DELETE;"
               "PRAGMA synchronous = NORMAL; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -2048;"
               "PRAGMA trusted_schema = OFF");
}

static enum err create(struct index *x, struct cx *cx, uint64_t identity)
{
    char sql[900];

    snprintf(sql, sizeof(sql),
             "BEGIN;"
             "CREATE TABLE reached (identity INTEGER, modseq INTEGER, email INTEGER);"
             "INSERT INTO reached VALUES (%lld, 0, 0);"
             "CREATE TABLE doc (id INTEGER PRIMARY KEY, body INTEGER, stamp INTEGER);"
             "CREATE VIRTUAL TABLE text USING fts5(words, content='', detail=none,"
             " tokenize='trigram case_sensitive 1');"
             "INSERT INTO text (text, rank) VALUES ('hashsize', 4194304);"
             "PRAGMA user_version = %d;"
             "COMMIT",
             (long long)identity, FORMAT);
    return run(x, cx, sql);
}

/* The first number that a statement gives; -1 if it gives none. */
static enum err ask_number(struct index *x, struct cx *cx, const char *sql, int64_t *out)
{
    sqlite3_stmt *s = NULL;
    int code = sqlite3_prepare_v2(x->db, sql, -1, &s, NULL);

    *out = -1;
    if (!code && (code = sqlite3_step(s)) == SQLITE_ROW)
        *out = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    return code == SQLITE_ROW || code == SQLITE_DONE ? OK : broken(x, cx, code);
}

static void add_doc(struct index *x, uint64_t body, uint32_t stamp)
{
    if (x->count == x->room) {
        x->room = x->room ? x->room * 2 : 256;
        x->docs = must_realloc(x->docs, x->room * sizeof(*x->docs));
    }
    x->docs[x->count++] = (struct index_known){.body = body, .stamp = stamp};
}

static enum err read_docs(struct index *x, struct cx *cx)
{
    sqlite3_stmt *s = NULL;
    int code = sqlite3_prepare_v2(x->db, "SELECT id, body, stamp FROM doc ORDER BY id", -1, &s, NULL);

    while (!code && (code = sqlite3_step(s)) == SQLITE_ROW) {
        if ((size_t)sqlite3_column_int64(s, 0) != x->count + 1)
            break;
        add_doc(x, (uint64_t)sqlite3_column_int64(s, 1), (uint32_t)sqlite3_column_int64(s, 2));
        code = SQLITE_OK;
    }
    sqlite3_finalize(s);
    return code == SQLITE_DONE ? OK : broken(x, cx, code);
}

static enum err read_reached(struct index *x, struct cx *cx, uint64_t identity)
{
    int64_t whose, modseq, email;
    enum err e = ask_number(x, cx, "SELECT identity FROM reached", &whose);

    if (!e)
        e = ask_number(x, cx, "SELECT modseq FROM reached", &modseq);
    if (!e)
        e = ask_number(x, cx, "SELECT email FROM reached", &email);
    if (e)
        return e;
    if (whose != (int64_t)identity)
        return fail(cx, ERR_DAMAGED, "index: of another store");
    x->reached = (struct index_reached){.modseq = (uint64_t)modseq, .email = (uint64_t)email};
    return OK;
}

static int compare_known(const void *a, const void *b)
{
    const struct index_known *x = a, *y = b;

    return (x->body > y->body) - (x->body < y->body);
}

/* Merges the documents from `committed` on into what is known; of the same body the newer counts. */
static void know(struct index *x)
{
    size_t n = x->count - x->committed, a = 0, b = 0, to = 0;
    struct index_known *fresh = must_alloc((n + 1) * sizeof(*fresh));
    struct index_known *all = must_alloc((n + x->known_count + 1) * sizeof(*all));

    for (size_t k = 0; k < n; k++)
        fresh[k] = x->docs[x->committed + k];
    qsort(fresh, n, sizeof(*fresh), compare_known);
    while (a < x->known_count || b < n) {
        bool old = b == n || (a < x->known_count && x->known[a].body < fresh[b].body);
        struct index_known next = old ? x->known[a++] : fresh[b++];

        if (to && all[to - 1].body == next.body)
            to--;
        all[to++] = next;
    }
    free(fresh);
    free(x->known);
    x->known = all;
    x->known_count = to;
    x->committed = x->count;
}

static enum err prepare(struct index *x, struct cx *cx)
{
    for (int k = 0; k < STATEMENTS; k++) {
        int code = sqlite3_prepare_v3(x->db, statements[k], -1, SQLITE_PREPARE_PERSISTENT,
                                      &x->statements[k], NULL);

        if (code)
            return broken(x, cx, code);
    }
    return OK;
}

static enum err open_tables(struct index *x, struct cx *cx, uint64_t identity)
{
    int64_t format, tables;
    enum err e = set_up(x, cx);

    if (!e)
        e = ask_number(x, cx, "PRAGMA user_version", &format);
    if (!e)
        e = ask_number(x, cx, "SELECT count(*) FROM sqlite_schema", &tables);
    if (!e && !format && !tables)
        e = create(x, cx, identity);
    else if (!e && format != FORMAT)
        e = fail(cx, ERR_DAMAGED, "index: format %lld", (long long)format);
    if (!e)
        e = read_reached(x, cx, identity);
    if (!e)
        e = read_docs(x, cx);
    if (!e)
        e = prepare(x, cx);
    if (!e)
        know(x);
    return e;
}

enum err index_open(struct cx *cx, const char *path, uint64_t identity, struct index **out)
{
    struct index *x = must_alloc(sizeof(*x));
    enum err e = pages_open(path, &x->db) ? open_tables(x, cx, identity & INT64_MAX)
                                          : broken(x, cx, SQLITE_CANTOPEN);

    if (e)
        index_close(&x);
    else
        *out = x;
    return e;
}

void index_close(struct index **xp)
{
    struct index *x = *xp;

    if (!x)
        return;
    for (int k = 0; k < STATEMENTS; k++)
        sqlite3_finalize(x->statements[k]);
    sqlite3_close(x->db);
    free(x->docs);
    free(x->known);
    free(x);
    *xp = NULL;
}

void index_remove(const char *path)
{
    char journal[LONGEST_PATH];

    if (snprintf(journal, sizeof(journal), "%s-journal", path) < (int)sizeof(journal))
        unlink(journal); /* first: a journal without its file is nothing, but not the other way round */
    unlink(path);
}

/* ---- adding ---- */

struct index_reached index_reached(const struct index *x)
{
    return x->reached;
}

size_t index_count(const struct index *x)
{
    return x->known_count;
}

static enum err add_text(struct index *x, struct cx *cx, size_t row, struct str text)
{
    sqlite3_stmt *s = x->statements[ADD_TEXT];

    sqlite3_bind_int64(s, 1, (sqlite3_int64)row);
    sqlite3_bind_text64(s, 2, text.p ? text.p : "", text.n, SQLITE_STATIC, SQLITE_UTF8);
    return finish(x, cx, s);
}

enum err index_add(struct index *x, struct cx *cx, struct body_id body, uint32_t stamp,
                   struct str header, struct str text)
{
    sqlite3_stmt *s = x->statements[ADD_DOC];
    size_t number = x->count + 1;
    enum err e = begin(x, cx);

    sqlite3_bind_int64(s, 1, (sqlite3_int64)number);
    sqlite3_bind_int64(s, 2, (sqlite3_int64)body.v);
    sqlite3_bind_int64(s, 3, stamp);
    if (!e)
        e = finish(x, cx, s);
    if (!e)
        e = add_text(x, cx, number * 2, header);
    if (!e)
        e = add_text(x, cx, number * 2 + 1, text);
    if (!e)
        add_doc(x, body.v, stamp);
    return e;
}

enum err index_commit(struct index *x, struct cx *cx, struct index_reached reached)
{
    enum err e = begin(x, cx);

    sqlite3_bind_int64(x->statements[REACH], 1, (sqlite3_int64)reached.modseq);
    sqlite3_bind_int64(x->statements[REACH], 2, (sqlite3_int64)reached.email);
    if (!e)
        e = finish(x, cx, x->statements[REACH]);
    if (!e)
        e = run(x, cx, "COMMIT");
    if (e)
        return e;
    x->in_transaction = false;
    x->reached = reached;
    if (x->committed < x->count)
        know(x);
    return OK;
}

/* ---- asking ---- */

struct index_known *index_known(struct index *x, size_t *n)
{
    *n = x->known_count;
    return x->known;
}

const struct index_known *index_find(const struct index *x, struct body_id body)
{
    return x->known_count ? bsearch(&(struct index_known){.body = body.v}, x->known, x->known_count,
                                    sizeof(*x->known), compare_known)
                          : NULL;
}

/* A row that is not committed yet is not known either. */
static void note_hit(struct index *x, size_t row, unsigned parts)
{
    size_t number = row / 2;

    if (number && number <= x->committed && parts & (row & 1 ? INDEX_BODY : INDEX_HEADER)) {
        struct index_known *k =
            bsearch(&x->docs[number - 1], x->known, x->known_count, sizeof(*x->known), compare_known);

        k->hit = true;
    }
}

enum err index_ask(struct index *x, struct cx *cx, unsigned parts, struct str terms)
{
    sqlite3_stmt *s = x->statements[ASK];
    int code;

    for (size_t k = 0; k < x->known_count; k++)
        x->known[k].hit = false;
    sqlite3_bind_text64(s, 1, terms.p, terms.n, SQLITE_STATIC, SQLITE_UTF8);
    while ((code = sqlite3_step(s)) == SQLITE_ROW)
        note_hit(x, (size_t)sqlite3_column_int64(s, 0), parts);
    sqlite3_reset(s);
    sqlite3_clear_bindings(s);
    return code == SQLITE_DONE ? OK : broken(x, cx, code);
}
