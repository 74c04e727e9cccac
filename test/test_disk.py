"""A disk that is full, at different moments, and then has room again. On a small file system of its own."""

import contextlib
import itertools
import os
import re
import subprocess
import time

import pytest

from harness import DEADLINE_S
from harness.wire import CLOSED, Pop3Wire, SmtpWire

FRED, TOM = "fred@acompany.test", "tom@acompany.test"
pytestmark = pytest.mark.root
SIZE_M = 160  # what mail takes before the disk is full must fit beside what the filler gives back


class SmallDisk:
    def __init__(self, path):
        self.path = path
        path.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE_M}M,mode=755", "none", path], check=True)
        self._filler = path / "filler"

    def free(self):
        s = os.statvfs(self.path)
        return s.f_bavail * s.f_frsize

    def fill(self, leave=0):
        """Takes all room but so many bytes."""
        with open(self._filler, "ab") as filler:
            os.posix_fallocate(filler.fileno(), filler.tell(), max(1, self.free() - leave - 8192))
            while self.free() > leave:
                try:
                    filler.seek(0, 2)
                    filler.write(b"x" * min(4096, self.free() - leave))
                    filler.flush()
                except OSError:
                    break

    def empty(self):
        self._filler.unlink()

    def unmount(self):
        subprocess.run(["umount", "--lazy", self.path], check=False)


@pytest.fixture
def disk(make_posthorn):
    """(server, disk): the server's data directory is on the disk. Not started yet."""
    server = make_posthorn(limits='disk-reserve = "8M"')
    small = SmallDisk(server.directory / "disk")
    server.data_dir = small.path / "data"
    server.write_config()
    server.with_people()
    yield server, small
    if server.is_running():
        server.stop()
    small.unmount()


def test_deleting_most_of_the_mail_makes_the_disk_shrink(make_posthorn):
    """Bodies go when the grace is over, which is short here; their room goes back to the disk by compaction."""
    server = make_posthorn(environment={"POSTHORN_TEST_NO_GRACE": "1"}).with_people().start()
    before = used(server)
    with SmtpWire(server, "smtp") as client:
        client.ehlo()
        for n in range(200):
            text = os.urandom(50_000).hex().encode()  # nothing that compression would make smaller than half
            lines = b"".join(text[at:at + 76] + b"\r\n" for at in range(0, len(text), 76))
            assert client.deliver("ann@other.test", [TOM], b"Subject: number %d\r\n\r\n" % n + lines).startswith("250")
    server.restart()
    full = used(server) - before
    assert full > 10 << 20
    with Pop3Wire(server, "pop3s") as client:
        client.sign_on(TOM)
        for n in range(1, 181):
            assert client.say(f"DELE {n}").startswith("+OK")
        assert client.say("QUIT").startswith("+OK")
    server.wait_until(lambda: used(server) - before < full // 3, f"less than a third of {full} bytes")
    assert numbers(server) == list(range(180, 200))


def used(server):
    total = 0
    for file in (server.data_dir / "store").iterdir():
        with contextlib.suppress(FileNotFoundError):  # a compaction has removed it meanwhile
            total += file.stat().st_blocks * 512 if file.suffix in (".blob", ".sst") else 0
    return total


def message(n, size=1000):
    return b"Subject: number %d\r\n\r\n" % n + (b"x" * 76 + b"\r\n") * (size // 78)


def deliver(server, n, size=1000):
    """The first reply that is not 2xx or 3xx, or the reply to the body."""
    with SmtpWire(server, "smtp") as client:
        client.ehlo()
        for line in ("MAIL FROM:<ann@other.test>", f"RCPT TO:<{TOM}>", "DATA"):
            answer = client.say(line)
            if answer[0] not in "23":
                return answer
        return client.say(message(n, size) + b".\r\n")


def numbers(server):
    return [int(re.search(rb"Subject: number (\d+)", m).group(1)) for m in server.inbox(TOM)]


def until(server, wanted, numbers_left):
    """Delivers message after message until the answer is the wanted one: the vault looks at the disk now and then,
    so a few may pass before it knows. The numbers that were accepted, and that answer."""
    accepted = []
    end = time.monotonic() + DEADLINE_S
    for n in numbers_left:
        answer = deliver(server, n)
        if answer.startswith("250"):
            accepted.append(n)
        if re.match(wanted, answer) or time.monotonic() > end:
            break
        assert re.match(r"250|4\d\d 4\.", answer) or answer == CLOSED, answer
    assert re.match(wanted, answer), answer
    return accepted


def test_below_the_reserve_new_mail_is_refused_and_all_else_goes_on(disk):
    server, small = disk
    server.start()
    assert deliver(server, 1).startswith("250")
    small.fill(leave=4 << 20)
    accepted = [1, *until(server, r"452 4\.3\.1", itertools.count(2))]
    assert numbers(server) == accepted, "reading goes on"
    with Pop3Wire(server, "pop3s") as client:
        client.sign_on(TOM)
        client.say("DELE 1")
        assert client.say("QUIT").startswith("+OK"), "deleting goes on"
    small.empty()
    accepted += until(server, "250", itertools.count(1_000_000))
    assert numbers(server) == accepted[1:]


def test_full_while_running(disk):
    """The write-ahead log meets the end of the disk: 4xx, nothing lost, and mail again when there is room.

    Six messages are under way when the disk fills, so the reserve is not asked any more; together they are more than
    what the log has been given in advance."""
    server, small = disk
    server.start()
    assert deliver(server, 1).startswith("250")
    accepted = [1]
    clients = [SmtpWire(server, "smtp") for _ in range(6)]
    for client in clients:
        client.ehlo()
        client.begin("ann@other.test", TOM)
    small.fill()
    for n, client in enumerate(clients, 2):
        answer = client.say(message(n, 8_000_000) + b".\r\n")
        client.close()
        if answer.startswith("250"):
            accepted.append(n)
        assert re.match(r"250|4\d\d 4\.\d\.\d", answer), answer
    assert len(accepted) < 7, "the disk was full"
    until(server, r"4\d\d 4\.", itertools.count(10))
    small.empty()
    for first in range(1_000_000, 6_000_000, 1_000_000):
        accepted += until(server, "250", itertools.count(first))
    assert numbers(server) == accepted
    assert server.restart().run("check").returncode == 0
    assert numbers(server) == accepted


def test_full_at_a_table_file(disk):
    """Large mail until the disk is full by itself, so that tables and body files meet the end as well."""
    server, small = disk
    server.start()
    accepted = []
    small.fill(leave=48 << 20)
    for n in range(1, 2000):
        answer = deliver(server, n, size=100_000)
        if not answer.startswith("250"):
            break
        accepted.append(n)
    assert re.match(r"4\d\d 4\.3\.[01]", answer), answer
    assert accepted and numbers(server) == accepted
    small.empty()
    accepted += until(server, "250", itertools.count(1_000_000))
    server.restart()
    assert numbers(server) == accepted


def test_full_at_start(disk):
    server, small = disk
    server.start()
    assert deliver(server, 1).startswith("250")
    server.stop()
    small.fill()
    try:
        server.start()
    except AssertionError:
        text = server.log.text()
        assert str(server.data_dir) in text and "No space left" in text
        assert text.count("No space left") < 10, "no crash loop"
        small.empty()
        server.start()
    else:
        until(server, r"4\d\d 4\.", itertools.count(2))
        small.empty()
    until(server, "250", itertools.count(1_000_000))
    assert 1 in numbers(server)
