"""The harness against itself: what the other tests rely on must hold without Posthorn."""

import smtplib
import subprocess
import sys

import pytest

from harness import DEADLINE_S
from harness.fakesmtp import DROP
from harness.lines import Event, Lines


def dig(dns, name, kind):
    """What a resolver hears, asked with no library of ours: adig is not everywhere, so a query by hand."""
    import socket
    import struct
    question = b"".join(bytes([len(p)]) + p.encode() for p in name.split(".")) + b"\0"
    query = struct.pack(">HHHHHH", 7, 0x0100, 1, 0, 0, 0) + question + struct.pack(">HH", kind, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(DEADLINE_S)
        s.sendto(query, ("127.0.0.1", dns.port))
        _, flags, _, answers, _, _ = struct.unpack(">HHHHHH", s.recv(4096)[:12])
    return flags & 15, answers


def test_dns_answers_what_the_test_wrote(dns):
    dns.serve("""
        other      MX 10 mx1.other
        other      MX 20 mx2.other
        mx1.other  A  127.0.0.11
    """)
    assert dig(dns, "other.test", 15) == (0, 2)
    assert dig(dns, "nosuch.test", 15) == (3, 0)
    assert dig(dns, "other.example", 15)[0] == 5
    dns.serve("nosuch MX 0 .")
    assert dig(dns, "nosuch.test", 15) == (0, 1)


def test_fake_smtp_answers_what_it_is_told(fake_smtp):
    server = fake_smtp("127.0.0.11", RCPT=["450 4.2.1 not now", "250 2.1.5 ok"], NOOP=DROP)
    client = smtplib.SMTP(server.host, server.port, timeout=DEADLINE_S)
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        client.sendmail("a@x.test", ["b@y.test"], "Subject: one\r\n\r\n.dot\r\n")
    client.sendmail("a@x.test", ["b@y.test"], "Subject: two\r\n\r\n.dot\r\n")
    with pytest.raises(smtplib.SMTPServerDisconnected):
        client.noop()
    message = server.wait_message()
    assert (message.sender, message.recipients) == ("a@x.test", ["b@y.test"])
    assert message.data == b"Subject: two\r\n\r\n.dot\r\n"
    assert "NOOP" in server.wait_session()[-1].upper()


def test_fake_smtp_does_tls(fake_smtp):
    server = fake_smtp("127.0.0.11", extensions=["STARTTLS", "SIZE 1000"])
    client = smtplib.SMTP(server.host, server.port, timeout=DEADLINE_S)
    client.starttls()
    client.sendmail("a@x.test", ["b@y.test"], "Subject: one\r\n\r\n")
    assert "starttls" not in client.esmtp_features
    assert server.wait_message().sender == "a@x.test"


@pytest.mark.root
def test_postfix_takes_and_passes_on(make_postfix, fake_smtp, relay_port):
    other = fake_smtp("127.0.0.12")
    postfix = make_postfix("127.0.0.11", "other.test", ["ann"], {"acompany.test": f"127.0.0.12:{relay_port}"})
    client = smtplib.SMTP(postfix.host, postfix.port, timeout=DEADLINE_S)
    client.sendmail("tom@acompany.test", ["ann@other.test"], "Subject: in\r\n\r\n")
    client.sendmail("ann@other.test", ["tom@acompany.test"], "Subject: out\r\n\r\n")
    postfix.wait_delivered("ann@other.test")
    assert b"Subject: in" in postfix.maildir("ann")[0]
    assert b"Subject: out" in other.wait_message().data


def test_lines_wake_who_waits():
    lines = Lines()
    program = "import sys\nfor w in sys.stdin: print(w, end='', flush=True)"
    process = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    lines.follow(process.stdout)
    process.stdin.write(b"one\n")
    process.stdin.flush()
    assert lines.wait(lambda line: line == "one" and "seen", "one") == "seen"
    mark = lines.mark()
    process.stdin.close()
    with pytest.raises(AssertionError, match="ended without"):
        lines.wait(lambda line: line == "one", "one again", since=mark)
    process.wait()


def test_event_reads_a_log_line():
    event = Event(r'2026-11-22T04:15:05.123Z mx info delivered id=0CJ2 to="a b@x" why="say \"no\"" n=1')
    assert (event.program, event.level, event.name) == ("mx", "info", "delivered")
    assert event == {"id": "0CJ2", "to": "a b@x", "why": 'say "no"', "n": "1"}
    assert event.matches("delivered", {"n": 1}) and not event.matches("delivered", {"n": 2})
    assert not Event("==12==ERROR: AddressSanitizer").is_event
