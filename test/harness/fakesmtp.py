"""An SMTP server that answers what a test tells it, and remembers what it was told."""

import queue
import re
import socket
import ssl
import subprocess
import tempfile
import threading
from pathlib import Path

from harness import DEADLINE_S

DROP = object()
"""As a reply: close the connection instead."""

DEFAULTS = {
    "CONNECT": "220 fake.test ESMTP",
    "HELO": "250 fake.test",
    "MAIL": "250 2.1.0 ok",
    "RCPT": "250 2.1.5 ok",
    "DATA": "354 go on",
    "BODY": "250 2.0.0 taken",
    "BDAT": "250 2.0.0 taken",
    "RSET": "250 2.0.0 ok",
    "NOOP": "250 2.0.0 ok",
    "STARTTLS": "220 2.0.0 go on",
    "QUIT": "221 2.0.0 bye",
}
EXTENSIONS = ("PIPELINING", "SIZE 50000000", "8BITMIME", "SMTPUTF8", "DSN", "ENHANCEDSTATUSCODES")


class Message:
    """What was taken with one DATA (or the last BDAT): envelope as spelled by the client, and the octets."""

    def __init__(self, session, mail, rcpts, data):
        self.session, self.mail, self.rcpts, self.data = session, mail, rcpts, data
        # Asked now: the session may have ended, and its TLS with it, when the test looks.
        connection = session.connection
        self.tls_version = connection.version() if isinstance(connection, ssl.SSLSocket) else None

    @property
    def sender(self):
        return re.search(r"<(.*?)>", self.mail).group(1)

    @property
    def recipients(self):
        return [re.search(r"<(.*?)>", line).group(1) for line in self.rcpts]


class FakeSmtp:
    """Listens from the moment it is made. `replies` changes what a command is answered with:

        FakeSmtp("127.0.0.11", port, RCPT=["450 4.2.1 not now", "250 2.1.5 ok"], DATA=DROP)

    A list is used up one by one and its last element stays; a callable gets the command's line; DROP closes.
    `extensions` is what EHLO announces; STARTTLS among them makes the server able to do it.
    """

    def __init__(self, host, port, extensions=EXTENSIONS, **replies):
        self.host, self.port = host, port
        self.extensions = list(extensions)
        self.replies = {**DEFAULTS, **replies}
        self.messages = queue.Queue()
        self.sessions = queue.Queue()  # each list of lines the client sent, once the session ended
        self.commands = []             # of all sessions, in the order they came
        self._lock = threading.Lock()
        self._tls = self._make_tls() if "STARTTLS" in self.extensions else None
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, port), family=family, backlog=64)
        threading.Thread(target=self._accept, daemon=True).start()

    @staticmethod
    def _make_tls():
        with tempfile.TemporaryDirectory() as directory:
            key, certificate = Path(directory) / "key.pem", Path(directory) / "cert.pem"
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                            "-nodes", "-subj", "/CN=fake.test", "-keyout", key, "-out", certificate],
                           check=True, capture_output=True)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, key)
            return context

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.settimeout(DEADLINE_S)
            threading.Thread(target=_Session(self, connection).run, daemon=True).start()

    def reply(self, verb, line):
        with self._lock:
            self.commands.append(line)
            answer = self.replies.get(verb, "500 5.5.1 what?")
            if isinstance(answer, list):
                answer = answer.pop(0) if len(answer) > 1 else answer[0]
        return answer(line) if callable(answer) else answer

    def wait_message(self):
        """The next message that was taken."""
        return self.messages.get(timeout=DEADLINE_S)

    def wait_session(self):
        """What the client said in the next session that ended."""
        return self.sessions.get(timeout=DEADLINE_S)

    def close(self):
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._listener.close()


class _Dropped(Exception):
    pass


class _Session:
    def __init__(self, server, connection):
        self.server, self.connection = server, connection
        self.lines = []
        self.stream = connection.makefile("rb")
        self.mail, self.rcpts, self.chunks = None, [], b""

    def run(self):
        try:
            self._answer("CONNECT", "CONNECT")
            while True:
                line = self.stream.readline().decode("utf-8", "surrogateescape").rstrip("\r\n")
                if not line:
                    break
                self.lines.append(line)
                verb = re.split(r"[ :]", line, 1)[0].upper()
                getattr(self, "_" + verb.lower(), lambda l, v=verb: self._answer(v, l))(line)
                if verb == "QUIT":
                    break
        except (_Dropped, OSError):
            pass
        finally:
            self.connection.close()
            self.stream.close()
            self.server.sessions.put(self.lines)

    def _answer(self, verb, line):
        answer = self.server.reply(verb, line)
        if answer is DROP:
            raise _Dropped
        self.connection.sendall(answer.encode() + b"\r\n")
        return answer[0]

    def _ehlo(self, line):
        if "EHLO" in self.server.replies:
            self._answer("EHLO", line)
            return
        offered = [e for e in self.server.extensions if e != "STARTTLS" or not isinstance(self.connection, ssl.SSLSocket)]
        lines = ["fake.test", *offered]
        text = "".join(f"250{' ' if i == len(lines) - 1 else '-'}{each}\r\n" for i, each in enumerate(lines))
        self.server.reply("HELO", line)
        self.connection.sendall(text.encode())

    def _starttls(self, line):
        if self._answer("STARTTLS", line) == "2":
            self.connection = self.server._tls.wrap_socket(self.connection, server_side=True)
            self.stream = self.connection.makefile("rb")

    def _mail(self, line):
        if self._answer("MAIL", line) == "2":
            self.mail, self.rcpts, self.chunks = line, [], b""

    def _rcpt(self, line):
        if self._answer("RCPT", line) == "2":
            self.rcpts.append(line)

    def _rset(self, line):
        self.mail, self.rcpts, self.chunks = None, [], b""
        self._answer("RSET", line)

    def _data(self, line):
        if not self.rcpts:
            self.server.reply("DATA", line)
            self.connection.sendall(b"554 5.5.1 no valid recipients\r\n")
            return
        if self._answer("DATA", line) != "3":
            return
        body = b""
        while True:
            part = self.stream.readline()
            if not part:
                raise _Dropped
            if part == b".\r\n":
                break
            body += part[1:] if part.startswith(b".") else part
        self._taken("BODY", line, body)

    def _bdat(self, line):
        words = line.split()
        self.chunks += self.stream.read(int(words[1]))
        if words[-1].upper() == "LAST":
            self._taken("BDAT", line, self.chunks)
        else:
            self._answer("BDAT", line)

    def _taken(self, verb, line, body):
        message = Message(self, self.mail, list(self.rcpts), body)
        self.mail, self.rcpts, self.chunks = None, [], b""
        answer = self.server.reply(verb, line)
        if answer is DROP:
            raise _Dropped
        if answer.startswith("2"):
            self.server.messages.put(message)
        self.connection.sendall(answer.encode() + b"\r\n")
