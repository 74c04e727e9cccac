"""Collecting mail by POP3 (RFC 1939, RFC 2449, RFC 5034, RFC 2595, RFC 6856)."""

import base64
import re
import smtplib

import pytest

from harness.network import own_network
from harness.server import PASSWORD
from harness.wire import CLOSED, Pop3Wire, Scram, SmtpWire, b64, plain

FRED, TOM = "fred@acompany.test", "tom@acompany.test"


def deliver(server, recipient, *bodies):
    """Each body becomes one message."""
    with SmtpWire(server, "smtp") as client:
        client.ehlo()
        for number, body in enumerate(bodies, 1):
            data = f"Subject: message {number}\r\nFrom: ann@other.test\r\n\r\n".encode() + body
            assert client.deliver("ann@other.test", [recipient], data).startswith("250")


@pytest.fixture
def three(posthorn):
    """Tom has three messages."""
    deliver(posthorn, TOM, b"one\r\n", b"two\r\n.dot\r\n..\r\n", b"three\r\n" * 100)
    return posthorn


@pytest.fixture
def tom(three):
    with Pop3Wire(three, "pop3s") as client:
        yield client.sign_on(TOM)


# Sign-on

def test_capabilities_before_and_after_tls(posthorn):
    with Pop3Wire(posthorn, "pop3") as client:
        assert client.greeting.startswith("+OK")
        before = client.capabilities()
        assert {"RESP-CODES", "AUTH-RESP-CODE", "PIPELINING", "UIDL", "TOP", "STLS", "UTF8", "IMPLEMENTATION",
                "EXPIRE"} <= set(before)
        assert before["EXPIRE"] == "NEVER"
        after = client.stls().capabilities()
        assert "STLS" not in after and "USER" in after
        assert set(after["SASL"].split()) == {"PLAIN", "SCRAM-SHA-256"}
        client.sign_on(TOM)
        assert {"UIDL", "TOP", "PIPELINING"} <= set(client.capabilities())


def test_loopback_needs_no_tls(shared):
    """Nobody listens there."""
    with Pop3Wire(shared, "pop3") as client:
        client.sign_on(TOM)


@pytest.mark.root
@pytest.mark.parametrize("settings, offered", [("", False), ("allow-plaintext-auth = true", True)])
def test_passwords_before_tls(make_posthorn, settings, offered):
    """From another machine only where the operator says so; nobody listens on loopback."""
    with own_network() as address:
        server = make_posthorn(settings=settings, address=address).with_people().start()
        with Pop3Wire(server, "pop3") as client:
            announced = client.capabilities()
            assert ("USER" in announced) == ("SASL" in announced) == offered
            assert client.say("AUTH PLAIN " + plain(TOM)).startswith("+OK" if offered else "-ERR")
        with Pop3Wire(server, "pop3") as client:
            answers = [client.say(f"USER {TOM}"), client.say(f"PASS {PASSWORD}")]
            assert answers[1].startswith("+OK" if offered else "-ERR")


def test_no_apop(shared):
    with Pop3Wire(shared, "pop3s") as client:
        assert "<" not in client.greeting
        assert client.say("APOP tom c4c9334bac560ecc979e58001b3e22fb").startswith("-ERR")


@pytest.mark.parametrize("lines", [
    [f"USER {TOM}", "PASS wrong"],
    ["USER nobody@acompany.test", f"PASS {PASSWORD}"],
    ["AUTH PLAIN " + plain(TOM, "wrong")],
    ["AUTH PLAIN " + plain(FRED, authzid=TOM)],
], ids=["password", "name", "SASL", "authzid"])
def test_refused_sign_on(posthorn, lines):
    with Pop3Wire(posthorn, "pop3s") as client:
        assert client.talk(*lines).startswith("-ERR [AUTH]")
        assert client.say("STAT").startswith("-ERR")
        client.sign_on(TOM)


def test_auth_plain(shared):
    with Pop3Wire(shared, "pop3s") as client:
        assert client.say("AUTH PLAIN " + plain(TOM)).startswith("+OK")
        assert client.say("STAT") == "+OK 0 0"
    with Pop3Wire(shared, "pop3s") as client:
        assert client.say("AUTH PLAIN") == "+ "
        assert client.say(plain(TOM, authzid=TOM)).startswith("+OK")


def test_auth_scram(shared):
    with Pop3Wire(shared, "pop3s") as client:
        scram = Scram(TOM)
        challenge = client.say("AUTH SCRAM-SHA-256 " + scram.first())
        assert challenge.startswith("+ ")
        last = client.say(scram.final(challenge[2:]))
        assert last.startswith("+ ") and scram.accepts(last[2:])
        assert client.say("").startswith("+OK")


@pytest.mark.parametrize("lines", [
    ["AUTH FROB"], ["AUTH PLAIN", "*"], ["AUTH PLAIN", "not base64!"], ["STAT"], ["LIST"], ["RETR 1"], ["DELE 1"],
    ["UIDL"], ["TOP 1 1"], ["RSET"], ["PASS alone"], ["USER"], ["FROB"], ["NOOP"], ["x" * 3000],
], ids=lambda v: " / ".join(v)[:30])
def test_refused_before_sign_on(shared, lines):
    with Pop3Wire(shared, "pop3s") as client:
        assert client.talk(*lines).startswith("-ERR")
        assert client.say("CAPA").startswith("+OK")


def test_what_came_before_the_handshake_is_thrown_away(shared):
    with Pop3Wire(shared, "pop3") as client:
        client.send(b"STLS\r\nUSER injected@acompany.test\r\n")
        assert client.reply().startswith("+OK")
        client.to_tls()
        assert client.say("NOOP").startswith("-ERR") and client.say(f"USER {TOM}").startswith("+OK")


def test_suspending_ends_the_session_at_once(three, tom):
    assert tom.say("STAT").startswith("+OK 3 ")
    three.cli("account", "suspend", TOM, json=False)
    assert tom.is_at_end()
    with Pop3Wire(three, "pop3s") as client:
        assert client.talk(f"USER {TOM}", f"PASS {PASSWORD}").startswith("-ERR")


def test_password_change_counts_at_once(posthorn):
    posthorn.cli("account", "password", TOM, "--password-stdin", json=False, text="another one\n")
    with Pop3Wire(posthorn, "pop3s") as client:
        assert client.talk(f"USER {TOM}", f"PASS {PASSWORD}").startswith("-ERR [AUTH]")
        client.sign_on(TOM, "another one")


# The mailbox

def sizes(client):
    assert client.say("LIST").startswith("+OK")
    return [int(line.split()[1]) for line in client.lines()]


def retr(client, number):
    answer = client.say(f"RETR {number}")
    assert answer.startswith("+OK"), answer
    return b"".join(client.lines())


def uids(client):
    assert client.say("UIDL").startswith("+OK")
    return [line.split()[1].decode() for line in client.lines()]


def test_stat_list_and_retr_agree(tom):
    listed = sizes(tom)
    assert len(listed) == 3
    assert tom.say("STAT") == f"+OK 3 {sum(listed)}"
    assert tom.say("LIST 2") == f"+OK 2 {listed[1]}"
    assert [len(retr(tom, n)) for n in (1, 2, 3)] == listed
    assert retr(tom, 2).endswith(b"\r\n\r\ntwo\r\n.dot\r\n..\r\n")


def test_dots_are_stuffed_on_the_wire(tom):
    tom.send("RETR 2")
    raw = []
    while not raw or raw[-1] != b".\r\n":
        raw.append(tom.stream.readline())
    assert raw[-4:] == [b"two\r\n", b"..dot\r\n", b"...\r\n", b".\r\n"]


@pytest.mark.parametrize("lines, body", [(0, b""), (1, b"two\r\n"), (2, b"two\r\n.dot\r\n"), (99, b"two\r\n.dot\r\n..\r\n")])
def test_top(tom, lines, body):
    assert tom.say(f"TOP 2 {lines}").startswith("+OK")
    header, _, rest = b"".join(tom.lines()).partition(b"\r\n\r\n")
    assert header.startswith(b"Return-Path: <ann@other.test>\r\n") and b"Subject: message 2" in header
    assert rest == body


@pytest.mark.parametrize("line", ["RETR 4", "RETR 0", "RETR", "RETR x", "RETR 1 2", "RETR -1", "RETR 99999999999999999999",
                                  "LIST 4", "UIDL 4", "DELE 4", "DELE", "TOP 1", "TOP 4 1", "TOP 1 -1", "STLS", "FROB",
                                  f"USER {FRED}", "PASS x", "AUTH PLAIN"])
def test_refused_in_the_mailbox(shared, line):
    if not hasattr(shared, "filled"):
        deliver(shared, FRED, b"one\r\n")
        shared.filled = True
    with Pop3Wire(shared, "pop3s") as client:
        client.sign_on(FRED)
        assert client.say(line).startswith("-ERR")
        assert client.say("NOOP").startswith("+OK")


def test_deleted_is_gone_after_quit(three, tom):
    before = uids(tom)
    assert tom.say("DELE 2").startswith("+OK")
    assert tom.say("STAT").startswith("+OK 2 ")
    for line in ("RETR 2", "DELE 2", "LIST 2", "UIDL 2", "TOP 2 0"):
        assert tom.say(line).startswith("-ERR"), line
    assert [line.split()[0] for line in (tom.send("LIST").reply() and tom.lines())] == [b"1", b"3"]
    assert tom.say("QUIT").startswith("+OK") and tom.is_at_end()
    with Pop3Wire(three, "pop3s") as client:
        client.sign_on(TOM)
        assert uids(client) == [before[0], before[2]]


def test_rset_takes_back(three, tom):
    tom.say("DELE 1")
    assert tom.say("RSET").startswith("+OK")
    assert tom.say("STAT").startswith("+OK 3 ")
    tom.say("QUIT")
    assert len(three.inbox(TOM)) == 3


def test_no_quit_no_deletion(three, tom):
    tom.say("DELE 1")
    tom.close()
    assert len(three.inbox(TOM)) == 3


def test_uidl_stays_the_same(three, tom):
    before = uids(tom)
    assert len(set(before)) == 3 and all(re.fullmatch(r"[\x21-\x7e]{1,70}", uid) for uid in before)
    assert tom.say("UIDL 2") == f"+OK 2 {before[1]}"
    tom.say("DELE 1")
    tom.say("QUIT")
    deliver(three, TOM, b"four\r\n")
    three.restart()
    with Pop3Wire(three, "pop3s") as client:
        client.sign_on(TOM)
        after = uids(client)
    assert after[:2] == before[1:] and after[2] not in before


def test_two_sessions_each_with_its_own_list(three, tom):
    with Pop3Wire(three, "pop3s") as other:
        other.sign_on(TOM)
        deliver(three, TOM, b"four\r\n")
        other.say("DELE 1")
        assert other.say("QUIT").startswith("+OK")
    assert tom.say("STAT").startswith("+OK 3 "), "neither the deletion nor the new message is seen"
    assert b"\r\n\r\none\r\n" in retr(tom, 1)
    tom.say("DELE 1")
    tom.say("DELE 2")
    assert tom.say("QUIT").startswith("+OK")
    assert len(three.inbox(TOM)) == 2


def test_pipelining(three):
    with Pop3Wire(three, "pop3s") as client:
        client.send(f"USER {TOM}\r\nPASS {PASSWORD}\r\nSTAT\r\nRETR 1\r\nRETR 2\r\nDELE 1\r\nQUIT\r\n".encode())
        assert client.reply().startswith("+OK") and client.reply().startswith("+OK")
        assert client.reply().startswith("+OK 3 ")
        assert client.reply().startswith("+OK") and client.lines()[-1] == b"one\r\n"
        assert client.reply().startswith("+OK") and client.lines()[-1] == b"..\r\n"
        assert client.reply().startswith("+OK") and client.reply().startswith("+OK")
        assert client.is_at_end()
    assert len(three.inbox(TOM)) == 2


def test_many_pipelined_retrs(posthorn):
    deliver(posthorn, TOM, *[b"x" * 70 + b"\r\n"] * 50)
    with Pop3Wire(posthorn, "pop3s") as client:
        client.sign_on(TOM)
        client.send(b"".join(b"RETR %d\r\n" % n for n in range(1, 51)))
        for number in range(1, 51):
            assert client.reply().startswith("+OK")
            assert b"Subject: message %d\r\n" % number in client.lines()


@pytest.mark.parametrize("protocol", ["pop3", "pop3s"])
def test_large_message(posthorn, protocol):
    body = b"".join(b"%07d %s\r\n" % (n, b"x" * 60) for n in range(50_000))
    deliver(posthorn, TOM, body)
    with Pop3Wire(posthorn, protocol) as client:
        if protocol == "pop3":
            client.stls()
        client.sign_on(TOM)
        assert retr(client, 1).partition(b"\r\n\r\n")[2] == body


def test_a_client_that_goes_away_while_reading(posthorn):
    deliver(posthorn, TOM, (b"x" * 76 + b"\r\n") * 50_000)
    with Pop3Wire(posthorn, "pop3s") as client:
        client.sign_on(TOM)
        client.send("RETR 1")
        client.line()
    assert len(posthorn.inbox(TOM)) == 1


def test_names_without_a_domain_and_with_capitals(posthorn):
    with Pop3Wire(posthorn, "pop3s") as client:
        client.sign_on("TOM@ACompany.test")


def test_utf8(posthorn):
    with Pop3Wire(posthorn, "pop3s") as client:
        assert client.say("UTF8").startswith("+OK")
        client.sign_on(TOM)


def test_mail_of_others_is_out_of_reach(posthorn):
    deliver(posthorn, TOM, b"for Tom alone\r\n")
    assert posthorn.inbox(FRED) == []


def test_what_submission_sent_is_collected(posthorn):
    with posthorn.submission(FRED) as client:
        client.sendmail(FRED, [TOM], b"From: fred@acompany.test\r\nSubject: Hello\r\n\r\nHello Tom\r\n")
    with_tls = posthorn.pop3(TOM, tls="implicit")
    assert with_tls.stat()[0] == 1
    with_tls.quit()
    assert b"Hello Tom" in posthorn.inbox(TOM)[0]


def test_sigterm_ends_sessions(three, tom):
    three.stop()
    assert tom.is_at_end()
    three.start()
    assert len(three.inbox(TOM)) == 3
