/* imapurl (RFC 5092 §11), as far as a part of CATENATE needs it:
 *
 *     [["imap://" [user [";AUTH=" …] "@"] host] ["/"] mailbox [";UIDVALIDITY=" n] "/"]
 *         ";UID=" n ["/;SECTION=" s] ["/;PARTIAL=" n ["." n]]
 *
 * A ";" never stands for itself in a mailbox's name (bchar), so the words behind one can be looked for. */
#include "proto/imap_append.h"

#include "base/codec.h"

/* "%41" and what stands for itself; in the arena. */
static bool decode(struct arena *a, struct str in, struct str *out)
{
    struct buf b = buf_make(in.n);
    bool ok = true;
    size_t at;

    for (size_t i = 0; i < in.n && ok; i++) {
        if (in.p[i] != '%') {
            ok = is_printable(in.p[i]) && in.p[i] != ' ';
            buf_add_char(&b, in.p[i]);
            continue;
        }
        ok = i + 2 < in.n && hex_decode(&b, (struct str){in.p + i + 1, 2});
        i += 2;
    }
    ok = ok && is_utf8(buf_str(&b)) && !str_find_char(buf_str(&b), '\0', &at);
    if (ok)
        *out = str_copy(a, buf_str(&b));
    buf_free(&b);
    return ok;
}

/* Where `word` begins, without case. */
static bool find_nocase(struct str s, struct str word, size_t *at)
{
    for (size_t i = 0; i + word.n <= s.n; i++)
        if (str_starts_nocase(str_from(s, i), word)) {
            *at = i;
            return true;
        }
    return false;
}

/* [user [";AUTH=" …] "@"] host */
static bool parse_server(struct arena *a, struct str in, struct imap_url *out)
{
    size_t at;

    if (str_rfind_char(in, '@', &at)) {
        struct str user = str_upto(in, at);

        in = str_from(in, at + 1);
        if (str_find_char(user, ';', &at))
            user = str_upto(user, at);
        if (!decode(a, user, &out->user))
            return false;
    }
    return in.n && decode(a, in, &out->host);
}

/* mailbox [";UIDVALIDITY=" nz-number], whose name goes on behind `dir` */
static bool parse_mailbox(struct arena *a, struct str dir, struct str in, struct imap_url *out)
{
    struct str name = in, validity = STR_NONE;
    size_t at;

    if (str_find_char(in, ';', &at)) {
        name = str_upto(in, at);
        validity = str_from(in, at);
        if (!take_text_nocase(&validity, S(";UIDVALIDITY=")) ||
            !take_imap_nz_number(&validity, &out->uid_validity) || validity.n)
            return false;
    }
    return name.n && decode(a, name, &name) &&
           !imap_name_read(a, str_join(a, dir, name), true, &out->mailbox);
}

/* Up to the last "/", as a relative reference goes on behind it; nothing if there is none. */
static struct str directory_of(struct str name)
{
    size_t at;

    return str_rfind_char(name, '/', &at) ? str_upto(name, at + 1) : str_upto(name, 0);
}

/* RFC 3986 §5.2: "a/;UID=1", "./a/;UID=1" and "../a/;UID=1", seen from the mailbox `base`. "http:…" is another scheme. */
static bool take_directory(struct str *url, struct str base, struct str *dir)
{
    size_t slash, colon;

    *dir = directory_of(base);
    for (;;) {
        if (take_text(url, S("../")))
            *dir = directory_of(str_upto(*dir, dir->n ? dir->n - 1 : 0));
        else if (!take_text(url, S("./")))
            break;
    }
    return str_find_char(*url, '/', &slash) && slash > 0 &&
           !(str_find_char(*url, ':', &colon) && colon < slash);
}

/* ["/;SECTION=" section] ["/;PARTIAL=" nz… ["." nz…]] */
static bool parse_rest(struct arena *a, struct str in, struct imap_url *out)
{
    struct str section;
    size_t at;

    if (take_text_nocase(&in, S("/;SECTION="))) {
        section = str_upto(in, find_nocase(in, S("/;"), &at) ? at : in.n);
        in = str_from(in, section.n);
        if (!section.n || !decode(a, section, &out->section))
            return false;
    }
    if (take_text_nocase(&in, S("/;PARTIAL="))) {
        out->has_partial = true;
        if (!take_imap_number64(&in, &out->partial_first))
            return false;
        if (take_char(&in, '.') && !take_imap_nz_number64(&in, &out->partial_count))
            return false;
    }
    return in.n == 0;
}

bool parse_imap_url(struct arena *a, struct str url, struct str base, struct imap_url *out)
{
    struct str dir = STR_NONE;
    size_t at;

    *out = (struct imap_url){.uid = 0};
    if (take_text_nocase(&url, S(";UID="))) /* RFC 4469 §3: relative to the selected mailbox */
        return take_imap_nz_number(&url, &out->uid) && parse_rest(a, url, out);
    if (take_text_nocase(&url, S("imap://"))) {
        if (!str_find_char(url, '/', &at) || !parse_server(a, str_upto(url, at), out))
            return false;
        url = str_from(url, at);
    }
    if (!take_char(&url, '/') && !take_directory(&url, base, &dir))
        return false;
    if (!find_nocase(url, S("/;UID="), &at) || !parse_mailbox(a, dir, str_upto(url, at), out))
        return false;
    url = str_from(url, at + 6);
    return take_imap_nz_number(&url, &out->uid) && parse_rest(a, url, out);
}
