"""The server under test: its configuration, its processes, its log, its command line and its clients."""

import atexit
import json
import os
import poplib
import re
import shutil
import signal
import smtplib
import ssl
import subprocess
import tempfile
import time
from pathlib import Path

from harness import BUILD, DEADLINE_S, free_port
from harness.lines import Event, Lines
from harness.processes import ReadySocket, kill_group, wait_exit

PROTOCOLS = ("smtp", "submission", "submissions", "imap", "imaps", "pop3", "pop3s")
SANITIZER_REPORT = re.compile(r"(==\d+==ERROR: |WARNING: ThreadSanitizer|runtime error: |SUMMARY: \w+Sanitizer)")
LOOK_AGAIN_S = 0.25
DOMAIN = "acompany.test"
PASSWORD = "correct horse"


def trusting_tls():
    """The certificate is made at the server's first start; nobody has signed it."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class CliError(Exception):
    def __init__(self, result):
        super().__init__(f"exit {result.returncode}: {result.stderr.strip()}")
        self.status, self.stderr = result.returncode, result.stderr


class Posthorn:
    """One installation in a directory of its own, with ports of its own.

    `settings` is configuration text that follows the generated lines (blocks, or keys that are not in them).
    """

    def __init__(self, settings="", hostname=f"mail.{DOMAIN}", data_dir=None, dns=None, trust_anchor=None, relay_port=None,
                 queue="", limits="", environment=None, address="127.0.0.1"):
        # Not pytest's tmp_path: started as root, the rooms run as users who must be able to enter it.
        self.directory = Path(tempfile.mkdtemp(prefix="posthorn-test-"))
        self.directory.chmod(0o755)
        self.hostname, self.address = hostname, address
        self.ports = {protocol: free_port() for protocol in PROTOCOLS}
        self.data_dir = Path(data_dir or self.directory / "data")
        self.config = self.directory / "posthorn.conf"
        self.log = Lines()
        self.environment = environment or {}
        self.process = None
        self._queue, self._limits, self._settings = queue, limits, settings
        self._dns, self._trust_anchor, self.relay_port = dns, trust_anchor, relay_port
        self.write_config()

    def write_config(self, settings=None):
        """Writes the file anew, for a reload or the next start."""
        if settings is not None:
            self._settings = settings
        queue = self._queue + (f"\n    relay-port = {self.relay_port}" if self.relay_port else "")
        anchor = f'trust-anchor = "{self._trust_anchor}"' if self._trust_anchor else ""
        lines = [
            f'hostname = "{self.hostname}"',
            f'data-dir = "{self.data_dir}"',
            f'postmaster = "postmaster@{DOMAIN}"',
            *(f'listen {name} {{ on = {{"{self.address}:{port}"}} }}' for name, port in self.ports.items()),
            f"queue {{\n    {queue}\n}}" if queue else "",
            f"limits {{ {self._limits} }}" if self._limits else "",
            f'dns {{ servers = {{"{self._dns}"}} {anchor} }}' if self._dns else "",
            self._settings,
        ]
        self.config.write_text("\n".join(lines) + "\n")

    def certificate(self):
        """The certificate that clients see, in a file: what their users would have accepted once."""
        pem = ssl.get_server_certificate((self.address, self.ports["pop3s"]))
        path = self.directory / "seen.pem"
        path.write_text(pem)
        return path

    # Its life

    def _environment(self, **more):
        kept = {k: v for k, v in os.environ.items() if not k.startswith("POSTHORN_CONFIG")}
        return {**kept, "POSTHORN_CONFIG": str(self.config), **self.environment, **more}

    def start(self, *options):
        """Starts it and waits until it says READY. Raises AssertionError with the log if it gives up."""
        assert self.process is None
        ready = ReadySocket(self.directory / "notify")
        self.process = subprocess.Popen(
            [str(BUILD / "posthorn"), "serve", *options], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, env=self._environment(NOTIFY_SOCKET=ready.path), start_new_session=True)
        self.log.follow(self.process.stdout)
        try:
            if ready.wait_ready(self.process):
                return self
        finally:
            ready.close()
        self.log.wait_end()
        status = self.process.wait()
        self.process = None
        raise AssertionError(f"posthorn serve ended with {status}:\n{self.log.tail()}")

    def stop(self):
        """SIGTERM; it must finish what is under way, leave nobody behind and exit with 0."""
        process, self.process = self.process, None
        process.send_signal(signal.SIGTERM)
        try:
            status = wait_exit(process)
            self.log.wait_end()
        except AssertionError:
            kill_group(process)
            raise
        assert status == 0, f"exit status {status} after SIGTERM\n{self.log.tail()}"

    def kill(self):
        """SIGKILL to every process of it, at once; returns when all are gone."""
        process, self.process = self.process, None
        kill_group(process)
        self.log.wait_end()

    def restart(self):
        self.stop()
        return self.start()

    def reload(self):
        self.process.send_signal(signal.SIGHUP)

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def close(self):
        """The end of the test: a clean exit, no sanitizer's report, no death of a room."""
        try:
            if self.process is not None:
                self.stop()
            self.assert_no_sanitizer_report()
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)

    def abandon(self):
        """The end of a test that has failed already."""
        if self.process is not None:
            self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def assert_no_sanitizer_report(self):
        text = self.log.text()
        found = SANITIZER_REPORT.search(text)
        assert not found, text[max(0, found.start() - 200):found.start() + 6000]

    # Its log

    def mark(self):
        return self.log.mark()

    def wait_for(self, event, since=0, **pairs):
        """The first log line since `mark` with this event's name and these pairs."""
        def found(line):
            seen = Event(line)
            return seen if seen.is_event and seen.matches(event, pairs) else None
        return self.log.wait(found, f"{event} {pairs}", since)

    def events(self, name=None, since=0, **pairs):
        seen = (Event(line) for line in self.log.lines[since:])
        return [event for event in seen if event.is_event and event.matches(name, pairs)]

    def wait_for_deferral(self, since=0):
        """Until a try for another server has failed for now, and the queue has kept that."""
        deferred = self.wait_for("deferred", since)
        self.wait_for("attempt-kept", self.log.lines.index(deferred.line, since), id=deferred["id"])
        return deferred

    def wait_until(self, holds, what):
        """Until holds() gives something true. Looked at whenever the log speaks of a message; and, since a line may
        stand there before others can see what it tells, again a moment later."""
        end = time.monotonic() + DEADLINE_S * 2
        while time.monotonic() < end:
            mark = self.mark()
            value = holds()
            if value:
                return value
            self.log.wait_more(mark, LOOK_AGAIN_S)
        raise AssertionError(f"never came: {what}\n{self.log.tail()}")

    def wait_inbox(self, user, count, **options):
        """The inbox, once it has so many messages."""
        def filled():
            messages = self.inbox(user, **options)
            return messages if len(messages) >= count else None
        return self.wait_until(filled, f"{count} messages for {user}")

    def wait_until_queue_is_empty(self):
        self.wait_until(lambda: self.cli("queue", "list") == [], "an empty queue")

    # Its command line

    def run(self, *arguments, text=None, environment=None):
        """Any command, whatever it answers: a CompletedProcess."""
        return subprocess.run([str(BUILD / "posthorn"), *map(str, arguments)], input=text, text=True,
                              capture_output=True, timeout=DEADLINE_S * 4,
                              env={**self._environment(), **(environment or {})})

    def cli(self, *arguments, json=True, text=None):
        """A command that must succeed: what its JSON says, or its text."""
        result = self.run(*(["--json"] if json else []), *arguments, text=text)
        if result.returncode:
            raise CliError(result)
        if not json:
            return result.stdout
        return _json(result.stdout)

    def add_domain(self, name=DOMAIN):
        self.cli("domain", "add", name, json=False)

    def add_account(self, address, password=PASSWORD, *options):
        self.cli("account", "add", address, "--password-stdin", *options, json=False, text=password + "\n")
        return address

    def with_people(self):
        """The domain and the two people every story is about: acompany.test, its fred and tom."""
        if Posthorn._people is None:
            self._make_people()
            Posthorn._people = Path(tempfile.mkdtemp(prefix="posthorn-people-")) / "data"
            atexit.register(shutil.rmtree, Posthorn._people.parent, ignore_errors=True)
            _copy(self.data_dir, Posthorn._people)
        else:
            _copy(Posthorn._people, self.data_dir)
        return self

    _people = None  # a data directory made once, since hashing passwords takes its time

    def _make_people(self):
        self.add_domain(DOMAIN)
        self.add_account(f"fred@{DOMAIN}")
        self.add_account(f"tom@{DOMAIN}")

    # Its clients

    def smtp(self, protocol="smtp", **options):
        return smtplib.SMTP(self.address, self.ports[protocol], local_hostname="client.test", timeout=DEADLINE_S,
                            **options)

    def submission(self, user, password=PASSWORD, tls="starttls"):
        """A signed-on smtplib session; tls is "starttls" or "implicit"."""
        if tls == "implicit":
            client = smtplib.SMTP_SSL(self.address, self.ports["submissions"], local_hostname="client.test",
                                      timeout=DEADLINE_S, context=trusting_tls())
        else:
            client = self.smtp("submission")
            client.starttls(context=trusting_tls())
        client.login(user, password)
        return client

    def pop3(self, user=None, password=PASSWORD, tls="stls", utf8=False):
        """A poplib session, signed on if a user is given; tls is "stls", "implicit" or None."""
        poplib._MAXLINE = 1 << 20  # lines of more than 998 octets are delivered as they came
        if tls == "implicit":
            client = poplib.POP3_SSL(self.address, self.ports["pop3s"], timeout=DEADLINE_S, context=trusting_tls())
        else:
            client = poplib.POP3(self.address, self.ports["pop3"], timeout=DEADLINE_S)
            if tls == "stls":
                client.stls(context=trusting_tls())
        if utf8:
            client.utf8()
        if user:
            client.user(user)
            client.pass_(password)
        return client

    def inbox(self, user, password=PASSWORD, utf8=False):
        """Every message of the account, oldest first, as POP3 gives them. Without utf8 it gives surrogates for
        messages with such headers (RFC 6857)."""
        client = self.pop3(user, password, utf8=utf8)
        try:
            count = client.stat()[0]
            return [b"\r\n".join(client.retr(n)[1]) + b"\r\n" for n in range(1, count + 1)]
        finally:
            client.quit()


def _copy(source, target):
    subprocess.run(["cp", "-a", "-T", source, target], check=True)


def _json(text):
    """One document, or one a line."""
    text = text.strip()
    if not text:
        return []
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return [json.loads(line) for line in text.splitlines()]
