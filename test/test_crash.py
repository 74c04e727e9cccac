"""Nothing acknowledged is lost, and nothing shown is taken back.

Every process is killed at a random step under load, again and again, on one store. After each round: every message
that was acknowledged is there exactly once, every other one at most once, what POP3 acknowledged as deleted stays
deleted, no UID was ever given twice, UIDNEXT, UIDVALIDITY and HIGHESTMODSEQ are not below what IMAP has shown, and
`posthorn check` finds counters and contents in agreement.

SIGKILL leaves the page cache, so a write that was never flushed would still survive it. The vault keeps its log in
memory until it flushes, so what was acknowledged before its flush dies with the process, and the test sees it. In
every other round each commit is written at once (POSTHORN_TEST_WRITE_EACH), so that more of what was not
acknowledged is found again.
"""

import random
import re

from harness.crash import Crash, Doomed
from harness.imap import signed_on
from harness.wire import Pop3Wire, SmtpWire, plain

FRED, TOM = "fred@acompany.test", "tom@acompany.test"
ANN = "ann@other.test"
SENDERS = 4


class Load(Doomed):
    """What clients of SMTP and POP3 did in one round."""

    def __init__(self, server, number):
        super().__init__(server, number)
        self.offered, self.acknowledged = set(), set()
        self.deleting, self.deleted = set(), set()

    def send(self, who):
        """One session with several messages: through the queue to Ann, to Tom, to both, to Fred. The queue comes first, for
        many sessions do not live to see their fourth message."""
        submission = who % 2 == 1
        with SmtpWire(self.server, "submissions" if submission else "smtp") as client:
            client.ehlo()
            if submission:
                self.said(client.say("AUTH PLAIN " + plain(FRED)), "235")
            for n in range(100):
                recipients = [[TOM, ANN] if submission else [TOM], [TOM], [TOM, FRED], [FRED]][n % 4]
                self.send_one(client, recipients)

    def send_one(self, client, recipients):
        with self.lock:
            name = f"m{self.number}.{len(self.offered)}"
            message = (name, tuple(recipients))
            self.offered.add(message)
        self.step()
        size = random.choice([100, 3_000, 70_000, 600_000] if name.endswith("7") else [100, 3_000])
        body = f"X-Test: {name}\r\nSubject: x\r\n\r\n".encode() + (b"x" * 76 + b"\r\n") * (size // 78)
        client.send(f"MAIL FROM:<{FRED}>\r\n".encode() + b"".join(b"RCPT TO:<%s>\r\n" % r.encode() for r in recipients)
                    + b"DATA\r\n")
        for answer in client.replies(len(recipients) + 1):
            self.said(answer, "250")
        self.said(client.reply(), "354")
        self.step()
        client.send(body)
        self.step()
        self.said(client.say(b".\r\n"), "250")
        with self.lock:
            self.acknowledged.add(message)

    def collect(self, user, uid_owner):
        """One POP3 session that deletes what it finds."""
        with Pop3Wire(self.server, "pop3s") as client:
            client.sign_on(user)
            self.step()
            found = read_headers(client, user, uid_owner)
            for number, name in found.items():
                self.step()
                self.said(client.say(f"DELE {number}"), "+OK")
            with self.lock:
                self.deleting |= {(name, user) for name in found.values()}
            self.step()
            self.said(client.say("QUIT"), "+OK")
            with self.lock:
                self.deleted |= {(name, user) for name in found.values()}

    def watch(self, user):
        """What IMAP shows of an INBOX while mail comes in and goes."""
        with signed_on(self.server, user) as client:
            for _ in range(100):
                self.step()
                note_shown(self.server.shown, user, status(client))

    def due(self):
        """Every fifth round something has reached the queue, however much faster port 25 is than signing on."""
        return self.number % 5 or any(ANN in recipients for _, recipients in self.acknowledged)

    def clients(self):
        yield from ((self.send, who) for who in range(SENDERS))
        if self.number % 3:
            yield self.collect, FRED, self.server.uid_owner
        yield self.watch, self.random.choice([TOM, FRED])


STATUS = re.compile(rb"UIDNEXT (\d+) UIDVALIDITY (\d+) HIGHESTMODSEQ (\d+)")


def status(client):
    lines, answer = client.command("STATUS INBOX (UIDNEXT UIDVALIDITY HIGHESTMODSEQ)")
    if not answer.startswith("OK"):
        raise Crash
    return tuple(map(int, STATUS.search(b"".join(lines)).groups()))


def note_shown(shown, user, numbers):
    """The greatest of each that a client has seen; none may ever be below it."""
    before = shown.setdefault(user, (0, 0, 0))
    shown[user] = tuple(map(max, before, numbers))
    return before


def read_headers(client, user, uid_owner):
    """{message number: name of the message}. No UID may ever have belonged to another message."""
    if not client.say("UIDL").startswith("+OK"):
        raise Crash
    uids = {int(n): uid for n, uid in (line.split() for line in client.lines())}
    client.send(b"".join(b"TOP %d 0\r\n" % n for n in uids))
    names = {}
    for number, uid in uids.items():
        if not client.reply().startswith("+OK"):
            raise Crash
        name = re.search(rb"^X-Test: (\S+)", b"".join(client.lines()), re.M).group(1).decode()
        assert uid_owner.setdefault((user, uid), name) == name, "a UID was given twice"
        names[number] = name
    return names


def names_in(server, user):
    """What the account holds now, as a list, and afterwards nothing: the next round begins with an empty mailbox."""
    with Pop3Wire(server, "pop3s") as client:
        client.sign_on(user)
        names = read_headers(client, user, server.uid_owner)
        client.send(b"".join(b"DELE %d\r\n" % n for n in names) + b"QUIT\r\n")
        for _ in range(len(names) + 1):
            assert client.reply().startswith("+OK")
    return list(names.values())


def examine(server, load):
    """After a crash."""
    for user in (TOM, FRED):
        with signed_on(server, user) as client:
            numbers = status(client)
        before = note_shown(server.shown, user, numbers)
        assert all(now >= then for now, then in zip(numbers, before)), f"{before} was shown, and now {numbers}"
        present = names_in(server, user)
        assert len(present) == len(set(present)), "a message is there twice"
        offered = {name for name, recipients in load.offered if user in recipients}
        acknowledged = {name for name, recipients in load.acknowledged if user in recipients}
        deleting = {name for name, owner in load.deleting if owner == user}
        deleted = {name for name, owner in load.deleted if owner == user}
        assert set(present) <= offered, "a message from nowhere"
        assert acknowledged - deleting <= set(present), "an acknowledged message is lost"
        assert not deleted & set(present), "a message came back"


def test_sigkill_under_load(make_posthorn, dns, relay_port, fake_smtp, rounds):
    dns.serve("other MX 10 mx.other\nmx.other A 127.0.0.11")
    server = make_posthorn(dns=dns.address, relay_port=relay_port, queue='retry = {"1s"}',
                           limits='connections-per-address = 1000').with_people()
    server.uid_owner, server.shown = {}, {}
    for_ann = set()
    for number in range(rounds):
        server.environment = {"POSTHORN_TEST_WRITE_EACH": "1"} if number % 2 else {}
        server.start()
        load = Load(server, number)
        load.run()
        for_ann |= {name for name, recipients in load.acknowledged if ANN in recipients}
        sound = server.run("check")
        assert sound.returncode == 0, f"round {number}: {sound.stdout}{sound.stderr}"
        server.environment = {}
        server.start()
        examine(server, load)
        server.stop()
    other = fake_smtp("127.0.0.11")
    server.start()
    server.cli("queue", "retry", "--all", json=False)
    missing = set(for_ann)
    while missing:
        name = re.search(rb"^X-Test: (\S+)", other.wait_message().data, re.M).group(1).decode()
        missing.discard(name)
    assert for_ann and set(server.shown) == {TOM, FRED}, "the load reached the queue, and IMAP showed numbers"


def test_this_test_would_notice(make_posthorn, dns, relay_port):
    """Without the wait for the flush, what was acknowledged dies with the process: the examination must say so."""
    dns.serve("other MX 10 mx.other\nmx.other A 127.0.0.11")  # what goes to Ann waits, and no bounce comes to Fred
    server = make_posthorn(dns=dns.address, relay_port=relay_port,
                           limits='connections-per-address = 1000').with_people()
    server.uid_owner, server.shown = {}, {}
    for number in range(20):
        server.environment = {"POSTHORN_TEST_SKIP_FLUSH": "1"}
        server.start()
        load = Load(server, number)
        load.run()
        server.environment = {}
        server.start()
        try:
            examine(server, load)
        except AssertionError as noticed:
            assert any(what in str(noticed) for what in ("an acknowledged message is lost", "came back", "was shown",
                                                         "given twice"))
            return
        server.stop()
    raise AssertionError("20 rounds without a flush, and nothing was noticed")
