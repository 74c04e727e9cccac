"""IMAP and submission with Thunderbird, where it is installed (apt-get install thunderbird; 250 MB, so `make deps` leaves it
out): what its user does, what the server then has, and that the server refuses nothing that Thunderbird says."""

import re
import ssl

import pytest

from harness import thunderbird as program
from harness.imap import client, fill, letter
from harness.server import PASSWORD

pytestmark = pytest.mark.skipif(not program.is_installed(), reason="Thunderbird is not installed (apt-get install thunderbird)")
TOM = "tom@acompany.test"
MAILBOXES = ["INBOX", "Archive", "Drafts", "Junk", "Sent", "Trash"]


@pytest.fixture
def server(make_posthorn):
    return make_posthorn(settings='log-level = "debug"').with_people().start()


@pytest.fixture
def make_thunderbird(tmp_path, server):
    running = []

    def make(implicit=True, again=False, **preferences):
        thunderbird = program.Thunderbird(tmp_path, **preferences)
        running.append(thunderbird)
        if again:
            thunderbird.signOn(PASSWORD)
            return thunderbird
        pem = ssl.get_server_certificate((server.address, server.ports["imaps"]))
        thunderbird.setUp({"address": server.address, "certificate": "".join(pem.split("\n")[1:-2]), "implicit": implicit,
                           "imap": server.ports["imaps" if implicit else "imap"], "user": TOM, "password": PASSWORD,
                           "smtp": server.ports["submissions" if implicit else "submission"]})
        return thunderbird

    yield make
    for thunderbird in running:
        if thunderbird.process.poll() is None:
            thunderbird.kill()


def end(thunderbird, server):
    """Its user quits. Nothing of what it said was refused."""
    thunderbird.quit()
    said = thunderbird.conversation()
    assert not re.findall(r"^S: (?:\S+ NO|\S+ BAD|\* BYE).*", said, re.M), said
    assert not server.events("imap-failed") and not server.events("command-refused")
    return said


def letters(numbers):
    return [f"letter {n}" for n in numbers]


def flags(server, mailbox="INBOX"):
    """Of each message, by its subject."""
    with client(server, TOM) as imap:
        imap.select(mailbox, readonly=True)
        answers = [part for part in imap.fetch("1:*", "(FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1] if isinstance(part, tuple)]
        return {re.search(rb"Subject: (.*)\r\n", text).group(1).decode(): set(re.search(rb"FLAGS \(([^)]*)\)", head).group(1).decode().split())
                for head, text in answers}


def test_a_day_with_it(server, make_thunderbird):
    fill(server, TOM, 30)
    thunderbird = make_thunderbird()
    thunderbird.list(MAILBOXES)
    assert [thunderbird.role(name) for name in MAILBOXES] == [[name.lower()] for name in MAILBOXES]

    thunderbird.show("INBOX", letters(range(1, 31)))
    assert thunderbird.text("INBOX", "letter 3").encode() == letter(3)
    thunderbird.download("INBOX")

    with server.smtp() as smtp:
        smtp.sendmail("ann@other.test", [TOM], "Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\r\n\r\nnow\r\n")
    thunderbird.arrived("INBOX", "Grüße")

    thunderbird.mark("INBOX", "letter 1", {"read": True, "flagged": True, "keyword": "$label1"})
    server.wait_until(lambda: flags(server)["letter 1"] >= {r"\Seen", r"\Flagged", "$label1"}, "the flags")
    with client(server, TOM) as imap:
        imap.select()
        imap.store("5", "+FLAGS", r"(\Seen)")
    thunderbird.seen("INBOX", "letter 5")

    thunderbird.create("Päckchen & mehr")
    thunderbird.rename("Päckchen & mehr", "Pakete & mehr")
    thunderbird.copy("INBOX", "letter 7", "Pakete & mehr", False)
    thunderbird.copy("INBOX", "letter 8", "Pakete & mehr", True)
    thunderbird.show("Pakete & mehr", letters([7, 8]))
    assert sorted(flags(server, '"Pakete &- mehr"')) == letters([7, 8]) and "letter 8" not in flags(server)

    thunderbird.append("Drafts", letter(99).decode())
    assert list(flags(server, "Drafts")) == ["letter 99"]
    thunderbird.remove("INBOX", "letter 9", False)
    thunderbird.remove("INBOX", "letter 10", True)
    thunderbird.compact("INBOX")
    assert not {"letter 9", "letter 10"} & set(flags(server)) and list(flags(server, "Trash")) == ["letter 9"]
    thunderbird.show("Trash", ["letter 9"])
    thunderbird.emptyTrash()
    with client(server, TOM) as imap:
        assert imap.select("Trash") == ("OK", [b"0"])

    assert thunderbird.search("INBOX", "Body", "of letter 12 ") == ["letter 12"]
    assert thunderbird.search("INBOX", "Subject", "grüße") == ["Grüße"]

    thunderbird.send("fred@acompany.test", "hello Fred", letter(50).decode())
    assert b"line 1 of letter 50" in server.wait_inbox("fred@acompany.test", 1)[0]
    assert list(flags(server, "Sent")) == ["letter 50"]
    said = end(thunderbird, server)
    for word in ("COMPRESS DEFLATE", "ENABLE", "IDLE", "UID MOVE", "UID COPY", "UID STORE", "UID SEARCH", "EXPUNGE", "APPEND"):
        assert re.search(rf"^C: .*{word}", said, re.M | re.I), f"it never said {word}\n{said}"


def test_starttls(server, make_thunderbird):
    fill(server, TOM, 3)
    thunderbird = make_thunderbird(implicit=False)
    thunderbird.list(["INBOX"])
    thunderbird.show("INBOX", letters([1, 2, 3]))
    assert thunderbird.text("INBOX", "letter 2").encode() == letter(2)
    thunderbird.send(TOM, "to myself", letter(4).decode())
    server.wait_inbox(TOM, 4)
    assert "STARTTLS" in end(thunderbird, server)


def test_it_comes_back(server, make_thunderbird):
    """What others did while it was away: it asks for what has changed (CONDSTORE, which it has to be told to use)."""
    options = {"mail.server.default.use_condstore": True}
    large = letter(4, size=300_000)
    fill(server, TOM, 3)
    with client(server, TOM) as imap:
        imap.append("INBOX", None, None, large)
    thunderbird = make_thunderbird(**options)
    thunderbird.list(["INBOX"])
    thunderbird.show("INBOX", letters([1, 2, 3, 4]))
    assert thunderbird.text("INBOX", "letter 4").encode() == large
    end(thunderbird, server)
    with client(server, TOM) as imap:
        imap.select()
        imap.store("2", "+FLAGS", r"(\Deleted)")
        imap.expunge()
        imap.store("2", "+FLAGS", r"(\Seen)")
    fill(server, TOM, 2, first=5)
    thunderbird = make_thunderbird(again=True, **options)
    thunderbird.show("INBOX", letters([1, 3, 4, 5, 6]))
    thunderbird.seen("INBOX", "letter 3")
    assert "CHANGEDSINCE" in end(thunderbird, server)
