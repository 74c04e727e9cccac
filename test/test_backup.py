"""`posthorn backup DIR` and `posthorn restore DIR`."""

import fcntl
import hashlib
import os
import re
import resource
import signal
import subprocess
import threading

import pytest

from harness import BUILD, DEADLINE_S, imap
from harness.processes import kill_group
from harness.wire import Pop3Wire, SmtpWire

FRED, TOM = "fred@acompany.test", "tom@acompany.test"


def message(n, size=12000):
    """So large that it lies in a file of bodies, which no compaction changes."""
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
    try:
        server.wait_until(lambda: len(more) > 10, "some messages")
        before = list(more)
        said = server.cli("backup", backup)
    finally:
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
    server.cli("backup", backup)
    had = {path: path.stat() for path in (backup / "files").iterdir()}
    deliver(server, [300])
    second = server.cli("backup", backup)
    kept = [path for path, was in had.items() if path.exists() and path.stat().st_ino == was.st_ino]
    assert kept, "which ones, the store's compactions decide"
    assert second["copied"] == second["bytes"] - sum(had[path].st_size for path in kept)
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
        assert name in refused(made, "backup", backup, "--verify")
        path.unlink()
        assert name in refused(made, "restore", backup)
        assert name in refused(made, "backup", backup, "--verify")
        path.write_bytes(whole)
    for at in range(0, len(good), 37):
        (backup / "manifest").write_text(good[:at] + ("#" if good[at] != "#" else "-") + good[at + 1:])
        assert "manifest" in refused(made, "restore", backup) or at < 20
    assert not made.data_dir.exists(), "nothing was changed"
    (backup / "manifest").write_text(good)
    made.cli("restore", backup)


def test_an_interrupted_backup_is_refused(made, backup):
    (backup / "manifest").unlink()
    assert "interrupted" in refused(made, "backup", backup, "--verify")
    whole = made.data_dir
    made.data_dir = made.directory / "restored"
    made.write_config()
    assert "interrupted" in refused(made, "restore", backup)
    made.data_dir = whole
    made.write_config()
    made.cli("backup", backup)  # begins where nothing is complete
    restore(made, backup)


def test_verify(made, backup):
    """It says what there is, changes nothing, and asks for neither a configuration nor a server."""
    before = sizes(backup)
    lines = (backup / "manifest").read_text().splitlines()
    said = made.cli("--config", "/nowhere", "backup", backup, "--verify")
    assert said["hostname"] == made.hostname and said["directory"] == str(backup)
    assert said["files"] == sum(line.startswith("file ") for line in lines)
    assert said["bytes"] == sum(int(line.split()[2]) for line in lines if line.startswith("file "))
    assert sizes(backup) == before
    assert "No such file" in refused(made, "backup", backup / "missing", "--verify")
    assert not (backup / "missing").exists()


def with_line(backup, number, line):
    """The manifest with another line, and the check value that belongs to it."""
    lines = (backup / "manifest").read_bytes().splitlines(keepends=True)[:-1]
    lines[number] = line
    digest = hashlib.sha256(b"".join(lines)).hexdigest()
    (backup / "manifest").write_bytes(b"".join(lines) + f"end {digest}\n".encode())


@pytest.mark.parametrize("number, line, why", [
    (3, b"store-format 1\n", "store of format 1"), (3, b"store-format 99\n", "store of format 99"),
    (2, b"time 9999999999999\n", "from the future"), (0, b"posthorn-backup 9\n", "format 9")])
def test_what_cannot_be_restored_is_refused_before_anything_is_copied(made, backup, number, line, why):
    with_line(backup, number, line)
    made.data_dir = made.directory / "restored"
    made.write_config()
    assert why in refused(made, "backup", backup, "--verify")
    assert why in refused(made, "restore", backup)
    assert not made.data_dir.exists()


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
    while process.poll() is None and not (made.data_dir / "store" / "backup").exists():
        pass  # looked for without a pause: the vault may not even have answered when the signal comes
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=DEADLINE_S)[1]
    assert process.returncode in (0, 1), "what the vault has begun, the command ends"
    assert not (made.data_dir / "store" / "backup").exists()
    if process.returncode == 1:
        assert "interrupted" in said
        assert sorted(path.name for path in backup.rglob("*")) == before
    made.cli("backup", backup)
    assert not (made.data_dir / "store" / "backup").exists()


def killed(server, arguments, when):
    """The command and its vault, ended by SIGKILL as soon as when() holds, or done before; returns when both are gone. What is
    to be met lasts for milliseconds, so it is looked for without a pause."""
    process = subprocess.Popen([str(BUILD / "posthorn"), *map(str, arguments)], stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, env=server._environment(), start_new_session=True)
    while process.poll() is None and not when():
        pass
    kill_group(process)
    try:
        with open(server.data_dir / "store" / "LOCK", "r+b") as lock:
            fcntl.lockf(lock, fcntl.LOCK_EX)  # the kernel gives it once the vault has ended
    except FileNotFoundError:
        pass
    return process.wait() == -signal.SIGKILL


def cut_off(server, arguments, size):
    """The command, which the kernel ends in the middle of the first file that is longer than size."""
    def limit():
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    process = subprocess.run([str(BUILD / "posthorn"), *map(str, arguments)], capture_output=True, text=True,
                             env=server._environment(), preexec_fn=limit)
    assert process.returncode == -signal.SIGXFSZ, process.stderr


def sizes(backup):
    """Of the store's files, in the order in which they are copied."""
    return [int(line.split()[2]) for line in (backup / "manifest").read_text().splitlines() if " store/" in line]


def count(directory):
    try:
        return len(os.listdir(directory))
    except FileNotFoundError:
        return 0


def use(server, data_dir):
    server.data_dir = data_dir
    server.write_config()


@pytest.mark.parametrize("files", [1, 4, 10])
def test_a_killed_backup(made, backup, files):
    """The first is none; a later one leaves the one before whole."""
    source, first = made.data_dir, backup.parent / "first"
    if killed(made, ["backup", first], lambda: count(first / "files") >= files):
        assert (first / "manifest").exists() or "interrupted" in refused_elsewhere(made, first)
    use(made, source)
    made.cli("backup", first)
    made.start()
    deliver(made, range(1000, 1100))
    made.stop()
    before, there = (backup / "manifest").read_text(), count(backup / "files")
    killed(made, ["backup", backup], lambda: count(backup / "files") >= there + files)
    complete = (backup / "manifest").read_text() != before
    restore(made, backup)
    made.start()
    assert numbers(made) == list(range(20)) + (list(range(1000, 1100)) if complete else [])
    made.stop()
    use(made, source)
    made.cli("backup", backup)
    assert count(backup / "files") <= len((backup / "manifest").read_text().splitlines()), "what was cut off is gone"
    made.start()
    assert numbers(made) == [*range(20), *range(1000, 1100)]


def refused_elsewhere(server, backup):
    use(server, server.directory / "elsewhere")
    said = refused(server, "restore", backup)
    assert not server.data_dir.exists(), "nothing was changed"
    return said


def tree(directory):
    return {path.relative_to(directory): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


@pytest.mark.parametrize("which", [0, -1])
def test_a_backup_cut_off(made, backup, which):
    """Of a running server, in a small file or a large one: the first is none, and the backup before stays whole."""
    size = sorted({size - 1 for size in sizes(backup) if size})[which]
    first, source, kept = backup.parent / "first", made.data_dir, tree(backup)
    made.start()
    cut_off(made, ["backup", first], size)
    assert not (first / "manifest").exists() and (first / "files" / "incoming").stat().st_size == size
    assert "under way, or was cut off" in refused(made, "backup", first)
    deliver(made, range(1000, 1100))
    made.restart()
    assert not (made.data_dir / "store" / "backup").exists()
    cut_off(made, ["backup", backup], 1)
    assert kept.items() <= tree(backup).items()
    made.stop()
    refused_elsewhere(made, first)
    restore(made, backup)
    made.start()
    assert numbers(made) == list(range(20))
    made.stop()
    use(made, source)
    made.cli("backup", first)
    made.cli("backup", backup)
    assert "incoming" not in os.listdir(first / "files") + os.listdir(backup / "files")


def test_a_restore_cut_off_in_each_file(made, backup):
    """It is no server's store until it is whole; the backup is as it was, and the command begins anew."""
    old, kept = made.data_dir, tree(backup)
    stood = tree(old)
    use(made, made.directory / "restored")
    for size in sorted({size - 1 for size in sizes(backup) if size}):
        cut_off(made, ["restore", backup], size)
        assert (made.data_dir / "restoring" / "RESTORING").exists() and not count(made.data_dir / "store")
        assert "posthorn restore" in refused(made, "serve")
    made.cli("restore", backup)
    assert tree(backup) == kept and tree(old) == stood
    made.start()
    assert numbers(made) == list(range(20))


@pytest.mark.parametrize("place, files", [("restoring", 1), ("restoring", 6), ("store", 1), ("store", 13)])
def test_a_killed_restore(made, backup, place, files):
    """Also while the vault renews what was copied."""
    use(made, made.directory / "restored")
    killed(made, ["restore", backup], lambda: count(made.data_dir / place) >= files)
    half = [path for path in (made.data_dir / "restoring", made.data_dir / "store" / "RESTORING") if path.exists()]
    if half:
        assert refused(made, "serve")
    if half or not count(made.data_dir / "store"):
        made.cli("restore", backup)
    made.start()
    assert numbers(made) == list(range(20))


@pytest.mark.root
@pytest.mark.parametrize("part", [0.5, 0.95, 1.05, 1.3])
def test_a_restore_onto_a_full_disk(made, backup, tmp_path, part):
    """Wherever it stops, no server starts on it, and with more room it begins anew."""
    size = sum(len(data) for data in tree(backup).values())
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"mode=755,size={int(size * part) // 4096 * 4096}", "none", disk], check=True)
    try:
        use(made, disk / "data")
        result = made.run("restore", backup)
        if part < 1:
            assert result.returncode == 1 and "No space left" in result.stderr
        if result.returncode:
            assert not (made.data_dir / "restoring").exists()
            store = made.data_dir / "store"
            assert (store / "RESTORING").exists() or not count(store)
        subprocess.run(["mount", "-o", "remount,size=100m", disk], check=True)
        if result.returncode:
            made.cli("restore", backup)
        made.start()
        assert numbers(made) == list(range(20))
        made.stop()
    finally:
        subprocess.run(["umount", disk], check=True)


def test_one_at_a_time(made, backup):
    """Two that write into one directory would take away each other's files."""
    fd = os.open(backup, os.O_RDONLY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        assert "another backup or restore" in refused(made, "backup", backup)
        assert "another backup or restore" in refused_elsewhere(made, backup)
    finally:
        os.close(fd)


def test_what_is_not_ours_stays(made, backup):
    (backup / "files" / "letters.txt").write_text("somebody's")
    (backup / "files" / ("0" * 64)).write_text("left over")
    made.cli("backup", backup)
    assert (backup / "files" / "letters.txt").exists() and not (backup / "files" / ("0" * 64)).exists()


def test_a_failure_beside_a_damaged_manifest(made, backup):
    """What it names is all that is left to save: a backup that fails takes nothing of it away."""
    (backup / "manifest").write_text((backup / "manifest").read_text()[:-10])
    kept = tree(backup / "files")
    (backup / "manifest.new").mkdir()  # where the new one would be written
    assert "directory" in refused(made, "backup", backup)
    assert kept.items() <= tree(backup / "files").items()
    (backup / "manifest.new").rmdir()
    made.cli("backup", backup)
    restore(made, backup)


@pytest.mark.parametrize("where", ["manifest", "file", "files"])
def test_symbolic_links(made, backup, where):
    """Nothing is read through one: it could lead to what only root may read."""
    if where == "file":
        path = backup / "files" / (backup / "manifest").read_text().splitlines()[4].split()[1]
    else:
        path = backup / where
    path.rename(backup.parent / "elsewhere")
    path.symlink_to(backup.parent / "elsewhere")
    refused_elsewhere(made, backup)


def test_who_may_read(made, backup):
    assert backup.stat().st_mode & 0o777 == 0o700
    assert not [path for path in backup.rglob("*") if path.stat().st_mode & 0o077], "keys and letters"
    old = {path.name: path.stat() for path in (made.data_dir / "store").iterdir()}
    restore(made, backup)
    new = {path.name: path.stat() for path in (made.data_dir / "store").iterdir()}
    assert {(st.st_uid, st.st_gid) for st in new.values()} == {(st.st_uid, st.st_gid) for st in old.values()}
    assert not [name for name, st in new.items() if st.st_mode & 0o077 and not old.get(name, st).st_mode & 0o077]
    assert (made.data_dir / "tls" / "key.pem").stat().st_mode & 0o777 == 0o600
    assert (made.data_dir / "restored.conf").stat().st_mode & 0o777 == 0o600


def test_clients_that_saw_more(made, backup):
    """What was seen after the backup, and is gone, is never taken for what came since: neither by QRESYNC (RFC 7162 §3.2.5.1)
    nor by POP3's UIDL (RFC 1939 §7)."""
    made.start()
    deliver(made, range(1000, 1005))
    with imap.signed_on(made, TOM) as wire:
        wire.ok("ENABLE QRESYNC")
        wire.ok("SELECT INBOX")
        wire.ok(r"STORE 1:* +FLAGS (\Flagged)")
        wire.ok(r"STORE 25 +FLAGS (\Deleted)")
        wire.ok("EXPUNGE")
        validity, modseq = known(wire.ok("SELECT INBOX"))
    seen = set(uids(made))
    made.stop()
    restore(made, backup)
    made.start()
    deliver(made, range(2000, 2010))
    assert seen.isdisjoint(uids(made)) and numbers(made) == [*range(20), *range(2000, 2010)]
    with imap.signed_on(made, TOM) as wire:
        wire.ok("ENABLE QRESYNC")
        lines = wire.ok(f"SELECT INBOX (QRESYNC ({validity} {modseq} 1:25))")
        new_validity, new_modseq = known(lines)
        assert new_validity > validity and new_modseq > modseq
        assert not [line for line in lines if b"VANISHED" in line or b"FETCH" in line], "nothing of another UIDVALIDITY"
        assert b"* 30 EXISTS" in lines
        assert not [line for line in wire.ok("FETCH 1:* (FLAGS)") if b"Flagged" in line], "as it was when it was saved"
        fetched = wire.ok(f"UID FETCH 1:* (FLAGS) (CHANGEDSINCE {modseq})")
        assert len([line for line in fetched if b"FETCH" in line]) == 10


THREADED = re.compile(rb"EMAILID \(E[0-9a-f]+-([0-9a-f]+)\) THREADID \(T([0-9a-f]+)\)")


def put(wire, *letters):
    """Each (number, number that it refers to, subject)."""
    texts = [f"Message-ID: <{n}@x.test>\r\nReferences: <{to}@x.test>\r\nSubject: {subject}\r\n\r\n.\r\n".encode()
             for n, to, subject in letters]
    wire.ok("APPEND Letters" + " {}" * len(texts), *texts)
    wire.ok("SELECT Letters")


def threads(wire, which):
    """(EMAILID, THREADID) of each, without their first letters and the account in the one."""
    return [THREADED.search(line).groups() for line in wire.ok(f"FETCH {which} (EMAILID THREADID)")]


def test_threads(make_posthorn, backup):
    """A letter that was threaded when the backup was made keeps its ids (RFC 8474 §5). Which thread the others are in is found
    out anew, and of the ids that were told since none is ever another letter's or another conversation's."""
    server = make_posthorn().with_people().start()
    with imap.signed_on(server, TOM) as wire:
        wire.ok("CREATE Letters")
        put(wire, (1, 0, "plan"), (2, 1, "Re: plan"), (3, 2, "Re: plan"))
        saved = threads(wire, "1:3")
        put(wire, (4, 0, "other"), (5, 4, "Re: other"))
    server.cli("backup", backup)
    with imap.signed_on(server, TOM) as wire:
        put(wire, (6, 3, "Re: plan"), (7, 0, "new"), (8, 7, "Re: new"), (9, 4, "Re: other"))
        since = threads(wire, "1:*")
    assert since[:3] == saved
    assert [thread for _, thread in since] == [since[n - 1][0] for n in (1, 1, 1, 4, 4, 1, 7, 7, 4)], "whoever began it"
    server.stop()

    restore(server, backup)
    server.start()
    with imap.signed_on(server, TOM) as wire:
        wire.ok("EXAMINE Letters")
        assert threads(wire, "3") == saved[2:], "that it was not the first, only its row tells"
        wire.ok("SELECT Letters")
        [fifth] = threads(wire, "5")
        put(wire, (16, 3, "Re: plan"), (17, 0, "new"), (18, 8, "Re: new"), (19, 4, "Re: other"), (20, 7, "Re: new"))
        now = threads(wire, "1:*")
    assert now[:3] == saved and now[4] == fifth
    assert [email for email, _ in now[:5]] == [email for email, _ in since[:5]]
    assert {email for email, _ in now[5:]}.isdisjoint({email for email, _ in since})
    assert [thread for _, thread in now] == [now[n - 1][0] for n in (1, 1, 1, 5, 5, 1, 7, 8, 5, 10)]
    for thread in {thread for _, thread in since} & {thread for _, thread in now}:
        assert (thread, thread) in now, "it is still the conversation of the letter that began it"
    server.stop()

    server.cli("backup", backup)
    server.data_dir.rename(server.directory / "lost")
    restore(server, backup)
    server.start()
    with imap.signed_on(server, TOM) as wire:
        wire.ok("SELECT Letters")
        assert [threads(wire, n)[0] for n in range(len(now), 0, -1)] == now[::-1], "in whatever order one asks"


def known(lines):
    """UIDVALIDITY and HIGHESTMODSEQ."""
    text = b" ".join(lines)
    return tuple(int(re.search(rb"\[" + word + rb" (\d+)\]", text).group(1)) for word in (b"UIDVALIDITY", b"HIGHESTMODSEQ"))
