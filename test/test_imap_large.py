"""What a user may keep, or a stranger may send, is never too much for a session to say."""

import pytest

from harness.imap import signed_on

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


def test_letters_that_are_described_at_length(tom):
    parameters = b"".join(b"; p%d=%s" % (n, b"x" * 150) for n in range(400))
    part = b"--b\r\nContent-Type: text/plain" + parameters + b"\r\n\r\nhi\r\n"
    head = b"Subject: swollen\r\nFrom: a@b.test" + b",a@b" * 10000 + b"\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    for count in (12, 40):
        tom.ok("APPEND INBOX {}", head + part * count + b"--b--\r\n")
    tom.ok("SELECT INBOX")
    whole, bare = tom.ok("FETCH 1:* (ENVELOPE BODYSTRUCTURE BODY)")
    assert whole.count(b'"p399"') == 24
    assert bare.endswith(b'BODYSTRUCTURE ("text" "plain" NIL NIL NIL "7bit" 0 0) BODY ("text" "plain" NIL NIL NIL "7bit" 0 0))')
