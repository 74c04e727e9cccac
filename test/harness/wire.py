"""Conversations byte by byte, for what smtplib and poplib would not say."""

import base64
import hashlib
import hmac
import os
import re
import socket

from harness import DEADLINE_S
from harness.server import PASSWORD, trusting_tls

CLOSED = "(closed)"
"""What reply() gives when the server has closed the connection."""


class _Wire:
    def __init__(self, server, protocol, greeting=True, source=None, context=None):
        self.socket = socket.create_connection((server.address, server.ports[protocol]), timeout=DEADLINE_S,
                                               source_address=source and (source, 0))
        if protocol in ("submissions", "imaps", "pop3s"):
            self.socket = (context or trusting_tls()).wrap_socket(self.socket)
        self.stream = self.socket.makefile("rb")
        self.greeting = self.reply() if greeting else None

    def send(self, data):
        """Octets as they are; lines given as str get their CRLF. That the server has closed is told by the next reply: it may
        have said why, and whether that is known here already when more is sent is a matter of moments."""
        try:
            self.socket.sendall(data.encode() + b"\r\n" if isinstance(data, str) else data)
        except ConnectionError:
            pass
        return self

    def say(self, data):
        """Sends and gives the whole reply."""
        return self.send(data).reply()

    def talk(self, *lines):
        """Says one after the other; the last reply."""
        for line in lines:
            answer = self.say(line)
        return answer

    def line(self):
        try:
            return self.stream.readline().decode("utf-8", "backslashreplace").rstrip("\r\n")
        except ConnectionError:
            return ""

    def is_at_end(self):
        """Whether the server closes now; whatever it says before that is read."""
        try:
            while self.stream.readline():
                pass
        except ConnectionError:
            pass
        return True

    def to_tls(self):
        self.socket = trusting_tls().wrap_socket(self.socket)
        self.stream = self.socket.makefile("rb")
        return self

    def close(self):
        self.stream.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class SmtpWire(_Wire):
    def reply(self):
        """All lines of one reply, joined by newlines."""
        lines = []
        while True:
            line = self.line()
            if not line:
                return "\n".join(lines) or CLOSED
            lines.append(line)
            if not re.match(r"\d{3}-", line):
                return "\n".join(lines)

    def replies(self, count):
        return [self.reply() for _ in range(count)]

    def ehlo(self):
        """What is announced: {keyword: arguments}."""
        lines = self.say("EHLO client.test").splitlines()[1:]
        return {line[4:].split(" ", 1)[0]: line[4:].partition(" ")[2] for line in lines}

    def starttls(self):
        assert self.say("STARTTLS").startswith("220"), "no STARTTLS"
        self.to_tls()
        self.ehlo()
        return self

    def begin(self, sender, *recipients):
        """Up to the 354 of DATA."""
        for line in (f"MAIL FROM:<{sender}>", *(f"RCPT TO:<{r}>" for r in recipients)):
            answer = self.say(line)
            assert answer.startswith("250"), f"{line}: {answer}"
        answer = self.say("DATA")
        assert answer.startswith("354"), answer
        return self

    def deliver(self, sender, recipients, data):
        """A whole transaction; the reply to the body. The data is stuffed and ended here."""
        self.begin(sender, *recipients)
        return self.say(re.sub(rb"(^|\r\n)\.", rb"\1..", data) + b".\r\n")


class Pop3Wire(_Wire):
    def reply(self):
        return self.line() or CLOSED

    def lines(self):
        """The lines of a multi-line response after its first one, unstuffed."""
        lines = []
        while True:
            line = self.stream.readline()
            assert line, "the response does not end"
            if line == b".\r\n":
                return lines
            lines.append(line[1:] if line.startswith(b".") else line)

    def capabilities(self):
        assert self.say("CAPA").startswith("+OK")
        lines = [line.decode().rstrip() for line in self.lines()]
        return {line.split(" ")[0]: line.partition(" ")[2] for line in lines}

    def stls(self):
        assert self.say("STLS").startswith("+OK")
        return self.to_tls()

    def sign_on(self, user, password=PASSWORD):
        assert self.say(f"USER {user}").startswith("+OK")
        answer = self.say(f"PASS {password}")
        assert answer.startswith("+OK"), answer
        return self


def b64(data):
    return base64.b64encode(data.encode() if isinstance(data, str) else data).decode()


def plain(user, password=PASSWORD, authzid=""):
    return b64(f"{authzid}\0{user}\0{password}")


class Scram:
    """The client's half of SCRAM-SHA-256 (RFC 5802, RFC 7677). With a binding, as "tls-unique" and its bytes, it is
    that of -PLUS; flag "y" says that the server is thought to have none."""

    def __init__(self, user, password=PASSWORD, authzid="", binding=None, flag="n"):
        name = user.replace("=", "=3D").replace(",", "=2C")
        if binding:
            flag = f"p={binding[0]}"
        self.header = f"{flag},{'a=' + authzid if authzid else ''},"
        self.binding = binding[1] if binding else b""
        self.password = password.encode()
        self.nonce = b64(os.urandom(18))
        self.bare = f"n={name},r={self.nonce}"

    def first(self):
        return b64(self.header + self.bare)

    def final(self, challenge):
        """From the server's first message to the client's last."""
        server_first = base64.b64decode(challenge).decode()
        fields = dict(part.split("=", 1) for part in server_first.split(","))
        assert fields["r"].startswith(self.nonce) and len(fields["r"]) > len(self.nonce)
        salted = hashlib.pbkdf2_hmac("sha256", self.password, base64.b64decode(fields["s"]), int(fields["i"]))
        client_key = hmac.digest(salted, b"Client Key", "sha256")
        without_proof = f"c={b64(self.header.encode() + self.binding)},r={fields['r']}"
        message = f"{self.bare},{server_first},{without_proof}".encode()
        signature = hmac.digest(hashlib.sha256(client_key).digest(), message, "sha256")
        proof = bytes(a ^ b for a, b in zip(client_key, signature))
        server_key = hmac.digest(salted, b"Server Key", "sha256")
        self.server_signature = b64(hmac.digest(server_key, message, "sha256"))
        return b64(f"{without_proof},p={b64(proof)}")

    def accepts(self, last):
        return base64.b64decode(last).decode() == f"v={self.server_signature}"
