"""What IMAP acknowledged is there after a crash, and what a client of QRESYNC has cached leads to the truth.

Writers APPEND, COPY, MOVE, STORE and UID EXPUNGE in mailboxes that they share, each with messages of its own, until
every process is killed at a random step. After each round a writer's messages are exactly what its tagged OKs said; the
command that was under way has happened whole or not at all. So MOVE neither loses nor doubles, and what APPENDUID and
COPYUID told stays true. Watchers keep what a client of QRESYNC keeps (RFC 7162 §3.2.5): after the restart, SELECT with
the modseq they knew must bring each kept picture exactly to the true state. Nobody was ever shown a UID, an EMAILID or a
modseq that now stands for something else, and every message reads as it was appended. Askers are told THREADIDs, which are
found out at that moment: what was told stays, and all letters of one conversation have the same.

In every other round each commit is written at once (see test_crash.py on what that finds).
"""

import collections
import hashlib
import random
import re

from harness.crash import Doomed
from harness.imap import signed_on

TOM = "tom@acompany.test"
MAILBOXES = ("One", "Two")
WRITERS = 4
COMMANDS = {"APPEND", "COPY", "MOVE", "STORE", "EXPUNGE"}
FLAGS = (rb"\Seen", rb"\Flagged", rb"\Answered", b"$Important", b"later")
MANY = 40  # messages of a writer; then it expunges rather than appends
SLEEP_ROUNDS = 5  # a sleeper's picture is as old as this
ASKERS = 2  # sessions that ask for threads
CONVERSATION = 7  # letters that a writer makes, one after another, and that belong together


def uid_list(text):
    """A uid-set in its order: UIDs in COPYUID correspond one to one (RFC 4315 §3)."""
    for part in text.split(b","):
        first, _, last = part.partition(b":")
        yield from range(int(first), int(last or first) + 1)


def uid_set(uids):
    return ",".join(map(str, sorted(uids)))


def digest(octets):
    return hashlib.sha256(octets).digest()


def item(line, pattern):
    found = re.search(pattern, line, re.S)
    return found and found.group(1)


class Shown:
    """Everything that any client was ever shown. It may never turn out to be otherwise."""

    def __init__(self):
        self.names, self.flags, self.email_ids = {}, {}, {}
        self.uid_validity, self.highest = {}, collections.defaultdict(int)
        self.uid_next = collections.defaultdict(int)
        self.gone = set()
        self.contents, self.read = {}, set()  # a hash for each name; where it was read again
        self.thread_ids, self.asked = {}, 0

    def name(self, mailbox, uid, name):
        self.uid_next[mailbox] = max(self.uid_next[mailbox], uid + 1)
        assert self.names.setdefault((mailbox, uid), name) == name, "a UID was given twice"

    def email_id(self, name, email_id):
        """All copies have it, and no other message (RFC 8474 §5.1)."""
        assert self.email_ids.setdefault(name, email_id) == email_id, "an EMAILID has changed"
        assert self.email_ids.setdefault(email_id, name) == name, "an EMAILID was given twice"

    def thread_id(self, email_id, thread_id):
        """RFC 8474 §5.2."""
        assert self.thread_ids.setdefault(email_id, thread_id) == thread_id, "a THREADID has changed"

    def conversations(self, names):
        """Of what is there each has one THREADID, and no two have the same."""
        found = {}
        for name in names:
            writer, _, number = name.partition(".")
            this, thread_id = (writer, int(number) // CONVERSATION), self.thread_ids[self.email_ids[name]]
            assert found.setdefault(this, thread_id) == thread_id, "a conversation has two THREADIDs"
            assert found.setdefault(thread_id, this) == this, "a THREADID was given twice"

    def content(self, mailbox, uid, name, octets):
        assert self.contents[name] == digest(octets), f"{name} was damaged"
        self.read.add((mailbox, uid))

    def state(self, mailbox, uid, flags, modseq):
        assert self.flags.setdefault((mailbox, uid, modseq), flags) == flags, "a modseq was given twice"
        self.highest[mailbox] = max(self.highest[mailbox], modseq)


class Picture:
    """A mailbox as a client of QRESYNC keeps it."""

    def __init__(self, shown, mailbox):
        self.shown, self.mailbox = shown, mailbox
        self.uid_validity, self.modseq, self.messages = 0, 0, {}

    def select(self, client):
        """Brings it to the present: all anew at first, and then by what has changed since. The command and its answer."""
        since = f" (QRESYNC ({self.uid_validity} {self.modseq}))" if self.modseq else ""
        uid_next_shown = self.shown.uid_next[self.mailbox]
        lines = client.ok(f"SELECT {self.mailbox}{since}")
        text = b"\n".join(lines)
        self.uid_validity, uid_next, modseq = (int(item(text, rb"\[%s (\d+)\]" % code))
                                               for code in (b"UIDVALIDITY", b"UIDNEXT", b"HIGHESTMODSEQ"))
        assert uid_next >= uid_next_shown, "UIDNEXT was shown, and now it is lower"
        self.shown.uid_next[self.mailbox] = max(uid_next, self.shown.uid_next[self.mailbox])
        assert self.shown.uid_validity.setdefault(self.mailbox, self.uid_validity) == self.uid_validity
        assert modseq >= self.shown.highest[self.mailbox], "HIGHESTMODSEQ was shown, and now it is lower"
        if since:
            self.take(lines)
        else:
            self.messages = {}
            self.fetch_counted(client)
        self.modseq, self.shown.highest[self.mailbox] = modseq, max(modseq, self.shown.highest[self.mailbox])
        return since, lines

    def take(self, lines):
        """What the server told; True if there are messages that it has only counted."""
        for line in lines:
            if b" FETCH (" in line:
                uid, modseq = int(item(line, rb"UID (\d+)")), int(item(line, rb"MODSEQ \((\d+)\)"))
                flags = frozenset(item(line, rb"FLAGS \(([^)]*)\)").split()) - {rb"\Recent"}
                self.shown.state(self.mailbox, uid, flags, modseq)
                self.messages[uid] = (flags, modseq)
            elif line.startswith(b"* VANISHED"):
                for uid in uid_list(line.split()[-1]):
                    if self.messages.pop(uid, None):
                        self.shown.gone.add((self.mailbox, uid))
        return any(line.endswith(b" EXISTS") for line in lines)

    def follow(self, client):
        """NOOP tells all that is new, so the greatest modseq told is the one to come back with."""
        counted = self.take(client.ok("NOOP"))
        if counted:
            self.fetch_counted(client)
        else:
            self.modseq = max([self.modseq, *(modseq for _, modseq in self.messages.values())])

    def fetch_counted(self, client):
        """Messages of which only the number was told, until there are no more of them."""
        while self.take(client.ok(f"UID FETCH {max(self.messages, default=0) + 1}:* (FLAGS MODSEQ)")):
            pass


class Writer:
    """Its messages: {(mailbox, UID): (name, flags)} as acknowledged, and what the command under way would do."""

    def __init__(self, shown, number):
        self.shown, self.number, self.made = shown, number, 0
        self.random = random.Random(number)
        self.owned, self.under_way = {}, None
        self.counts = collections.Counter()

    def owns(self, name):
        return name.startswith(f"w{self.number}.")

    def new_name(self):
        self.made += 1
        return f"w{self.number}.{self.made}"

    def header(self, name):
        number = int(name.partition(".")[2])
        where = "References" if number % 2 else "In-Reply-To"
        return (f"X-Name: {name}\r\nMessage-ID: <{name}@x.test>\r\nSubject: talk\r\n"
                f"{where}: <first{number // CONVERSATION}@{self.number}.test>\r\n\r\n").encode()

    def some_flags(self):
        return frozenset(self.random.sample(FLAGS, self.random.randrange(3)))

    def some_of(self, mailbox):
        mine = [uid for where, uid in self.owned if where == mailbox]
        return sorted(self.random.sample(mine, min(len(mine), self.random.randrange(1, 8))))

    def do(self, client, text, *literals, removed=(), changed=None, added=()):
        """A command, and if it was acknowledged what it did. `added` are (mailbox, name, flags), in the order of the UIDs
        that the response tells."""
        self.under_way = set(removed), changed or {}, added
        lines, answer = client.command(text, *literals)
        assert answer.startswith("OK"), f"{text}: {answer}"
        told = b"\n".join([*lines, answer.encode()])
        uids = list(uid_list(item(told, rb"\[(?:APPENDUID \d+|COPYUID \d+ [\d:,]+) ([\d:,]+)\]"))) if added else []
        assert len(uids) == len(added), told
        for key in removed:
            del self.owned[key]
        self.owned.update(changed or {})
        for uid, (mailbox, name, flags) in zip(uids, added):
            self.shown.name(mailbox, uid, name)
            self.owned[mailbox, uid] = name, flags
        self.under_way = None
        self.counts[text.replace("UID ", "").split()[0]] += 1

    def append(self, client, mailbox):
        flags = self.some_flags()
        names = [self.new_name() for _ in range(self.random.choice([1, 1, 3, 12]))]
        size = self.random.choice([10, 1_000, 20_000, 100_000])  # of twelve large ones the bytes may go ahead of the commit
        letters = [self.header(name) + (b"x" * 70 + b"\r\n") * (size // 72) for name in names]
        self.shown.contents.update((name, digest(letter)) for name, letter in zip(names, letters))
        listed = b" ".join(sorted(flags)).decode()
        self.do(client, f"APPEND {mailbox}" + f" ({listed}) {{}}" * len(names), *letters,
                added=[(mailbox, name, flags) for name in names])

    def copy(self, client, selected, target, uids):
        self.do(client, f"UID COPY {uid_set(uids)} {target}", added=[(target, *self.owned[selected, uid]) for uid in uids])

    def move(self, client, selected, target, uids):
        self.do(client, f"UID MOVE {uid_set(uids)} {target}", removed=[(selected, uid) for uid in uids],
                added=[(target, *self.owned[selected, uid]) for uid in uids])

    def store(self, client, selected, uids, sign, flags):
        new = {"+": lambda old: old | flags, "-": lambda old: old - flags, "": lambda old: flags}[sign]
        changed = {(selected, uid): (self.owned[selected, uid][0], new(self.owned[selected, uid][1])) for uid in uids}
        self.do(client, f"UID STORE {uid_set(uids)} {sign}FLAGS ({b' '.join(sorted(flags)).decode()})", changed=changed)

    def expunge(self, client, selected):
        """What it has marked, in this session or one that did not live to see it."""
        marked = [(mailbox, uid) for (mailbox, uid), (_, flags) in self.owned.items()
                  if mailbox == selected and rb"\Deleted" in flags]
        if marked:
            self.do(client, f"UID EXPUNGE {uid_set(uid for _, uid in marked)}", removed=marked)

    def settle(self, truth):
        """After the crash: what it owns is what was acknowledged, with the command under way or without it."""
        mine = {key: found for key, found in truth.items() if self.owns(found[0])}
        if self.under_way:
            self.counts["under way, not done" if mine == self.owned else "under way, done"] += 1
        if mine != self.owned and self.under_way:
            removed, changed, added = self.under_way
            self.owned = {key: value for key, value in {**self.owned, **changed}.items() if key not in removed}
            new = {key: mine[key] for key in mine.keys() - self.owned.keys()}
            assert sorted((box, name, sorted(flags)) for (box, _), (name, flags) in new.items()) == \
                sorted((box, name, sorted(flags)) for box, name, flags in added), "a command was done in part, or undone"
            self.owned.update(new)
        lost = {key: value for key, value in self.owned.items() if mine.get(key) != value}
        assert not lost, f"acknowledged, and lost: {lost}, there is {[mine.get(key) for key in lost]}"
        assert mine == self.owned, f"not acknowledged, or undone: {mine.items() - self.owned.items()}"
        self.under_way = None


class Load(Doomed):
    """Writers and watchers of one round; the last one goes on until everything there is to do has been done and seen."""

    def __init__(self, server, number, writers, pictures, last=False):
        super().__init__(server, number)
        self.writers, self.pictures, self.last = writers, pictures, last

    def clients(self):
        yield from ((self.write, writer) for writer in self.writers)
        yield from ((self.watch, picture) for picture in self.pictures)
        yield from ((self.ask, random.Random(number)) for number in range(ASKERS))

    def due(self):
        """A crash that finds nothing under way shows little, and on a slow machine the watchers take most of the steps."""
        if self.last and not (COMMANDS <= {name for writer in self.writers for name in tuple(writer.counts)}
                              and self.pictures[0].shown.gone and self.pictures[0].shown.asked):
            return False
        return any(writer.under_way for writer in self.writers)

    def write(self, writer):
        selected, other = writer.random.sample(MAILBOXES, 2)
        with signed_on(self.server, TOM) as client:
            client.ok(f"SELECT {selected}")
            for _ in range(writer.random.randrange(1, 30)):
                self.step()
                self.write_once(writer, client, selected, other)

    def write_once(self, writer, client, selected, other):
        uids = writer.some_of(selected)
        what = writer.random.choice(["append", "copy", "move", "store", "store", "delete"])
        if len(writer.owned) > MANY:
            what = writer.random.choice(["move", "store", "delete", "delete"])
        if what == "append" or not uids:
            writer.append(client, writer.random.choice(MAILBOXES))
        elif what == "copy":
            writer.copy(client, selected, writer.random.choice(MAILBOXES), uids)
        elif what == "move":
            writer.move(client, selected, other, uids)
        elif what == "store":
            writer.store(client, selected, uids, writer.random.choice(["+", "-", ""]), writer.some_flags())
        else:
            writer.store(client, selected, uids, "+", frozenset([rb"\Deleted"]))
            self.step()
            writer.expunge(client, selected)

    def watch(self, picture):
        with signed_on(self.server, TOM) as client:
            client.ok("ENABLE QRESYNC")
            picture.select(client)
            for _ in range(60):
                self.step()
                picture.follow(client)

    def ask(self, choices):
        """Also for what has come a moment ago, in whatever order."""
        shown = self.pictures[0].shown
        with signed_on(self.server, TOM) as client:
            client.ok(f"SELECT {choices.choice(MAILBOXES)}")
            for _ in range(30):
                self.step()
                for email_id, thread_id in read_threads(client, choices.choice(["*", "1:*", f"{choices.randrange(1, 300)}:*"])):
                    shown.thread_id(email_id, thread_id)
                    shown.asked += 1


def read_threads(client, uids):
    """(EMAILID, THREADID) of each that is told."""
    items = b"\n".join(client.ok(f"UID FETCH {uids} (EMAILID THREADID)"))
    assert b"NIL" not in items, "a THREADID is not known"
    return re.findall(rb"EMAILID \((\S+)\) THREADID \((\S+)\)", items)


def read_truth(client, shown, mailbox):
    """{UID: (name, flags, modseq)} of the selected mailbox."""
    truth = {}
    for line in client.ok("UID FETCH 1:* (FLAGS MODSEQ EMAILID BODY.PEEK[HEADER.FIELDS (X-NAME)])"):
        if b" FETCH (" not in line:
            continue
        uid, modseq = int(item(line, rb"UID (\d+)")), int(item(line, rb"MODSEQ \((\d+)\)"))
        name = item(line, rb"X-Name: (\S+)").decode()
        flags = frozenset(item(line, rb"FLAGS \(([^)]*)\)").split()) - {rb"\Recent"}
        shown.name(mailbox, uid, name)
        shown.state(mailbox, uid, flags, modseq)
        shown.email_id(name, item(line, rb"EMAILID \((\S+)\)"))
        assert (mailbox, uid) not in shown.gone, "what was shown as vanished came back"
        truth[uid] = name, flags, modseq
    read_contents(client, shown, mailbox, truth)
    for email_id, thread_id in read_threads(client, "1:*"):
        shown.thread_id(email_id, thread_id)
    return truth


def read_contents(client, shown, mailbox, truth):
    """Of the messages that were not read before."""
    new = [uid for uid in truth if (mailbox, uid) not in shown.read]
    for line in client.ok(f"UID FETCH {uid_set(new)} (BODY.PEEK[])") if new else []:
        if b" FETCH (" in line[:30]:
            uid = int(item(line, rb"UID (\d+)"))
            shown.content(mailbox, uid, truth[uid][0], item(line, rb"BODY\[\] \{\d+\}\r\n(.*)\)$"))
    assert all((mailbox, uid) in shown.read for uid in new), "a message was not read"


def examine(server, shown, writers, pictures):
    """After a crash."""
    present = {}
    for picture in pictures:
        with signed_on(server, TOM) as client:
            client.ok("ENABLE QRESYNC")
            told = picture.select(client)
            truth = read_truth(client, shown, picture.mailbox)
            true = {uid: (flags, modseq) for uid, (_, flags, modseq) in truth.items()}
            wrong = {uid: (picture.messages.get(uid), true.get(uid)) for uid in picture.messages.keys() | true.keys()
                     if picture.messages.get(uid) != true.get(uid)}
            assert not wrong, f"the kept picture does not lead to the truth: {wrong}, {told}"
            present.update({(picture.mailbox, uid): (name, flags) for uid, (name, flags, _) in truth.items()})
    shown.conversations({name for name, _ in present.values()})
    for writer in writers:
        writer.settle(present)


def prepare(make_posthorn):
    server = make_posthorn(limits="connections-per-address = 1000").with_people().start()
    with signed_on(server, TOM) as client:
        for mailbox in MAILBOXES:
            client.ok(f"CREATE {mailbox}")
    server.stop()
    shown = Shown()
    pictures, sleepers = ([Picture(shown, mailbox) for mailbox in MAILBOXES] for _ in range(2))
    return server, shown, [Writer(shown, number) for number in range(WRITERS)], pictures, sleepers


def met_a_command(writers):
    """Whether a crash has come before the answer to a command. One that is under way when it comes may still be answered."""
    return any(writer.counts["under way, done"] or writer.counts["under way, not done"] for writer in writers)


def test_sigkill_under_imap(make_posthorn, rounds):
    server, shown, writers, pictures, sleepers = prepare(make_posthorn)
    for number in range(5 * rounds):
        if number >= rounds and met_a_command(writers):
            break
        server.environment = {"POSTHORN_TEST_WRITE_EACH": "1"} if number % 2 else {}
        server.start()
        Load(server, number, writers, pictures, last=number >= rounds - 1).run()
        sound = server.run("check")
        assert sound.returncode == 0, f"round {number}: {sound.stdout}{sound.stderr}"
        server.environment = {}
        server.start()
        examine(server, shown, writers, pictures + (sleepers if number % SLEEP_ROUNDS == 0 else []))
        server.stop()
    shown.read.clear()
    server.start()
    examine(server, shown, writers, pictures)
    done = sum((writer.counts for writer in writers), collections.Counter())
    assert COMMANDS <= set(done) and shown.gone and met_a_command(writers), done
    print(dict(done))


def test_this_test_would_notice(make_posthorn):
    """Without the wait for the flush, what was acknowledged or shown dies with the process: the examination must say so."""
    server, shown, writers, pictures, _ = prepare(make_posthorn)
    for number in range(20):
        server.environment = {"POSTHORN_TEST_SKIP_FLUSH": "1"}
        server.start()
        Load(server, number, writers, pictures).run()
        server.environment = {}
        server.start()
        try:
            examine(server, shown, writers, pictures)
        except AssertionError as noticed:
            assert any(what in str(noticed) for what in ("acknowledged, and lost", "was shown", "given twice", "came back",
                                                         "undone", "lead to the truth", "THREADID")), noticed
            return
        server.stop()
    raise AssertionError("20 rounds without a flush, and nothing was noticed")
