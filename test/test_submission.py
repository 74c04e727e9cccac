"""Mail from people who have an account: sign-on, whose name they may write under, what is completed."""

import re

import pytest

from harness.network import own_network
from harness.server import PASSWORD
from harness.wire import Scram, SmtpWire, b64, plain

FRED, TOM = "fred@acompany.test", "tom@acompany.test"
MESSAGE = b"From: fred@acompany.test\r\nSubject: Hello\r\n\r\nHello Tom\r\n"


@pytest.fixture
def wire(posthorn):
    """A session on 587 after STARTTLS."""
    with SmtpWire(posthorn, "submission") as client:
        client.ehlo()
        yield client.starttls()


@pytest.fixture
def fred(wire):
    assert wire.say("AUTH PLAIN " + plain(FRED)).startswith("235 2.7.0")
    return wire


@pytest.mark.root
@pytest.mark.parametrize("settings, offered", [("", False), ("allow-plaintext-auth = true", True)])
def test_passwords_before_tls(make_posthorn, settings, offered):
    """From another machine only where the operator says so."""
    with own_network() as address:
        server = make_posthorn(settings=settings, address=address).with_people().start()
        with SmtpWire(server, "submission") as client:
            assert ("AUTH" in client.ehlo()) == offered
            answer = client.say("AUTH PLAIN " + plain(FRED))
            assert re.match(r"235 2\.7\.0" if offered else r"(503|504|530|538) 5\.\d\.\d", answer), answer
            answer = client.say(f"MAIL FROM:<{FRED}>")
            assert re.match("250" if offered else r"530 5\.7\.0", answer), answer


def test_passwords_before_tls_on_this_machine(posthorn):
    """Nobody listens on loopback."""
    with SmtpWire(posthorn, "submission") as client:
        assert "PLAIN" in client.ehlo()["AUTH"]
        assert client.say("AUTH PLAIN " + plain(FRED)).startswith("235 2.7.0")


def test_mechanisms(wire):
    assert set(wire.ehlo()["AUTH"].split()) == {"PLAIN", "LOGIN", "SCRAM-SHA-256"}


def test_auth_is_required(wire):
    assert re.match(r"530 5\.7\.0", wire.say(f"MAIL FROM:<{FRED}>"))


def test_auth_plain_with_a_challenge(wire):
    assert wire.say("AUTH PLAIN") == "334 "
    assert wire.say(plain(FRED)).startswith("235 2.7.0")
    assert wire.say("AUTH PLAIN " + plain(FRED)).startswith("503 5.5.1")


def test_auth_plain_as_somebody_else(wire):
    assert wire.say("AUTH PLAIN " + plain(FRED, authzid=TOM)).startswith("535 5.7.8 the password is right")
    assert wire.say("AUTH PLAIN " + plain(FRED, "wrong", authzid=TOM)).startswith("535 5.7.8 the name or the password")
    assert wire.say("AUTH PLAIN " + plain(FRED, authzid=FRED)).startswith("235 2.7.0")


def test_auth_login(wire):
    assert wire.say("AUTH LOGIN").startswith("334 ")
    assert wire.say(b64(FRED)).startswith("334 ")
    assert wire.say(b64(PASSWORD)).startswith("235 2.7.0")


def test_auth_login_with_initial_response(wire):
    assert wire.say("AUTH LOGIN " + b64(FRED)).startswith("334 ")
    assert wire.say(b64(PASSWORD)).startswith("235 2.7.0")


def test_auth_scram(wire):
    scram = Scram(FRED)
    challenge = wire.say("AUTH SCRAM-SHA-256 " + scram.first())
    assert challenge.startswith("334 ")
    last = wire.say(scram.final(challenge[4:]))
    assert last.startswith("334 ") and scram.accepts(last[4:])
    assert wire.say("").startswith("235 2.7.0")


@pytest.mark.parametrize("lines, reply", [
    (["AUTH PLAIN " + plain(FRED, "wrong")], r"535 5\.7\.8"),
    (["AUTH PLAIN " + plain("nobody@acompany.test", "wrong")], r"535 5\.7\.8"),
    (["AUTH PLAIN " + plain(FRED, authzid=TOM)], r"535 5\.7\.8"),
    (["AUTH PLAIN " + plain(FRED, authzid=FRED)], r"235 2\.7\.0"),
    (["AUTH LOGIN", b64(FRED), b64("wrong")], r"535 5\.7\.8"),
    (["AUTH PLAIN", "*"], r"501 5\.\d\.\d"),
    (["AUTH PLAIN", "not base64!"], r"501 5\.5\.2"),
    (["AUTH PLAIN =="], r"501 5\.5\.2"),
    (["AUTH PLAIN " + b64("no nul in it")], r"(501|535) 5\.\d\.\d"),
    (["AUTH FROB"], r"504 5\.5\.4"),
    (["AUTH CRAM-MD5"], r"504 5\.5\.4"),
    (["AUTH"], r"501 5\.5\.[24]"),
    (["AUTH PLAIN", "x" * 20000], r"500 5\.5\.[26]"),
], ids=lambda v: v[0][:30] if isinstance(v, list) else "")
def test_auth_replies(wire, lines, reply):
    answer = wire.talk(*lines)
    assert re.match(reply, answer), answer


def test_a_wrong_password_and_a_wrong_name_look_the_same(wire):
    assert wire.say("AUTH PLAIN " + plain(FRED, "wrong")) == wire.say("AUTH PLAIN " + plain("x@acompany.test", "w"))


def test_scram_refuses_and_does_not_tell_who_exists(wire):
    def salt_and_count(user):
        challenge = wire.say("AUTH SCRAM-SHA-256 " + Scram(user).first())
        assert challenge.startswith("334 ")
        assert wire.say("*").startswith("501")
        import base64
        fields = dict(p.split("=", 1) for p in base64.b64decode(challenge[4:]).decode().split(","))
        return fields["s"], fields["i"]
    nobody = salt_and_count("nobody@acompany.test")
    assert nobody == salt_and_count("nobody@acompany.test"), "a made-up salt stays the same"
    assert nobody[1] == salt_and_count(FRED)[1] == "65536"
    scram = Scram(FRED, "wrong")
    challenge = wire.say("AUTH SCRAM-SHA-256 " + scram.first())
    assert re.match(r"535 5\.7\.8", wire.say(scram.final(challenge[4:])))


def test_a_failed_sign_on_is_one_line_for_fail2ban(posthorn, wire):
    mark = posthorn.mark()
    wire.say("AUTH PLAIN " + plain(FRED, "not the password"))
    failed = [e for e in posthorn.events(since=mark) if e.get("address") == "127.0.0.1"] or \
        [posthorn.wait_for(None, since=mark, address="127.0.0.1")]
    assert len(failed) == 1
    assert "not the password" not in posthorn.log.text()


def test_suspended_account_cannot_sign_on(posthorn, wire):
    posthorn.cli("account", "suspend", FRED, json=False)
    assert re.match(r"5\d\d 5\.\d\.\d", wire.say("AUTH PLAIN " + plain(FRED)))
    posthorn.cli("account", "resume", FRED, json=False)
    assert wire.say("AUTH PLAIN " + plain(FRED)).startswith("235")


def test_implicit_tls(posthorn):
    with SmtpWire(posthorn, "submissions") as client:
        offered = client.ehlo()
        assert "STARTTLS" not in offered and "AUTH" in offered
        assert client.say("AUTH PLAIN " + plain(FRED)).startswith("235")
        assert client.deliver(FRED, [TOM], MESSAGE).startswith("250 2.")
    assert re.search(rb"\swith\s+ESMTPSA\s", posthorn.inbox(TOM)[0])


@pytest.mark.parametrize("sender, reply", [
    (FRED, "250"), ("fred+list@acompany.test", "250"), ("sales@acompany.test", "250"), ("", "250"),
    (TOM, "55[03]"), ("someone@other.test", "55[03]"), ("fred@other.test", "55[03]"),
])
def test_reverse_path_belongs_to_the_account(posthorn, fred, sender, reply):
    posthorn.cli("alias", "add", "sales@acompany.test", FRED, json=False)
    answer = fred.say(f"MAIL FROM:<{sender}>")
    assert re.match(reply, answer), answer
    if reply != "250":
        assert re.match(r"55[03] 5\.7\.1", answer)


def test_names_without_a_domain_are_completed(posthorn, fred):
    assert fred.deliver(FRED, ["tom"], MESSAGE).startswith("250")
    header = posthorn.inbox(TOM)[0]
    assert header.startswith(b"Return-Path: <fred@acompany.test>\r\nDelivered-To: tom@acompany.test\r\n")


def test_unknown_local_recipient_is_refused_at_once(fred):
    fred.say(f"MAIL FROM:<{FRED}>")
    assert re.match(r"550 5\.1\.1 \S", fred.say("RCPT TO:<nobody@acompany.test>"))
    assert re.match(r"550 5\.1\.1 \S", fred.say("RCPT TO:<nobody>"))


def test_message_id_and_date_are_added(posthorn, fred):
    assert fred.deliver(FRED, [TOM], MESSAGE).startswith("250")
    message = posthorn.inbox(TOM)[0]
    assert len(re.findall(rb"^Message-ID: <[^<>@\s]+@[^<>@\s]+>\r\n", message, re.M)) == 1
    assert len(re.findall(rb"^Date: \w{3}, \d{1,2} \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}\r\n", message, re.M)) == 1


def test_message_id_and_date_are_kept(posthorn, fred):
    own = b"Date: Thu, 1 Jan 2026 00:00:00 +0000\r\nMESSAGE-ID: <mine@acompany.test>\r\n"
    assert fred.deliver(FRED, [TOM], own + MESSAGE).startswith("250")
    message = posthorn.inbox(TOM)[0]
    assert own in message
    assert len(re.findall(rb"^Message-ID:", message, re.M | re.I)) == 1
    assert len(re.findall(rb"^Date:", message, re.M | re.I)) == 1


def test_bcc_is_removed(posthorn, fred):
    secret = b"Bcc: boss@acompany.test,\r\n another@acompany.test\r\nbcc : x@acompany.test\r\n"
    assert fred.deliver(FRED, [TOM], secret + MESSAGE).startswith("250")
    message = posthorn.inbox(TOM)[0]
    assert b"boss" not in message and b"another" not in message and b"x@acompany" not in message
    assert b"Subject: Hello\r\n" in message


def test_port_25_adds_and_removes_nothing(posthorn):
    with SmtpWire(posthorn, "smtp") as client:
        client.ehlo()
        client.deliver("ann@other.test", [TOM], b"Bcc: x@other.test\r\nSubject: x\r\n\r\n")
    message = posthorn.inbox(TOM)[0]
    assert b"Bcc: x@other.test\r\n" in message
    assert b"Message-ID" not in message and b"\nDate:" not in message


def test_password_change_counts_at_once(posthorn, wire):
    assert wire.say("AUTH PLAIN " + plain(FRED)).startswith("235")
    posthorn.cli("account", "password", FRED, "--password-stdin", json=False, text="another one\n")
    with SmtpWire(posthorn, "submissions") as client:
        client.ehlo()
        assert client.say("AUTH PLAIN " + plain(FRED)).startswith("535")
        assert client.say("AUTH PLAIN " + plain(FRED, "another one")).startswith("235")


def test_smtplib_on_both_ports(posthorn):
    for tls in ("starttls", "implicit"):
        with posthorn.submission(FRED, tls=tls) as client:
            client.sendmail(FRED, [TOM], MESSAGE)
    assert len(posthorn.inbox(TOM)) == 2
