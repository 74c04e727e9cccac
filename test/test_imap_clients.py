"""IMAP with programs that others wrote, as their users would set them up."""

import os
import re
import subprocess

import pytest

from harness import DEADLINE_S
from harness.imap import client, fill, letter
from harness.server import PASSWORD

TOM = "tom@acompany.test"


@pytest.fixture
def run(tmp_path):
    """Runs a program in a home of its own; it must succeed. What it said, on both ways."""
    def run(*command, text="", **files):
        for name, content in files.items():
            (tmp_path / name).write_text(content)
            (tmp_path / name).chmod(0o600)
        words = [str(word).replace("~", str(tmp_path)) for word in command]
        environment = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "TERM": "xterm",
                       "FETCHMAILHOME": str(tmp_path), "USER": "tom", "LOGNAME": "tom"}
        result = subprocess.run(words, input=text, text=True, capture_output=True, timeout=DEADLINE_S * 3, cwd=tmp_path,
                                env=environment)
        assert result.returncode == 0, f"{words}: exit {result.returncode}\n{result.stdout}\n{result.stderr}"
        return result.stdout + result.stderr
    return run


def count_files(directory):
    return sum(len(files) for where, _, files in os.walk(directory) if where.endswith(("/cur", "/new")))


# imaplib

def test_imaplib(posthorn):
    with client(posthorn, TOM) as imap:
        assert "IMAP4REV1" in imap.capabilities
        for number in (1, 2, 3):
            kind, answer = imap.append("INBOX", r"(\Seen)" if number == 2 else None, None, letter(number))
            assert kind == "OK" and re.search(rb"APPENDUID \d+ \d+", answer[0])
        assert imap.select() == ("OK", [b"3"])
        assert imap.search(None, "UNSEEN") == ("OK", [b"1 3"])
        assert imap.search(None, "SUBJECT", '"letter 2"') == ("OK", [b"2"])
        assert imap.fetch("1", "(RFC822.SIZE)") == ("OK", [b"1 (RFC822.SIZE %d)" % len(letter(1))])
        assert imap.fetch("2", "(BODY.PEEK[])")[1][0][1] == letter(2)
        assert imap.fetch("2", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1][0][1] == b"Subject: letter 2\r\n\r\n"
        assert imap.create("work")[0] == "OK"
        assert imap.copy("1:2", "work")[0] == "OK"
        assert imap.status("work", "(MESSAGES UNSEEN)") == ("OK", [b"work (MESSAGES 2 UNSEEN 1)"])
        assert rb"\Deleted" in imap.store("1", "+FLAGS", r"(\Deleted)")[1][0]
        assert imap.expunge() == ("OK", [b"1"])
        assert imap.search(None, "ALL") == ("OK", [b"1 2"])
        assert {line.split(b' "/" ')[-1] for line in imap.list()[1]} >= {b"INBOX", b"work"}
        assert imap.rename("work", "play")[0] == "OK"
        assert imap.select("play", readonly=True) == ("OK", [b"2"])
        assert imap.close()[0] == "OK"
        assert imap.delete("play")[0] == "OK"
        assert imap.select("play")[0] == "NO"
        assert imap.logout()[0] == "BYE"


@pytest.mark.parametrize("tls", ["implicit", "starttls"])
def test_two_sessions_see_each_other(posthorn, tls):
    with client(posthorn, TOM, tls=tls) as one, client(posthorn, TOM, tls=tls) as two:
        one.select()
        two.select()
        assert one.response("EXISTS") == ("EXISTS", [b"0"])
        two.append("INBOX", None, None, letter(1))
        one.noop()
        assert one.response("EXISTS") == ("EXISTS", [b"1"])
        one.store("1", "+FLAGS", r"(\Flagged \Deleted)")
        two.noop()
        assert rb"\Flagged" in two.response("FETCH")[1][0]
        one.expunge()
        two.noop()
        assert two.response("EXPUNGE") == ("EXPUNGE", [b"1"])


# isync

MBSYNC = """
IMAPAccount tom
Host 127.0.0.1
Port {port}
User {user}
Pass "{password}"
SSLType None
AuthMechs LOGIN
Timeout 120

IMAPStore server
Account tom

MaildirStore local
Path ~/mail/
Inbox ~/mail/INBOX
SubFolders Verbatim

Channel all
Far :server:
Near :local:
Patterns *
Create Both
Expunge Both
SyncState *
"""


def test_mbsync_both_ways(posthorn, run, tmp_path):
    """5,000 messages down, changes on both sides, and then a run that moves nothing."""
    fill(posthorn, TOM, 5000)
    (tmp_path / "mail").mkdir()
    code = MBSYNC.format(port=posthorn.ports["imap"], user=TOM, password=PASSWORD)  # it wants a name in certificates
    run("mbsync", "-c", "~/mbsyncrc", "-a", mbsyncrc=code)
    assert count_files(tmp_path / "mail/INBOX") == 5000

    def state():
        with client(posthorn, TOM) as imap:
            return imap.status("INBOX", "(MESSAGES UIDNEXT HIGHESTMODSEQ)"), sorted(os.walk(tmp_path / "mail"))
    before = state()
    run("mbsync", "-c", "~/mbsyncrc", "-a")
    assert state() == before

    inbox = tmp_path / "mail/INBOX"
    first, second = sorted((inbox / "cur").iterdir() if any((inbox / "cur").iterdir()) else (inbox / "new").iterdir())[:2]
    first.unlink()  # removed here
    (inbox / "new" / "1.mine.host").write_bytes(letter(9999).replace(b"\r\n", b"\n"))  # new here
    with client(posthorn, TOM) as imap:
        imap.select()
        imap.uid("STORE", "5000", "+FLAGS", r"(\Flagged \Seen)")  # changed there
        imap.uid("STORE", "4999", "+FLAGS", r"(\Deleted)")        # removed there
        imap.expunge()
    run("mbsync", "-c", "~/mbsyncrc", "-a")
    assert count_files(inbox) == 4999
    assert any(path.name.endswith("FS") for path in (inbox / "cur").iterdir()), "the flags came"
    with client(posthorn, TOM) as imap:
        assert imap.select() == ("OK", [b"4999"])
        assert imap.search(None, "SUBJECT", '"letter 9999"')[1] == [b"4999"]


def test_offlineimap(posthorn, run, tmp_path):
    fill(posthorn, TOM, 50)
    code = f"""[general]
accounts = tom
ui = quiet
metadata = {tmp_path}/state
[Account tom]
localrepository = local
remoterepository = server
[Repository local]
type = Maildir
localfolders = {tmp_path}/mail
[Repository server]
type = IMAP
remotehost = 127.0.0.1
remoteport = {posthorn.ports["imaps"]}
remoteuser = {TOM}
remotepass = {PASSWORD}
ssl = yes
sslcacertfile = {posthorn.certificate()}
tls_level = tls_compat
ssl_version = tls1_2
verify_ssl_hostname = no
"""
    code += 'cert_fingerprint = ' + fingerprint(posthorn) + "\n"
    code = code.replace(f'sslcacertfile = {posthorn.certificate()}\n', "")
    run("offlineimap", "-o", "-c", "~/offlineimaprc", offlineimaprc=code)
    assert count_files(tmp_path / "mail/INBOX") == 50
    path = next((tmp_path / "mail/INBOX/new").iterdir())
    os.rename(path, tmp_path / "mail/INBOX/cur" / (path.name.split(":")[0] + ":2,S"))  # read here
    run("offlineimap", "-o", "-c", "~/offlineimaprc")
    assert count_files(tmp_path / "mail/INBOX") == 50
    with client(posthorn, TOM) as imap:
        imap.select()
        assert len(imap.search(None, "SEEN")[1][0].split()) == 1


def fingerprint(posthorn):
    out = subprocess.run(["openssl", "x509", "-in", posthorn.certificate(), "-noout", "-fingerprint", "-sha1"],
                         capture_output=True, text=True, check=True).stdout
    return out.partition("=")[2].strip().replace(":", "").lower()


def test_neomutt(posthorn, run, tmp_path):
    fill(posthorn, TOM, 3)
    keys = (f'push "<copy-message><kill-line>{tmp_path}/saved<enter>'
            '<first-entry><set-flag>!<quit>"')
    run("script", "--quiet", "--return", "--command",
        f"neomutt -n -F {tmp_path}/muttrc -f imaps://127.0.0.1:{posthorn.ports['imaps']}/INBOX -e '{keys}'", "/dev/null",
        muttrc=f'set folder = "{tmp_path}"\nset imap_user = "{TOM}"\nset imap_pass = "{PASSWORD}"\n'
               f'set ssl_verify_host = no\nset ssl_verify_dates = no\nset certificate_file = "{posthorn.certificate()}"\n'
               'set confirmappend = no\nset confirmcreate = no\nset quit = yes\nset mbox_type = mbox\n'
               'set mark_old = no\nset sort = mailbox-order\nset imap_idle = yes\nset imap_qresync = yes\n')
    assert "Subject: letter 1" in (tmp_path / "saved").read_text()
    with client(posthorn, TOM) as imap:
        imap.select()
        assert imap.search(None, "FLAGGED") == ("OK", [b"1"])


# curl, fetchmail

def test_curl(posthorn, run):
    fill(posthorn, TOM, 2)
    url = f"imaps://127.0.0.1:{posthorn.ports['imaps']}"
    common = ["curl", "--silent", "--show-error", "--insecure", "--user", f"{TOM}:{PASSWORD}"]
    assert "INBOX" in run(*common, url)
    assert "Subject: letter 2" in run(*common, f"{url}/INBOX;UID=2")
    assert run(*common, f"{url}/INBOX;UID=2;SECTION=HEADER.FIELDS%20(SUBJECT)").strip() == "Subject: letter 2"
    assert run(*common, f"{url}/INBOX?SUBJECT%20%22letter%202%22").split() == ["*", "SEARCH", "2"]
    run(*common, "--upload-file", "~/message", f"{url}/INBOX", message="Subject: from curl\r\n\r\nhello\r\n")
    assert "from curl" in run(*common, f"{url}/INBOX;UID=3")
    assert "* 1 FETCH (FLAGS (\\Deleted" in run(*common, "--request", "STORE 1 +Flags \\Deleted", f"{url}/INBOX")


def test_fetchmail(posthorn, run, tmp_path):
    fill(posthorn, TOM, 3)
    code = f"""poll 127.0.0.1 protocol imap port {posthorn.ports["imaps"]}
        user "{TOM}" password "{PASSWORD}" ssl no sslcertck
        mda "/bin/cat >>{tmp_path}/fetched" no keep
    """
    run("fetchmail", "--fetchmailrc", "~/fetchmailrc", "--nosyslog", "--pidfile", "~/pid", fetchmailrc=code)
    assert (tmp_path / "fetched").read_text().count("Subject: letter ") == 3
    with client(posthorn, TOM) as imap:
        assert imap.select() == ("OK", [b"0"])
