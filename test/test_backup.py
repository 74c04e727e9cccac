"""`posthorn backup DIR` and `posthorn restore DIR`."""

import os
import re
import signal
import subprocess
import threading

import pytest

from harness import BUILD
from harness.wire import Pop3Wire, SmtpWire

FRED, TOM = "fred@acompany.test", "tom@acompany.test"


def message(n, size=5000):
    line = f"message {n} " + "x" * 60 + "\r\n"
    return f"Subject: number {n}\r\nFrom: ann@other.test\r\n\r\n{line * (size // len(line))}".encode()


def deliver(server, numbers, to=TOM):
    with SmtpWire(server, "smtp") as client:
        client.ehlo()
        for n in numbers:
            assert client.deliver("ann@other.test", [to], message(n)).startswith("250")


def numbers(server, user=TOM):
    found = []
    for text in server.inbox(user):
        n = int(re.search(rb"^Subject: number (\d+)", text, re.M).group(1))
        assert text.endswith(message(n)), "as it was sent"
        found.append(n)
    return found


def uids(server, user=TOM):
    with Pop3Wire(server, "pop3s") as client:
        client.sign_on(user)
        assert client.say("UIDL").startswith("+OK")
        return [line.split()[1].decode() for line in client.lines()]


def restore(server, backup, *options):
    """Into a new data directory, which the server uses from now on. What the command said."""
    server.data_dir = server.directory / "restored"
    server.write_config()
    said = server.cli("restore", backup, *options)
    check = server.run("check")
    assert check.returncode == 0, check.stdout + check.stderr
    return said


@pytest.fixture
def backup(tmp_path_factory):
    return tmp_path_factory.mktemp("backup") / "here"


def test_under_load(make_posthorn, backup):
    """Every message that was acknowledged before the backup began is in it, and none of which there is only a part."""
    server = make_posthorn().with_people().start()
    deliver(server, range(50))
    more, enough = [], threading.Event()

    def keep_delivering():
        with SmtpWire(server, "smtp") as client:
            client.ehlo()
            n = 1000
            while not enough.is_set():
                assert client.deliver("ann@other.test", [TOM], message(n)).startswith("250")
                more.append(n)
                n += 1

    load = threading.Thread(target=keep_delivering)
    load.start()
    server.wait_until(lambda: len(more) > 10, "some messages")
    before = list(more)
    said = server.cli("backup", backup)
    enough.set()
    load.join()
    old = uids(server)
    certificate = (server.data_dir / "tls" / "cert.pem").read_bytes()
    assert said["copied"] == said["bytes"] > 0
    assert server.cli("status")["last_backup"] == said["time"]
    assert not (server.data_dir / "store" / "backup").exists()
    server.stop()

    said = restore(server, backup)
    assert said["accounts"] == 2 and said["mailboxes"] == 12
    server.start()
    found = numbers(server)
    assert set(range(50)) | set(before) <= set(found) <= set(range(50)) | set(more)
    assert len(found) == len(set(found))
    assert (server.data_dir / "tls" / "cert.pem").read_bytes() == certificate, "clients have seen it"
    new = uids(server)
    assert len({uid.split(".")[0] for uid in new}) == 1
    assert int(new[0].split(".")[0]) > int(old[0].split(".")[0])
    assert [uid.split(".")[1] for uid in new] == [uid.split(".")[1] for uid in old[:len(new)]]
    deliver(server, [7777])
    assert numbers(server) == [*found, 7777]


def test_the_second_copies_what_is_new(make_posthorn, backup):
    server = make_posthorn().with_people().start()
    deliver(server, range(300))
    first = server.cli("backup", backup)
    deliver(server, [300])
    second = server.cli("backup", backup)
    assert second["copied"] < first["copied"] / 4
    assert len(list((backup / "files").iterdir())) <= second["files"], "what only the first had is gone"
    server.stop()
    third = server.cli("backup", backup)  # by a vault of the command's own
    assert third["bytes"] > 0
    restore(server, backup)
    server.start()
    assert numbers(server) == list(range(301))


@pytest.fixture
def made(make_posthorn, backup):
    """A server that is stopped, and its backup; one message for another server was in the queue."""
    server = make_posthorn(dns="127.0.0.1@9").with_people().start()
    deliver(server, range(20))
    with server.submission(FRED) as client:
        client.sendmail(FRED, ["bob@other.test"], "Subject: out\r\n\r\n.\r\n")
    server.cli("backup", backup)
    server.stop()
    return server


def refused(server, *arguments):
    result = server.run(*arguments)
    assert result.returncode == 1, result.stdout
    return result.stderr


def test_a_flipped_byte_is_refused_by_name(made, backup):
    made.data_dir = made.directory / "restored"
    made.write_config()
    good = (backup / "manifest").read_text()
    for line in good.splitlines():
        if not line.startswith("file "):
            continue
        _, digest, size, name = line.split()
        path = backup / "files" / digest
        whole = path.read_bytes()
        if not whole:
            continue
        path.write_bytes(whole[:len(whole) // 2] + bytes([whole[len(whole) // 2] ^ 1]) + whole[len(whole) // 2 + 1:])
        assert name in refused(made, "restore", backup)
        path.unlink()
        assert name in refused(made, "restore", backup)
        path.write_bytes(whole)
    for at in range(0, len(good), 37):
        (backup / "manifest").write_text(good[:at] + ("#" if good[at] != "#" else "-") + good[at + 1:])
        assert "manifest" in refused(made, "restore", backup) or at < 20
    assert not made.data_dir.exists(), "nothing was changed"
    (backup / "manifest").write_text(good)
    made.cli("restore", backup)


def test_an_interrupted_backup_is_refused(made, backup):
    (backup / "manifest").unlink()
    whole = made.data_dir
    made.data_dir = made.directory / "restored"
    made.write_config()
    assert "interrupted" in refused(made, "restore", backup)
    made.data_dir = whole
    made.write_config()
    made.cli("backup", backup)  # begins where nothing is complete
    restore(made, backup)


def test_it_refuses(made, backup):
    assert "has a store already" in refused(made, "restore", backup)
    made.start()
    assert "posthorn serve" in refused(made, "restore", backup)
    other = made.directory / "other"
    other.mkdir()
    (other / "file").touch()
    assert "other files" in refused(made, "backup", other)
    made.hostname = "another.acompany.test"
    made.write_config()
    assert "mail.acompany.test" in refused(made, "backup", backup)
    assert made.run("restore", backup, "--queue", "send").returncode == 2


@pytest.mark.parametrize("option, left, held", [(None, 1, True), ("hold", 1, True), ("keep", 1, False), ("drop", 0, None)])
def test_the_queue(made, backup, option, left, held):
    restore(made, backup, *(["--queue", option] if option else []))
    made.start()
    entries = made.cli("queue", "list")
    assert len(entries) == left
    if entries:
        assert entries[0]["held"] == held


def test_an_interrupted_restore(made, backup):
    """Where it was copying, and where the store was not renewed yet: nothing is served, and it begins anew."""
    restore(made, backup)
    mark = made.data_dir / "store" / "RESTORING"
    assert not mark.exists()
    mark.touch()
    assert "posthorn restore" in refused(made, "serve")
    assert "posthorn restore" in refused(made, "account", "list")
    made.cli("restore", backup)
    assert not mark.exists()
    (made.data_dir / "store").rename(made.data_dir / "restoring")
    assert "posthorn restore" in refused(made, "serve")
    made.cli("restore", backup)
    assert not (made.data_dir / "restoring").exists()
    made.start()
    assert numbers(made) == list(range(20))


@pytest.mark.root
def test_a_full_disk(made, backup, tmp_path):
    """The backup before stays whole, and what was copied goes."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "none", disk], check=True)
    try:
        made.cli("backup", disk / "here")
        before = (disk / "here" / "manifest").read_text()
        room = os.statvfs(disk)
        (disk / "filler").write_bytes(b"x" * (room.f_bavail * room.f_frsize - 40_000))
        made.start()
        deliver(made, range(1000, 1100))
        assert "No space left" in refused(made, "backup", disk / "here")
        assert not (made.data_dir / "store" / "backup").exists()
        made.stop()
        assert (disk / "here" / "manifest").read_text() == before
        restore(made, disk / "here")
        made.start()
        assert numbers(made) == list(range(20))
        made.stop()
    finally:
        subprocess.run(["umount", disk], check=True)


def test_interrupted_by_hand(made, backup):
    """SIGINT: the backup before stays whole, and nothing is left, neither here nor in the store."""
    made.start()
    deliver(made, range(1000, 1300))
    before = sorted(path.name for path in backup.rglob("*"))
    process = subprocess.Popen([str(BUILD / "posthorn"), "backup", str(backup)], stderr=subprocess.PIPE, text=True,
                               env=made._environment())
    made.wait_until(lambda: process.poll() is not None or (made.data_dir / "store" / "backup").exists(), "it has begun")
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    assert not (made.data_dir / "store" / "backup").exists() or process.returncode < 0
    if process.returncode == 1:
        assert "interrupted" in said
        assert sorted(path.name for path in backup.rglob("*")) == before
    made.cli("backup", backup)
    assert not (made.data_dir / "store" / "backup").exists()
