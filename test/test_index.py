"""The full-text index: what is found with it is what is found without, whatever happens to it."""

import os
import subprocess

import pytest

from harness import BUILD
from harness.imap import fill, letter, signed_on

TOM = "tom@acompany.test"
FRED = "fred@acompany.test"
WORTH = 1000
"""Letters in a mailbox that the first search for a text makes an index for."""


def index_of(server):
    """The one index that there is, once there is one."""
    found = list((server.data_dir / "store" / "index").glob("*.idx"))
    return found[0] if found else None


def find(wire, *keys):
    """What SEARCH answers to each key, in message numbers."""
    answers = []
    for key in keys:
        lines = wire.ok(f"SEARCH CHARSET UTF-8 {key}")
        answers.append([int(n) for line in lines if line.startswith(b"* SEARCH") for n in line.split()[2:]])
    return answers


KEYS = ['BODY "letter 77 "', 'BODY "ETTER 77 X"', 'TEXT "ann7@"', 'BODY "ann7@"', 'BODY "77"', 'TEXT "subject: letter 9"',
        'NOT BODY "letter 77 "', 'OR BODY "letter 5 x" TEXT "<6@other"', 'BODY "letter 7" TEXT "ann27@"', 'BODY "nowhere"',
        'SUBJECT "letter 77"', 'BODY {4+}\r\nA"\\B', 'HEADER Date "22:1"', 'HEADER MIME-Version "1.0"', 'HEADER X-None "1.0"',
        'NOT HEADER Date "22:1"', 'OR HEADER Date "22:13" HEADER Date "22:14"', 'HEADER Date ""', 'HEADER Date "1"',
        'FROM "<ANN7@"', 'FROM "ann <ann7@other.test>"', 'HEADER Message-ID "77@"', 'HEADER Message-ID "<77@other.test>"',
        'NOT FROM "<ann7@"', 'TO "nobody, else"', 'BODY "letter 7" HEADER Date "22:1"']
LETTERS = 120


@pytest.fixture
def tom(posthorn):
    fill(posthorn, TOM, LETTERS)
    with signed_on(posthorn, TOM) as wire:
        wire.ok("SELECT INBOX")
        yield wire


def test_by_hand(posthorn, tom):
    before = find(tom, *KEYS)
    assert before[0] == [77] and before[3] == [] and len(before[6]) == LETTERS - 1
    assert index_of(posthorn) is None, "so few letters are not worth an index"
    assert posthorn.cli("index", TOM) == {"address": TOM, "messages": LETTERS}
    assert index_of(posthorn).stat().st_size > 0
    assert find(tom, *KEYS) == before
    assert posthorn.cli("index", TOM)["messages"] == LETTERS, "once more"
    result = posthorn.run("index", "nobody@acompany.test")
    assert result.returncode == 1 and "nobody@acompany.test" in result.stderr


def test_what_comes_later_is_found_at_once(posthorn, tom):
    posthorn.cli("index", TOM)
    for number in range(LETTERS + 1, LETTERS + 21):
        tom.ok("APPEND INBOX {}", letter(number))
        assert find(tom, f'BODY "letter {number} "') == [[number]]
    tom.ok("CREATE other")
    tom.ok("MOVE 1:50 other")
    assert find(tom, 'BODY "letter 77 "', 'BODY "letter 7 x"') == [[27], []]
    tom.ok("SELECT other")
    assert find(tom, 'BODY "letter 7 x"', 'BODY "letter 77 "') == [[7], []]
    posthorn.cli("index", TOM)
    assert find(tom, 'BODY "letter 7 x"', 'BODY "letter 77 "') == [[7], []]


def test_a_copy_between_accounts_has_other_header_lines(posthorn, tom):
    """The body is the same for both; who it was delivered to is not."""
    posthorn.cli("index", TOM)
    posthorn.cli("index", FRED)
    with posthorn.smtp() as smtp:
        smtp.sendmail("a@other.test", [TOM, FRED], b"Subject: both\r\n\r\na quincunx\r\n")
    posthorn.wait_inbox(FRED, 1)
    posthorn.wait_inbox(TOM, LETTERS + 1)
    tom.ok("NOOP")
    for _ in range(2):  # before the index has it, perhaps, and when it has
        assert find(tom, f'TEXT "{TOM}" BODY "quincunx"', f'TEXT "delivered-to: {FRED}" BODY "quincunx"') == [[LETTERS + 1], []]
        assert find(tom, f'HEADER Delivered-To "{TOM}"', f'HEADER Delivered-To "{FRED}"') == [[LETTERS + 1], []]
        posthorn.cli("index", TOM)


def test_headers(make_posthorn):
    """What the index has of a field is what is compared: decoded, and on one line."""
    posthorn = make_posthorn(settings="imap-8bit-headers = true").with_people().start()
    fill(posthorn, TOM, LETTERS)
    with signed_on(posthorn, TOM) as tom:
        tom.ok("SELECT INBOX")
        tom.ok("APPEND INBOX {}", b"List-Id: the =?utf-8?q?K=C3=A4?= =?utf-8?q?fer?=\r\n club\r\nX-Odd:\xff\t a\r\n\tb\r\n\r\nlist-id: body\r\n")
        tom.ok("APPEND INBOX {}", b"X-Long: " + b"word " * 20000 + b"aardvark\r\nList-Id: beyond\r\n\r\nbody\r\n")
        tom.ok("APPEND INBOX {}", b"List-Id: zebra\r\nSubject: a  gnu\r\nFrom: ann@x.test (\"The  Gnu\")\r\n\r\nbody\r\n")
        keys = ['HEADER List-Id "THE K\u00c4FER  club"', 'HEADER List-Id "K\u00e4fer club"', 'HEADER List-Id body', 'HEADER X-Odd "? "',
                'HEADER X-Odd "a b"', 'HEADER X-Long "d wor"', 'HEADER X-Long aardvark', 'HEADER List-Id beyond',
                'NOT HEADER List-Id zebra', 'HEADER List-Id zebra SUBJECT "A  G"', 'FROM "(\\"the  g"', 'FROM "gnu <a"']
        before = find(tom, *keys)
        first = LETTERS + 1
        assert before[1:7] == [[first], [], [first], [first], [first + 1], []] and before[9] == [first + 2], before
        posthorn.cli("index", TOM)
        assert find(tom, *keys) == before


def test_by_itself(make_posthorn):
    server = make_posthorn().with_people().start()
    fill(server, TOM, WORTH)
    with signed_on(server, TOM) as tom:
        tom.ok("SELECT INBOX")
        before = find(tom, *KEYS)
        made = server.wait_for("index-made")
        assert int(made["messages"]) == WORTH
        assert find(tom, *KEYS) == before
        server.cli("account", "remove", TOM, json=False)
    server.wait_until(lambda: index_of(server) is None, "the index gone with its account")


def test_damage(posthorn, tom):
    before = find(tom, *KEYS)
    tom.close()
    posthorn.cli("index", TOM)
    posthorn.stop()
    size = index_of(posthorn).stat().st_size
    with open(index_of(posthorn), "r+b") as file:
        for at in range(1000, size, 4096):
            file.seek(at)
            byte = file.read(1)[0]
            file.seek(at)
            file.write(bytes([byte ^ 1]))
    mark = posthorn.mark()
    posthorn.start()
    with signed_on(posthorn, TOM) as wire:
        wire.ok("SELECT INBOX")
        assert find(wire, *KEYS) == before
        posthorn.wait_for("index-discarded", mark)
        posthorn.wait_for("index-made", mark)
        assert find(wire, *KEYS) == before


def test_killed_amid_indexing(make_posthorn):
    server = make_posthorn().with_people().start()
    fill(server, TOM, 3 * WORTH)
    mark = server.mark()
    with signed_on(server, TOM) as tom:
        tom.ok("SELECT INBOX")
        before = find(tom, 'BODY "letter 77 "', 'TEXT "ann7@"')
    for _ in range(3):
        indexing = subprocess.Popen([BUILD / "posthorn", "index", TOM], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                    env=server._environment())
        server.wait_until(lambda: indexing.poll() is not None or server.events("index-begun", mark),
                          "an index that is begun, or that goes on from what a kill has left and is made")
        server.kill()
        indexing.wait()
        mark = server.mark()
        server.start()
        with signed_on(server, TOM) as tom:
            tom.ok("SELECT INBOX")
            assert find(tom, 'BODY "letter 77 "', 'TEXT "ann7@"') == before
    assert server.cli("index", TOM)["messages"] == 3 * WORTH
    with signed_on(server, TOM) as tom:
        tom.ok("SELECT INBOX")
        assert find(tom, 'BODY "letter 77 "', 'TEXT "ann7@"') == before


def test_without_a_server(make_posthorn):
    server = make_posthorn().with_people().start()
    fill(server, TOM, LETTERS)
    server.stop()
    assert server.cli("index", TOM)["messages"] == LETTERS
    assert os.path.getsize(index_of(server)) > 0


@pytest.mark.parametrize("running", [True, False])
def test_of_all_accounts(make_posthorn, running):
    server = make_posthorn().with_people().start()
    fill(server, TOM, LETTERS)
    if not running:
        server.stop()
    made = {row["address"]: row["messages"] for row in server.cli("index", "--all")}
    assert made.pop(TOM) == LETTERS and FRED in made and set(made.values()) == {0}
    assert len(made) + 1 == len(server.cli("account", "list")) == len(list((server.data_dir / "store" / "index").glob("*.idx")))
    table = server.cli("index", "--all", json=False).splitlines()
    assert table[0].split() == ["INDEX", "OF", "MESSAGES"] and [TOM, str(LETTERS)] in [line.split() for line in table]
    assert server.run("index", "--all", TOM).returncode == server.run("index").returncode == 2


def test_one_that_fails_does_not_keep_the_others_from_theirs(make_posthorn):
    """In the way of Fred's there is a directory."""
    server = make_posthorn().with_people().start()
    server.cli("index", FRED)
    path = index_of(server)
    server.stop()
    path.unlink()
    path.mkdir()
    (path / "file").touch()
    result = server.run("--json", "index", "--all")
    assert result.returncode == 1 and f"index {FRED}:" in result.stderr and "1 of" in result.stderr, result.stderr
    assert TOM in result.stdout and FRED not in result.stdout


def test_no_backup_has_it(make_posthorn, tmp_path):
    server = make_posthorn().with_people().start()
    fill(server, TOM, LETTERS)
    server.cli("index", TOM)
    backup = tmp_path / "backup"
    server.cli("backup", backup)
    assert ".idx" not in (backup / "manifest").read_text()
