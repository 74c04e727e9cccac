/* vault/store/trail.h: rows of one kind, asked for mostly in the order of their keys.
 *
 * Cold rows and pieces lie in the order of their bodies' ids, and so do, mostly, the messages of a mailbox. So after each
 * row a scan stands before what is probably asked for next, and moving on costs a fraction of getting a row. What is not
 * found so is got by itself. One view, one thread; close it before the view.
 *
 *     scoped(trail_close) struct trail *t = trail_open(view, part, false);
 *     e = trail_get(t, cx, key, &value, &found); */
#pragma once
#include "vault/engine/engine.h"

struct trail;

struct trail *trail_open(struct view *v, struct part part, bool much); /* see view_scan_much() */
/* As view_get(), but *value may live only until the next call that is not for the same key. Keys begin with the one byte
 * that says the kind. */
enum err trail_get(struct trail *t, struct cx *cx, struct str key, struct str *value, bool *found);
void trail_close(struct trail **t); /* NULL is fine */
