"""IMAP as tests speak it: imaplib signed on, and many letters put into a mailbox quickly."""

import email.message
import email.utils
import imaplib
import re

from harness import DEADLINE_S
from harness.server import PASSWORD, trusting_tls
from harness.wire import CLOSED, _Wire

imaplib._MAXLINE = 1 << 24  # a SEARCH that finds everything is one line


def client(server, user=None, password=PASSWORD, tls="implicit"):
    """imaplib, signed on if a user is given; tls is "implicit", "starttls" or None."""
    if tls == "implicit":
        imap = imaplib.IMAP4_SSL(server.address, server.ports["imaps"], ssl_context=trusting_tls(), timeout=DEADLINE_S)
    else:
        imap = imaplib.IMAP4(server.address, server.ports["imap"], timeout=DEADLINE_S)
        if tls == "starttls":
            imap.starttls(ssl_context=trusting_tls())
    if user:
        imap.login(user, password)
    return imap


def letter(number, size=1500):
    """A message of its own for each number: plain text in lines of 70."""
    message = email.message.EmailMessage()
    message["From"] = f"Ann <ann{number % 50}@other.test>"
    message["To"] = "tom@acompany.test"
    message["Subject"] = f"letter {number}"
    message["Date"] = email.utils.formatdate(1_700_000_000 + number * 60)
    message["Message-ID"] = f"<{number}@other.test>"
    message.set_content("\n".join(f"line {line} of letter {number} ".ljust(70, "x") for line in range(size // 71)) + "\n")
    return message.as_bytes(policy=message.policy.clone(linesep="\r\n"))


class ImapWire(_Wire):
    """Byte by byte: a command, and every line up to its tagged reply."""

    def __init__(self, server, protocol="imap", **options):
        self.tags = 0
        super().__init__(server, protocol, **options)

    def reply(self):
        return self.line() or CLOSED

    def command(self, text, *literals):
        """The untagged lines, and the tagged one without its tag. {} in the text is a literal, sent without waiting."""
        self.tags += 1
        tag = f"w{self.tags}"
        data = f"{tag} {text}".encode()
        for each in literals:
            data = data.replace(b"{}", b"{%d+}\r\n" % len(each) + each, 1)
        self.send(data + b"\r\n")
        return self.until(tag)

    def until(self, tag):
        """Without what a slow machine tells of how far it is (RFC 9585)."""
        lines = []
        while True:
            line = self.stream.readline()
            assert line, f"the connection ended before {tag}: {lines}"
            while found := re.search(rb"\{(\d+)\}\r\n$", line):
                line += self.stream.read(int(found.group(1))) + self.stream.readline()
            if line.startswith(tag.encode() + b" "):
                return lines, line[len(tag) + 1:].rstrip(b"\r\n").decode()
            if not line.startswith(b"* OK [INPROGRESS "):
                lines.append(line.rstrip(b"\r\n"))

    def ok(self, text, *literals):
        lines, status = self.command(text, *literals)
        assert status.startswith("OK"), f"{text}: {status}"
        return lines

    def starttls(self):
        self.ok("STARTTLS")
        return self.to_tls()

    def login(self, user, password=PASSWORD):
        self.ok(f'LOGIN {user} "{password}"')
        return self


def signed_on(server, user):
    return ImapWire(server).starttls().login(user)


def fill(server, user, count, mailbox="INBOX", first=1, batch=200):
    """Letters first, first + 1, … by MULTIAPPEND (RFC 3502)."""
    with signed_on(server, user) as wire:
        for start in range(first, first + count, batch):
            letters = [letter(n) for n in range(start, min(start + batch, first + count))]
            wire.ok(f"APPEND {mailbox}" + " {}" * len(letters), *letters)
