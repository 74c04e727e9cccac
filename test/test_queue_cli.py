"""What the operator sees of the queue, and what he can do with it."""

import pytest

FRED, ANN, BOB = "fred@acompany.test", "ann@other.test", "bob@third.test"
MESSAGE = "From: fred@acompany.test\r\nMessage-ID: <hello@acompany.test>\r\nSubject: Hello\r\n\r\nHello\r\n"
RECORDS = "other MX 10 mx.other\nmx.other A 127.0.0.11\nthird MX 10 mx.third\nmx.third A 127.0.0.12"


@pytest.fixture
def server(make_posthorn, dns, relay_port):
    """Two entries that wait for an hour: nobody listens at other.test and third.test."""
    dns.serve(RECORDS)
    server = make_posthorn(dns=dns.address, relay_port=relay_port, queue='retry = {"1h"}').with_people().start()
    with server.submission(FRED) as client:
        client.sendmail(FRED, [ANN], MESSAGE)
        client.sendmail(FRED, [BOB], MESSAGE)
    server.wait_until(lambda: all(e["attempts"] == 1 and not e["active"] for e in server.cli("queue", "list"))
                      and len(server.cli("queue", "list")) == 2, "two tries that failed")
    return server


def entry_to(server, domain):
    return next(e for e in server.cli("queue", "list") if e["destination"] == domain)


def test_list_and_show(server):
    entry = entry_to(server, "other.test")
    assert entry["from"] == FRED and not entry["held"]
    shown = server.cli("queue", "show", entry["id"])
    assert shown["recipients"][0]["to"] == ANN
    assert "127.0.0.11" in shown["recipients"][0]["last_reply"], "what went wrong, and where"
    text = server.cli("queue", "list", json=False)
    assert "other.test" in text and "third.test" in text and entry["id"] in text
    assert ANN in server.cli("queue", "show", entry["id"], json=False)


def test_retry_one(server, fake_smtp):
    other, third = fake_smtp("127.0.0.11"), fake_smtp("127.0.0.12")
    server.cli("queue", "retry", entry_to(server, "other.test")["id"], json=False)
    assert other.wait_message().recipients == [ANN]
    server.wait_until(lambda: len(server.cli("queue", "list")) == 1, "one entry left")
    assert third.commands == []


@pytest.mark.parametrize("which", [["--domain", "third.test"], ["--all"]])
def test_retry_many(server, fake_smtp, which):
    third = fake_smtp("127.0.0.12")
    server.cli("queue", "retry", *which, json=False)
    assert third.wait_message().recipients == [BOB]


def test_held_is_not_tried_until_released(server, fake_smtp):
    other, third = fake_smtp("127.0.0.11"), fake_smtp("127.0.0.12")
    entry = entry_to(server, "other.test")
    server.cli("queue", "hold", entry["id"], json=False)
    assert entry_to(server, "other.test")["held"]
    server.cli("queue", "retry", "--all", json=False)
    third.wait_message()
    assert other.commands == []
    server.cli("queue", "release", entry["id"], json=False)
    server.cli("queue", "retry", "--all", json=False)
    assert other.wait_message().recipients == [ANN]


def test_remove(server):
    server.cli("queue", "remove", entry_to(server, "other.test")["id"], json=False)
    assert [e["destination"] for e in server.cli("queue", "list")] == ["third.test"]
    server.cli("queue", "remove", "--all", json=False)
    assert server.cli("queue", "list") == []
    assert server.inbox(FRED) == [], "removed means without a report"


def test_unknown_entry_is_an_error(server):
    result = server.run("queue", "retry", "0000000000000")
    assert result.returncode == 1 and result.stderr


def test_queue_of_a_stopped_server(server, fake_smtp):
    server.stop()
    entry = entry_to(server, "other.test")
    server.cli("queue", "remove", entry["id"], json=False)
    assert len(server.cli("queue", "list")) == 1
    server.start()
    assert len(server.cli("queue", "list")) == 1


@pytest.mark.parametrize("what", [lambda entry: entry["id"], lambda entry: "<hello@acompany.test>", lambda entry: ANN],
                         ids=["queue id", "Message-ID", "address"])
def test_trace(server, fake_smtp, what):
    other = fake_smtp("127.0.0.11")
    entry = entry_to(server, "other.test")
    server.cli("queue", "retry", entry["id"], json=False)
    other.wait_message()
    server.wait_until(lambda: len(server.cli("queue", "list")) == 1, "one entry left")
    text = server.cli("trace", what(entry), json=False)
    assert FRED in text and ANN in text and "<<" not in text
    assert text.index("127.0.0.11") >= 0
    rows = server.cli("trace", what(entry))
    assert [row["time"] for row in rows] == sorted(row["time"] for row in rows)


def test_trace_of_something_unknown(server):
    result = server.run("trace", "nobody@nowhere.test")
    assert result.returncode == 1 and "nobody@nowhere.test" in result.stderr


def test_status_counts_the_queue(server):
    assert "2" in server.cli("status", json=False)
