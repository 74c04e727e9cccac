"""Starting, stopping, reloading; and what an operator reads when something is in the way."""

import contextlib
import os
import signal
import socket
import ssl
import subprocess

import pytest

from harness import free_port
from harness.server import trusting_tls
from harness.wire import Pop3Wire, SmtpWire

FRED, TOM = "fred@acompany.test", "tom@acompany.test"


def refusal(server):
    """Starts what must not start: exit status 1 and one place to look."""
    with pytest.raises(AssertionError, match="ended with 1"):
        server.start()
    return server.log.text()


def certificate(directory, name):
    key, pem = directory / f"{name}.key", directory / f"{name}.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-subj", f"/CN={name}.test", "-keyout", key, "-out", pem], check=True, capture_output=True)
    return f'tls {{ certificate = "{pem}" key = "{key}" }}', pem


def seen(server):
    """The certificate a client of port 465 is shown."""
    with socket.create_connection(("127.0.0.1", server.ports["submissions"])) as s:
        with trusting_tls().wrap_socket(s, server_hostname="one.test") as tls:
            return ssl.DER_cert_to_PEM_cert(tls.getpeercert(True))


@pytest.mark.parametrize("settings, says", [
    ('frob = "x"', "frob"),
    ('dns { servers = {"127.0.0.1@99999"} }', "127.0.0.1@99999"),
    ('queue { retry = {"soon"} }', "soon"),
    ('limits { message-size = "big" }', "big"),
    ('engine = "postgresql://db"', "postgresql"),
    ('network "x" { from = {"1.2.3.4.5"} }', "1.2.3.4.5"),
    ('hostname = ', "posthorn.conf"),
])
def test_configuration_errors_name_file_and_line(make_posthorn, settings, says):
    server = make_posthorn(settings=settings)
    line = next(n for n, text in enumerate(server.config.read_text().splitlines(), 1) if text == settings)
    result = server.run("check-config")
    assert result.returncode == 1
    assert f"{server.config}:{line}" in result.stderr or f"{server.config}:{line + 1}" in result.stderr
    assert says in result.stderr
    assert says in refusal(server)


def test_good_configuration(make_posthorn):
    assert make_posthorn().run("check-config").returncode == 0


def test_missing_configuration(make_posthorn):
    result = make_posthorn().run("--config", "/nonexistent/posthorn.conf", "status")
    assert result.returncode == 1 and "/nonexistent/posthorn.conf" in result.stderr


def test_port_in_use(make_posthorn):
    server = make_posthorn().with_people()
    with socket.create_server(("127.0.0.1", server.ports["pop3"])):
        assert f"127.0.0.1:{server.ports['pop3']}" in refusal(server)
    server.start()


def test_unreadable_certificate(make_posthorn):
    server = make_posthorn().with_people()
    server.write_config('tls { certificate = "/nonexistent/cert.pem" key = "/nonexistent/key.pem" }')
    assert "/nonexistent/cert.pem" in refusal(server)


def test_key_of_another_certificate(make_posthorn):
    server = make_posthorn().with_people()
    certificate(server.directory, "one")
    certificate(server.directory, "two")
    server.write_config(f'tls {{ certificate = "{server.directory}/one.pem" key = "{server.directory}/two.key" }}')
    assert "two.key" in refusal(server)


def test_data_directory_that_cannot_be_made(make_posthorn):
    server = make_posthorn(data_dir="/proc/nothing/data")
    assert "/proc/nothing/data" in refusal(server)


def test_reload_takes_a_new_certificate(make_posthorn):
    server = make_posthorn().with_people()
    block, one = certificate(server.directory, "one")
    server.write_config(block)
    server.start()
    assert seen(server) == one.read_text()
    with SmtpWire(server, "submissions") as client:
        certificate(server.directory, "one")
        mark = server.mark()
        server.reload()
        server.wait_for("reloaded", since=mark)
        assert seen(server) == one.read_text()
        assert client.ehlo(), "whoever was there stays"


@pytest.mark.parametrize("broken", ["missing", "garbage", "key"])
def test_reload_of_a_broken_certificate_changes_nothing(make_posthorn, broken):
    server = make_posthorn().with_people()
    block, one = certificate(server.directory, "one")
    key = server.directory / "one.key"
    server.write_config(block)
    server.start()
    before, path = one.read_text(), key if broken == "key" else one
    if broken == "missing":
        path.unlink()
    else:
        path.write_text("no certificate\n")
    mark = server.mark()
    server.reload()
    assert str(path) in server.wait_for("reload-failed", since=mark)["cause"]
    assert seen(server) == before


def test_reload_of_a_broken_configuration_changes_nothing(posthorn):
    posthorn.write_config('frob = "x"')
    mark = posthorn.mark()
    posthorn.reload()
    posthorn.log.wait(lambda line: "frob" in line, "a complaint about frob", since=mark)
    with SmtpWire(posthorn, "smtp") as client:
        assert client.greeting.startswith("220")


def reload_to(server, **pairs):
    """SIGHUP, and waits until every room goes by the new configuration."""
    mark = server.mark()
    server.reload()
    server.wait_for("reloaded", since=mark)
    return mark


def refuses(port):
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionRefusedError:
        return True
    return False


@pytest.mark.parametrize("protocol", ["smtp", "pop3"])
def test_reload_opens_and_closes_ports(posthorn, protocol):
    """Of either gate; whoever came in by a port that is closed now stays."""
    wire = SmtpWire if protocol == "smtp" else Pop3Wire
    before = posthorn.ports[protocol]
    with wire(posthorn, protocol) as client:
        posthorn.ports[protocol] = free_port()
        posthorn.write_config()
        mark = reload_to(posthorn)
        posthorn.wait_for("not-listening", since=mark, service=protocol)
        posthorn.wait_until(lambda: refuses(before), "nobody at the old port")
        with wire(posthorn, protocol) as other:
            assert other.greeting[:3] in ("220", "+OK")
        assert client.say("NOOP" if protocol == "smtp" else "CAPA")[:3] in ("250", "+OK")
    assert not posthorn.events("room-died")
    posthorn.restart()
    with wire(posthorn, protocol) as client:
        assert client.greeting[:3] in ("220", "+OK")


def test_reload_to_a_port_in_use_changes_nothing(posthorn):
    before = posthorn.ports["pop3"]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        posthorn.ports["pop3"] = taken.getsockname()[1]
        posthorn.write_config()
        mark = posthorn.mark()
        posthorn.reload()
        failed = posthorn.wait_for("reload-failed", since=mark)
        assert f"127.0.0.1:{posthorn.ports['pop3']}: Address already in use" in failed["cause"]
    posthorn.ports["pop3"] = before
    with Pop3Wire(posthorn, "pop3") as client:
        assert client.greeting.startswith("+OK")


@pytest.mark.parametrize("name", ["data-dir", "control-socket"])
def test_reload_says_what_needs_a_restart(posthorn, name):
    text = posthorn.config.read_text()
    elsewhere = f'{name} = "{posthorn.directory}/elsewhere"\n'
    posthorn.config.write_text("".join(line for line in text.splitlines(True) if not line.startswith(name)) + elsewhere)
    mark = posthorn.mark()
    posthorn.reload()
    failed = posthorn.wait_for("reload-failed", since=mark)
    assert name in failed["cause"] and "restart" in failed["cause"]
    assert not (posthorn.directory / "elsewhere").exists()
    posthorn.config.write_text(text)


def test_reload_takes_new_limits(posthorn):
    with SmtpWire(posthorn, "smtp") as client:
        posthorn._limits = 'connections-per-address = 1 message-size = "100K"'
        posthorn.write_config()
        reload_to(posthorn)
        assert SmtpWire(posthorn, "smtp").greeting.startswith("421")
        assert client.ehlo(), "whoever was there stays"

    def welcomed():  # as soon as the server has noticed that the first one left
        wire = SmtpWire(posthorn, "smtp")
        return wire if wire.greeting.startswith("220") else None
    with posthorn.wait_until(welcomed, "room for another connection") as client:
        assert client.ehlo()["SIZE"] == str(100 * 1024)


def test_reload_takes_the_disk_reserve_and_the_log_level(posthorn):
    posthorn._limits = 'disk-reserve = "1024G"'
    posthorn.write_config(settings='log-level = "debug"')
    reload_to(posthorn)
    assert posthorn.run("status").returncode == 1
    with SmtpWire(posthorn, "smtp") as client:
        client.ehlo()
    posthorn.log.wait(lambda line: " debug " in line, "a line for those who look for the cause")
    posthorn._limits = ""
    posthorn.write_config(settings="")
    reload_to(posthorn)
    assert posthorn.run("status").returncode == 0


def test_own_certificate_is_kept(posthorn):
    first = seen(posthorn)
    posthorn.restart()
    assert seen(posthorn) == first


def test_sigterm_finishes_the_message_under_way(posthorn):
    client = SmtpWire(posthorn, "smtp")
    client.ehlo()
    client.begin("ann@other.test", TOM)
    client.send(b"Subject: under way\r\n\r\nfirst line\r\n")
    posthorn.process.send_signal(signal.SIGTERM)
    client.send(b"last line\r\n.\r\n")
    answer = client.reply()
    posthorn.stop()
    posthorn.start()
    assert len(posthorn.inbox(TOM)) == (1 if answer.startswith("250") else 0)


# The rooms

def children(server):
    """{"mx": pid, "users": pid, "vault": pid} by what the processes were started as."""
    found = {}
    tasks = f"/proc/{server.process.pid}/task/{server.process.pid}/children"
    for pid in map(int, open(tasks).read().split()):
        words = open(f"/proc/{pid}/cmdline").read().split("\0")
        program = os.path.basename(words[0])
        found["vault" if "vault" in program else "mx" if "--mx" in words else "users"] = pid
    return found


def process_status(pid):
    return dict(line.split(":\t", 1) for line in open(f"/proc/{pid}/status").read().splitlines() if ":\t" in line)


def test_three_processes_with_nothing_to_gain(posthorn):
    rooms = children(posthorn)
    assert set(rooms) == {"mx", "users", "vault"}
    for pid in rooms.values():
        status = process_status(pid)
        assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
        assert int(status["CapEff"], 16) == 0


@pytest.mark.root
def test_started_as_root_the_rooms_are_three_users(posthorn):
    users = {name: process_status(pid)["Uid"].split()[0] for name, pid in children(posthorn).items()}
    assert users["mx"] == users["users"] != users["vault"] and "0" not in users.values()
    assert os.stat(posthorn.data_dir).st_mode & 0o066 == 0


def test_the_gate_does_not_even_link_the_store(posthorn):
    def libraries(program):
        from harness import BUILD
        return subprocess.run(["ldd", BUILD / program], capture_output=True, text=True).stdout
    for name in ("rocksdb", "argon2", "gsasl"):
        assert name not in libraries("posthorn-gate") and name in libraries("posthorn-vault")
    for name in ("unbound", "libssl"):
        assert name in libraries("posthorn-gate") and name not in libraries("posthorn-vault")


def test_no_descriptor_of_the_gate_is_in_the_data_directory(posthorn):
    rooms = children(posthorn)
    for name in ("mx", "users"):
        seen = 0
        for fd in os.listdir(f"/proc/{rooms[name]}/fd"):
            with contextlib.suppress(FileNotFoundError):  # closed meanwhile
                assert str(posthorn.data_dir) not in os.readlink(f"/proc/{rooms[name]}/fd/{fd}")
                seen += 1
        assert seen > 3


def test_a_dead_gate_is_started_alone(posthorn):
    before = children(posthorn)
    with SmtpWire(posthorn, "submissions") as client:
        os.kill(before["mx"], signal.SIGKILL)
        assert client.ehlo(), "the other gate does not notice"
        with SmtpWire(posthorn, "smtp") as stranger:
            assert stranger.greeting.startswith("220")
    after = children(posthorn)
    assert after["mx"] != before["mx"]
    assert (after["users"], after["vault"]) == (before["users"], before["vault"])


def kill_vault(server):
    """What clients hear of it: one amid a message, and one that does nothing. None: the gate was not quick enough to say it
    in the seconds that it has, for the machine had other things to do."""
    mark = server.mark()
    with SmtpWire(server, "smtp") as client, SmtpWire(server, "smtp") as idle:
        client.ehlo()
        client.begin("ann@other.test", TOM)
        os.kill(children(server)["vault"], signal.SIGKILL)
        heard = client.say(b"Subject: x\r\n\r\n.\r\n"), idle.reply()
    for room in ("mx", "users"):
        server.wait_for("room-ended", since=mark, room=room)
    return None if server.events("room-killed", since=mark, room="mx") else heard


def test_after_a_dead_vault_everything_goes_on(posthorn):
    with posthorn.smtp() as client:
        client.sendmail("ann@other.test", [TOM], "Subject: before\r\n\r\n")
    before = children(posthorn)
    busy, idle = next(filter(None, (kill_vault(posthorn) for _ in range(5))))
    assert busy[:3] in ("421", "451") and idle.startswith("421")
    with SmtpWire(posthorn, "smtp") as client:
        assert client.greeting.startswith("220")
        client.ehlo()
        assert client.deliver("ann@other.test", [TOM], b"Subject: after\r\n\r\n").startswith("250")
    assert len(posthorn.inbox(TOM)) == 2
    assert not set(children(posthorn).values()) & set(before.values())


def test_passwords_and_bodies_are_not_in_the_log(posthorn):
    with posthorn.submission(FRED) as client:
        client.sendmail(FRED, [TOM], "Subject: x\r\n\r\nthe secret of the body\r\n")
    posthorn.inbox(TOM)
    text = posthorn.log.text()
    assert "correct horse" not in text and "secret of the body" not in text


def test_every_line_about_a_message_has_its_id(posthorn):
    with posthorn.smtp() as client:
        client.sendmail("ann@other.test", [TOM], "Subject: x\r\n\r\n")
    posthorn.wait_for("received")
    about = [e for e in posthorn.events() if any("ann@other.test" in value for value in e.values())]
    assert about and all("id" in event for event in about)
