"""`posthorn check --repair DIR`: what can be read of a damaged store goes into a new data directory, and is served."""

import json
import os
import re
import shutil

import pytest

from harness import imap
from harness.wire import Pop3Wire, SmtpWire
from test_damage import COUNT, FRED, TOM, flip, message



@pytest.fixture
def server(make_posthorn):
    """Tom has 300 messages and Fred one, in table and body files; one for another server is in the queue."""
    server = make_posthorn(dns="127.0.0.1@9").with_people().start()  # nobody answers: it waits
    with SmtpWire(server, "smtp") as client:
        client.ehlo()
        for n in range(COUNT):
            assert client.deliver("ann@other.test", [TOM], message(n, 10_000)).startswith("250")
        assert client.deliver("ann@other.test", [FRED], message(0, 1_000)).startswith("250")
    with server.submission(FRED) as client:
        client.sendmail(FRED, ["bob@other.test"], "Subject: out\r\n\r\n.\r\n")
    server.kill()
    server.start()
    server.stop()
    return server


def numbers(server):
    """The numbers of Tom's messages, in order; every one is as it was sent."""
    found = []
    with Pop3Wire(server, "pop3s") as client:
        client.sign_on(TOM)
        count = int(client.say("STAT").split()[1])
        for n in range(1, count + 1):
            assert client.say(f"RETR {n}").startswith("+OK"), "what was taken over can be read"
            text = b"".join(client.lines())
            number = int(re.search(rb"^Subject: number (\d+)", text, re.M).group(1))
            assert text.endswith(message(number, 10_000))
            found.append(number)
    return found


def files(server):
    return {p.name: p.read_bytes() for p in (server.data_dir / "store").iterdir()}


def repair(server):
    """Repairs into a new directory, and lets the server use that. What the command said."""
    before = files(server)
    directory = server.directory / "new"
    said = server.cli("check", "--repair", directory)
    after = files(server)
    assert {name for name in before if before[name] != after.get(name)} <= {"LOG"}, "the old store stays as it is"
    server.data_dir = directory
    server.write_config()
    check = server.run("check")
    assert check.returncode == 0, check.stdout + check.stderr
    return said


def test_a_damaged_body_costs_one_message(server):
    flip(server, "blob")
    certificate = (server.data_dir / "tls" / "cert.pem").read_bytes()
    said = repair(server)
    lost = [row for row in said["told"] if "is lost" in row["text"]]
    assert len(lost) == 1 and lost[0]["address"] == TOM
    server.start()
    good = numbers(server)
    assert len(set(good)) == COUNT - 1
    assert (server.data_dir / "tls" / "cert.pem").read_bytes() == certificate, "clients have seen it"
    assert len(server.inbox(FRED)) == 1
    assert len(server.cli("queue", "list")) == 1
    with SmtpWire(server, "smtp") as client:
        client.ehlo()
        assert client.deliver("ann@other.test", [TOM], message(COUNT, 10_000)).startswith("250")
    assert numbers(server) == [*good, COUNT]


def test_a_damaged_table_costs_no_message(server):
    """The rows of a block are made again from what others tell; the bodies are not in it."""
    flip(server, "sst")
    said = repair(server)
    assert said["told"], "what was made again is named"
    server.start()
    assert set(numbers(server)) == set(range(COUNT))
    assert len(server.inbox(FRED)) == 1


def test_names_stay_as_they_were_spelled(server):
    names = [f"e&AwE-{n:02}" for n in range(40)]
    server.start()
    with imap.client(server, TOM) as client:
        for name in names:
            assert client.create(name)[0] == "OK"
    server.kill()  # the next start puts them into tables
    server.start()
    server.stop()
    repair(server)
    server.start()
    with imap.client(server, TOM) as client:
        listed = [line.decode().rsplit(" ", 1)[1].strip('"') for line in client.list('""', "&AOk-*")[1] if line]
    assert sorted(listed) == names


def damages(path):
    """A byte flipped at several places of a file, its index and its end among them; and the file missing."""
    good = path.read_bytes()
    for at in sorted({len(good) * step // 8 for step in range(8)} | {len(good) - 10, len(good) - 60, len(good) - 500}):
        path.write_bytes(good[:at] + bytes([good[at] ^ 0x55]) + good[at + 1:])
        yield at
    path.unlink()
    yield "missing"
    path.write_bytes(good)


def test_whatever_is_damaged(server):
    """Wherever a table is damaged: no message whose body can be read is lost, and what comes of it is in order."""
    old = server.data_dir
    for path in old.rglob("*.sst"):
        if path.stat().st_size < 20_000:
            continue  # the bodies' own table, the trace
        path_size = path.stat().st_size
        for where in damages(path):
            server.data_dir = old
            server.write_config()
            directory = server.directory / f"{path.stem}-{where}"
            said = server.run("--json", "check", "--repair", directory)
            if said.returncode:  # without its index nothing in the table can be found
                assert "of no account could anything be read" in said.stderr
                assert not list(directory.iterdir())
                assert where == "missing" or where > path_size * 7 // 8
                continue
            assert json.loads(said.stdout)["emails"] == COUNT + 1
            server.data_dir = directory
            server.write_config()
            check = server.run("check")
            assert check.returncode == 0, f"{path.name} {where}: {check.stdout}{check.stderr}"


def test_it_refuses(server):
    directory = server.directory / "new"
    directory.mkdir()
    (directory / "file").touch()
    result = server.run("check", "--repair", directory)
    assert result.returncode == 1 and "not empty" in result.stderr
    server.start()
    (directory / "file").unlink()
    result = server.run("check", "--repair", directory)
    assert result.returncode == 1 and "posthorn serve" in result.stderr
    assert not list(directory.iterdir())


def test_to_another_disk(server):
    """Where the new directory cannot be reached by a rename, files are copied."""
    other = "/dev/shm"
    if not os.path.isdir(other) or os.stat(other).st_dev == server.data_dir.stat().st_dev:
        pytest.skip("there is no other disk here")
    directory = f"{other}/posthorn-test-{os.getpid()}"
    try:
        said = server.run("check", "--repair", directory)
        assert said.returncode == 0 and directory in said.stdout, said.stderr
        server.data_dir = type(server.data_dir)(directory)
        server.write_config()
        server.start()
        assert set(numbers(server)) == set(range(COUNT))
        server.stop()
    finally:
        shutil.rmtree(directory, ignore_errors=True)
