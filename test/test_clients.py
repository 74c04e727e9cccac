"""Mail programs that others wrote: each sends as Fred, or collects as Tom, as its users would set it up."""

import os
import subprocess

import pytest

from harness import DEADLINE_S
from harness.server import PASSWORD

FRED, TOM = "fred@acompany.test", "tom@acompany.test"


@pytest.fixture
def run(tmp_path):
    """Runs a program in a home of its own; it must succeed."""
    def run(*command, text=None, **files):
        for name, content in files.items():
            path = tmp_path / name
            path.write_text(content)
            path.chmod(0o600)
        words = [str(word).replace("~", str(tmp_path)) for word in command]
        environment = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "TERM": "xterm",
                       "MAILRC": str(tmp_path / "mailrc"), "FETCHMAILHOME": str(tmp_path)}
        result = subprocess.run(words, input=text or "", text=True, capture_output=True, timeout=DEADLINE_S * 2,
                                cwd=tmp_path, env=environment)
        assert result.returncode == 0, f"{words}: exit {result.returncode}\n{result.stdout}\n{result.stderr}"
        return result.stdout
    return run


def assert_tom_reads(posthorn, *texts):
    inbox = posthorn.inbox(TOM)
    assert len(inbox) == 1
    for text in texts:
        assert text.encode() in inbox[0], inbox[0].decode("utf-8", "replace")


# Sending

@pytest.mark.parametrize("options", [
    ["--tls", "--auth", "PLAIN"], ["--tls", "--auth", "LOGIN"], ["--tls-on-connect", "--auth", "PLAIN"],
], ids=lambda o: " ".join(o))
def test_swaks(posthorn, run, options):
    port = posthorn.ports["submissions" if "--tls-on-connect" in options else "submission"]
    run("swaks", "--server", f"127.0.0.1:{port}", *options, "--auth-user", FRED, "--auth-password", PASSWORD,
        "--from", FRED, "--to", TOM, "--header", "Subject: from swaks", "--body", "a line\n.\nand a dot")
    assert_tom_reads(posthorn, "Subject: from swaks", "a line\r\n.\r\nand a dot", "ESMTPSA")


def test_swaks_on_port_25_pipelined(posthorn, run):
    run("swaks", "--server", f"127.0.0.1:{posthorn.ports['smtp']}", "--pipeline", "--from", "ann@other.test", "--to",
        f"{TOM},{FRED}", "--header", "Subject: pipelined")
    assert_tom_reads(posthorn, "Subject: pipelined", "Return-Path: <ann@other.test>")


@pytest.mark.parametrize("tls, method", [("starttls", "plain"), ("implicit", "plain"), ("starttls", "scram-sha-256")])
def test_msmtp(posthorn, run, tls, method):
    port = posthorn.ports["submission" if tls == "starttls" else "submissions"]
    run("msmtp", "--file=~/msmtprc", TOM, text="From: fred@acompany.test\nSubject: from msmtp\n\nhello\n.\nworld\n",
        msmtprc=f"account default\nhost 127.0.0.1\nport {port}\nfrom {FRED}\nauth {method}\nuser {FRED}\n"
                f"password \"{PASSWORD}\"\ntls on\ntls_starttls {'on' if tls == 'starttls' else 'off'}\n"
                "tls_certcheck off\n")
    assert_tom_reads(posthorn, "Subject: from msmtp", "hello\r\n.\r\nworld\r\n", "Message-ID: <", "Date: ")


def test_s_nail(posthorn, run):
    password = PASSWORD.replace(" ", "%20")
    run("s-nail", "-:u", "-Sv15-compat", "-Stls-verify=ignore", "-Ssmtp-use-starttls", "-Ssmtp-auth=plain",
        f"-Smta=smtp://fred%40acompany.test:{password}@127.0.0.1:{posthorn.ports['submission']}",
        f"-Sfrom={FRED}", "-Ssendwait", "-s", "from s-nail", TOM, text="hello from s-nail\n", mailrc="")
    assert_tom_reads(posthorn, "Subject: from s-nail", "hello from s-nail")


def test_mutt_sends(posthorn, run):
    run("mutt", "-F", "~/muttrc", "-s", "from mutt", TOM, text="hello from mutt\n",
        muttrc=f'set smtp_url = "smtp://{FRED}@127.0.0.1:{posthorn.ports["submission"]}/"\n'
               f'set smtp_pass = "{PASSWORD}"\nset from = "{FRED}"\nset ssl_starttls = yes\n'
               'set ssl_force_tls = yes\nset ssl_verify_host = no\nset ssl_verify_dates = no\n'
               f'set certificate_file = "{posthorn.certificate()}"\nset copy = no\nset use_envelope_from = yes\n')
    assert_tom_reads(posthorn, "Subject: from mutt", "hello from mutt")


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_curl_sends(posthorn, run, scheme):
    port = posthorn.ports["submission" if scheme == "smtp" else "submissions"]
    run("curl", "--silent", "--show-error", "--insecure", "--ssl-reqd", "--url", f"{scheme}://127.0.0.1:{port}",
        "--user", f"{FRED}:{PASSWORD}", "--mail-from", FRED, "--mail-rcpt", TOM, "--upload-file", "~/message",
        message="From: fred@acompany.test\r\nSubject: from curl\r\n\r\nhello\r\n.\r\n")
    assert_tom_reads(posthorn, "Subject: from curl", "hello\r\n.\r\n")


# Collecting

@pytest.fixture
def letter(posthorn):
    """Tom has one message."""
    with posthorn.smtp() as client:
        client.sendmail("ann@other.test", [TOM], "From: Ann <ann@other.test>\r\nTo: tom@acompany.test\r\n"
                        "Subject: a letter\r\nDate: Thu, 1 Jan 2026 00:00:00 +0000\r\n\r\nDear Tom\r\n.\r\n")
    return posthorn


@pytest.mark.parametrize("scheme", ["pop3", "pop3s"])
def test_curl_collects(letter, run, scheme):
    url = f"{scheme}://127.0.0.1:{letter.ports[scheme]}/"
    common = ["curl", "--silent", "--show-error", "--insecure", "--ssl-reqd", "--user", f"{TOM}:{PASSWORD}"]
    assert run(*common, url).split()[0] == "1"
    assert "Dear Tom\n.\n" in run(*common, url + "1")
    run(*common, "--request", "DELE 1", "--head", url)
    assert letter.inbox(TOM) == []


@pytest.mark.parametrize("protocol", ["pop3", "pop3s"])
def test_fetchmail(letter, run, tmp_path, protocol):
    tls = "ssl" if protocol == "pop3s" else "sslproto tls1.2+"
    code = f"""poll 127.0.0.1 protocol pop3 port {letter.ports[protocol]}
        user "{TOM}" password "{PASSWORD}" {tls} no sslcertck
        mda "/bin/cat >>{tmp_path}/fetched" no keep
    """
    environment = ["env", "USER=tom", "LOGNAME=tom"]
    run(*environment, "fetchmail", "--fetchmailrc", "~/fetchmailrc", "--nosyslog", "--pidfile", "~/pid",
        fetchmailrc=code)
    assert "Dear Tom" in (tmp_path / "fetched").read_text()
    assert letter.inbox(TOM) == []


def test_mutt_collects(letter, run, tmp_path):
    url = f"pops://{TOM}@127.0.0.1:{letter.ports['pop3s']}/"
    keys = f'push "<copy-message><kill-line>{tmp_path}/saved<enter><quit>"'
    run("script", "--quiet", "--return", "--command", f"mutt -F {tmp_path}/muttrc -f {url} -e '{keys}'", "/dev/null",
        muttrc=f'set pop_pass = "{PASSWORD}"\nset ssl_verify_host = no\nset ssl_verify_dates = no\n'
               f'set certificate_file = "{letter.certificate()}"\nset confirmappend = no\nset confirmcreate = no\n'
               f'set pop_delete = no\nset quit = yes\nset mbox_type = mbox\nset folder = "{tmp_path}"\n')
    assert "Dear Tom" in (tmp_path / "saved").read_text()
    assert len(letter.inbox(TOM)) == 1


def test_s_nail_collects(letter, run):
    password = PASSWORD.replace(" ", "%20")
    out = run("s-nail", "-:u", "-Sv15-compat", "-Stls-verify=ignore", "-Spop3-auth=plain", "-R", "-f",
              f"pop3s://tom%40acompany.test:{password}@127.0.0.1:{letter.ports['pop3s']}",
              text="print 1\nxit\n", mailrc="")
    assert "Dear Tom" in out


def test_smtplib_and_poplib(posthorn):
    for tls in ("starttls", "implicit"):
        with posthorn.submission(FRED, tls=tls) as client:
            client.sendmail(FRED, [TOM], f"Subject: by {tls}\r\n\r\nhello\r\n")
    for tls in ("stls", "implicit"):
        client = posthorn.pop3(TOM, tls=tls)
        assert client.stat()[0] == 2
        assert b"Subject: by implicit" in client.retr(2)[1]
        assert len(client.uidl()[1]) == 2
        assert "UIDL" in client.capa()
        client.quit()
