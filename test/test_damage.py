"""A damaged block on disk costs the rows in it and nothing else."""

import re

import pytest

from harness.wire import Pop3Wire, SmtpWire

FRED, TOM = "fred@acompany.test", "tom@acompany.test"
COUNT = 300


def message(n, size):
    line = b"%05d " % n + b"x" * 70 + b"\r\n"
    return b"Subject: number %d\r\n\r\n" % n + line * (size // len(line))


@pytest.fixture
def server(make_posthorn):
    """Tom has 300 messages of 10 KB and Fred one, in files: what was in the log is written to tables at the start
    that follows a crash."""
    server = make_posthorn().with_people().start()
    with SmtpWire(server, "smtp") as client:
        client.ehlo()
        for n in range(COUNT):
            assert client.deliver("ann@other.test", [TOM], message(n, 10_000)).startswith("250")
        assert client.deliver("ann@other.test", [FRED], message(0, 1_000)).startswith("250")
    server.kill()
    server.start()
    server.stop()
    return server


def largest(server, suffix):
    return max(server.data_dir.rglob(f"*.{suffix}"), key=lambda f: f.stat().st_size)


def index_of(table):
    """Where it begins: the third number in the footer, seven bits a byte."""
    footer = table.read_bytes()[-52:]
    numbers = re.findall(rb"[\x80-\xff]*[\x00-\x7f]", footer, re.S)
    return sum((byte & 0x7f) << 7 * i for i, byte in enumerate(numbers[2]))


def flip(server, suffix, at=None, choose=max, count=1):
    """One byte, or more, in the largest file with this suffix: a quarter into it, which in a table is what messages look like, or
    at that place, from the end if it is negative."""
    path = choose(server.data_dir.rglob(f"*.{suffix}"), key=lambda f: f.stat().st_size)
    size = path.stat().st_size
    at = size // 4 if at is None else at % size
    with open(path, "r+b") as file:
        file.seek(at)
        found = file.read(count)
        file.seek(at)
        file.write(bytes(byte ^ 0x55 for byte in found))
    return path


def readable(server):
    """The numbers of Tom's messages that POP3 gives as they were; it must answer to each."""
    numbers = []
    with Pop3Wire(server, "pop3s") as client:
        client.sign_on(TOM)
        count = int(client.say("STAT").split()[1])
        for n in range(1, count + 1):
            if not client.say(f"RETR {n}").startswith("+OK"):
                continue
            text = b"".join(client.lines())
            number = int(re.search(rb"^Subject: number (\d+)", text, re.M).group(1))
            assert text.endswith(message(number, 10_000)), "what is given out is as it came"
            numbers.append(number)
    return numbers


def test_byte_flipped_in_a_body_file(server):
    flip(server, "blob")
    server.start()
    good = readable(server)
    assert COUNT - 10 <= len(good) < COUNT and len(set(good)) == len(good)
    with SmtpWire(server, "smtp") as client:
        client.ehlo()
        assert client.deliver("ann@other.test", [TOM], message(COUNT, 10_000)).startswith("250")
    assert readable(server) == [*good, COUNT]
    assert len(server.inbox(FRED)) == 1, "others are not concerned"
    result = server.run("check")
    assert result.returncode == 1 and TOM in result.stdout + result.stderr


@pytest.mark.parametrize("at", [2, -1])
def test_byte_flipped_in_the_frame_of_a_body_file(server, at):
    """Where no body stands, and which is read before any: it is put right, and costs nothing."""
    flip(server, "blob", at)
    server.start()
    assert server.events("store-mended")
    assert readable(server) == list(range(COUNT))
    assert server.run("check").returncode == 0


@pytest.mark.parametrize("at", [-1, -80, -500, None])
def test_byte_flipped_where_a_table_has_no_rows(server, at):
    """In its footer, the lists before that, and its index: it is put right, and costs nothing."""
    flip(server, "sst", at or index_of(largest(server, "sst")) + 3)
    server.start()
    assert readable(server) == list(range(COUNT))
    assert server.events("store-mended")
    assert server.run("check").returncode == 0


def test_table_that_cannot_be_opened(server):
    """Its footer has two wrong bytes. Here it is the smallest one, which tells where bodies lie, or the trace."""
    path = flip(server, "sst", -2, min, count=2)
    server.start()
    assert server.wait_for("store-damaged")["file"] == path.name
    status = server.run("status")
    assert status.returncode == 1 and "damaged" in status.stderr
    with SmtpWire(server, "smtp") as client:
        client.ehlo()
        assert client.deliver("ann@other.test", [FRED], message(7, 1_000)).startswith("250")
    for _ in range(2):
        with Pop3Wire(server, "pop3s") as client:
            client.sign_on(FRED)
            assert client.say("STAT").startswith("+OK 2 ")
            assert client.say("RETR 2").startswith("+OK") and b"Subject: number 7\r\n" in client.lines()
        server.restart()


def test_check_sees_every_block(server):
    """Wherever a byte of the accounts' and the directory's table is wrong; only its filter holds no rows."""
    path = largest(server, "sst")
    good = path.read_bytes()
    for at in range(50, len(good) * 8 // 10, len(good) // 20):
        path.write_bytes(good[:at] + bytes([good[at] ^ 0x55]) + good[at + 1:])
        result = server.run("check")
        assert result.returncode == 1 and "Corruption" in result.stdout, f"byte {at}: {result.stdout}{result.stderr}"
    path.write_bytes(good)
    assert server.run("check").returncode == 0


def test_byte_flipped_in_a_table(server):
    flip(server, "sst")
    server.start()
    with SmtpWire(server, "smtp") as client:
        client.ehlo()
        assert client.deliver("ann@other.test", [FRED], message(1, 1_000)).startswith("250")
    assert len(server.inbox(FRED)) == 2
    result = server.run("check")
    assert result.returncode == 1 and result.stdout + result.stderr
