/* notify = "NOTIFY" SP ("SET" [SP "STATUS"] SP event-groups / "NONE")   RFC 5465 §8 */
#include "proto/imap_notify.h"

static const struct imap_word filters[] = {
    {"selected", IMAP_FILTER_SELECTED},
    {"selected-delayed", IMAP_FILTER_SELECTED_DELAYED},
    {"inboxes", IMAP_FILTER_INBOXES},
    {"personal", IMAP_FILTER_PERSONAL},
    {"subscribed", IMAP_FILTER_SUBSCRIBED},
    {"subtree", IMAP_FILTER_SUBTREE},
    {"subtree-one", IMAP_FILTER_SUBTREE_ONE},
    {"mailboxes", IMAP_FILTER_MAILBOXES},
    {NULL, 0},
};

static const struct imap_word event_names[] = {
    {"MessageNew", IMAP_EVENT_MESSAGE_NEW},
    {"MessageExpunge", IMAP_EVENT_MESSAGE_EXPUNGE},
    {"FlagChange", IMAP_EVENT_FLAG_CHANGE},
    {"AnnotationChange", IMAP_EVENT_ANNOTATION_CHANGE},
    {"MailboxName", IMAP_EVENT_MAILBOX_NAME},
    {"SubscriptionChange", IMAP_EVENT_SUBSCRIPTION_CHANGE},
    {"MailboxMetadataChange", IMAP_EVENT_MAILBOX_METADATA_CHANGE},
    {"ServerMetadataChange", IMAP_EVENT_SERVER_METADATA_CHANGE},
    {NULL, 0},
};

/* ---- filter-mailboxes ---- */

/* one-or-more-mailbox = mailbox / "(" mailbox *(SP mailbox) ")" */
static bool take_mailboxes(struct imap_parse *p, struct str *in, struct imap_mailbox_filter *out)
{
    struct str *name;

    if (take_char(in, '('))
        return take_imap_several(p, in, take_imap_mailbox, IMAP_NOTIFY_MAILBOXES_MAX, &out->mailboxes,
                                 &out->mailbox_count) &&
               (take_char(in, ')') || imap_bad(p, "the list of mailboxes is not closed"));
    name = arena_array(p->arena, struct str, 1);
    out->mailboxes = name;
    out->mailbox_count = 1;
    return take_imap_mailbox(p, in, name);
}

bool take_imap_mailbox_filter(struct imap_parse *p, struct str *in, struct imap_mailbox_filter *out)
{
    struct str s = *in;
    unsigned kind;

    if (!take_imap_word_of(&s, filters, &kind))
        return imap_bad(p, "a choice of mailboxes is expected");
    *out = (struct imap_mailbox_filter){.kind = (enum imap_mailbox_filter_kind)kind};
    if (kind >= IMAP_FILTER_SUBTREE && (!take_imap_sp(&s) || !take_mailboxes(p, &s, out)))
        return imap_bad(p, "the name of a mailbox is expected");
    *in = s;
    return true;
}

/* ---- events ---- */

static bool take_event(struct imap_parse *p, struct str *in, struct imap_event_group *out)
{
    struct str other;
    unsigned event;

    if (!take_imap_word_of(in, event_names, &event)) {
        if (!take_imap_atom(in, &other))
            return imap_bad(p, "the name of an event is expected");
        event = IMAP_EVENT_UNKNOWN; /* event-ext */
    }
    out->events |= event;
    if (event != IMAP_EVENT_MESSAGE_NEW || in->n < 2 || in->p[0] != ' ' || in->p[1] != '(')
        return true;
    take_imap_sp(in);
    out->has_atts = true;
    return take_imap_fetch_atts(p, in, &out->atts);
}

/* events = "(" event *(SP event) ")" / "NONE"; in the examples of RFC 5465 §3 the brackets are missing. */
static bool take_events(struct imap_parse *p, struct str *in, struct imap_event_group *out)
{
    bool listed;

    if (take_imap_word(in, S("NONE")))
        return true;
    listed = take_char(in, '(');
    do {
        if (!take_event(p, in, out))
            return false;
    } while (take_imap_sp(in));
    return !listed || take_char(in, ')') || imap_bad(p, "the list of events is not closed");
}

static bool is_of_selected(const struct imap_event_group *g)
{
    return g->filter.kind == IMAP_FILTER_SELECTED || g->filter.kind == IMAP_FILTER_SELECTED_DELAYED;
}

/* The remarks beside message-event and event-group in §8. */
static bool check_group(struct imap_parse *p, const struct imap_event_group *g)
{
    bool new = g->events &IMAP_EVENT_MESSAGE_NEW, expunge = g->events &IMAP_EVENT_MESSAGE_EXPUNGE;
    /* §3.1: what is not served is NO [BADEVENT], and not BAD */
    bool strange = g->events & (IMAP_EVENT_UNKNOWN | IMAP_EVENT_ANNOTATION_CHANGE);

    if (new != expunge && !strange)
        return imap_bad(p, "MessageNew and MessageExpunge go together");
    if ((g->events & IMAP_EVENT_FLAG_CHANGE) && !new && !strange)
        return imap_bad(p, "FlagChange goes with MessageNew and MessageExpunge");
    if (is_of_selected(g) && (g->events & ~(unsigned)(IMAP_EVENT_MESSAGE | IMAP_EVENT_UNKNOWN)))
        return imap_bad(p, "the selected mailbox has events of messages only");
    if (g->has_atts && !is_of_selected(g))
        return imap_bad(p, "items to fetch go with the selected mailbox only");
    if (g->filter.kind == IMAP_FILTER_SUBTREE_ONE)
        return imap_bad(p, "subtree-one is for ESEARCH only");
    return true;
}

/* event-group = "(" filter-mailboxes SP events ")" */
static bool take_event_group(struct imap_parse *p, struct str *in, struct imap_event_group *out)
{
    *out = (struct imap_event_group){.events = 0};
    if (!take_char(in, '(') || !take_imap_mailbox_filter(p, in, &out->filter) || !take_imap_sp(in))
        return imap_bad(p, "a choice of mailboxes and events is expected");
    if (!take_events(p, in, out))
        return false;
    if (!take_char(in, ')'))
        return imap_bad(p, "a choice of mailboxes and events is not closed");
    return check_group(p, out);
}

static bool take_event_groups(struct imap_parse *p, struct str *in, struct imap_notify *out)
{
    struct imap_event_group *groups =
        arena_array(p->arena, struct imap_event_group, IMAP_NOTIFY_GROUPS_MAX);
    bool selected = false;

    out->groups = groups;
    do {
        struct imap_event_group *g = &groups[out->group_count];

        if (out->group_count++ == IMAP_NOTIFY_GROUPS_MAX)
            return imap_no(p, "LIMIT", "too many groups of events");
        if (!take_event_group(p, in, g))
            return false;
        if (is_of_selected(g) && selected)
            return imap_bad(p, "the selected mailbox can be chosen once only");
        selected |= is_of_selected(g);
    } while (in->n > 1 && in->p[1] == '(' && take_imap_sp(in));
    return true;
}

bool parse_imap_notify(struct imap_parse *p, struct str args, struct imap_notify *out)
{
    *out = (struct imap_notify){0};
    if (!take_imap_sp(&args))
        return imap_bad(p, "SET or NONE is expected");
    out->none = take_imap_word(&args, S("NONE"));
    if (out->none)
        return take_imap_end(p, &args);
    if (!take_imap_word(&args, S("SET")) || !take_imap_sp(&args))
        return imap_bad(p, "SET or NONE is expected");
    out->status = take_imap_word(&args, S("STATUS"));
    if (out->status && !take_imap_sp(&args))
        return imap_bad(p, "a choice of mailboxes and events is expected");
    return take_event_groups(p, &args, out) && take_imap_end(p, &args);
}
