"""COMPRESS (RFC 4978) and its end by UNAUTHENTICATE (RFC 8437), as a client with zlib hears them."""

import zlib

import pytest

from harness import imap
from harness.server import DOMAIN, PASSWORD
from harness.wire import CLOSED, plain

FRED, TOM = f"fred@{DOMAIN}", f"tom@{DOMAIN}"


class Deflated(imap.ImapWire):
    """Everything after compress() goes through raw DEFLATE in both directions (RFC 4978 §4), until plain_again()."""

    def __init__(self, *args, **options):
        self.deflater = self.inflater = None
        self.heard = b""
        super().__init__(*args, **options)

    def compress(self):
        self.ok("COMPRESS DEFLATE")
        self.deflater, self.inflater = zlib.compressobj(1, zlib.DEFLATED, -15), zlib.decompressobj(-15)
        return self

    def plain_again(self):
        self.deflater = self.inflater = None

    def packed(self, data, flush=zlib.Z_SYNC_FLUSH):
        return self.deflater.compress(data) + self.deflater.flush(flush)

    def send(self, data):
        if not self.deflater:
            return super().send(data)
        return super().send(self.packed(data.encode() + b"\r\n" if isinstance(data, str) else data))

    def line(self):
        """Inflated octet by octet, so that nothing is taken that stands behind the end of compression."""
        if not self.inflater:
            return super().line()
        while b"\n" not in self.heard:
            octet = self.stream.read(1)
            if not octet:
                return ""
            self.heard += self.inflater.decompress(octet)
        line, _, self.heard = self.heard.partition(b"\n")
        return line.decode().rstrip("\r")

    def until(self, tag):
        lines = []
        while not (lines and lines[-1].startswith(f"{tag} ")):
            lines.append(self.reply())
            assert lines[-1] != CLOSED
        return lines[:-1], lines[-1][len(tag) + 1:]

    def end_of_compression(self):
        """What is left of the server's stream: the flush behind the tagged OK (an empty block)."""
        assert self.stream.read(5) in (b"\x00\x00\x00\xff\xff", b"\x01\x00\x00\xff\xff") or self.inflater.eof


def state_of_everything(client):
    """Enables, selects, saves, watches: all that UNAUTHENTICATE has to forget (RFC 8437 §4.1)."""
    client.ok("ENABLE QRESYNC UTF8=ACCEPT IMAP4rev2 METADATA UIDONLY")
    client.ok("SELECT INBOX")
    client.ok("UID SEARCH RETURN (SAVE) ALL")
    client.ok("UID SEARCH RETURN (UPDATE) ALL")
    client.ok("NOTIFY SET (selected (MessageNew (uid) MessageExpunge)) (personal (MailboxName))")


def expect_nothing_of_it(client):
    assert "* 2 RECENT" in client.ok("SELECT INBOX")  # as IMAP4rev1 has it
    assert client.ok("SEARCH $") == ["* SEARCH"]
    assert client.ok("STORE 1 +FLAGS (\\Flagged)") == ["* 1 FETCH (FLAGS (\\Flagged \\Recent))"]
    client.ok("CREATE unheard")
    assert client.ok("NOOP") == []
    client.ok("DELETE unheard")
    assert client.command('CANCELUPDATE "w9"')[1].startswith("BAD")


@pytest.mark.parametrize("protocol", ["imap", "imaps"])
def test_compressed_session(posthorn, protocol):
    imap.fill(posthorn, FRED, 3)
    with Deflated(posthorn, protocol) as client:
        client.login(FRED).compress()
        assert "* 3 EXISTS" in client.ok("SELECT INBOX")
        body = "".join(client.ok("FETCH 1:3 BODY.PEEK[TEXT]"))
        assert "line 1 of letter 3" in body
        capabilities = client.ok("CAPABILITY")[0].split(" ")
        assert "COMPRESS=DEFLATE" not in capabilities
        assert client.command("COMPRESS DEFLATE")[1].startswith("BAD [COMPRESSIONACTIVE]")
        client.send(b"a IDLE\r\n")
        assert client.reply() == "+ idling"
        imap.fill(posthorn, FRED, 1, first=4)
        assert client.reply() == "* 4 EXISTS"
        client.reply()
        client.send(b"DONE\r\n")
        assert client.reply().startswith("a OK")
        assert client.command("LOGOUT")[1].startswith("OK")
        assert client.is_at_end()


def test_what_is_no_deflate_ends_it(posthorn):
    with Deflated(posthorn, "imap") as client:
        client.login(FRED).compress()
        client.socket.sendall(b"a NOOP\r\n" * 100)
        while client.reply() != CLOSED:
            pass


@pytest.mark.parametrize("flush", [zlib.Z_SYNC_FLUSH, zlib.Z_FULL_FLUSH, zlib.Z_FINISH])
def test_unauthenticate_ends_compression(posthorn, flush):
    """RFC 8437 §4.1: behind the CRLF of the command, and of the reply, all is plain; the next sign-on may be there already."""
    imap.fill(posthorn, TOM, 2)
    with Deflated(posthorn, "imaps") as client:
        client.login(FRED).compress()
        state_of_everything(client)
        client.socket.sendall(client.packed(b"a UNAUTHENTICATE\r\n", flush) +
                              f"b AUTHENTICATE PLAIN {plain(TOM)}\r\nc NOOP\r\n".encode())
        assert client.reply() == "a OK UNAUTHENTICATE completed"
        client.end_of_compression()
        client.plain_again()
        assert "COMPRESS=DEFLATE" in client.reply()
        assert client.reply().startswith("c OK")
        expect_nothing_of_it(client)
        client.compress()
        assert client.ok("NOOP") == []
        client.socket.sendall(client.packed(b"d UNAUTHENTICATE\r\n"))
        assert client.reply() == "d OK UNAUTHENTICATE completed"
        client.end_of_compression()
        client.plain_again()
        assert client.command("COMPRESS DEFLATE")[1].startswith("BAD")
        assert client.command(f'LOGIN {FRED} "{PASSWORD}"')[1].startswith("OK [CAPABILITY")
