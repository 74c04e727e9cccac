/* RFC 5465 §5.4: the names that the client knows are compared with those that there are. */
#include "vault/imap/notify_impl.h"

#include "base/arena.h"
#include "vault/imap/gather.h"
#include "vault/imap/response.h"

#include <stdlib.h>

/* ---- saying ---- */

void notify_say_list(struct imap *i, const struct place *p, struct str old_name)
{
    struct buf *out = &i->s->out;

    buf_add(out, S("* LIST "));
    list_entry_write(i, out, p);
    if (old_name.n) {
        buf_add(out, S(" (\"OLDNAME\" ("));
        imap_mailbox_write(out, old_name, imap_is_utf8(i));
        buf_add(out, S("))"));
    }
    buf_add(out, S("\r\n"));
}

void notify_say_bare_list(struct imap *i, struct str attributes, struct mailbox_ref at, struct str name)
{
    struct buf *out = &i->s->out;

    buf_add(out, S("* LIST ("));
    buf_add(out, attributes);
    buf_add(out, S(") \"/\" "));
    place_name_write(i, out, at, name);
    buf_add(out, S("\r\n"));
}

bool notify_is_subscribed(struct imap *i, struct str name)
{
    bool yes = false;

    return !place_subscribed(i, name, &yes) && yes;
}

void notify_say_nonexistent(struct imap *i, struct str name)
{
    notify_say_bare_list(
        i, notify_is_subscribed(i, name) ? S("\\NonExistent \\Subscribed") : S("\\NonExistent"),
        (struct mailbox_ref){0}, name);
}

/* ---- how they have changed ---- */

static int compare_places(const void *a, const void *b)
{
    struct mailbox_ref x = ((const struct place *)a)->at, y = ((const struct place *)b)->at;

    if (x.account.v != y.account.v)
        return x.account.v < y.account.v ? -1 : 1;
    return (x.mailbox.v > y.mailbox.v) - (x.mailbox.v < y.mailbox.v);
}

static void sort_places(struct place *v, size_t n)
{
    if (n)
        qsort(v, n, sizeof(*v), compare_places);
}

void notify_forget_names(struct notify *n)
{
    arena_free(n->names_arena);
    n->names_arena = NULL;
    n->names = NULL;
    n->name_count = 0;
}

void notify_keep_names(struct notify *n, struct place *v, size_t count)
{
    notify_forget_names(n);
    n->names_arena = arena_new(0);
    n->names = arena_array(n->names_arena, struct place, count);
    n->name_count = count;
    sort_places(v, count);
    for (size_t k = 0; k < count; k++) {
        n->names[k] = v[k];
        n->names[k].name = str_copy(n->names_arena, v[k].name);
        n->names[k].folder.name = STR_NONE;
    }
}

static const struct place *find_place(const struct place *v, size_t n, struct mailbox_ref at)
{
    const struct place wanted = {.at = at};

    return n ? bsearch(&wanted, v, n, sizeof(*v), compare_places) : NULL;
}

static bool wants_name(const struct imap *i, const struct place *p)
{
    return notify_events_of(i, p) & IMAP_EVENT_MAILBOX_NAME;
}

/* A name that came or went: the one above it may have other attributes now. */
static void say_parent(struct imap *i, struct place *now, size_t n, struct mailbox_ref parent)
{
    const struct place *p = find_place(now, n, parent);

    if (p && wants_name(i, p) && find_place(i->notify->names, i->notify->name_count, parent))
        notify_say_list(i, p, STR_NONE);
}

/* Was it renamed because the one above it was? */
static bool moved_along(const struct notify *n, const struct place *now, size_t count,
                        const struct place *was, const struct place *is)
{
    struct mailbox_ref above = {is->at.account, is->folder.parent};
    const struct place *before = find_place(n->names, n->name_count, above);
    const struct place *after = find_place(now, count, above);

    return before && after && was->folder.parent.v == is->folder.parent.v &&
           !str_same(before->name, after->name);
}

static bool is_renamed(const struct place *was, const struct place *is)
{
    return !str_same(was->name, is->name);
}

/* One of those that have changed. */
static void compare_name(struct imap *i, struct place *now, size_t count, const struct place *was,
                         const struct place *is)
{
    bool renamed = is_renamed(was, is);

    if (renamed && (wants_name(i, is) || wants_name(i, was)) &&
        !moved_along(i->notify, now, count, was, is))
        notify_say_list(i, is, was->name);
    else if (!renamed && wants_name(i, is))
        notify_say_list(i, is, STR_NONE);
}

/* Did a mailbox take the place of a bare name? The name never went then. */
static bool is_replaced(const struct imap *i, const struct place *was, const struct place *now,
                        size_t count)
{
    for (size_t k = 0; was->folder.no_select && k < count; k++)
        if (str_same(now[k].name, was->name))
            return wants_name(i, &now[k]);
    return false;
}

/* Under the name that the client knows, so before others are told to have it now. */
static void say_gone(struct imap *i, struct place *now, size_t count)
{
    const struct notify *n = i->notify;

    for (size_t k = 0; k < n->name_count; k++) {
        const struct place *was = &n->names[k];

        if (!find_place(now, count, was->at) && wants_name(i, was) && !is_replaced(i, was, now, count))
            notify_say_nonexistent(i, was->name);
    }
}

struct kept {
    const struct place *was, *is;
    bool told;
};

#define IN_ORDER_MOST 200 /* each is compared with each */

/* Does another one, not told of yet, leave this name? */
static bool is_left(const struct kept *v, size_t n, struct str name)
{
    for (size_t k = 0; k < n; k++)
        if (!v[k].told && str_same(v[k].was->name, name) && !str_same(v[k].is->name, name))
            return true;
    return false;
}

/* What leaves a name is told of before what takes it, unless they go in a circle. */
static void say_kept(struct imap *i, struct place *now, size_t count, struct kept *v, size_t n)
{
    bool in_order = n <= IN_ORDER_MOST;

    for (size_t left = n, before = n + 1; left; in_order &= left < before) {
        before = left;
        for (size_t k = 0; k < n; k++) {
            if (v[k].told || (in_order && is_left(v, n, v[k].is->name)))
                continue;
            compare_name(i, now, count, v[k].was, v[k].is);
            v[k].told = true;
            left--;
        }
    }
}

static void compare_names(struct imap *i, struct place *now, size_t count)
{
    const struct notify *n = i->notify;
    struct kept *kept = arena_array(i->s->cx->arena, struct kept, n->name_count + 1);
    size_t kept_count = 0;

    say_gone(i, now, count);
    for (size_t k = 0; k < n->name_count; k++) {
        const struct place *was = &n->names[k], *is = find_place(now, count, was->at);

        if (is && (is_renamed(was, is) || notify_is_readable(was) != notify_is_readable(is)))
            kept[kept_count++] = (struct kept){.was = was, .is = is};
    }
    say_kept(i, now, count, kept, kept_count);
    for (size_t k = 0; k < n->name_count; k++)
        if (!find_place(now, count, n->names[k].at))
            say_parent(i, now, count,
                       (struct mailbox_ref){n->names[k].at.account, n->names[k].folder.parent});
    for (size_t k = 0; k < count; k++) {
        if (find_place(n->names, n->name_count, now[k].at))
            continue;
        if (wants_name(i, &now[k]))
            notify_say_list(i, &now[k], STR_NONE);
        say_parent(i, now, count, (struct mailbox_ref){now[k].at.account, now[k].folder.parent});
    }
}

enum err notify_tell_names(struct imap *i)
{
    struct gathered now;
    enum err e = gather_places(i, i->notify->others, IMAP_RIGHT_LOOKUP, &now);

    if (e)
        return e;
    sort_places(now.v, now.n);
    compare_names(i, now.v, now.n);
    notify_keep_names(i->notify, now.v, now.n);
    return OK;
}
