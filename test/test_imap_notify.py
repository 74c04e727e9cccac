"""What an IMAP client hears without asking (RFC 5465, RFC 5267), from other sessions and from outside."""

import pytest

from harness.imap import letter, signed_on

TOM = "tom@acompany.test"


@pytest.fixture
def tom(posthorn):
    with signed_on(posthorn, TOM) as wire:
        yield wire


@pytest.fixture
def other(posthorn):
    with signed_on(posthorn, TOM) as wire:
        yield wire


def test_news_come_while_no_command_runs(tom, other):
    tom.ok("CREATE Lists")
    tom.ok("SELECT INBOX")
    tom.ok("NOTIFY SET (selected (MessageNew (uid body.peek[header.fields (subject)]) MessageExpunge FlagChange)) "
           "(personal (MessageNew MessageExpunge MailboxName))")
    other.ok("APPEND Lists {}", letter(1))
    assert tom.reply() == "* STATUS Lists (MESSAGES 1 UIDNEXT 2)"
    other.ok("APPEND INBOX {}", letter(2))
    assert [tom.reply() for _ in range(2)] == ["* 1 EXISTS", "* 1 RECENT"]
    assert tom.reply().startswith("* 1 FETCH (UID 1 BODY[HEADER.FIELDS (subject)] {")
    assert [tom.line() for _ in range(3)] == ["Subject: letter 2", "", ")"]
    other.ok("SELECT INBOX")
    other.ok(r"STORE 1 +FLAGS (\Flagged)")
    assert tom.reply() == r"* 1 FETCH (UID 1 FLAGS (\Flagged \Recent))"
    other.ok("RENAME Lists Archive/lists")
    assert tom.reply() == r'* LIST (\HasNoChildren) "/" Archive/lists ("OLDNAME" (Lists))'
    other.ok(r"STORE 1 +FLAGS.SILENT (\Deleted)")
    assert tom.reply() == r"* 1 FETCH (UID 1 FLAGS (\Flagged \Deleted \Recent))"
    other.ok("EXPUNGE")
    assert tom.reply() == "* 1 EXPUNGE"
    assert tom.ok("NOTIFY NONE") == []
    other.ok("APPEND INBOX {}", letter(3))
    assert tom.ok("NOOP") == []


def test_results_are_kept_up_to_date_in_idle(tom, other):
    for number in (1, 2):
        other.ok("APPEND INBOX {}", letter(number))
    tom.ok("SELECT INBOX")
    assert tom.ok("UID SORT RETURN (UPDATE ALL) (REVERSE DATE) UTF-8 UNFLAGGED") == [b'* ESEARCH (TAG "w4") UID ALL 2,1']
    tom.send(b"idle IDLE\r\n")
    assert tom.reply() == "+ idling"
    other.ok("APPEND INBOX {}", letter(3))
    assert [tom.reply() for _ in range(3)] == ["* 3 EXISTS", "* 3 RECENT", '* ESEARCH (TAG "w4") UID ADDTO (1 3)']
    other.ok("SELECT INBOX")
    other.ok(r"STORE 2 +FLAGS (\Flagged)")
    assert tom.reply() == r"* 2 FETCH (UID 2 FLAGS (\Flagged \Recent))"
    assert tom.reply() == '* ESEARCH (TAG "w4") UID REMOVEFROM (2 2)'
    tom.send(b"DONE\r\n")
    assert tom.until("idle") == ([], "OK IDLE completed")
