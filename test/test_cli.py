"""The command line as its reader meets it: help, wrong usage, JSON wherever it is asked for, what monitors see."""

import json
import os
import shutil
import subprocess

import pytest

from harness import BUILD

FRED = "fred@acompany.test"


def commands():
    """Every command there is, by its own account."""
    result = subprocess.run([BUILD / "posthorn", "--json", "help"], capture_output=True, text=True, check=True)
    return [row["command"] for row in json.loads(result.stdout)]


@pytest.mark.parametrize("command", commands())
def test_every_command_explains_itself(make_posthorn, command):
    for words in ([*command.split(), "--help"], ["help", *command.split()]):
        result = make_posthorn().run(*words)
        assert result.returncode == 0 and not result.stderr
        assert command.split()[-1] in result.stdout.splitlines()[0]
        assert len(result.stdout.splitlines()) >= 2


@pytest.mark.parametrize("arguments, status, says", [
    (["--help"], 0, "usage: posthorn [--config FILE] [--json] COMMAND"),
    (["help", "settings"], 0, "message-size"),
    (["queue", "--help"], 0, "posthorn queue retry ID"),
    (["queue"], 2, "posthorn queue retry ID"),
    (["queue", "frob"], 2, "posthorn queue retry ID"),
    (["frob"], 2, 'no command "frob"'),
    (["domian", "list"], 2, 'no command "domian", perhaps "domain"'),
    (["--frob"], 2, 'no option "--frob"'),
    (["help", "frob"], 2, "no such command"),
    (["help", "bakcup"], 2, 'no such command, perhaps "backup"'),
    (["account", "add", FRED, "--quota=lots"], 2, "--quota: expected a size"),
    (["account", "add", FRED, "--messages=0"], 2, "--messages: expected a number"),
    (["account", "change", FRED, "--messages", "9223372036854775808"], 2, "--messages: expected a number"),
    (["account", "change", FRED], 2, "expected --name, --quota, --messages or --internal-only"),
    (["account", "add", FRED, "--password-stdin=x"], 2, "--password-stdin takes no value"),
    (["account", "change", FRED, "--internal-only", "maybe"], 2, "--internal-only: expected yes or no"),
    (["account", "add"], 2, "usage: posthorn account add ADDRESS"),
    (["account", "list", "--frob"], 2, "unknown option --frob"),
    (["account", "add", FRED, "--name"], 2, "--name needs a value"),
    (["--config"], 2, "--config needs a file"),
    (["status", "--config"], 2, "--config needs a file"),
    (["status", "too", "much"], 2, '"too" is too much'),
], ids=lambda v: " ".join(v) if isinstance(v, list) else "")
def test_help_and_wrong_usage(make_posthorn, arguments, status, says):
    result = make_posthorn().run(*arguments)
    assert result.returncode == status
    text, silent = (result.stderr, result.stdout) if status else (result.stdout, result.stderr)
    assert says in text and not silent
    assert arguments in (["--help"], ["help", "settings"]) or len(text.splitlines()) < 10, "to the point"


def test_help_fits_a_terminal(make_posthorn):
    for words in (["help"], ["help", "settings"]):
        for line in make_posthorn().run(*words).stdout.splitlines():
            assert len(line) <= 80 or line.startswith("posthorn "), line


@pytest.mark.root
def test_whose_the_control_socket_is(posthorn):
    program = shutil.copy2(BUILD / "posthorn", posthorn.directory)  # the build directory may be closed to others
    result = subprocess.run(["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups", program, "status"],
                            env=posthorn._environment(), capture_output=True, text=True)
    assert result.returncode == 1 and "for root and the group posthorn" in result.stderr


def test_options_of_all_commands_may_stand_behind(make_posthorn):
    server = make_posthorn().with_people()
    for words in (["--json", "account", "list"], ["account", "list", "--json"],
                  ["account", "list", "--json", "--config", server.config]):
        assert len(json.loads(server.run(*words).stdout)) == 2
    assert "/nonexistent" in server.run("account", "list", "--config=/nonexistent").stderr


@pytest.mark.parametrize("arguments", [
    ["check-config"], ["help"], ["help", "settings"], ["domain", "add", "second.test"], ["domain", "list"],
    ["domain", "remove", "second.test"], ["account", "add", "ann@acompany.test"], ["account", "list"],
    ["account", "show", FRED], ["account", "suspend", FRED], ["account", "resume", FRED],
    ["alias", "add", "a@acompany.test", FRED], ["alias", "list"], ["alias", "remove", "a@acompany.test"],
    ["account", "remove", "ann@acompany.test"], ["queue", "list"], ["queue", "retry", "--all"], ["check"], ["status"],
], ids=" ".join)
def test_json_is_one_document(shared, arguments):
    result = shared.run("--json", *arguments)
    assert result.returncode == 0, result.stderr
    json.loads(result.stdout)


def test_a_reader_that_leaves_early_is_no_news(make_posthorn):
    server = make_posthorn()
    reader, writer = os.pipe()
    os.close(reader)
    result = subprocess.run([BUILD / "posthorn", "help"], stdout=writer, stderr=subprocess.PIPE, text=True,
                            env={"POSTHORN_CONFIG": str(server.config)})
    os.close(writer)
    assert result.stderr == ""


def test_check_config_says_what_serve_would_say(make_posthorn):
    server = make_posthorn()
    server.config.write_text(f'hostname = "mail.test"\ndata-dir = "{server.data_dir}"\n')
    assert "nothing to serve" in server.run("check-config").stderr
    assert "nothing to serve" in server.run("serve").stderr
    assert not server.data_dir.exists(), "and it made nothing before"


@pytest.mark.root
def test_check_config_reads_the_files_that_are_named(make_posthorn):
    server = make_posthorn(settings='relay { host = "a.test:587" user = "x" password-file = "/nonexistent/pw" }')
    result = server.run("check-config")
    assert result.returncode == 1 and 'relay password-file "/nonexistent/pw": No such file' in result.stderr


@pytest.mark.parametrize("settings, validated, why", [
    ('dns { servers = {"127.0.0.1@9"} }', False, "without a trust-anchor"),
    ('dns { servers = {"127.0.0.1@9"} trust-anchor = "ANCHOR" }', True, "trust-anchor is"),
], ids=["servers", "trust anchor"])
def test_check_config_says_whether_the_dns_is_validated(make_posthorn, tmp_path, settings, validated, why):
    anchor = tmp_path / "anchor"
    anchor.write_text("test. IN DS 1 8 2 " + "0" * 63 + "1\n")
    server = make_posthorn(settings=settings.replace("ANCHOR", str(anchor)))
    text = server.run("check-config").stdout
    assert f"DNS answers {'will' if validated else 'will not'} be validated: " in text and why in text
    told = json.loads(server.run("--json", "check-config").stdout)
    assert told["dns_validated"] is validated and why in told["dns_why"]


@pytest.mark.root
def test_check_config_looks_at_the_data_directory(make_posthorn):
    server = make_posthorn()
    server.data_dir.touch()
    assert "is not a directory" in server.run("check-config").stderr


def test_check_config_looks_at_the_trust_anchor(make_posthorn):
    result = make_posthorn(settings='dns { servers = {"127.0.0.1@9"} trust-anchor = "/nonexistent/anchor" }').run("check-config")
    assert result.returncode == 1 and 'dns trust-anchor "/nonexistent/anchor": No such file' in result.stderr


# posthorn status, as a monitor calls it: 0 is well, 1 wakes somebody, who reads why

# made for this test, and of no use otherwise
EXPIRED = """
-----BEGIN CERTIFICATE-----
MIIBDTCBtAIBATAKBggqhkjOPQQDAjATMREwDwYDVQQDDAhvbGQudGVzdDAeFw0y
MDAxMDEwMDAwMDBaFw0yMTAxMDEwMDAwMDBaMBMxETAPBgNVBAMMCG9sZC50ZXN0
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEhCBr+u3At4UPa0UP38VsoZIXOeM6
bfn1SgOgRz8c9qHbQ3AYPa+VowLTpwZEvRzP+Dc2osp3l1hk1DVYLh54lTAKBggq
hkjOPQQDAgNIADBFAiEAlBObFzZIgFoH8DZMK7dw/bMP5UahmXAEj6dyDWjlmTwC
IFmrEerpSxS9SzgIPtwRk1ORisO4p4foB4+/SdpwjV/a
-----END CERTIFICATE-----
"""
ITS_KEY = """
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgwLYeZVM+jru4D25G
8V89ZqxS09e6XbJpTj6PRm01Dk2hRANCAASEIGv67cC3hQ9rRQ/fxWyhkhc54zpt
+fVKA6BHPxz2odtDcBg9r5WjAtOnBkS9HM/4NzaiyneXWGTUNVguHniV
-----END PRIVATE KEY-----
"""


def assert_alarm(server, why):
    result = server.run("status")
    assert result.returncode == 1 and why in result.stderr and len(result.stderr.splitlines()) == 1


def test_status_of_a_server_that_is_well(posthorn):
    result = posthorn.run("status")
    assert (result.returncode, result.stderr) == (0, "")
    assert all(word in result.stdout for word in ("up since", "queue", "disk free", "certificate's end"))


def test_status_of_a_stopped_server(make_posthorn):
    assert_alarm(make_posthorn().with_people(), "no server is running")


def test_status_tells_of_an_expired_certificate(make_posthorn):
    server = make_posthorn().with_people()
    pem, key = server.directory / "old.pem", server.directory / "old.key"
    pem.write_text(EXPIRED.lstrip())
    key.write_text(ITS_KEY.lstrip())
    server.write_config(f'tls {{ certificate = "{pem}" key = "{key}" }}')
    server.start()
    assert_alarm(server, "certificate has expired")
    assert server.cli("account", "list"), "while everything else goes on"
    assert json.loads(server.run("--json", "status").stdout)["certificate_end"].startswith("2021-01-01")


def test_status_tells_of_a_full_disk(make_posthorn):
    server = make_posthorn()
    free = os.statvfs(server.directory)
    reserve = free.f_bavail * free.f_frsize * 2 >> 20
    if reserve >= 1 << 20:
        pytest.skip("a disk with more room than the largest reserve there is")
    server._limits = f'disk-reserve = "{reserve}M"'
    server.write_config()
    server.with_people().start()
    server.wait_for("disk-full", **{"accepts-mail": "no"})
    assert_alarm(server, "disk is full")
    assert json.loads(server.run("--json", "status").stdout)["has_room"] is False
