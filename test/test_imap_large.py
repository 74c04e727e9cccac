"""What a user may keep, or a stranger may send, is never too much for a session to say."""

import re

import pytest

from harness.imap import fill, signed_on

TOM = "tom@acompany.test"


@pytest.fixture
def tom(posthorn):
    with signed_on(posthorn, TOM) as wire:
        yield wire


def test_all_annotations_at_once(tom):
    value = b"x" * 65536
    for number in range(60):
        tom.ok(f"SETMETADATA INBOX (/private/comment/{number} {{}})", value)
    [line] = tom.ok("GETMETADATA (DEPTH infinity) INBOX /private/comment")
    assert line.count(value) == 60


def test_subscriptions_that_lead_nowhere(tom):
    tom.send(b"".join(b"s%d SUBSCRIBE gone/%d/x\r\n" % (n, n) for n in range(2000)))
    assert tom.until("s1999")[1] == "OK SUBSCRIBE completed"
    assert len(tom.ok('LSUB "" "gone/*"')) == 2000
    assert tom.ok('LSUB "" "%/%/%"') == sorted(b'* LSUB (\\Noselect) "/" gone/%d/x' % n for n in range(2000))


def test_ten_thousand_mailboxes(tom):
    """All that an account may have (RFC 9208 §5.3 tells of it): each is made, listed, counted, searched, renamed and gone."""
    [_, quota] = tom.ok("GETQUOTAROOT INBOX")
    used, most = map(int, re.search(rb"MAILBOX (\d+) (\d+)", quota).groups())
    assert most == 10_000
    names = [b"a"] + [name for n in range(100) for name in [b"a/%d" % n] + [b"a/%d/%d" % (n, m) for m in range(100)]]
    names = names[:most - used]
    leaves = sum(name.count(b"/") == 2 for name in names)
    for first in range(0, len(names), 1000):
        some = names[first:first + 1000]
        tom.send(b"".join(b"c%d CREATE %s\r\n" % (first + n, name) for n, name in enumerate(some)))
        for n in range(len(some)):
            assert tom.until(f"c{first + n}")[1].startswith("OK [MAILBOXID (")
    assert tom.command("CREATE b")[1].startswith("NO [LIMIT] ")
    assert len(tom.ok('LIST "" "*"')) == most
    assert len(tom.ok('LIST "" "a/%/%"')) == leaves
    tom.ok("APPEND a/42/7 {}", b"Subject: salmon\r\n\r\nx\r\n")
    lines = tom.ok('LIST "" "a/%/%" RETURN (STATUS (MESSAGES UIDNEXT))')
    assert [line for line in lines if line.startswith(b"* STATUS") and b"(MESSAGES 0 UIDNEXT 1)" not in line] == \
        [b"* STATUS a/42/7 (MESSAGES 1 UIDNEXT 2)"]
    assert len(lines) == 2 * leaves
    [found] = tom.ok("ESEARCH IN (personal) SUBJECT salmon")
    assert re.fullmatch(rb'\* ESEARCH \(TAG "w\d+" MAILBOX a/42/7 UIDVALIDITY \d+\) UID ALL 1', found)
    tom.ok("RENAME a q")
    assert tom.ok('LIST "" "a*"') == [] and len(tom.ok('LIST "" "q/%/%"')) == leaves
    tom.ok("SELECT q/42/7")
    assert tom.ok("FETCH 1 (UID)") == [b"* 1 FETCH (UID 1)"]


def swollen(count):
    """A letter whose description is longer than itself."""
    parameters = b"".join(b"; p%d=%s" % (n, b"x" * 150) for n in range(400))
    part = b"--b\r\nContent-Type: text/plain" + parameters + b"\r\n\r\nhi\r\n"
    head = b"Subject: swollen\r\nFrom: a@b.test" + b",a@b" * 10000 + b"\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    return head + part * count + b"--b--\r\n"


def test_letters_that_are_described_at_length(tom):
    for count in (12, 40):
        tom.ok("APPEND INBOX {}", swollen(count))
    tom.ok("SELECT INBOX")
    whole, bare = tom.ok("FETCH 1:* (ENVELOPE BODYSTRUCTURE BODY)")
    assert whole.count(b'"p399"') == 24
    assert bare.endswith(b'BODYSTRUCTURE ("text" "plain" NIL NIL NIL "7bit" 0 0) BODY ("text" "plain" NIL NIL NIL "7bit" 0 0))')


def test_a_long_list_is_what_its_parts_are(posthorn, tom):
    """Another thread writes a part of it, but for the letter in the middle; and waits for a client that does not read."""
    items = "(UID FLAGS ENVELOPE BODYSTRUCTURE)"
    fill(posthorn, TOM, 1200)
    tom.ok("APPEND INBOX {}", swollen(12))
    fill(posthorn, TOM, 1400, first=1201)
    tom.ok("SELECT INBOX")
    tom.ok(f"STORE {','.join(map(str, range(1, 2602, 7)))} +FLAGS.SILENT (\\Flagged kept)")
    parts = [line for first in range(1, 2602, 400) for line in tom.ok(f"FETCH {first}:{min(first + 399, 2601)} {items}")]
    assert len(parts) == 2601
    tom.send(b"".join(b"f%d FETCH 1:* %s\r\n" % (n, items.encode()) for n in range(12)))
    for n in range(12):
        assert tom.until(f"f{n}") == (parts, "OK FETCH completed")


def test_a_long_list_that_nobody_waits_for(posthorn, tom):
    fill(posthorn, TOM, 1500)
    for _ in range(5):
        with signed_on(posthorn, TOM) as wire:
            wire.ok("SELECT INBOX")
            wire.send(b"f FETCH 1:* (ENVELOPE BODYSTRUCTURE)\r\n" * 5)
            assert wire.line().startswith("* 1 FETCH (ENVELOPE (")
    tom.ok("SELECT INBOX")
    assert len(tom.ok("FETCH 1:* (ENVELOPE)")) == 1500
