/* A filter is an annotation of the server, one's own before everybody's. What names others again and again becomes many
 * times as long: so there is a limit for all of them together, and one for filters inside each other, which ends loops. */
#include "vault/imap/filters.h"

#include "base/arena.h"
#include "mail/charset.h"
#include "vault/imap/response.h"
#include "vault/store/metadata.h"
#include "vault/vault.h"

#define INSIDE_MOST 10
#define KEYS_MOST IMAP_SEARCH_KEYS_MAX
#define BYTES_MOST ((size_t)256 * 1024)

struct inserting {
    struct imap *i;
    struct arena *arena;
    struct imap_search *search;
    unsigned inside; /* each other */
    size_t keys, bytes;
    enum err e;
};

/* §3.1. False: there is none, or it is more than may be. */
static bool find(struct inserting *x, struct str name, struct str *value)
{
    static const struct str where[] = {S("/private/filters/values/"), S("/shared/filters/values/")};
    struct buf entry = buf_make(2000);
    struct account_id who = x->i->s->who.account;
    struct view *v;
    bool found = false;

    x->e = imap_view(x->i, &v);
    for (size_t at = 0; at < 2 && !x->e && !found; at++) {
        buf_clear(&entry);
        buf_add(&entry, where[at]);
        buf_add(&entry, str_lower(x->arena, name));
        x->e = metadata_find(v, x->i->s->cx, who, (struct mailbox_id){0}, who, buf_str(&entry), value,
                             &found);
    }
    buf_free(&entry);
    x->bytes += found ? value->n : 0;
    if (x->e || !found || x->bytes > BYTES_MOST)
        return false;
    *value = str_copy(x->arena, *value);
    return true;
}

static bool insert(struct inserting *x, const struct imap_key *key, bool fuzzy, struct imap_key *out);

static bool insert_named(struct inserting *x, const struct imap_key *key, bool fuzzy,
                         struct imap_key *out)
{
    struct imap_parse p = imap_parse_make(x->arena, imap_is_utf8(x->i));
    struct imap_search named;
    struct str value;
    bool fine = false;

    if (x->inside < INSIDE_MOST && find(x, key->text, &value) && parse_imap_filter(&p, value, &named)) {
        x->search->needs |= named.needs;
        x->inside++;
        fine = insert(x, &named.program, fuzzy, out);
        x->inside--;
    } else if (x->bytes > BYTES_MOST) {
        reply_no(x->i, "LIMIT", "the filters of this search are too long");
    } else if (!x->e) {
        buf_add(reply_code(x->i), S("UNDEFINED-FILTER "));
        buf_add(reply_code(x->i), str_upto(key->text, 200));
        reply_no(x->i, NULL, "there is no such filter, or it is no search");
    }
    return fine;
}

/* FUZZY before a filter is before what stands in its place (RFC 6203 §3). */
static bool insert(struct inserting *x, const struct imap_key *key, bool fuzzy, struct imap_key *out)
{
    struct imap_key *keys;

    fuzzy |= key->fuzzy;
    if (x->inside && ++x->keys > KEYS_MOST) {
        reply_no(x->i, "LIMIT", "the filters of this search have too many keys");
        return false;
    }
    if (key->kind == IMAP_KEY_FILTER)
        return insert_named(x, key, fuzzy, out);
    *out = *key;
    out->fuzzy = fuzzy;
    if (!key->key_count)
        return true;
    out->keys = keys = arena_array(x->arena, struct imap_key, key->key_count);
    for (size_t k = 0; k < key->key_count; k++)
        if (!insert(x, &key->keys[k], fuzzy, &keys[k]))
            return false;
    return true;
}

/* §3.1: filters are kept in UTF-8, and so is what stands beside them. */
static bool is_of_filters(struct str charset)
{
    const struct charset *c = charset_find(charset);

    return c && (c == charset_find(S("UTF-8")) || c == charset_find(S("US-ASCII")));
}

bool filters_insert(struct imap *i, struct arena *a, struct imap_search *search, enum err *e)
{
    struct inserting x = {.i = i, .arena = a, .search = search};
    struct imap_key program;
    bool fine;

    *e = OK;
    if (!(search->needs & IMAP_NEEDS_FILTER))
        return true;
    if (!is_of_filters(search->charset)) {
        reply_bad_code(i, "BADCHARSET (UTF-8 US-ASCII)", "filters are kept in UTF-8");
        return false;
    }
    fine = insert(&x, &search->program, false, &program);
    *e = x.e;
    if (fine)
        search->program = program;
    return fine;
}
