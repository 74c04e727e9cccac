"""Mail that comes in on port 25: what is announced, taken, refused, and how it looks in the mailbox."""

import re
import smtplib
import time

import pytest

from harness import DEADLINE_S
from harness.wire import CLOSED, SmtpWire

FRED, TOM = "fred@acompany.test", "tom@acompany.test"
STRANGER = "ann@other.test"
MESSAGE = b"From: Ann <ann@other.test>\r\nTo: tom@acompany.test\r\nSubject: Hello\r\n\r\nHello Tom\r\n"


@pytest.fixture
def wire(posthorn):
    with SmtpWire(posthorn, "smtp") as client:
        client.ehlo()
        yield client


def header_and_body(message):
    header, _, body = message.partition(b"\r\n\r\n")
    return header + b"\r\n", body


def body_of(message):
    return header_and_body(message)[1]


# The conversation

def test_greeting_and_announcement(posthorn):
    with SmtpWire(posthorn, "smtp") as client:
        assert re.match(r"220 mail\.acompany\.test ", client.greeting)
        offered = client.ehlo()
    assert set(offered) == {"SIZE", "8BITMIME", "PIPELINING", "ENHANCEDSTATUSCODES", "CHUNKING", "SMTPUTF8", "DSN",
                            "STARTTLS", "LIMITS"}
    assert int(offered["SIZE"]) > 1_000_000
    assert "RCPTMAX=" in offered["LIMITS"]


def test_helo_announces_nothing(posthorn):
    with SmtpWire(posthorn, "smtp") as client:
        assert client.say("HELO client.test") == "250 mail.acompany.test"


@pytest.mark.parametrize("lines, reply", [
    (["NOOP"], r"250 2\.0\.0"),
    (["NOOP with words"], r"250 2\.0\.0"),
    (["RSET"], r"250 2\.0\.0"),
    (["VRFY tom"], r"252 2\.\d\.\d"),
    (["HELP"], r"214 2\.0\.0"),
    (["QUIT"], r"221 2\.0\.0"),
    (["noop"], r"250 2\.0\.0"),
    (["FROB"], r"500 5\.5\.[12]"),
    (["EXPN staff"], r"(500|502) 5\.5\.1"),
    (["AUTH PLAIN"], r"(500|502|503) 5\.5\.1"),
    (["RCPT TO:<tom@acompany.test>"], r"503 5\.5\.1"),
    (["DATA"], r"503 5\.5\.1"),
    (["BDAT 0 LAST"], r"503 5\.5\.1"),
    (["MAIL FROM:<a@b.test>", "MAIL FROM:<a@b.test>"], r"503 5\.5\.1"),
    (["MAIL FROM:<a@b.test>", "DATA"], r"503 5\.5\.1"),
    (["MAIL"], r"501 5\.5\.[24]"),
    (["MAIL FROM"], r"501 5\.5\.[24]"),
    (["MAIL FROM:<a@b"], r"501 5\.(5\.[24]|1\.7)"),
    (["MAIL FROM:<a b@c.test>"], r"501 5\.(5\.[24]|1\.7)"),
    (["MAIL FROM:<a@b.test> SIZE=big"], r"501 5\.5\.4"),
    (["MAIL FROM:<a@b.test> FROB=1"], r"555 5\.5\.4"),
    (["MAIL FROM:<a@b.test> BODY=BINARYMIME"], r"(501|504|555) 5\.5\.4"),
    (["MAIL FROM:<a@b.test> BODY=8BITMIME"], r"250 2\.1\.0"),
    (["MAIL FROM:<a@b.test> RET=HDRS ENVID=QQ314159"], r"250 2\.1\.0"),
    (["MAIL FROM:<a@b.test> RET=SOME"], r"501 5\.5\.4"),
    (["MAIL FROM:<>"], r"250 2\.1\.0"),
    (["MAIL FROM: <a@b.test>"], r"(250 2\.1\.0|501 5\.5\.[24])"),
    (["mail from:<a@b.test> size=100"], r"250 2\.1\.0"),
    (["MAIL FROM:<a@b.test>", "RCPT TO:<tom@acompany.test>"], r"250 2\.1\.5"),
    (["MAIL FROM:<a@b.test>", "RCPT TO:<TOM@ACompany.TEST>"], r"250 2\.1\.5"),
    (["MAIL FROM:<a@b.test>", "RCPT TO:<\"tom\"@acompany.test>"], r"250 2\.1\.5"),
    (["MAIL FROM:<a@b.test>", "RCPT TO:<@relay.test:tom@acompany.test>"], r"250 2\.1\.5"),
    (["MAIL FROM:<a@b.test>", "RCPT TO:<tom+news@acompany.test>"], r"250 2\.1\.5"),
    (["MAIL FROM:<a@b.test>", "RCPT TO:<>"], r"501 5\.(5\.[24]|1\.3)"),
    (["MAIL FROM:<a@b.test>", "RCPT TO:<nobody@acompany.test>"], r"550 5\.1\.1 \S+.*"),
    (["MAIL FROM:<a@b.test>", "RCPT TO:<someone@other.test>"], r"55[04] 5\.7\.1"),
    (["MAIL FROM:<a@b.test>", "RCPT TO:<someone%other.test@acompany.test>"], r"550 5\.\d\.\d"),
    (["MAIL FROM:<a@b.test>", "RCPT TO:<postmaster>"], r"250 2\.1\.5"),
    (["MAIL FROM:<a@b.test>", "RCPT TO:<Postmaster>"], r"250 2\.1\.5"),
    (["MAIL FROM:<a@b.test>", "RCPT TO:<postmaster@acompany.test>"], r"250 2\.1\.5"),
    (["MAIL FROM:<a@b.test>", "RCPT TO:<tom@acompany.test> NOTIFY=NEVER"], r"250 2\.1\.5"),
    (["MAIL FROM:<a@b.test>", "RCPT TO:<tom@acompany.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;t@x.test"],
     r"250 2\.1\.5"),
    (["MAIL FROM:<a@b.test>", "RCPT TO:<tom@acompany.test> NOTIFY=NEVER,FAILURE"], r"501 5\.5\.4"),
    (["MAIL FROM:<a@b.test>", "RCPT TO:<tom@acompany.test> FROB"], r"555 5\.5\.4"),
    (["MAIL FROM:<a@b.test>", "RSET", "DATA"], r"503 5\.5\.1"),
    (["MAIL FROM:<a@b.test>", "EHLO again.test", "RCPT TO:<tom@acompany.test>"], r"503 5\.5\.1"),
    (["NOOP " + "x" * 5000], r"500 5\.5\.[26]"),
], ids=lambda v: " / ".join(line[:50] for line in v) if isinstance(v, list) else "")
def test_replies(shared, lines, reply):
    with SmtpWire(shared, "smtp") as client:
        client.ehlo()
        answer = client.talk(*lines)
    assert re.match(reply, answer), answer


def test_mail_before_ehlo_is_out_of_order(posthorn):
    with SmtpWire(posthorn, "smtp") as client:
        assert client.say("MAIL FROM:<a@b.test>").startswith("503 5.5.1")


def test_pipelining_answers_in_order(posthorn, wire):
    wire.send(b"RSET\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<tom@acompany.test>\r\nRCPT TO:<nobody@acompany.test>\r\n"
              b"RCPT TO:<fred@acompany.test>\r\nDATA\r\n")
    assert [reply[:3] for reply in wire.replies(6)] == ["250", "250", "250", "550", "250", "354"]
    assert wire.say(MESSAGE + b".\r\n").startswith("250 2.")
    assert len(posthorn.inbox(TOM)) == len(posthorn.inbox(FRED)) == 1


def test_body_and_next_transaction_in_one_piece(posthorn, wire):
    wire.begin("a@b.test", TOM)
    wire.send(MESSAGE + b".\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<tom@acompany.test>\r\nQUIT\r\n")
    assert [reply[:3] for reply in wire.replies(4)] == ["250", "250", "250", "221"]
    assert wire.is_at_end()
    assert len(posthorn.inbox(TOM)) == 1


def test_one_octet_at_a_time(posthorn, wire):
    whole = b"MAIL FROM:<a@b.test>\r\nRCPT TO:<tom@acompany.test>\r\nDATA\r\n"
    for i in range(len(whole)):
        wire.send(whole[i:i + 1])
    assert [reply[:3] for reply in wire.replies(3)] == ["250", "250", "354"]
    body = b"Subject: slow\r\n\r\n..\r\n...\r\n.\r\n"
    for i in range(len(body)):
        wire.send(body[i:i + 1])
    assert wire.reply().startswith("250 2.")
    assert body_of(posthorn.inbox(TOM)[0]) == b".\r\n..\r\n"


def test_too_many_errors_end_the_session(wire):
    for _ in range(200):
        answer = wire.say("FROB")
        if not answer.startswith("500"):
            break
    assert re.match(r"421 4\.\d\.\d", answer) and wire.is_at_end()


def test_too_many_recipients(make_posthorn):
    server = make_posthorn(limits="recipients = 100").with_people().start()
    with SmtpWire(server, "smtp") as client:
        assert "RCPTMAX=100" in client.ehlo()["LIMITS"]
        assert client.talk("MAIL FROM:<a@b.test>", *["RCPT TO:<tom@acompany.test>"] * 100).startswith("250")
        assert re.match(r"452 4\.5\.3", client.say("RCPT TO:<fred@acompany.test>"))


def test_idle_peer_is_told_and_let_go(make_posthorn):
    """It has said nothing at all, so no machine is too slow for what comes before."""
    server = make_posthorn(limits='idle = "1s"').with_people().start()
    with SmtpWire(server, "smtp") as client:
        assert client.greeting.startswith("220 ")
        assert re.match(r"421 4\.4\.2", client.reply()) and client.is_at_end()


def drip(server, first):
    """A session that says this and then one byte after the other, until it is ended: all that the server said."""
    said = b""
    with SmtpWire(server, "smtp", greeting=False) as client:
        end = time.monotonic() + DEADLINE_S
        client.send(first).socket.settimeout(0.1)
        while time.monotonic() < end:
            client.send(b"x")
            try:
                came = client.socket.recv(1000)
            except TimeoutError:
                continue
            except ConnectionResetError:  # by a byte that came between the last one it read and its close
                break
            if not came:
                break
            said += came
    return said


@pytest.mark.parametrize("first, place", [
    (b"", rb"220 .*\r\n"),
    (f"EHLO client.test\r\nMAIL FROM:<{STRANGER}>\r\nRCPT TO:<{TOM}>\r\nDATA\r\n".encode(), rb".*\r\n354 .*\r\n"),
], ids=["command", "body"])
def test_slow_bytes_are_as_idle_as_none(make_posthorn, first, place):
    """Who sends a byte now and then holds a place, and in a body memory, that others need."""
    server = make_posthorn(limits='idle = "1s"').with_people().start()
    said = drip(server, first)
    while not re.match(place, said, re.S):  # on a slow machine the time may be over before that place
        assert b"421 4.4.2" in said, said
        said = drip(server, first)
    assert re.match(place + rb"421 4\.4\.2", said, re.S)


def test_connections_per_address(make_posthorn):
    server = make_posthorn(limits="connections-per-address = 3").with_people().start()
    clients = [SmtpWire(server, "smtp") for _ in range(3)]
    assert SmtpWire(server, "smtp").greeting.startswith("421 4.")
    assert SmtpWire(server, "smtp", source="127.0.0.9").greeting.startswith("220 ")
    for client in clients:
        client.close()


def test_connections_in_all(make_posthorn):
    """However many addresses they come from."""
    server = make_posthorn(limits="connections = 3").with_people().start()
    clients = [SmtpWire(server, "smtp", source=f"127.0.0.{n}") for n in range(7, 10)]
    assert SmtpWire(server, "smtp", source="127.0.0.10").greeting.startswith("421 4.")
    clients.pop().close()
    server.wait_until(lambda: SmtpWire(server, "smtp", source="127.0.0.10").greeting.startswith("220 "), "room again")
    for client in clients:
        client.close()


# TLS

def test_starttls(posthorn, wire):
    wire.starttls()
    assert "STARTTLS" not in wire.ehlo()
    assert wire.deliver(STRANGER, [TOM], MESSAGE).startswith("250 2.")
    header, _ = header_and_body(posthorn.inbox(TOM)[0])
    assert re.search(rb"^Received: from client\.test.*?with ESMTPS.*?;", header, re.S | re.M)
    assert re.search(rb"^Received:.*?TLS", header, re.S | re.M)


def test_what_came_before_the_handshake_is_thrown_away(wire):
    wire.send(b"STARTTLS\r\nMAIL FROM:<injected@other.test>\r\n")
    assert wire.reply().startswith("220")
    wire.to_tls().ehlo()
    assert wire.say("RCPT TO:<tom@acompany.test>").startswith("503")


def test_starttls_is_over_when_it_is_done(wire):
    wire.starttls()
    assert wire.say("STARTTLS").startswith("503 5.5.1")


# What is stored

def test_message_arrives_with_its_trace(posthorn, wire):
    assert wire.deliver(STRANGER, [TOM], MESSAGE).startswith("250 2.")
    header, body = header_and_body(posthorn.inbox(TOM)[0])
    assert header.startswith(b"Return-Path: <ann@other.test>\r\nDelivered-To: tom@acompany.test\r\nReceived: ")
    assert header.endswith(MESSAGE.partition(b"\r\n\r\n")[0] + b"\r\n")
    assert body == b"Hello Tom\r\n"
    received = re.search(rb"^Received: (.*?)\r\n(?![ \t])", header, re.S | re.M).group(1)
    flat = re.sub(rb"\s+", b" ", received).decode()
    assert re.match(r"from client\.test \(.*\[127\.0\.0\.1\].*\) by mail\.acompany\.test (\(.*\) )?with ESMTP "
                    r"id \w+ for <tom@acompany\.test>; \w{3}, \d{1,2} \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}", flat), flat


def test_several_recipients_are_not_told_of_each_other(posthorn, wire):
    assert wire.deliver(STRANGER, [TOM, FRED], MESSAGE).startswith("250 2.")
    for user, other in ((TOM, FRED), (FRED, TOM)):
        header, _ = header_and_body(posthorn.inbox(user)[0])
        assert b"Delivered-To: " + user.encode() in header
        assert other.encode() not in header.replace(b"To: tom@acompany.test", b"")
        assert not re.search(rb"\sfor\s+<", header)


def test_same_recipient_twice_gets_it_once(posthorn, wire):
    assert wire.deliver(STRANGER, [TOM, "TOM@acompany.test"], MESSAGE).startswith("250 2.")
    assert len(posthorn.inbox(TOM)) == 1


def test_helo_is_smtp_in_the_trace(posthorn):
    with SmtpWire(posthorn, "smtp") as client:
        client.say("HELO client.test")
        client.deliver("", [TOM], MESSAGE)
    header, _ = header_and_body(posthorn.inbox(TOM)[0])
    assert header.startswith(b"Return-Path: <>\r\n")
    assert re.search(rb"\swith\s+SMTP\s", header)


@pytest.mark.parametrize("body", [
    b"",
    b"\r\n",
    b".\r\n..\r\n.leading\r\n",
    b"x" * 997 + b"\r\n",
    b"x" * 998 + b"\r\n" + b"y" * 70_000 + b"\r\nend\r\n",
    b"\xff\xfe 8 bits \x80\r\n",
    "grüße ☃\r\n".encode(),
    b"tab\tand \x01 control\r\n",
    (b"0123456789" * 7 + b"\r\n") * 4_000,
    (b"0123456789" * 7 + b"\r\n") * 40_000,
], ids=["empty", "blank line", "dots", "997", "longer than 998", "8bit", "utf-8", "controls", "two pieces", "many pieces"])
def test_body_comes_back_octet_by_octet(posthorn, wire, body):
    assert wire.deliver(STRANGER, [TOM], b"Subject: x\r\n\r\n" + body).startswith("250 2.")
    assert body_of(posthorn.inbox(TOM)[0]) == body


def test_text_that_begins_with_a_blank_is_none_of_our_trace(posthorn, wire):
    text = b" for <boss@acompany.test>; yesterday\r\n"
    assert wire.deliver(STRANGER, [TOM], text).startswith("250 2.")
    header, body = header_and_body(posthorn.inbox(TOM)[0])
    assert body == text and b"yesterday" not in header


def test_bdat(posthorn, wire):
    first, second = MESSAGE[:50], MESSAGE[50:]
    wire.talk("MAIL FROM:<ann@other.test>", "RCPT TO:<tom@acompany.test>")
    assert wire.say(b"BDAT %d\r\n" % len(first) + first).startswith("250 2.")
    assert wire.say(b"BDAT %d LAST\r\n" % len(second) + second).startswith("250 2.")
    assert body_of(posthorn.inbox(TOM)[0]) == b"Hello Tom\r\n"


def test_bdat_pipelined_with_everything(posthorn, wire):
    wire.send(b"MAIL FROM:<ann@other.test>\r\nRCPT TO:<tom@acompany.test>\r\nBDAT %d\r\n%sBDAT 0 LAST\r\nNOOP\r\n"
              % (len(MESSAGE), MESSAGE))
    assert [reply[:3] for reply in wire.replies(5)] == ["250"] * 5
    assert body_of(posthorn.inbox(TOM)[0]) == b"Hello Tom\r\n"


def test_bdat_ends_with_the_count_and_not_with_a_dot(posthorn, wire):
    message = b"Subject: x\r\n\r\none\r\n.\r\ntwo\r\n"
    wire.talk("MAIL FROM:<ann@other.test>", "RCPT TO:<tom@acompany.test>")
    assert wire.say(b"BDAT %d LAST\r\n" % len(message) + message).startswith("250 2.")
    assert body_of(posthorn.inbox(TOM)[0]) == b"one\r\n.\r\ntwo\r\n"


def test_bdat_without_recipient_swallows_its_octets(wire):
    wire.say("MAIL FROM:<ann@other.test>")
    assert wire.say(b"BDAT 6 LAST\r\nQUIT\r\n").startswith("503 5.5.1")
    assert wire.say("NOOP").startswith("250")


def test_data_after_bdat_is_out_of_order(wire):
    wire.talk("MAIL FROM:<ann@other.test>", "RCPT TO:<tom@acompany.test>")
    wire.say(b"BDAT 3\r\nabc")
    assert wire.say("DATA").startswith("503 5.5.1")


# What is refused

@pytest.mark.parametrize("text", [
    b"one\ntwo\r\n", b"one\rtwo\r\n", b"one\n.\r\n", b"one\r\n.\ntwo\r\n", b"one\n.\ntwo\r\n", b"one\r.\rtwo\r\n",
    b"one\r\n.\rtwo\r\n",
], ids=repr)
def test_bare_line_ends_do_not_smuggle(shared, text):
    with SmtpWire(shared, "smtp") as client:
        client.ehlo()
        client.begin(STRANGER, TOM)
        answer = client.say(b"Subject: x\r\n\r\n" + text + b"MAIL FROM:<smuggled@other.test>\r\n.\r\n")
        assert re.match(r"550 5\.6\.11", answer)
        assert client.say("NOOP").startswith("250")
    assert shared.inbox(TOM) == []


def test_bare_line_ends_by_bdat(posthorn, wire):
    wire.talk("MAIL FROM:<ann@other.test>", "RCPT TO:<tom@acompany.test>")
    assert re.match(r"550 5\.6\.11", wire.say(b"BDAT 21 LAST\r\nSubject: x\r\n\r\none\ntwo"))


def test_nul_is_refused(posthorn, wire):
    wire.begin(STRANGER, TOM)
    assert re.match(r"55\d 5\.\d\.\d", wire.say(b"Subject: x\r\n\r\na\0b\r\n.\r\n"))
    assert posthorn.inbox(TOM) == []


def test_message_size(make_posthorn):
    server = make_posthorn(limits='message-size = "100K"').with_people().start()
    with SmtpWire(server, "smtp") as client:
        assert client.ehlo()["SIZE"] == str(100 * 1024)
        assert re.match(r"552 5\.3\.4", client.say("MAIL FROM:<a@b.test> SIZE=200000"))
        client.begin("a@b.test", TOM)
        assert re.match(r"552 5\.3\.4", client.say((b"x" * 76 + b"\r\n") * 2000 + b".\r\n"))
        client.talk("MAIL FROM:<a@b.test>", f"RCPT TO:<{TOM}>")
        assert re.match(r"552 5\.3\.4", client.say(b"BDAT 200000 LAST\r\n" + b"x" * 200000))
        assert client.deliver(STRANGER, [TOM], MESSAGE).startswith("250")
    assert len(server.inbox(TOM)) == 1


def test_quota(posthorn, wire):
    posthorn.add_account("small@acompany.test", "pw for small", "--quota", "10K")
    body = b"Subject: x\r\n\r\n" + (b"x" * 76 + b"\r\n") * 150
    assert wire.deliver(STRANGER, ["small@acompany.test"], body).startswith("250"), "one message may go over"
    wire.say(f"MAIL FROM:<{STRANGER}>")
    assert re.match(r"452 4\.2\.2", wire.say("RCPT TO:<small@acompany.test>"))
    assert wire.say(f"RCPT TO:<{TOM}>").startswith("250"), "others are not concerned"


def test_quota_of_messages(posthorn, wire):
    posthorn.add_account("few@acompany.test", "pw for few", "--messages", "1")
    assert wire.deliver(STRANGER, ["few@acompany.test"], MESSAGE).startswith("250")
    wire.say(f"MAIL FROM:<{STRANGER}>")
    assert re.match(r"452 4\.2\.2", wire.say("RCPT TO:<few@acompany.test>"))
    posthorn.cli("account", "change", "few@acompany.test", "--messages", "2")
    assert wire.say("RCPT TO:<few@acompany.test>").startswith("250")


def test_loop_of_received(posthorn, wire):
    hops = b"".join(b"Received: from a by b; Thu, 1 Jan 2026 00:00:%02d +0000\r\n" % (n % 60) for n in range(101))
    assert re.match(r"554 5\.4\.6", wire.deliver(STRANGER, [TOM], hops + MESSAGE))
    assert posthorn.inbox(TOM) == []


def test_own_delivered_to_is_a_loop(posthorn, wire):
    answer = wire.deliver(STRANGER, [TOM], b"Delivered-To: tom@acompany.test\r\n" + MESSAGE)
    assert re.match(r"554 5\.4\.6", answer), answer
    assert posthorn.inbox(TOM) == []


# Addresses

@pytest.mark.parametrize("recipient", ["tom+news@acompany.test", "sales@acompany.test", "staff@acompany.test",
                                       "anything@second.test"])
def test_addresses_that_lead_to_tom(posthorn, wire, recipient):
    posthorn.add_domain("second.test")
    posthorn.cli("alias", "add", "sales@acompany.test", TOM, json=False)
    posthorn.cli("alias", "add", "all@acompany.test", "sales@acompany.test", FRED, json=False)
    posthorn.cli("alias", "add", "staff@acompany.test", "all@acompany.test", "sales@acompany.test", json=False)
    posthorn.cli("alias", "add", "@second.test", TOM, json=False)
    assert wire.deliver(STRANGER, [recipient], MESSAGE).startswith("250")
    inbox = posthorn.inbox(TOM)
    assert len(inbox) == 1
    assert len(posthorn.inbox(FRED)) == (1 if recipient.startswith("staff") else 0)


def test_aliases_in_a_circle_end(posthorn, wire):
    posthorn.cli("alias", "add", "a@acompany.test", "b@acompany.test", TOM, json=False)
    result = posthorn.run("alias", "add", "b@acompany.test", "a@acompany.test")
    if result.returncode == 0:
        assert wire.deliver(STRANGER, ["a@acompany.test"], MESSAGE).startswith("250")
        assert len(posthorn.inbox(TOM)) == 1


def test_postmaster_gets_a_mailbox_with_his_first_mail(posthorn, wire):
    for recipient in ("postmaster", "Postmaster@acompany.test"):
        assert wire.deliver(STRANGER, [recipient], MESSAGE).startswith("250")
    posthorn.cli("account", "password", "postmaster@acompany.test", "--password-stdin", json=False, text="pw for p\n")
    assert len(posthorn.inbox("postmaster@acompany.test", "pw for p")) == 2


def test_international_addresses(posthorn, wire):
    posthorn.add_account("jürgen@acompany.test", "pw for j")
    wire.talk("MAIL FROM:<ä@other.test> SMTPUTF8")
    assert wire.say("RCPT TO:<jürgen@acompany.test>").startswith("250")
    assert wire.say("DATA").startswith("354")
    assert wire.say("Subject: grüße\r\n\r\nhallo\r\n.".encode() + b"\r\n").startswith("250")
    message = posthorn.inbox("jürgen@acompany.test", "pw for j", utf8=True)[0].decode()
    assert message.startswith("Return-Path: <ä@other.test>\r\nDelivered-To: jürgen@acompany.test\r\n")
    assert "with UTF8SMTP" in message and "Subject: grüße" in message
    surrogate = posthorn.inbox("jürgen@acompany.test", "pw for j")[0]
    assert surrogate.isascii()


def test_international_address_needs_the_parameter(wire):
    assert re.match(r"(501|553|550) 5\.(6\.7|5\.4|5\.2|1\.7)", wire.say("MAIL FROM:<ä@other.test>"))


def test_internal_only_hears_nothing_from_outside(posthorn, wire):
    posthorn.add_account("board@acompany.test", "pw for board", "--internal-only")
    wire.say(f"MAIL FROM:<{STRANGER}>")
    assert re.match(r"550 5\.7\.\d", wire.say("RCPT TO:<board@acompany.test>"))
    posthorn.submission(FRED).sendmail(FRED, ["board@acompany.test"], MESSAGE)
    assert len(posthorn.inbox("board@acompany.test", "pw for board")) == 1
    posthorn.cli("account", "change", "board@acompany.test", "--internal-only=no")
    assert wire.say("RCPT TO:<board@acompany.test>").startswith("250")


# Who may send onward

def test_network_with_relay_may_send_onward(make_posthorn):
    server = make_posthorn(
        settings='network "office" { from = {"127.0.0.7/32"} relay = true }').with_people().start()
    with SmtpWire(server, "smtp", source="127.0.0.7") as client:
        client.ehlo()
        client.say("MAIL FROM:<printer@acompany.test>")
        assert client.say("RCPT TO:<someone@other.test>").startswith("250")
    with SmtpWire(server, "smtp", source="127.0.0.8") as client:
        client.ehlo()
        client.say("MAIL FROM:<printer@acompany.test>")
        assert re.match(r"55[04] 5\.7\.1", client.say("RCPT TO:<someone@other.test>"))


# Ends

def test_sigterm_tells_the_clients(posthorn, wire):
    posthorn.stop()
    assert wire.reply()[:3] in ("421", CLOSED[:3])


def test_smtplib_does_it_all(posthorn):
    with posthorn.smtp() as client:
        client.sendmail(STRANGER, [TOM, FRED], MESSAGE)
        with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
            client.sendmail(STRANGER, ["nobody@acompany.test"], MESSAGE)
    code, text = refused.value.recipients["nobody@acompany.test"]
    assert code == 550 and text.startswith(b"5.1.1 ")
