"""Domains, accounts and aliases from the command line, with the server running or not."""

import re

import pytest

from harness.server import PASSWORD
from harness.wire import SmtpWire

FRED, TOM = "fred@acompany.test", "tom@acompany.test"


@pytest.fixture(params=["running", "stopped"])
def server(make_posthorn, request):
    server = make_posthorn().with_people()
    return server.start() if request.param == "running" else server


def addresses(server):
    return [account["address"] for account in server.cli("account", "list")]


def domains(server):
    return [domain["domain"] if isinstance(domain, dict) else domain for domain in server.cli("domain", "list")]


def test_domains(server):
    server.add_domain("second.test")
    server.add_domain("bücher.test")
    assert {"acompany.test", "second.test"} <= set(domains(server)) and len(domains(server)) == 3
    server.cli("domain", "remove", "second.test", json=False)
    assert "second.test" not in domains(server)


def test_accounts(server):
    server.add_account("ann@acompany.test", PASSWORD, "--name", "Ann Example", "--quota", "10M")
    assert sorted(addresses(server)) == ["ann@acompany.test", FRED, TOM]
    ann = server.cli("account", "show", "ann@acompany.test")
    assert ann["name"] == "Ann Example" and ann["quota"] == 10 * 1024 * 1024
    assert PASSWORD not in server.cli("account", "show", "ann@acompany.test", json=False)
    server.cli("account", "remove", "ann@acompany.test", json=False)
    server.add_account("ann@acompany.test", PASSWORD, "--quota=1G")
    before = server.cli("account", "show", "ann@acompany.test")
    assert before["quota"] == 1 << 30
    server.cli("account", "change", "ann@acompany.test", "--name", "Ann")
    assert server.cli("account", "show", "ann@acompany.test") == {**before, "name": "Ann"}
    server.cli("account", "change", "ann@acompany.test", "--quota", "none")
    assert server.cli("account", "show", "ann@acompany.test") == {**before, "name": "Ann", "quota": 0}
    assert before["message_quota"] == 0
    server.cli("account", "change", "ann@acompany.test", "--messages", "100000")
    assert server.cli("account", "show", "ann@acompany.test") == \
        {**before, "name": "Ann", "quota": 0, "message_quota": 100000}
    assert re.search(r"(?m)^ann@acompany\.test .*\b100000\b", server.cli("account", "list", json=False))
    server.cli("account", "change", "ann@acompany.test", "--messages=none")
    for word, value in [("yes", True), ("no", False)]:
        server.cli("account", "change", "ann@acompany.test", "--internal-only", word)
        assert server.cli("account", "show", "ann@acompany.test") == \
            {**before, "name": "Ann", "quota": 0, "internal_only": value}
    server.cli("account", "remove", "ann@acompany.test", json=False)
    assert sorted(addresses(server)) == [FRED, TOM]


def test_aliases(server):
    server.cli("alias", "add", "staff@acompany.test", FRED, TOM, json=False)
    server.cli("alias", "add", "@acompany.test", TOM, json=False)
    listed = {alias["address"]: alias["targets"] for alias in server.cli("alias", "list")}
    assert sorted(listed["staff@acompany.test"]) == [FRED, TOM] and listed["@acompany.test"] == [TOM]
    assert server.cli("alias", "change", "staff@acompany.test", TOM, "late@acompany.test", "ann@other.test") == \
        {"unknown": []}, "the catch-all has it"
    server.cli("alias", "remove", "@acompany.test")
    said = server.cli("alias", "change", "staff@acompany.test", TOM, "late@acompany.test", "ann@other.test", json=False)
    assert said.splitlines() == ["late@acompany.test leads nowhere yet: there is no such account or alias"]
    listed = {alias["address"]: alias["targets"] for alias in server.cli("alias", "list")}
    assert listed == {"staff@acompany.test": [TOM, "late@acompany.test", "ann@other.test"]}
    server.cli("alias", "add", "@acompany.test", TOM)
    server.cli("alias", "remove", "staff@acompany.test", json=False)
    assert [alias["address"] for alias in server.cli("alias", "list")] == ["@acompany.test"]


@pytest.mark.parametrize("arguments, says", [
    (["domain", "add", "acompany.test"], "acompany.test"),
    (["domain", "add", "no spaces.test"], "no spaces.test"),
    (["domain", "add", "192.0.2.1"], "an address, not a domain"),
    (["domain", "remove", "nosuch.test"], "nosuch.test"),
    (["domain", "remove", "acompany.test"], "acompany.test"),
    (["account", "add", "fred@acompany.test"], "fred@acompany.test"),
    (["account", "add", "ann@nosuch.test"], "nosuch.test"),
    (["account", "add", "not an address"], "not an address"),
    (["account", "show", "nobody@acompany.test"], "nobody@acompany.test"),
    (["account", "remove", "nobody@acompany.test"], "nobody@acompany.test"),
    (["account", "suspend", "nobody@acompany.test"], "nobody@acompany.test"),
    (["account", "change", "nobody@acompany.test", "--quota", "1G"], "nobody@acompany.test"),
    (["alias", "add", "fred@acompany.test", "tom@acompany.test"], "fred@acompany.test exists already: it is an account"),
    (["alias", "change", "nosuch@acompany.test", "tom@acompany.test"], "no alias nosuch@acompany.test"),
    (["alias", "change", "fred@acompany.test", "tom@acompany.test"], "no alias fred@acompany.test"),
    (["alias", "remove", "nosuch@acompany.test"], "nosuch@acompany.test"),
], ids=lambda v: " ".join(v) if isinstance(v, list) else "")
def test_failures_are_one_clear_line(make_posthorn, arguments, says):
    server = make_posthorn().with_people()
    result = server.run(*arguments)
    assert result.returncode == 1 and result.stdout == ""
    lines = [line for line in result.stderr.splitlines() if line]
    assert len(lines) == 1 and says in lines[0], result.stderr


@pytest.mark.parametrize("password, says", [
    ("P@ssw0rd1", "among the first that strangers try"),
    ("short", "at least 8 characters"),
    ("fred20241", "the account's own name"),
], ids=["tried first", "short", "own name"])
def test_passwords_that_are_found_by_trying(make_posthorn, password, says):
    """RFC 9051 §11.7: the operator is told of them, or, by setting, they are refused, and the one that the account has stays."""
    server = make_posthorn().with_people()
    for refused in (True, False):
        server.write_config("refuse-weak-passwords = true" if refused else "")
        for words in (["add", "ann@acompany.test"], ["password", FRED]):
            text = password.replace("fred", words[1].split("@")[0]) + "\n"
            result = server.run("account", *words, "--password-stdin", text=text)
            assert result.returncode == (1 if refused else 0) and says in result.stderr and password not in result.stderr
        assert sorted(addresses(server)) == [FRED, TOM] if refused else ["ann@acompany.test", FRED, TOM]


@pytest.mark.parametrize("arguments", [[], ["frob"], ["account"], ["account", "frob"], ["account", "add"],
                                       ["domain", "add"], ["alias", "add", "a@acompany.test"], ["account", "change", "fred@acompany.test"], ["--frob", "status"],
                                       ["queue", "show"], ["account", "list", "--frob"]], ids=" ".join)
def test_wrong_usage_is_2(make_posthorn, arguments):
    result = make_posthorn().run(*arguments)
    assert result.returncode == 2 and result.stderr and not result.stdout


@pytest.mark.parametrize("arguments", [
    ["domain", "list"], ["domain", "remove", "acompany.test"], ["account", "add", FRED], ["account", "list"],
    ["account", "show", FRED], ["alias", "add", "a@acompany.test", FRED], ["alias", "list"], ["queue", "list"],
    ["queue", "retry", "--all"], ["trace", FRED], ["check"], ["check", "--repair", "new"], ["index", "--all"],
    ["backup", "copy"],
], ids=" ".join)
def test_only_a_first_domain_makes_a_store(make_posthorn, arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    server = make_posthorn()
    result = server.run(*arguments)
    assert result.returncode == 1 and f"there is no store in {server.data_dir} yet: " in result.stderr
    assert "posthorn domain add NAME" in result.stderr and not server.data_dir.exists()
    server.add_domain("acompany.test")
    assert domains(server) == ["acompany.test"]


def test_lists_are_tables_for_people(server):
    text = server.cli("account", "list", json=False)
    rows = [line for line in text.splitlines() if "@" in line]
    assert [row.index("@acompany.test") for row in rows] and FRED in text and TOM in text
    assert not text.startswith(("{", "["))


def test_account_made_while_running_works_at_once(posthorn):
    posthorn.add_account("ann@acompany.test", "pw for ann")
    with posthorn.smtp() as client:
        client.sendmail("x@other.test", ["ann@acompany.test"], "Subject: welcome\r\n\r\n")
    assert len(posthorn.inbox("ann@acompany.test", "pw for ann")) == 1
    posthorn.cli("account", "remove", "ann@acompany.test", json=False)
    with SmtpWire(posthorn, "smtp") as client:
        client.ehlo()
        client.say("MAIL FROM:<x@other.test>")
        assert re.match(r"550 5\.1\.1", client.say("RCPT TO:<ann@acompany.test>"))


def test_what_was_made_while_stopped_is_there(make_posthorn):
    server = make_posthorn().with_people()
    server.add_account("ann@acompany.test", "pw for ann")
    server.start()
    with server.smtp() as client:
        client.sendmail("x@other.test", ["ann@acompany.test"], "Subject: welcome\r\n\r\n")
    assert len(server.inbox("ann@acompany.test", "pw for ann")) == 1


def test_an_account_of_the_same_name_is_a_new_one(posthorn):
    with posthorn.smtp() as client:
        client.sendmail("x@other.test", [TOM], "Subject: for the first tom\r\n\r\n")
    posthorn.cli("account", "remove", TOM, json=False)
    posthorn.add_account(TOM, "pw for the second")
    assert posthorn.inbox(TOM, "pw for the second") == []


def test_status(posthorn):
    result = posthorn.run("--json", "status")
    assert result.returncode == 0, result.stderr
    posthorn.stop()
    assert posthorn.run("status").returncode == 1


def test_second_server_on_the_same_data_is_refused(posthorn, make_posthorn):
    second = make_posthorn(data_dir=posthorn.data_dir)
    with pytest.raises(AssertionError, match="ended with 1"):
        second.start()
    assert str(posthorn.data_dir) in second.log.text()
    assert posthorn.inbox(TOM) == []


def test_check_finds_a_sound_store(server):
    assert server.run("check").returncode == 0
