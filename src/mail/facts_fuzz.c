/* Any header gives facts that can be read again, whose texts are folded UTF-8 and lie inside each other; and whatever is
 * read as facts points into itself. */
#include "mail/facts.h"

#include "mail/base_subject.h"
#include "mail/casemap.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_inside(struct str part, struct str whole)
{
    return part.n == 0 || (part.p >= whole.p && part.p + part.n <= whole.p + whole.n);
}

static void check_text(struct str text)
{
    assert(is_utf8(text) && text.n <= FACTS_TEXT_MAX);
}

static void check_addresses(const struct facts_addresses *a)
{
    check_text(a->text);
    check_text(a->mailbox);
    check_text(a->display);
    assert(is_inside(a->mailbox, a->text) && is_inside(a->display, a->text));
}

static void check_header(struct str header)
{
    struct buf packed = buf_make(BUF_UNLIMITED);
    struct facts f;

    facts_write(&packed, header);
    assert(facts_read(buf_str(&packed), &f));
    check_text(f.subject);
    check_text(f.base_subject);
    assert(is_inside(f.base_subject, f.subject));
    check_addresses(&f.from);
    check_addresses(&f.to);
    check_addresses(&f.cc);
    check_addresses(&f.bcc);
    assert(facts_reference_count(f.references) <= FACTS_REFERENCES_MAX);
    assert(facts_reference_count(f.answered) <= FACTS_ANSWERED_MAX);
    buf_free(&packed);
}

/* Of one that is taken for a packed one, only memory is to be feared. */
static void check_damaged(struct str packed)
{
    struct facts f;

    if (!facts_read(packed, &f))
        return;
    assert(is_inside(f.subject, packed) && is_inside(f.base_subject, f.subject));
    assert(is_inside(f.bcc.display, f.bcc.text) && is_inside(f.references, packed));
    for (size_t i = 0; i < facts_reference_count(f.references); i++)
        facts_reference(f.references, i);
    assert(is_inside(f.answered, packed) && facts_reference_count(f.answered) <= FACTS_ANSWERED_MAX);
}

/* A base subject has no base but itself. */
static void check_subject(struct str body)
{
    struct buf text = buf_make(BUF_UNLIMITED);
    struct str base, again;
    bool is_reply;

    subject_text(&text, body);
    assert(is_utf8(buf_str(&text)));
    base = base_subject(buf_str(&text), &is_reply);
    again = base_subject(base, &is_reply);
    assert(str_same(base, again) && !is_reply);
    buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str in = {(const char *)data, size};

    check_header(in);
    check_damaged(in);
    check_subject(in);
    return 0;
}
