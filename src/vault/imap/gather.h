/* vault/imap/gather.h: every mailbox that this user may see, or read, by the names this user knows: one's own, and, if
 * wanted, what others share (place.h). */
#pragma once
#include "vault/imap/place.h"

struct gathered {
    struct place *v;
    size_t n, room;
};

/* Those for which this user has one of the rights, such as IMAP_RIGHT_LOOKUP. In i->arena. One's own come first, in the order
 * of their tree; names without a mailbox (\Noselect) are among them. */
enum err gather_places(struct imap *i, bool others, uint32_t rights, struct gathered *out);
/* One of them. ERR_NOT_FOUND: there is none, or this user may not see it. In i->arena. */
enum err gather_place(struct imap *i, struct mailbox_ref at, struct place *out);
/* \HasChildren of one that place_find() found: where others share, it tells of what this user may see (gather_places does the
 * same). */
enum err gather_children(struct imap *i, struct place *p);
