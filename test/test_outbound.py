"""Mail for other servers: where it goes, what is tried again, and what comes back when it cannot be delivered."""

import re
import smtplib

import pytest

from harness import DEADLINE_S
from harness.dns import Dns
from harness.fakesmtp import DROP, EXTENSIONS
from harness.reports import Report
from harness.server import DOMAIN
from harness.wire import SmtpWire, plain

FRED, TOM = "fred@acompany.test", "tom@acompany.test"
ANN = "ann@other.test"
MESSAGE = b"From: fred@acompany.test\r\nTo: ann@other.test\r\nSubject: Hello Ann\r\n\r\nHello\r\n.dot\r\n"
OTHER = "other MX 10 mx.other\nmx.other A 127.0.0.11"
QUICK = 'retry = {"1s"}\n warn-after = "1d"\n give-up-after = "2d"'
IMPATIENT = 'retry = {"1s"}\n warn-after = "1d"\n give-up-after = "3s"'
NO_DSN = [e for e in EXTENSIONS if e != "DSN"]


@pytest.fixture
def sender(make_posthorn, dns, relay_port):
    """sender(records) makes a running server that asks this DNS."""
    def make(records=OTHER, queue=QUICK, settings=""):
        dns.serve(records)
        server = make_posthorn(dns=dns.address, relay_port=relay_port, queue=queue, settings=settings)
        return server.with_people().start()
    return make


def send(server, *recipients, message=MESSAGE, mail_options=(), rcpt_options=()):
    with server.submission(FRED) as client:
        refused = client.sendmail(FRED, recipients, message, mail_options, rcpt_options)
    assert not refused


def report_for_fred(server, **options):
    return Report(server.wait_inbox(FRED, 1, **options)[0])


# Where it goes

def test_message_arrives_as_it_was(sender, fake_smtp):
    other = fake_smtp("127.0.0.11")
    server = sender()
    send(server, ANN)
    message = other.wait_message()
    assert (message.sender, message.recipients) == (FRED, [ANN])
    header, _, body = message.data.partition(b"\r\n\r\n")
    assert body == b"Hello\r\n.dot\r\n"
    assert header.startswith(b"Received: ") and b"Return-Path" not in header and b"Delivered-To" not in header
    assert other.commands[1] == f"EHLO {server.hostname}"


@pytest.mark.parametrize("records, where", [
    ("other MX 10 a.other\nother MX 20 b.other\na.other A 127.0.0.11\nb.other A 127.0.0.12", "127.0.0.11"),
    ("other MX 20 a.other\nother MX 10 b.other\na.other A 127.0.0.11\nb.other A 127.0.0.12", "127.0.0.12"),
    ("other MX 10 down.other\nother MX 20 b.other\ndown.other A 127.0.0.13\nb.other A 127.0.0.12", "127.0.0.12"),
    ("other MX 10 a.other\na.other A 127.0.0.13\na.other A 127.0.0.12", "127.0.0.12"),
    ("other MX 10 a.other\na.other A 127.0.0.13\na.other AAAA ::1", "::1"),
    ("other MX 10 a.other\na.other AAAA ::1", "::1"),
    ("other A 127.0.0.12", "127.0.0.12"),
    ("other AAAA ::1", "::1"),
    ("other MX 10 nowhere.other\nother MX 20 b.other\nb.other A 127.0.0.12", "127.0.0.12"),
    ("other CNAME third\nthird MX 10 b.third\nb.third A 127.0.0.12", "127.0.0.12"),
], ids=["first", "preference", "next host", "next address", "AAAA after A", "AAAA", "no MX: A", "no MX: AAAA",
        "MX without address", "CNAME"])
def test_finds_the_host(sender, fake_smtp, records, where):
    others = {host: fake_smtp(host) for host in ("127.0.0.11", "127.0.0.12", "::1")}
    send(sender(records), ANN)
    assert others[where].wait_message().recipients == [ANN]


def test_equal_preferences_are_shuffled(sender, fake_smtp):
    hosts = [fake_smtp(f"127.0.0.{n}", CONNECT="421 4.3.2 busy") for n in range(11, 15)]
    last = fake_smtp("127.0.0.16")
    records = [f"other MX 10 m{n}.other\nm{n}.other A 127.0.0.{n}" for n in range(11, 15)]
    send(sender("\n".join(records) + "\nother MX 20 m16.other\nm16.other A 127.0.0.16"), ANN)
    assert last.wait_message().recipients == [ANN]
    assert all(host.commands == ["CONNECT"] for host in hosts), "each was tried, once"


@pytest.mark.parametrize("replies", [
    {"CONNECT": "421 4.3.2 busy"}, {"CONNECT": "554 5.3.2 no service here"}, {"CONNECT": DROP}, {"EHLO": DROP},
    {"MAIL": "421 4.3.2 going down"}, {"RCPT": DROP}, {"DATA": DROP},
], ids=str)
def test_next_host_when_one_does_not_work(sender, fake_smtp, replies):
    fake_smtp("127.0.0.11", **replies)
    second = fake_smtp("127.0.0.12")
    send(sender("other MX 10 a.other\nother MX 20 b.other\na.other A 127.0.0.11\nb.other A 127.0.0.12"), ANN)
    assert second.wait_message().recipients == [ANN]


def test_helo_for_those_who_know_no_ehlo(sender, fake_smtp):
    other = fake_smtp("127.0.0.11", EHLO="502 5.5.1 what?")
    send(sender(), ANN)
    other.wait_message()
    assert any(command.startswith("HELO ") for command in other.commands)


def test_one_transaction_for_several_recipients(sender, fake_smtp):
    other = fake_smtp("127.0.0.11")
    send(sender(), ANN, "bob@other.test", "cid@other.test")
    assert sorted(other.wait_message().recipients) == [ANN, "bob@other.test", "cid@other.test"]


def test_starttls_where_offered(sender, fake_smtp):
    other = fake_smtp("127.0.0.11", extensions=["STARTTLS", *EXTENSIONS])
    send(sender(), ANN)
    message = other.wait_message()
    assert message.tls_version.startswith("TLSv1.")
    assert [c.split()[0] for c in other.commands[:4]] == ["CONNECT", "EHLO", "STARTTLS", "EHLO"]


def test_starttls_that_fails_does_not_stop_mail(sender, fake_smtp):
    other = fake_smtp("127.0.0.11", extensions=["STARTTLS", *EXTENSIONS], STARTTLS="454 4.7.0 not now")
    send(sender(), ANN)
    assert other.wait_message().recipients == [ANN]


def test_large_message_with_dots(sender, fake_smtp):
    other = fake_smtp("127.0.0.11")
    body = b"".join(b".%07d %s\r\n" % (n, b"x" * 60) for n in range(20_000))
    send(sender(), ANN, message=b"Subject: large\r\n\r\n" + body)
    assert other.wait_message().data.partition(b"\r\n\r\n")[2] == body


def test_smart_host(sender, fake_smtp, relay_port, make_posthorn, dns):
    isp = fake_smtp("127.0.0.15", extensions=["STARTTLS", "AUTH PLAIN LOGIN", *EXTENSIONS], AUTH="235 2.7.0 welcome")
    dns.serve("isp A 127.0.0.15\nother MX 0 .")
    server = make_posthorn(dns=dns.address, relay_port=relay_port, queue=QUICK)
    secret = server.directory / "isp.password"
    secret.write_text("s3cret\n")
    server.write_config(f'relay {{ host = "isp.test:{relay_port}" user = "fred" password-file = "{secret}" }}')
    server.with_people().start()
    send(server, ANN)
    assert isp.wait_message().recipients == [ANN]
    assert f"AUTH PLAIN {plain('fred', 's3cret')}" in isp.commands


def reload(server):
    """Until the gate that knew the old files is gone: as long as it is there it may take one more message."""
    mark = server.mark()
    server.reload()
    server.wait_for("reloaded", since=mark)
    assert server.wait_for("room-renewed", since=mark)["room"] == "mx"
    server.wait_for("room-ended", since=mark, room="mx")


def test_reload_takes_a_new_relay_password(fake_smtp, relay_port, make_posthorn, dns):
    isp = fake_smtp("127.0.0.15", extensions=["AUTH PLAIN", "STARTTLS", *EXTENSIONS], AUTH="235 2.7.0 welcome")
    dns.serve("isp A 127.0.0.15")
    server = make_posthorn(dns=dns.address, relay_port=relay_port, queue=QUICK)
    secret = server.directory / "isp.password"
    secret.write_text("first\n")
    server.write_config(f'relay {{ host = "isp.test:{relay_port}" user = "fred" password-file = "{secret}" }}')
    server.with_people().start()
    with server.submission(FRED) as client:
        secret.write_text("second\n")
        reload(server)
        client.sendmail(FRED, [ANN], MESSAGE)
    isp.wait_message()
    assert f"AUTH PLAIN {plain('fred', 'second')}" in isp.commands


def test_reload_of_an_unreadable_relay_password_changes_nothing(sender, fake_smtp):
    other = fake_smtp("127.0.0.11")
    server = sender()
    server.write_config('relay { host = "isp.test:587" user = "fred" password-file = "/nonexistent/pw" }')
    mark = server.mark()
    server.reload()
    assert "/nonexistent/pw" in server.wait_for("reload-failed", since=mark)["cause"]
    send(server, ANN)
    assert other.wait_message().recipients == [ANN]


def test_reload_takes_another_dns(sender, fake_smtp, dns):
    first, second = fake_smtp("127.0.0.11"), fake_smtp("127.0.0.12")
    server = sender()
    send(server, ANN)
    first.wait_message()
    moved = Dns()
    try:
        moved.serve("other A 127.0.0.12")
        server._dns = moved.address
        server.write_config()
        reload(server)
        send(server, ANN)
        assert second.wait_message().recipients == [ANN]
    finally:
        moved.close()


def test_alias_to_another_server(sender, fake_smtp):
    other = fake_smtp("127.0.0.11")
    server = sender()
    server.cli("alias", "add", "ann@acompany.test", ANN, json=False)
    with server.smtp() as client:
        client.sendmail("carol@third.test", ["ann@acompany.test"], MESSAGE)
    message = other.wait_message()
    assert (message.sender, message.recipients) == ("carol@third.test", [ANN])


# DNSSEC

@pytest.fixture
def validating(make_posthorn, dns, relay_port):
    """validating(records, forged) makes a running server that believes only what this DNS has signed."""
    def make(records=OTHER, forged=None):
        dns.serve(records, signed=True, forged=forged)
        server = make_posthorn(dns=dns.address, trust_anchor=dns.trust_anchor, relay_port=relay_port, queue=QUICK)
        return server.with_people().start()
    return make


def test_signed_answers_are_believed(validating, fake_smtp):
    other = fake_smtp("127.0.0.11")
    server = validating()
    assert server.wait_for("dnssec", validates="yes")
    send(server, ANN)
    assert other.wait_message().recipients == [ANN]


def test_signed_denials_are_believed(validating):
    server = validating()
    send(server, "x@nosuch.test")
    assert report_for_fred(server).recipient("x@nosuch.test")["Status"] == "5.1.2"


@pytest.mark.parametrize("forged", [("127.0.0.11", "127.0.0.12"), ("10 mx.other", "10 mx2.other")], ids=["A", "MX"])
def test_forged_answers_are_not_believed(validating, fake_smtp, forged):
    """Deferred, since the next answer may be the true one; and the cause is where the operator looks."""
    hosts = [fake_smtp("127.0.0.11"), fake_smtp("127.0.0.12")]
    server = validating(OTHER + "\nmx2.other A 127.0.0.12", forged)
    mark = server.mark()
    send(server, ANN)
    deferred = server.wait_for_deferral(since=mark)
    assert "4.4.3" in str(deferred) and "validation failure" in str(deferred), deferred
    assert "validation failure" in server.cli("queue", "list")[0]["recipients"][0]["last_reply"]
    assert all(host.commands == [] for host in hosts)


def test_unsigned_answers_with_a_trust_anchor(validating, dns, fake_smtp):
    """Whoever strips the signatures is not believed either."""
    other = fake_smtp("127.0.0.11")
    server = validating()
    dns.serve(OTHER)
    mark = server.mark()
    send(server, ANN)
    assert "validation failure" in str(server.wait_for_deferral(since=mark))
    assert other.commands == []


# What comes back

@pytest.mark.parametrize("records, recipient, status", [
    ("nomail MX 0 .", "x@nomail.test", "5.1.10"),
    ("", "x@nosuch.test", "5.1.2"),
    ("empty TXT here", "x@empty.test", "5."),
])
def test_returned_at_once(sender, records, recipient, status):
    server = sender(records)
    send(server, recipient, message=MESSAGE)
    report = report_for_fred(server)
    block = report.recipient(recipient)
    assert block["Action"] == "failed" and block["Status"].startswith(status)
    assert recipient in report.text
    assert server.cli("queue", "list") == []


def test_refusal_comes_back_verbatim(sender, fake_smtp):
    fake_smtp("127.0.0.11", RCPT="550-5.1.1 The mailbox of Ann was closed;\r\n550 5.1.1 write to bob instead (#42)")
    server = sender()
    send(server, ANN)
    report = report_for_fred(server)
    block = report.recipient(ANN)
    assert block["Action"] == "failed" and block["Status"] == "5.1.1"
    assert block["Diagnostic-Code"].startswith("smtp;")
    for place in (report.text, block["Diagnostic-Code"]):
        assert "The mailbox of Ann was closed;" in place and "write to bob instead (#42)" in place
    assert "127.0.0.11" in block["Remote-MTA"] or "mx.other.test" in block["Remote-MTA"]
    assert ANN in "\n".join(report.text.splitlines()[:12]), "its first lines say to whom"
    assert b"Subject: Hello Ann" in report.returned
    assert report.about_message["Reporting-MTA"] == f"dns; {server.hostname}"


def test_whole_message_comes_back_if_asked_for(sender, fake_smtp):
    fake_smtp("127.0.0.11", RCPT="550 5.1.1 nobody")
    server = sender()
    send(server, ANN, mail_options=["RET=FULL"])
    report = report_for_fred(server)
    assert not report.has_only_header and b"Hello\n.dot\n" in report.returned.replace(b"\r\n", b"\n")


@pytest.mark.parametrize("replies", [
    {"MAIL": "550 5.7.1 not from you"}, {"RCPT": "550 5.1.1 nobody"}, {"DATA": "554 5.6.0 no data"},
    {"BODY": "554 5.7.1 looks like spam", "BDAT": "554 5.7.1 looks like spam"},
], ids=str)
def test_refusal_at_any_step(sender, fake_smtp, replies):
    fake_smtp("127.0.0.11", **replies)
    server = sender()
    send(server, ANN)
    wanted = next(iter(replies.values()))
    assert wanted[4:9].strip() == report_for_fred(server).recipient(ANN)["Status"]


def test_some_taken_some_refused_some_later(sender, fake_smtp):
    answers = {"ann": ["250 2.1.5 ok"], "bob": ["550 5.1.1 no bob"], "cid": ["450 4.2.1 not now", "250 2.1.5 ok"]}

    def rcpt(line):
        name = re.search(r"<(\w+)@", line).group(1)
        return answers[name].pop(0)

    other = fake_smtp("127.0.0.11", RCPT=rcpt)
    server = sender()
    send(server, ANN, "bob@other.test", "cid@other.test")
    assert other.wait_message().recipients == [ANN]
    assert other.wait_message().recipients == ["cid@other.test"]
    report = report_for_fred(server)
    assert [block["Status"] for block in report.recipients] == ["5.1.1"]
    report.recipient("bob@other.test")


def test_no_report_about_a_report(sender, fake_smtp):
    fake_smtp("127.0.0.11", RCPT="550 5.1.1 nobody")
    server = sender(settings='network "office" { from = {"127.0.0.7"} relay = true }')
    with SmtpWire(server, "smtp", source="127.0.0.7") as client:
        client.ehlo()
        assert client.deliver("", [ANN], MESSAGE).startswith("250")
    server.wait_until_queue_is_empty()
    assert server.inbox(FRED) == server.inbox(TOM) == []


def test_report_to_a_sender_elsewhere(sender, fake_smtp):
    fake_smtp("127.0.0.11", RCPT="550 5.1.1 nobody")
    third = fake_smtp("127.0.0.13")
    server = sender(OTHER + "\nthird MX 10 mx.third\nmx.third A 127.0.0.13",
                    settings='network "office" { from = {"127.0.0.7"} relay = true }')
    with SmtpWire(server, "smtp", source="127.0.0.7") as client:
        client.ehlo()
        assert client.deliver("carol@third.test", [ANN], MESSAGE).startswith("250")
    message = third.wait_message()
    assert (message.sender, message.recipients) == ("", ["carol@third.test"])
    Report(b"Return-Path: <>\r\n" + message.data)


def test_own_host_in_mx_is_a_loop(sender):
    server = sender("other MX 10 mail.acompany\nmail.acompany A 127.0.0.1")
    send(server, ANN)
    assert report_for_fred(server).recipient(ANN)["Status"] in ("5.4.6", "5.3.5")


def test_message_larger_than_the_other_takes(sender, fake_smtp):
    fake_smtp("127.0.0.11", extensions=["SIZE 1000"])
    server = sender()
    send(server, ANN, message=MESSAGE + b"x" * 900 + b"\r\n" + b"y" * 900 + b"\r\n")
    assert report_for_fred(server).recipient(ANN)["Status"].startswith("5.3.4")


def test_international_address_to_a_server_without_smtputf8(sender, fake_smtp):
    fake_smtp("127.0.0.11", extensions=["8BITMIME"])
    server = sender()
    send(server, "änn@other.test", mail_options=["SMTPUTF8"])
    report = report_for_fred(server, utf8=True)
    assert report.recipients[0]["Status"] == "5.6.7"
    assert report.recipients[0]["Final-Recipient"].replace(" ", "") == "utf-8;änn@other.test"


# International mail (RFC 6531)

NESTED = ("From: carol@third.test\r\nSubject: forwarded\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
          "--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: grüße\r\n\r\nhallo\r\n--b--\r\n").encode()
IN_BODY = "From: carol@third.test\r\nSubject: plain\r\n\r\n".encode() + b"x" * 70 * 5000 + "\r\ngrüße\r\n".encode()


@pytest.fixture
def international(sender):
    """international(message) sends it with SMTPUTF8 from carol@third.test, whose server is at 127.0.0.13."""
    def make(message):
        server = sender(OTHER + "\nthird MX 10 mx.third\nmx.third A 127.0.0.13",
                        settings='network "office" { from = {"127.0.0.7"} relay = true }')
        with SmtpWire(server, "smtp", source="127.0.0.7") as client:
            client.ehlo()
            assert client.talk("MAIL FROM:<carol@third.test> SMTPUTF8", f"RCPT TO:<{ANN}>", "DATA").startswith("354")
            assert client.say(message + b".\r\n").startswith("250")
        return server
    return make


def test_header_of_a_part_needs_smtputf8(international, fake_smtp):
    """A server that does not offer it must not get such a message, and nor may a report about it that is not ASCII."""
    other = fake_smtp("127.0.0.11", extensions=["8BITMIME"])
    third = fake_smtp("127.0.0.13", extensions=["8BITMIME"])
    international(NESTED)
    message = third.wait_message()
    assert "SMTPUTF8" not in message.mail and message.data.isascii()
    report = Report(b"Return-Path: <>\r\n" + message.data)
    assert report.recipient(ANN)["Status"] == "5.6.7"
    assert "Subject: grüße".encode() in report.returned
    assert not any(command.startswith("MAIL") for command in other.commands)


def test_header_of_a_part_goes_with_smtputf8(international, fake_smtp):
    other = fake_smtp("127.0.0.11")
    international(NESTED)
    message = other.wait_message()
    assert message.mail.endswith(" SMTPUTF8") and message.data.endswith(NESTED)


def test_body_alone_needs_8bitmime_and_not_smtputf8(international, fake_smtp):
    """Its last line is far behind the first piece."""
    other = fake_smtp("127.0.0.11", extensions=["8BITMIME"])
    international(IN_BODY)
    message = other.wait_message()
    assert "BODY=8BITMIME" in message.mail and "SMTPUTF8" not in message.mail
    assert message.data.endswith(IN_BODY)


def test_limits_of_the_other_server(sender, fake_smtp):
    """RFC 9422."""
    other = fake_smtp("127.0.0.11", extensions=[*EXTENSIONS, "LIMITS RCPTMAX=2 MAILMAX=2"])
    server = sender()
    send(server, *(f"r{n}@other.test" for n in range(5)))
    taken = [other.wait_message() for _ in range(3)]
    assert sorted(len(message.recipients) for message in taken) == [1, 2, 2]
    assert len({message.session for message in taken}) == 2
    server.wait_until_queue_is_empty()


# Trying again

def test_tried_again_until_taken(sender, fake_smtp):
    other = fake_smtp("127.0.0.11", RCPT=["450 4.2.1 not now", "451 4.3.0 nor now", "250 2.1.5 ok"])
    server = sender()
    send(server, ANN)
    assert other.wait_message().recipients == [ANN]
    assert len([c for c in other.commands if c.startswith("RCPT")]) == 3


def test_server_that_comes_up_later(sender, fake_smtp):
    server = sender()
    mark = server.mark()
    send(server, ANN)
    entry = server.wait_for_deferral(since=mark)
    assert entry
    assert fake_smtp("127.0.0.11").wait_message().recipients == [ANN]


def test_dns_that_comes_up_later(sender, fake_smtp, dns):
    other = fake_smtp("127.0.0.11")
    server = sender("")
    dns.stop()
    mark = server.mark()
    send(server, ANN)
    server.wait_for_deferral(since=mark)
    dns.serve(OTHER)
    assert other.wait_message().recipients == [ANN]


def test_queue_survives_a_restart(sender, fake_smtp):
    server = sender(queue='retry = {"1h"}')
    mark = server.mark()
    send(server, ANN)
    server.wait_for_deferral(since=mark)
    before = server.cli("queue", "list")
    server.restart()
    assert [entry["id"] for entry in server.cli("queue", "list")] == [entry["id"] for entry in before]
    other = fake_smtp("127.0.0.11")
    server.cli("queue", "retry", "--all", json=False)
    assert other.wait_message().recipients == [ANN]


def test_gives_up_with_a_report(sender, fake_smtp):
    fake_smtp("127.0.0.11", RCPT="450 4.2.1 never now")
    server = sender(queue=IMPATIENT)
    send(server, ANN)
    report = report_for_fred(server)
    block = report.recipient(ANN)
    assert block["Action"] == "failed" and block["Status"] in ("4.4.7", "5.4.7", "4.2.1")
    assert "never now" in report.text and "never now" in block["Diagnostic-Code"]


def test_still_trying(sender, fake_smtp):
    fake_smtp("127.0.0.11", RCPT="450 4.2.1 maybe later")
    server = sender(queue='retry = {"1s"}\n warn-after = "2s"\n give-up-after = "1d"')
    send(server, ANN)
    report = report_for_fred(server)
    block = report.recipient(ANN)
    assert block["Action"] == "delayed" and block["Status"].startswith("4.")
    assert "Will-Retry-Until" in block
    assert len(server.cli("queue", "list")) == 1


def test_reply_that_never_came(sender, fake_smtp):
    """RFC 1047: it may have been taken or not; it is sent again rather than lost."""
    other = fake_smtp("127.0.0.11", BODY=[DROP, "250 2.0.0 taken"], BDAT=[DROP, "250 2.0.0 taken"])
    send(sender(), ANN)
    assert other.wait_message().recipients == [ANN]


def test_queue_goes_on_after_a_crash(sender, fake_smtp):
    server = sender(queue='retry = {"1s"}')
    mark = server.mark()
    send(server, ANN)
    server.wait_for_deferral(since=mark)
    server.kill()
    other = fake_smtp("127.0.0.11")
    server.start()
    assert other.wait_message().recipients == [ANN]


# Delivery status notifications (RFC 3461)

def test_dsn_is_passed_on(sender, fake_smtp):
    other = fake_smtp("127.0.0.11")
    send(sender(), ANN, mail_options=["RET=HDRS", "ENVID=QQ314159"],
         rcpt_options=["NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;anna@other.test"])
    message = other.wait_message()
    assert "RET=HDRS" in message.mail and "ENVID=QQ314159" in message.mail
    assert "NOTIFY=SUCCESS,FAILURE" in message.rcpts[0] or "NOTIFY=FAILURE,SUCCESS" in message.rcpts[0]
    assert "ORCPT=rfc822;anna@other.test" in message.rcpts[0]


def test_relayed_to_a_server_without_dsn(sender, fake_smtp):
    other = fake_smtp("127.0.0.11", extensions=NO_DSN)
    server = sender()
    send(server, ANN, rcpt_options=["NOTIFY=SUCCESS"])
    message = other.wait_message()
    assert "NOTIFY" not in message.rcpts[0] and "RET" not in message.mail
    assert report_for_fred(server).recipient(ANN)["Action"] == "relayed"


def test_success_is_reported_for_a_local_mailbox(sender):
    server = sender()
    send(server, TOM, rcpt_options=["NOTIFY=SUCCESS"])
    assert report_for_fred(server).recipient(TOM)["Action"] == "delivered"


def test_never_means_never(sender, fake_smtp):
    fake_smtp("127.0.0.11", RCPT="550 5.1.1 nobody")
    server = sender()
    send(server, ANN, rcpt_options=["NOTIFY=NEVER"])
    server.wait_until_queue_is_empty()
    assert server.inbox(FRED) == []


def test_report_has_the_envelope_id_and_original_recipient(sender, fake_smtp):
    fake_smtp("127.0.0.11", RCPT="550 5.1.1 nobody")
    server = sender()
    send(server, ANN, mail_options=["RET=HDRS", "ENVID=QQ+2B314"], rcpt_options=["ORCPT=rfc822;anna@other.test"])
    report = report_for_fred(server)
    assert report.about_message["Original-Envelope-Id"] == "QQ+314"
    assert report.recipient(ANN)["Original-Recipient"].replace(" ", "") == "rfc822;anna@other.test"
    assert report.has_only_header and b"Hello Ann" in report.returned and b"dot" not in report.returned


# A real one

@pytest.mark.root
def test_postfix_in_both_directions(sender, make_postfix):
    server = sender()
    postfix = make_postfix("127.0.0.11", "other.test", ["ann"], {DOMAIN: f"127.0.0.1:{server.ports['smtp']}"})
    send(server, ANN)
    postfix.wait_delivered(ANN)
    octets = postfix.maildir("ann")[0]
    assert b"Subject: Hello Ann" in octets and b"\n.dot\n" in octets.replace(b"\r\n", b"\n")
    assert b"with ESMTPS" in octets, "STARTTLS was offered"
    with smtplib.SMTP(postfix.host, postfix.port, timeout=DEADLINE_S) as client:
        client.sendmail(ANN, [FRED, TOM], b"Subject: Hello back\r\n\r\nDear both\r\n.dot\r\n")
    postfix.wait_delivered(FRED)
    postfix.wait_delivered(TOM)
    for user in (FRED, TOM):
        message = server.inbox(user)[0]
        assert b"Subject: Hello back" in message and message.endswith(b"Dear both\r\n.dot\r\n")
        assert b"Return-Path: <ann@other.test>" in message


@pytest.mark.root
def test_postfix_refuses_and_reports(sender, make_postfix):
    server = sender()
    postfix = make_postfix("127.0.0.11", "other.test", ["ann"], {DOMAIN: f"127.0.0.1:{server.ports['smtp']}"})
    send(server, "nobody@other.test")
    block = report_for_fred(server).recipient("nobody@other.test")
    assert block["Status"] == "5.1.1" and "User unknown" in block["Diagnostic-Code"]
    with smtplib.SMTP(postfix.host, postfix.port, timeout=DEADLINE_S) as client:
        client.sendmail(FRED, ["nobody@acompany.test"], b"From: fred@acompany.test\r\nSubject: lost\r\n\r\n")
    postfix.wait_bounced("nobody@acompany.test")
    assert b"5.1.1" in server.wait_inbox(FRED, 2)[1]
