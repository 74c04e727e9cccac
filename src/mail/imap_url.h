/* mail/imap_url.h: IMAP URLs (RFC 5092), as far as CATENATE asks for them (RFC 4469): relative ones that name a message or
 * a part of one in the session's own server. Pure. */
#pragma once
#include "base/arena.h"
#include "base/str.h"

struct imap_url {
    struct str
        mailbox; /* percent encoding undone: UTF-8 in the hierarchy's own spelling; .n 0: the selected one */
    uint32_t uid_validity; /* 0: not said */
    uint32_t uid;
    struct str section; /* section-spec, percent encoding undone: "1.2.MIME"; .n 0: the whole message */
    bool is_partial;
    uint64_t offset, length; /* length 0: to the end */
};

/* "/INBOX;UIDVALIDITY=785799047/;UID=113330/;section=1.5.9", "/;UID=20" or ";UID=20/;section=HEADER". The whole of url is
 * one, or the answer is false: BADURL. URLs with a scheme or a server, those that name a mailbox or a search, and those with
 * URLAUTH are none. What had to be decoded is in the arena. */
bool parse_imap_url(struct str url, struct arena *a, struct imap_url *out);
