"""THREADID (RFC 8474 §5.2): found out when it is first asked for, and the same ever after."""

import re

import pytest

from harness.imap import signed_on

TOM, FRED = "tom@acompany.test", "fred@acompany.test"
OTHERS = f"Other Users/{FRED}/"
ITEM = re.compile(rb"EMAILID \((E[0-9a-f]+-[0-9a-f]+)\) THREADID \((T[0-9a-f]+)\)")


def letter(number, subject, references=None, answers=None):
    fields = [f"Message-ID: <{number}@x.test>", f"Subject: {subject}"]
    for name, ids in (("References", references), ("In-Reply-To", answers)):
        if ids:
            fields.append(f"{name}: " + " ".join(f"<{each}@x.test>" for each in ids))
    return "\r\n".join([*fields, "", f"letter {number}", ""]).encode()


def append(wire, *letters, mailbox="INBOX"):
    wire.ok(f"APPEND {mailbox}" + " {}" * len(letters), *letters)


def threads(wire, which="1:*"):
    """(EMAILID, THREADID) of each message."""
    return [ITEM.search(line).groups() for line in wire.ok(f"FETCH {which} (EMAILID THREADID)")]


def found(wire, *ids):
    [line] = wire.ok("SEARCH RETURN (ALL) " + "OR " * (len(ids) - 1) + " ".join(f"THREADID {each.decode()}" for each in ids))
    return line.partition(b" ALL ")[2].decode()


@pytest.fixture
def tom(posthorn):
    with signed_on(posthorn, TOM) as wire:
        wire.ok("CREATE Other")
        wire.ok("SELECT INBOX")
        yield wire


def test_conversations(posthorn, tom):
    append(tom, letter(1, "plan"), letter(2, "Re: plan", [1]), letter(3, "another", [1]), letter(4, "Fwd: PLAN", [1, 2]))
    tom.ok("EXAMINE INBOX")
    first = threads(tom)
    assert [thread for _, thread in first] == [first[0][1], first[0][1], first[2][1], first[0][1]]
    assert first[0][1] != first[2][1]
    tom.ok("SELECT INBOX")

    # a copy is the same email in the same thread, a moved one too (§5.1); the same text once more is another email
    tom.ok("COPY 2 Other")
    tom.ok("MOVE 3 Other")
    append(tom, letter(2, "Re: plan", [1]), letter(5, "Re: plan", [4]), mailbox="Other")
    tom.ok("SELECT Other")
    assert found(tom, first[0][1]) == "1,3:4"  # two of which nobody has asked before
    other = threads(tom)
    assert other[:2] == [first[1], first[2]]
    assert other[2][0] not in {email for email, _ in first}
    assert {thread for _, thread in other[2:]} == {first[0][1]}
    assert found(tom, first[2][1], first[0][1]) == "1:4"
    assert found(tom, b"T1", first[0][1].upper(), b"X" + first[0][1][1:]) == ""

    tom.ok("REPLACE 1 INBOX {}", letter(2, "Re: plan", [1]))
    tom.ok("SELECT INBOX")
    assert threads(tom, "*")[0][1] == first[0][1]

    before = threads(tom)
    posthorn.kill()
    posthorn.start()
    with signed_on(posthorn, TOM) as again:
        again.ok("SELECT INBOX")
        assert threads(again) == before
    check = posthorn.run("check")
    assert check.returncode == 0, check.stdout


def test_in_reply_to_beside_references(posthorn, tom):
    """It counts for THREADID (RFC 8621 §3), and not for THREAD=REFERENCES (RFC 5256 §3)."""
    append(tom, letter(1, "plan"), letter(2, "Re: plan", [1]), letter(3, "Re: plan", [77], [2]), letter(4, "Re: plan", None, [88, 2]),
           letter(5, "Re: plan", None, [2]), letter(6, "Re: plan", [99]))
    tom.ok("NOOP")
    told = threads(tom)
    assert [thread == told[0][1] for _, thread in told] == [True] * 5 + [False]
    # 3, 4 and 6 answer nobody who is there: they stand below 1 for their subject alone
    assert tom.ok("THREAD REFERENCES UTF-8 ALL")[0] == b"* THREAD (1 (2 5)(3)(4)(6))"


def test_a_hundred_thousand_references(posthorn, tom):
    """The first of them and the last are what counts, of as much of a header as is read (64 KiB)."""
    append(tom, letter(1, "plan", range(1000, 101_000), [2]))
    append(tom, letter(3, "plan", [1000]), letter(4, "plan", [100_999]))
    append(tom, letter(5, "party", range(1000, 4000), range(200_000, 210_000)))
    append(tom, letter(6, "party", [1000]), letter(7, "party", [3999]), letter(8, "party", None, [200_003]),
           letter(9, "party", [2000]), letter(10, "party", [200_004]))
    tom.ok("NOOP")
    told = threads(tom)
    assert [told[0][1] == thread for _, thread in told[:3]] == [True, True, False]
    assert [told[3][1] == thread for _, thread in told[3:]] == [True, True, True, True, False, False]
    check = posthorn.run("check")
    assert check.returncode == 0, check.stdout


def test_two_who_ask_at_once(posthorn, tom):
    for start in range(0, 1200, 300):
        append(tom, *(letter(n, f"talk {n % 40}", [n - 40] if n >= 40 else None) for n in range(start, start + 300)))
    tom.ok("NOOP")
    with signed_on(posthorn, TOM) as second:
        second.ok("SELECT INBOX")
        for wire in (tom, second):
            wire.send(b"both FETCH 1:* (EMAILID THREADID)\r\n")
        said = [[ITEM.search(line).groups() for line in wire.until("both")[0]] for wire in (tom, second)]
    assert said[0] == said[1]
    assert len(said[0]) == 1200
    assert len({thread for _, thread in said[0]}) == 40
    for n, (_, thread) in enumerate(said[0]):
        assert thread == said[0][n % 40][1]


def test_new_mail_that_is_told_of(posthorn, tom):
    """What NOTIFY tells of, and a context that is kept up to date, is threaded as well."""
    append(tom, letter(1, "plan"))
    tom.ok("NOOP")
    [(_, thread)] = threads(tom)
    tom.ok("NOTIFY SET (SELECTED (MessageNew (UID THREADID) MessageExpunge))")
    tom.ok(f"SEARCH RETURN (UPDATE ALL) THREADID {thread.decode()}")
    with signed_on(posthorn, TOM) as second:
        append(second, letter(2, "Re: plan", [1]))
    lines = tom.ok("NOOP")
    assert any(b"UID 2 THREADID (%s)" % thread in line for line in lines)
    assert any(b"ADDTO" in line for line in lines)


def test_in_a_filter_that_is_kept_up_to_date(posthorn, tom):
    """What a filter asks for is asked for with each update as well (RFC 5466, RFC 5267)."""
    append(tom, letter(1, "plan"))
    tom.ok("SELECT INBOX")
    [(_, thread)] = threads(tom)
    tom.ok(f'SETMETADATA "" (/private/filters/values/plan "THREADID {thread.decode()}")')
    tom.ok("SEARCH RETURN (UPDATE ALL) FILTER plan")
    with signed_on(posthorn, TOM) as second:
        append(second, letter(2, "Re: plan", [1]))
    assert any(b"ADDTO" in line for line in tom.ok("NOOP"))


def test_in_two_accounts(posthorn, tom):
    """A copy has the EMAILID and THREADID of what was copied, in whichever account; what was delivered to two is two letters,
    for each has its own Delivered-To (§5.1, §5.2)."""
    common = f"{OTHERS}Common"
    with signed_on(posthorn, FRED) as fred:
        fred.ok("CREATE Common")
        fred.ok(f"SETACL Common {TOM} lrswite")
        append(fred, letter(1, "plan"), mailbox="Common")  # with which those that come belong together, for Fred
        fred.ok("SELECT Common")
        assert len(threads(fred)) == 1
        append(tom, letter(1, "plan"), letter(2, "Re: plan", [1]), letter(3, "another"), letter(4, "Re: another", [3]))
        tom.ok("SELECT INBOX")
        tom.ok(f'COPY 1:2 "{common}"')  # of whose threads nobody has heard
        tom.ok(f'MOVE 3 "{common}"')
        fred.ok("NOOP")
        [own, first, second, moved] = threads(fred)
        assert threads(tom)[:2] == [first, second] and first[1] == second[1] != own[1]
        assert threads(tom)[2][1] == moved[1] and threads(tom)[2][0] != moved[0]
        for wire, where in ((tom, "1"), (fred, "2")):
            assert wire.ok("SEARCH RETURN (ALL) OR EMAILID {} EMAILID E1-1".format(first[0].decode()))[0].endswith(b" ALL " + where.encode())
            assert b"ALL" not in wire.ok("SEARCH RETURN (ALL) EMAILID {}".format(first[0].decode().upper()))[0]

        tom.ok(f'SELECT "{common}"')
        assert threads(tom) == [own, first, second, moved]
        tom.ok("COPY 2:4 Other")  # it comes home
        tom.ok("SELECT Other")
        assert threads(tom) == [first, second, moved]

        with posthorn.smtp() as smtp:
            smtp.sendmail("a@other.test", [TOM, FRED], b"Message-ID: <9@x.test>\r\nSubject: both\r\n\r\nx\r\n")
        posthorn.wait_inbox(FRED, 1)
        posthorn.wait_inbox(TOM, 4)
        tom.ok("SELECT INBOX")
        fred.ok("SELECT INBOX")
        [of_fred] = threads(fred)
        [of_tom] = threads(tom, "*")
        assert of_fred[0] != of_tom[0]

        tom.ok(f'COPY * "{common}"')  # beside Fred's own, into Fred's account
        tom.ok(f'COPY * "{common}"')
        fred.ok("COPY * Common")
        fred.ok("SELECT Common")
        assert threads(fred)[-3:] == [of_tom, of_tom, of_fred]
        assert [b"tom@" in line for line in fred.ok("FETCH 5:7 BODY.PEEK[HEADER.FIELDS (DELIVERED-TO)]") if b"Delivered" in line] == [True, True, False]
        assert fred.ok(f"SEARCH RETURN (ALL) EMAILID {of_tom[0].decode()}")[0].endswith(b" ALL 5:6")
        assert fred.ok(f"SEARCH RETURN (ALL) EMAILID {of_fred[0].decode()}")[0].endswith(b" ALL 7")
        assert fred.ok("SEARCH RETURN (ALL) BODY x SUBJECT both")[0].endswith(b" ALL 5:7")
        fred.ok("UID EXPUNGE 1:*")
        tom.ok(f'SELECT "{common}"')
        tom.ok("MOVE 5 INBOX")  # home again
        tom.ok("SELECT INBOX")
        assert threads(tom, "*") == [of_tom]
        posthorn.kill()
    posthorn.start()
    check = posthorn.run("check")
    assert check.returncode == 0, check.stdout
