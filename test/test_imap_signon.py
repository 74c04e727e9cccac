"""IMAP until the vault has the connection, and the way back: imaplib, curl, and byte by byte."""

import imaplib
import re
import socket
import ssl
import subprocess

import pytest

from harness import DEADLINE_S, imap
from harness.server import DOMAIN, PASSWORD, trusting_tls
from harness.wire import CLOSED, Pop3Wire, Scram, SmtpWire, plain

FRED, TOM = f"fred@{DOMAIN}", f"tom@{DOMAIN}"


class ImapWire(imap.ImapWire):
    """With tags of one's own: responses as they came, the tagged one last."""

    def answers(self, tag):
        lines = [self.reply()]
        while not lines[-1].startswith(f"{tag} ") and lines[-1] != CLOSED:
            lines.append(self.reply())
        return lines

    def ask(self, tag, text):
        return self.send(f"{tag} {text}").answers(tag)[-1]

    def capabilities(self):
        (line,) = [line for line in self.send("cap CAPABILITY").answers("cap") if line.startswith("* CAPABILITY ")]
        return line.split(" ")[2:]


def old_tls():
    """TLS 1.2, of which Python can tell a channel binding."""
    context = trusting_tls()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


def who_signed_on(server, service="imap"):
    return [(e["name"], e["tls"]) for e in server.events("signed-on") if e["service"] == service]


# What is offered


def test_capabilities_before_and_after_tls(shared):
    with ImapWire(shared, "imap") as client:
        assert re.match(r"\* OK \[CAPABILITY (IMAP4rev2 )?IMAP4rev1 [^\]]+\] ", client.greeting)
        announced = client.greeting.split("[CAPABILITY ")[1].split("]")[0].split(" ")
        plain_text = client.capabilities()
        assert announced == plain_text
        assert "STARTTLS" in plain_text and "AUTH=SCRAM-SHA-256-PLUS" not in plain_text
        client.starttls()
        secured = client.capabilities()
        assert "STARTTLS" not in secured and "LOGINDISABLED" not in secured
        assert {"AUTH=PLAIN", "AUTH=SCRAM-SHA-256", "AUTH=SCRAM-SHA-256-PLUS", "SASL-IR", "LITERAL-"} <= set(secured)
    with ImapWire(shared, "imaps") as client:
        assert client.greeting.split("[CAPABILITY ")[1].split("]")[0].split(" ") == secured


def test_what_is_said_before_starttls_is_not_read_after_it(shared):
    with ImapWire(shared, "imap") as client:
        client.send(f"a STARTTLS\r\nb LOGIN {FRED} \"{PASSWORD}\"\r\nc NOOP\r\n".encode())
        assert client.reply().startswith("a OK")
        client.to_tls()
        assert client.send("d NOOP").reply().startswith("d OK")


def test_order(shared):
    with ImapWire(shared, "imaps") as client:
        assert client.ask("a", "SELECT INBOX").startswith("a BAD")
        assert client.ask("b", "ENABLE IMAP4rev2").startswith("b BAD")
        assert client.ask("c", "UNAUTHENTICATE").startswith("c BAD")
        assert client.send("d LOGOUT").answers("d")[0].startswith("* BYE")
        assert client.is_at_end()


def test_too_many_mistakes(make_posthorn):
    server = make_posthorn(limits="errors = 3").with_people().start()
    with ImapWire(server, "imaps") as client:
        assert client.ask("a", "XYZZY").startswith("a BAD")
        assert client.ask("b", f"LOGIN {FRED} wrong").startswith("b NO [AUTHENTICATIONFAILED]")
        assert client.ask("c", "XYZZY") == CLOSED
    assert server.events("signon-failed")[0]["service"] == "imap"


def test_too_many_connections(make_posthorn):
    server = make_posthorn(limits="connections-per-address = 1").with_people().start()
    with ImapWire(server, "imap") as first:
        first.ask("a", "NOOP")
        with ImapWire(server, "imap") as second:
            assert second.greeting.startswith("* BYE [LIMIT]")
            assert second.is_at_end()


def test_client_is_logged_once(shared):
    with ImapWire(shared, "imaps") as client:
        assert client.send('b ID ("name" "Weaver" "version" "7")').answers("b")[0].startswith('* ID ("name" "Posthorn"')
        assert client.ask("c", 'ID ("name" "Other")').startswith("c OK")
    (event,) = [e for e in shared.events("client") if "Weaver" in e["id"] or "Other" in e["id"]]
    assert event["id"] == "name=Weaver version=7"


# Signing on


@pytest.mark.parametrize("tls", ["starttls", "implicit", None])
def test_imaplib(posthorn, tls):
    client = imap.client(posthorn, FRED, tls=tls)
    assert client.state == "AUTH"
    assert client.noop()[0] == "OK"
    assert client.logout()[0] == "BYE"
    assert who_signed_on(posthorn) == [(FRED, "1" if tls else "0")]


def test_imaplib_authenticate(posthorn):
    client = imap.client(posthorn)
    client.authenticate("PLAIN", lambda _: f"\0{TOM}\0{PASSWORD}".encode())
    assert client.noop()[0] == "OK"
    with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
        imap.client(posthorn, TOM, "wrong")


def test_somebody_else(posthorn):
    """RFC 5530 §3: what was refused is told to who knows the password, and to nobody else."""
    with ImapWire(posthorn, "imaps") as client:
        for authzid in (FRED, "nobody@acompany.test"):
            assert client.ask("a", "AUTHENTICATE PLAIN " + plain(TOM, authzid=authzid)).startswith("a NO [AUTHORIZATIONFAILED]")
        answer = client.ask("b", "AUTHENTICATE PLAIN " + plain(TOM, "wrong", authzid=FRED))
        assert answer.startswith("b NO [AUTHENTICATIONFAILED]")
    assert [e["reason"] for e in posthorn.events("signon-failed")] == ["wrong-authzid", "wrong-authzid", "wrong-password"]


def test_an_empty_answer(posthorn):
    """No mechanism of ours has one: an end, and no other "+" (RFC 4616 §2)."""
    with ImapWire(posthorn, "imaps") as client:
        for mechanism in ("PLAIN", "SCRAM-SHA-256"):
            assert client.send(f"a AUTHENTICATE {mechanism}").reply() == "+ "
            assert client.send("").reply().startswith("a NO [AUTHENTICATIONFAILED]")
        assert client.ask("b", "NOOP").startswith("b OK")


def test_curl(posthorn):
    for url in (f"imaps://127.0.0.1:{posthorn.ports['imaps']}/", f"imap://127.0.0.1:{posthorn.ports['imap']}/"):
        for option in (["--login-options", "AUTH=PLAIN"], ["--sasl-ir"], []):
            done = subprocess.run(["curl", "--silent", "--show-error", "--insecure", "--ssl-reqd", *option, "--user",
                                   f"{FRED}:{PASSWORD}", url], capture_output=True, text=True, timeout=DEADLINE_S)
            assert done.returncode == 0, done.stderr
            assert "INBOX" in done.stdout
    wrong = subprocess.run(["curl", "--silent", "--insecure", "--user", f"{FRED}:no", url], capture_output=True, timeout=DEADLINE_S)
    assert wrong.returncode == 67  # CURLE_LOGIN_DENIED


@pytest.mark.parametrize("literal", ["{%d}", "{%d+}"])
def test_login_with_literals_and_what_follows(posthorn, literal):
    """A password with a quote, a backslash and letters beyond ASCII; what comes behind is answered by the session."""
    password = 'grün"e\\ Wiese'
    posthorn.cli("account", "password", FRED, "--password-stdin", text=password + "\n")
    octets = password.encode()
    with ImapWire(posthorn, "imaps") as client:
        client.send(f"a LOGIN {FRED} {literal % len(octets)}")
        if "+" not in literal:
            assert client.reply().startswith("+")
        client.send(octets + b"\r\nb NOOP\r\nc CAPABILITY\r\nd NOO")
        assert client.answers("a")[-1].startswith("a OK [CAPABILITY ")
        assert client.answers("b")[-1].startswith("b OK")
        assert client.answers("c")[0].startswith("* CAPABILITY ")
        assert client.send(b"P\r\n").answers("d")[-1].startswith("d OK")


@pytest.mark.parametrize("with_ir", [True, False])
def test_scram(posthorn, with_ir):
    scram = Scram(FRED)
    with ImapWire(posthorn, "imaps") as client:
        if with_ir:
            challenge = client.say(f"a AUTHENTICATE SCRAM-SHA-256 {scram.first()}")
        else:
            assert client.say("a AUTHENTICATE SCRAM-SHA-256") == "+ "
            challenge = client.say(scram.first())
        last = client.say(scram.final(challenge[2:]))
        assert scram.accepts(last[2:])
        assert client.send("").answers("a")[-1].startswith("a OK")
        assert client.ask("b", "NOOP").startswith("b OK")


def test_scram_bound_to_the_connection(posthorn):
    command, prompt, refusal = "a AUTHENTICATE SCRAM-SHA-256-PLUS ", "+ ", "a NO"

    def exchange(binding=None, flag="n"):
        with ImapWire(posthorn, "imaps", context=old_tls()) as client:
            unique = client.socket.get_channel_binding("tls-unique")
            scram = Scram(FRED, binding=binding and ("tls-unique", binding(unique)), flag=flag)
            answer = client.say((command if binding else command.replace("-PLUS", "")) + scram.first())
            if not answer.startswith(prompt):
                return answer
            answer = client.say(scram.final(answer[len(prompt):]))
            return scram.accepts(answer[len(prompt):]) if answer.startswith(prompt) else answer

    assert exchange(lambda unique: unique) is True
    assert exchange() is True
    assert exchange(lambda unique: bytes(len(unique))).startswith(refusal)  # somebody stands between
    assert exchange(flag="y").startswith(refusal)  # … and has hidden -PLUS


def test_suspended(posthorn):
    posthorn.cli("account", "suspend", FRED)
    with ImapWire(posthorn, "imaps") as client:
        assert client.ask("a", f'LOGIN {FRED} "{PASSWORD}"').startswith("a NO [CONTACTADMIN]")
        assert client.ask("b", f"LOGIN {FRED} wrong").startswith("b NO [AUTHENTICATIONFAILED]")


def test_suspending_ends_the_session(posthorn):
    with ImapWire(posthorn, "imaps") as client:
        client.login(FRED)
        posthorn.cli("account", "suspend", FRED)
        assert client.is_at_end()


def test_a_session_is_of_its_protocol(posthorn):
    """What was signed on by IMAP is listed as such, and works beside POP3."""
    with ImapWire(posthorn, "imaps") as wire, Pop3Wire(posthorn, "pop3s") as pop3:
        wire.login(FRED)
        pop3.sign_on(FRED)
        assert wire.ask("a", "NOOP").startswith("a OK")
        assert pop3.say("NOOP").startswith("+OK")


# The way back


@pytest.mark.parametrize("protocol", ["imap", "imaps"])
def test_unauthenticate(posthorn, protocol):
    """RFC 8437: the connection is as it was before sign-on, TLS stays, and may be used by somebody else."""
    with ImapWire(posthorn, protocol) as client:
        before = client.capabilities()
        for user in (FRED, TOM, FRED):
            client.login(user)
            assert client.ask("a", "SELECT INBOX").startswith("a OK")
            assert client.ask("b", "UNAUTHENTICATE").startswith("b OK")
            assert client.ask("c", "NOOP").startswith("c OK")
            assert client.ask("d", "SELECT INBOX").startswith("d BAD")
            assert client.capabilities() == before
    assert [name for name, _ in who_signed_on(posthorn)] == [FRED, TOM, FRED]


@pytest.mark.parametrize("protocol", ["imap", "imaps"])
def test_unauthenticate_pipelined(posthorn, protocol):
    """RFC 8437 §3: AUTHENTICATE may follow at once."""
    with ImapWire(posthorn, protocol) as client:
        client.login(FRED)
        client.send(f"a UNAUTHENTICATE\r\nb AUTHENTICATE PLAIN {plain(TOM)}\r\nc NOOP\r\nd UNAUTHENTICATE\r\n"
                    f"e LOGIN {FRED} \"{PASSWORD}\"\r\nf LOGOUT\r\n".encode())
        for tag in "abcdef":
            assert client.answers(tag)[-1].startswith(f"{tag} OK"), tag
        assert client.is_at_end()
    assert [name for name, _ in who_signed_on(posthorn)] == [FRED, TOM, FRED]


def test_many_bytes_behind_unauthenticate(posthorn):
    """All of what was sent along is read, whoever had read it."""
    with ImapWire(posthorn, "imaps") as client:
        client.login(FRED)
        client.send(b"a UNAUTHENTICATE\r\n" + b"".join(b"t%d NOOP\r\n" % n for n in range(3000)))
        assert client.answers("a")[-1].startswith("a OK")
        for n in range(3000):
            assert client.reply().startswith(f"t{n} OK")


# Ends


def test_stop_says_bye(posthorn):
    with ImapWire(posthorn, "imap") as waiting:
        waiting.ask("a", "NOOP")
        posthorn.stop()
        assert waiting.reply().startswith("* BYE [UNAVAILABLE]")
        assert waiting.is_at_end()


def test_client_goes_in_the_midst(posthorn):
    for text in (b"a LOGIN {4}\r\n", b"a AUTHENTICATE PLAIN\r\n", b"a STARTTLS\r\n", b"a LOGIN {4+}\r\nfr"):
        with socket.create_connection(("127.0.0.1", posthorn.ports["imap"])) as client:
            client.sendall(text)
    with ImapWire(posthorn, "imaps") as client:
        client.login(FRED)
