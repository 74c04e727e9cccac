"""A disk that is full, at different moments, and then has room again. On a small file system of its own."""

import os
import re
import subprocess

import pytest

from harness.wire import Pop3Wire, SmtpWire

FRED, TOM = "fred@acompany.test", "tom@acompany.test"
pytestmark = pytest.mark.root
SIZE_M = 64


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


def test_below_the_reserve_new_mail_is_refused_and_all_else_goes_on(disk):
    server, small = disk
    server.start()
    assert deliver(server, 1).startswith("250")
    small.fill(leave=4 << 20)
    answer = deliver(server, 2)
    assert re.match(r"452 4\.3\.1", answer), answer
    assert numbers(server) == [1], "reading goes on"
    with Pop3Wire(server, "pop3s") as client:
        client.sign_on(TOM)
        client.say("DELE 1")
        assert client.say("QUIT").startswith("+OK"), "deleting goes on"
    small.empty()
    assert deliver(server, 3).startswith("250")
    assert numbers(server) == [3]


def test_full_while_running(disk):
    """The write-ahead log meets the end of the disk: 4xx, nothing lost, and mail again when there is room."""
    server, small = disk
    server.write_config()
    server.start()
    accepted = []
    with SmtpWire(server, "smtp") as client:
        client.ehlo()
        client.begin("ann@other.test", TOM)
        small.fill()
        answer = client.say(message(0, 2_000_000) + b".\r\n")
        assert re.match(r"4[25]\d 4\.\d\.\d", answer) or answer.startswith("("), answer
    for n in range(1, 4):
        answer = deliver(server, n)
        assert re.match(r"4\d\d 4\.", answer), answer
    small.empty()
    for n in range(10, 15):
        if wait_accepted(server, n):
            accepted.append(n)
    assert accepted == [10, 11, 12, 13, 14]
    assert [n for n in numbers(server) if n] == accepted
    assert server.restart().run("check").returncode == 0
    assert [n for n in numbers(server) if n] == accepted


def wait_accepted(server, n):
    """The store is opened again "as soon as there is room": each refused try is one event to look again."""
    for _ in range(1000):
        answer = deliver(server, n)
        if answer.startswith("250"):
            return True
        assert re.match(r"4\d\d 4\.", answer) or answer.startswith("("), answer
    return False


def test_full_at_a_table_file(disk):
    """Mail until the disk is full by itself, so that memtables meet the end as well."""
    server, small = disk
    server.start()
    accepted = []
    small.fill(leave=24 << 20)
    for n in range(1, 2000):
        answer = deliver(server, n, size=100_000)
        if not answer.startswith("250"):
            break
        accepted.append(n)
    assert re.match(r"4\d\d 4\.3\.1", answer), answer
    assert accepted and numbers(server) == accepted
    small.empty()
    assert wait_accepted(server, 5000)
    server.restart()
    assert numbers(server) == [*accepted, 5000]


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
        assert len([l for l in text.splitlines() if "No space left" in l]) < 10, "no crash loop"
        small.empty()
        server.start()
    else:
        assert re.match(r"4\d\d 4\.", deliver(server, 2))
        small.empty()
        assert wait_accepted(server, 3)
    assert 1 in numbers(server)
