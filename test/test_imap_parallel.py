"""Sessions that pipeline at the same time in one mailbox: none hears what it may not, and when all rest, all see the same.
One command at a time, and with more extensions: src/vault/imap/model.h."""

import concurrent.futures
import random
import re
import threading

import pytest

from harness import DEADLINE_S
from harness.imap import ImapWire, letter, signed_on

TOM = "tom@acompany.test"
SESSIONS, ROUNDS, TURNS = 5, 6, 20
FULL = 60
FLAGS = [rb"\Seen", rb"\Flagged", rb"\Draft", b"$Forwarded", b"blue", b"Later"]
BY_NUMBER = ("FETCH", "STORE", "SEARCH", "THREAD")  # RFC 9051 §7.5.1: no EXPUNGE during these


class Mailbox:
    """What is true of it for all sessions."""

    def __init__(self):
        self.lock = threading.Lock()
        self.letters = []  # the text of each
        self.letter_of = {}  # by UID, which one
        self.recent_to = {}  # by UID, the session that was told \\Recent

    def new_letter(self, chance):
        with self.lock:
            number = len(self.letters)
            self.letters.append(letter(number, chance.choice([100, 700, 20000])))
            return self.letters[number]

    def is_letter(self, uid, text):
        """No UID ever names two."""
        number = int(re.search(rb"^Subject: letter (\d+)\r\n", text, re.M).group(1))
        with self.lock:
            assert self.letters[number] == text, f"letter {number}, of UID {uid}, is not as it was given"
            assert self.letter_of.setdefault(uid, number) == number, f"UID {uid} was {self.letter_of[uid]}, is {number}"

    def is_recent(self, uid, session):
        with self.lock:
            assert self.recent_to.setdefault(uid, session) == session, f"UID {uid} is \\Recent to two sessions"


class Message:
    """What a session knows of one."""

    uid = flags = None


class Session(ImapWire):
    def __init__(self, server, mailbox, number):
        super().__init__(server)
        self.starttls().login(TOM)
        self.mailbox, self.number, self.chance = mailbox, number, random.Random(number)
        self.messages, self.named, self.pending, self.missed, self.found = [], set(), [], set(), None
        self.ask("SELECT INBOX")
        self.hear_all()

    # What it says

    def ask(self, text, *literals, about=()):
        """Without waiting for the reply. `about`: the messages that it names by number."""
        self.tags += 1
        self.pending.append((f"p{self.tags}", text, about))
        data = f"p{self.tags} {text}".encode()
        for each in literals:
            data = data.replace(b"{}", b"{%d+}\r\n" % len(each) + each, 1)
        self.send(data + b"\r\n")

    def some(self):
        numbers = sorted(self.chance.sample(range(1, len(self.messages) + 1), min(len(self.messages), self.chance.randint(1, 5))))
        return ",".join(map(str, numbers)), [self.messages[n - 1] for n in numbers]

    def flags(self):
        return b" ".join(self.chance.sample(FLAGS, self.chance.randint(0, 3))).decode()

    def turn(self):
        """Some commands by number, and one behind them that may tell of removals."""
        for _ in range(self.chance.randint(0, 4) if self.messages else 0):
            numbers, messages = self.some()
            self.ask(*self.chance.choice([
                (f"FETCH {numbers} (UID FLAGS)",),
                (f"FETCH {numbers} (UID RFC822.SIZE BODY.PEEK[])",),
                (f"STORE {numbers} {self.chance.choice('+-')}FLAGS ({self.flags()})",),
                (f"STORE {numbers} +FLAGS.SILENT (\\Deleted)",),
                (f"SEARCH SUBJECT \"letter {self.chance.randint(0, 99)}\"",),
                ("THREAD REFERENCES UTF-8 ALL",)]), about=messages)
        last = self.chance.choice(["APPEND", "APPEND", "EXPUNGE", "NOOP", "COPY", "UID MOVE"])
        if last in ("EXPUNGE", "NOOP"):
            self.ask(last)
        elif last == "APPEND" and len(self.messages) < FULL:
            self.ask(f"APPEND INBOX ({self.flags()}) {{}}", self.mailbox.new_letter(self.chance))
        elif last == "COPY" and 0 < len(self.messages) < FULL:
            self.hear_all()  # for what came before may have told of more
            if self.messages:
                self.ask(f"COPY {self.some()[0]} INBOX")
        elif uids := [str(each.uid) for each in self.messages if each.uid]:
            self.ask(f"UID MOVE {self.chance.choice(uids)} INBOX")
        self.hear_all()

    # What it hears

    def hear_all(self):
        while self.pending:
            lines, status = self.until_here(self.pending[0][0])
            _, text, messages = self.pending.pop(0)
            assert status.startswith("OK") or "[EXPUNGEISSUED]" in status, f"{text}: {status}"
            if ".SILENT" in text:
                for each in messages:
                    each.flags = None
            if text.startswith("SEARCH"):
                self.look_at_search(text.rpartition("letter ")[2].strip('"'))

    def until_here(self, tag):
        lines, status = self.until(tag)
        for line in lines:
            self.untagged(line)
        return lines, status

    def untagged(self, line):
        number, word = re.match(rb"\* (?:(\d+) )?(\w+)", line).groups()
        if word == b"EXISTS":
            assert int(number) >= len(self.messages), f"EXISTS shrank from {len(self.messages)}: {line}"
            self.messages += [Message() for _ in range(int(number) - len(self.messages))]
        elif word == b"EXPUNGE":
            self.expunge(int(number))
        elif word == b"FETCH":
            assert 0 < int(number) <= len(self.messages), f"{line[:60]}, and {len(self.messages)} are known"
            self.fetched(self.messages[int(number) - 1], line)
        elif word == b"FLAGS":
            self.named = set(line[line.index(b"(") + 1:-1].split())
        elif word == b"SEARCH":
            self.found = [int(each) for each in line.split()[2:]]
        elif word == b"THREAD":
            numbers = re.findall(rb"\d+", line)
            assert len(set(numbers)) == len(numbers) <= len(self.messages), f"a message stands in two threads: {line}"

    def expunge(self, number):
        assert not self.pending[0][1].startswith(BY_NUMBER), f"EXPUNGE during {self.pending[0][1]}"
        assert 0 < number <= len(self.messages), f"EXPUNGE of {number}, and {len(self.messages)} are known"
        for _, text, messages in self.pending:
            assert self.messages[number - 1] not in messages, f"{number} is removed before the reply to {text}"
        del self.messages[number - 1]

    def fetched(self, message, line):
        if uid := re.search(rb"[( ]UID (\d+)", line):
            assert message.uid in (None, int(uid.group(1))), f"the UID was {message.uid}: {line[:60]}"
            message.uid = int(uid.group(1))
        if flags := re.search(rb"FLAGS \((.*?)\)", line):
            words = set(flags.group(1).split())
            if rb"\Recent" in words and message.uid:
                self.mailbox.is_recent(message.uid, self.number)
            message.flags = words - {rb"\Recent"}
            assert message.flags <= self.named, f"FLAGS named {self.named}: {line[:200]}"
        if size := re.search(rb"RFC822\.SIZE (\d+) BODY\[\] \{(\d+)\}\r\n", line):
            assert size.group(1) == size.group(2), line[:100]
            self.mailbox.is_letter(message.uid, line[size.end():size.end() + int(size.group(1))])

    def look_at_search(self, wanted):
        """Of those whose letter it knows. What fits and was not found must have gone, as is told later."""
        for number, message in enumerate(self.messages, 1):
            found, is_known = number in self.found, message.uid in self.mailbox.letter_of
            fits = is_known and str(self.mailbox.letter_of[message.uid]).startswith(wanted)
            assert fits or not found or not is_known, f"SEARCH for letter {wanted} found UID {message.uid}"
            if fits and not found:
                self.missed.add(message)

    # When all rest

    def rest(self):
        """The UIDs and flags of all. What it believed before it looked must be true."""
        self.ask("NOOP")
        self.hear_all()
        assert not self.missed.intersection(self.messages), "a search did not find what is there"
        believed = [(each.uid, each.flags) for each in self.messages]
        if self.messages:
            self.ask("FETCH 1:* (UID FLAGS)", about=self.messages)
        self.hear_all()
        seen = [(each.uid, each.flags) for each in self.messages]
        assert len(believed) == len(seen)
        for (uid, flags), now in zip(believed, seen):
            assert uid in (None, now[0]) and flags in (None, now[1]), f"believed {uid} {flags}, is {now}"
        return seen


@pytest.fixture
def sessions(posthorn):
    with signed_on(posthorn, TOM) as wire:
        wire.ok("SELECT INBOX")  # whoever selects first has \\Recent of what is there
    mailbox = Mailbox()
    made = [Session(posthorn, mailbox, number) for number in range(SESSIONS)]
    yield made
    for each in made:
        each.close()


def test_sessions_in_parallel(sessions):
    barrier = threading.Barrier(SESSIONS, timeout=DEADLINE_S)

    def rounds(session):
        try:
            seen = []
            for _ in range(ROUNDS):
                for _ in range(TURNS):
                    session.turn()
                barrier.wait()
                seen.append(session.rest())
                barrier.wait()
            return seen
        except BaseException:
            barrier.abort()
            raise

    with concurrent.futures.ThreadPoolExecutor(SESSIONS) as threads:
        futures = [threads.submit(rounds, each) for each in sessions]
    errors = [each.exception() for each in futures if each.exception()]
    for error in sorted(errors, key=lambda each: isinstance(each, threading.BrokenBarrierError)):
        raise error
    for round_seen in zip(*(each.result() for each in futures)):
        assert all(seen == round_seen[0] for seen in round_seen[1:])
