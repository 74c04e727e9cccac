"""`posthorn sendmail`, as cron and other programs call it: what it takes, where it goes, how it exits."""

import os
import re
import shutil
import subprocess

import pytest

from harness import BUILD, DEADLINE_S
from harness.wire import SmtpWire

FRED, TOM = "fred@acompany.test", "tom@acompany.test"
USAGE, UNAVAILABLE, TEMPFAIL, NOPERM = 64, 69, 75, 77  # sysexits.h


def call(server, *words, text="", **options):
    """A program by its path; what it wrote and how it ended."""
    return subprocess.run([str(w) for w in words], input=text, text=True, capture_output=True, timeout=DEADLINE_S,
                          env={"PATH": os.environ["PATH"], "POSTHORN_CONFIG": str(server.config)}, **options)


def sendmail(server, *options, text):
    return call(server, BUILD / "posthorn", "sendmail", *options, text=text)


def test_recipients_from_the_header(posthorn):
    result = sendmail(posthorn, "-t", "-i", text="To: Tom <tom@acompany.test>\nBcc: fred@acompany.test\n"
                      "Subject: cron\n\nfirst\n.\nlast\n")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    for user in (TOM, FRED):
        (message,) = posthorn.inbox(user)
        assert b"Subject: cron\r\n" in message and message.endswith(b"\r\n\r\nfirst\r\n.\r\nlast\r\n")
        assert b"Bcc" not in message and b"Message-ID: <" in message and b"\r\nFrom: " in message


def test_a_lone_dot_ends_the_message_unless_told_otherwise(posthorn):
    assert sendmail(posthorn, TOM, text="Subject: x\n\nfirst\n.\nlast\n").returncode == 0
    assert posthorn.inbox(TOM)[0].endswith(b"\r\n\r\nfirst\r\n")


def test_a_bare_name_is_in_the_postmasters_domain(posthorn):
    """It used to be queued, as if another server could be asked, and was delivered to nowhere over and over."""
    assert sendmail(posthorn, "tom", text="Subject: for root's friend\n\nhello\n").returncode == 0
    assert posthorn.cli("queue", "list") == []
    assert len(posthorn.inbox(TOM)) == 1
    nobody = sendmail(posthorn, "nobody", text="Subject: x\n\n")
    assert nobody.returncode == UNAVAILABLE and "550 5.1.1" in nobody.stderr


def test_sender_and_name(posthorn):
    assert sendmail(posthorn, "-f", FRED, "-F", "Fred Example", TOM, text="Subject: x\n\n").returncode == 0
    assert sendmail(posthorn, "-f", "", TOM, text="From: daemon@acompany.test\n\n").returncode == 0
    named, null = posthorn.inbox(TOM)
    assert named.startswith(b"Return-Path: <fred@acompany.test>\r\n")
    assert b'\r\nFrom: "Fred Example" <fred@acompany.test>\r\n' in named
    assert null.startswith(b"Return-Path: <>\r\n")


def test_smtp_on_standard_input(posthorn):
    result = call(posthorn, BUILD / "posthorn", "sendmail", "-bs", text=f"EHLO me\r\nMAIL FROM:<{FRED}>\r\n"
                  f"RCPT TO:<{TOM}>\r\nDATA\r\nSubject: by hand\r\n\r\n.\r\nQUIT\r\n")
    assert result.returncode == 0
    assert [line[:3] for line in result.stdout.splitlines() if line[3:4] != "-"] == [
        "220", "250", "250", "250", "354", "250", "221"]
    assert len(posthorn.inbox(TOM)) == 1


@pytest.mark.parametrize("options, status, says", [
    (["nobody@acompany.test"], UNAVAILABLE, "550 5.1.1 <nobody@acompany.test>"),
    ([], USAGE, "no recipient"),
    (["-t"], USAGE, "no recipient"),
    (["-Y", TOM], USAGE, "usage: sendmail"),
], ids=["unknown user", "no recipient", "none in the header", "unknown option"])
def test_failures(shared, options, status, says):
    result = sendmail(shared, *options, text="Subject: x\n\n")
    assert result.returncode == status and says in result.stderr and result.stdout == ""


def test_mail_for_other_domains(make_posthorn):
    """No password and no network: who sends is known. Port 25 on loopback stays closed to it."""
    server = make_posthorn(dns="127.0.0.1@9").with_people().start()
    result = sendmail(server, "ann@other.test", text="Subject: x\n\n")
    assert result.returncode == 0, result.stderr
    assert [entry["destination"] for entry in server.cli("queue", "list")] == ["other.test"]
    with SmtpWire(server, "smtp") as client:
        client.ehlo()
        client.say(f"MAIL FROM:<{FRED}>")
        assert client.say("RCPT TO:<ann@other.test>").startswith("550 5.7.1")


def test_server_away_means_try_again(make_posthorn):
    server = make_posthorn().with_people()
    result = sendmail(server, TOM, text="Subject: x\n\n")
    assert result.returncode == TEMPFAIL and str(server.data_dir) in result.stderr


@pytest.fixture
def names(posthorn):
    """sendmail, mailq and newaliases as other programs find them."""
    directory = posthorn.directory / "sbin"
    directory.mkdir()
    directory.chmod(0o755)
    shutil.copy2(BUILD / "posthorn", directory / "posthorn")  # the build directory may be closed to others
    for name in ("sendmail", "mailq", "newaliases"):
        (directory / name).symlink_to("posthorn")
    return directory


def test_by_the_names_that_others_know(posthorn, names):
    assert call(posthorn, names / "sendmail", "-oi", TOM, text="Subject: x\n\n").returncode == 0
    assert len(posthorn.inbox(TOM)) == 1
    assert call(posthorn, names / "newaliases").returncode == 0
    queue = call(posthorn, names / "mailq")
    assert (queue.returncode, queue.stdout) == (0, "")


AS_NOBODY = {"user": 65534, "group": 65534, "extra_groups": []}


@pytest.mark.root
@pytest.mark.parametrize("sender, returned", [
    ("nobody@acompany.test", "nobody@acompany.test"), ("nobody@mail.acompany.test", "nobody@mail.acompany.test"),
    ("nobody+cron@acompany.test", "nobody+cron@acompany.test"), ("nobody", "nobody@acompany.test"), ("", ""),
    ("noreply@acompany.test", "noreply@acompany.test"), (FRED, None), ("root", None), ("nobody@other.test", None),
])
def test_a_user_sends_under_his_own_names(posthorn, names, sender, returned):
    posthorn.add_account("nobody@acompany.test")
    posthorn.cli("alias", "add", "noreply@acompany.test", "nobody@acompany.test", json=False)
    result = call(posthorn, names / "sendmail", "-f", sender, TOM, text="Subject: x\n\n", **AS_NOBODY)
    if returned is None:
        assert result.returncode == UNAVAILABLE and "553 5.7.1" in result.stderr
        assert posthorn.inbox(TOM) == []
    else:
        assert result.returncode == 0, result.stderr
        assert posthorn.inbox(TOM)[0].startswith(f"Return-Path: <{returned}>\r\n".encode())


@pytest.mark.root
def test_a_uid_without_a_login_sends_nothing(posthorn, names):
    result = call(posthorn, names / "sendmail", TOM, text="Subject: x\n\n", user=4711, group=4711, extra_groups=[])
    assert result.returncode == UNAVAILABLE and "554 5.7.1" in result.stderr
    assert posthorn.inbox(TOM) == []


@pytest.mark.root
def test_every_user_may_send_and_none_may_see_the_queue(posthorn, names):
    sent = call(posthorn, names / "sendmail", "-t", text=f"To: {TOM}\nSubject: x\n\n", **AS_NOBODY)
    assert sent.returncode == 0, sent.stderr
    message = posthorn.inbox(TOM)[0]
    assert message.startswith(b"Return-Path: <nobody@acompany.test>\r\n"), "where an answer comes back to"
    assert re.search(rb"^From: .*<nobody@acompany\.test>\r$", message, re.M)
    assert call(posthorn, names / "mailq", **AS_NOBODY).returncode == NOPERM
