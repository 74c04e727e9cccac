"""What BODYSTRUCTURE says of letters of random and mostly broken shape, and what the sections hold, are one and the same."""

import base64
import quopri
import random

import pytest

from harness.fetched import fetched
from harness.imap import signed_on

TOM = "tom@acompany.test"
LETTERS = 400
DEPTH = 5
DECODABLE = (b"7bit", b"8bit", b"binary", b"base64", b"quoted-printable")
WHOLE = ("RFC822.SIZE ENVELOPE BODY BODYSTRUCTURE PREVIEW BODY.PEEK[] BODY.PEEK[HEADER] BODY.PEEK[TEXT] BINARY.PEEK[] "
         "BINARY.SIZE[] BODY.PEEK[HEADER.FIELDS (subject FROM X-Foo)] BODY.PEEK[HEADER.FIELDS.NOT (Subject From X-FOO)]")

FIELDS = ("Subject: a", "Subject: ", "Subject: x\r\n y", 'Subject: "q" \\', "From: a@b", "From: A <a@b>",
          'From: "A B" <a@b>, c@d', "From: G: a@b;", "From: ", "From: x", "From: (c) a@b (d)", "From: <@r:a@b>", "From: G:;",
          "To: u:;", "To: ,", "To: a@[1.2]", "To: a@b,,c@d", 'To: "un', "Sender: s@t", "Reply-To: ", "Date: ", "Date: x",
          "Message-ID: <a@b>", "Message-ID: ", "In-Reply-To: <x@y>", "Content-ID: <c@d>", "Content-ID: ",
          "Content-Description: a\r\n\tb", "Content-Description: ", "Content-Disposition: inline", "Content-Disposition: ",
          "Content-Disposition: ; x=y", 'Content-Disposition: attachment; filename="a b"',
          "Content-Disposition: inline; filename*0=a; filename*1=b; filename*2*=%41",
          "Content-Disposition: attachment; filename*=utf-8''%e2%82%ac", "Content-Language: de, en", "Content-Language: ",
          "Content-Language: (c) de", "Content-Language: ,", "Content-Location: x", "Content-Location: ", "Content-MD5: abc",
          "broken line", "X-Foo : bar", " leading", "Cc:\r\n a@b")
TYPES = (None, None, "text/plain", "text/html; charset=utf-8", 'TEXT/X-Y; CHARSET="a b"; format=flowed', "image/png; name=x",
         "foo", "", 'application/x; a=b; c="d;e"; f*=us-ascii\'\'%41', "text/plain; charset", "a/b/c",
         "message/delivery-status", "multipart/mixed", "audio/x (comment)", 'text/plain; name="\\"q\\\\"')
ENCODINGS = (None, None, "base64", "quoted-printable", "BASE64", "8bit", "7bit", "binary", "x-odd", "", '"base64"')
BODIES = ("", "x", "a\r\nb\r\n", "\r\n", "\r\n\r\n", "line\nlf\n", "cr\rcr", "--", "--b", "\xc3\xa9", "x" * 300 + "\r\n", " \r\n")
BOUNDARIES = ("b", "bb", "a b", "x" * 70, "'()+_,-./:=?")


class Letters:
    """Of one seed, as text of eight bits."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.pick = self.random.choice

    def header(self, type_=None, encoding=None):
        fields = [self.pick(FIELDS) for _ in range(self.random.randint(0, 4))]
        fields += [] if type_ is None else [f"Content-Type: {type_}"]
        fields += [] if encoding is None else [f"Content-Transfer-Encoding: {encoding}"]
        self.random.shuffle(fields)
        return "".join(f"{field}\r\n" for field in fields) + self.pick(("\r\n", "\r\n", "\r\n", "\r\n", ""))

    def leaf(self):
        body, encoding = self.pick(BODIES), self.pick(ENCODINGS)
        if encoding == "base64":
            body = self.pick((base64.encodebytes(body.encode("latin1")).decode().replace("\n", "\r\n"), body, "AAE="))
        elif encoding == "quoted-printable":
            body = self.pick((quopri.encodestring(body.encode("latin1")).decode(), "=\r\n=41=4"))
        return self.header(self.pick(TYPES), encoding) + body

    def multipart(self, depth):
        boundary = self.pick(BOUNDARIES)
        subtype = self.pick(("mixed", "digest", "alternative", "related", "report"))
        letter = self.header(f'multipart/{subtype}; boundary="{boundary}"') + self.pick(("", "preamble\r\n", "\r\n"))
        for _ in range(self.random.randint(0, 3)):
            letter += f"\r\n--{boundary}" + self.pick(("", "", " ", "\t")) + "\r\n" + self.entity(depth + 1)
        return letter + f"\r\n--{boundary}" + self.pick(("--\r\nepilogue", "--", "", "\r\n"))

    def entity(self, depth=0):
        kind = self.random.random()
        if depth == DEPTH or kind < 0.45:
            return self.leaf()
        if kind < 0.8:
            return self.multipart(depth)
        subtype = self.pick(("rfc822", "RFC822", "rfc822; x=y", "global"))
        return self.header(f"message/{subtype}", self.pick((None, None, None, "base64", "8bit"))) + self.entity(depth + 1)


class Shown:
    """One letter, as one session sees it."""

    def __init__(self, wire, number, raw):
        self.wire, self.number, self.raw = wire, number, raw

    def fetch(self, items):
        """What could be had, and the status."""
        lines, status = self.wire.command(f"FETCH {self.number} ({items})")
        return fetched(lines[0]) if lines else {}, status

    def look(self, part, *names):
        """The sections of these names of a part, in order."""
        names = [f"{part}.{name}" if name else part for name in names]
        found, status = self.fetch(" ".join(f"BODY.PEEK[{name}]" for name in names))
        assert status.startswith("OK"), status
        return [found[f"BODY[{name}]"] for name in names]

    def check(self):
        found, status = self.fetch(WHOLE)
        assert status.startswith("OK"), status
        header = found["BODY[HEADER]"]
        assert self.raw == found["BODY[]"] == found["BINARY[]"] == header + found["BODY[TEXT]"]
        assert len(self.raw) == found["RFC822.SIZE"] == found["BINARY.SIZE[]"]
        assert without_extension(found["BODYSTRUCTURE"]) == found["BODY"]
        assert len(found["PREVIEW"].decode()) <= 256
        if header.endswith(b"\r\n\r\n"):
            these = found["BODY[HEADER.FIELDS (subject FROM X-Foo)]"]
            others = found["BODY[HEADER.FIELDS.NOT (Subject From X-FOO)]"]
            assert these.endswith(b"\r\n") and others.endswith(b"\r\n") and len(these) + len(others) == len(header) + 2
        self.check_inside(found["BODYSTRUCTURE"], "")

    def check_inside(self, structure, number):
        """The parts of a multipart, or the one of another message."""
        for n, part in enumerate(structure.get("parts", [structure]), 1):
            self.check_part(part, f"{number}.{n}".lstrip("."))

    def check_part(self, part, number):
        body, mime, nothing = self.look(number, "", "MIME", "TEXT")
        assert mime + body in self.raw
        if "parts" in part:
            assert nothing is None
            self.check_inside(part, number)
            return
        assert len(body) == part["size"]
        assert part.get("lines", -1) in (-1, body.count(b"\n") + (body[-1:] not in (b"", b"\n")))
        self.check_binary(part, number, body)
        if "message" in part:
            header, text = self.look(number, "HEADER", "TEXT")
            assert header + text == body
            self.check_inside(part["message"], number)
        else:
            assert self.look(number, "HEADER", "TEXT", "1") == [None] * 3

    def check_binary(self, part, number, body):
        found, status = self.fetch(f"BINARY.PEEK[{number}] BINARY.SIZE[{number}] BINARY.PEEK[{number}]<1.3> "
                                   f"BODY.PEEK[{number}]<1.3>")
        assert found[f"BODY[{number}]<1>"] == body[1:4]
        if part["encoding"] not in DECODABLE:
            assert status.startswith("NO [UNKNOWN-CTE]"), status
            return
        decoded = found[f"BINARY[{number}]"]
        assert status.startswith("OK") and len(decoded) == found[f"BINARY.SIZE[{number}]"]
        assert found[f"BINARY[{number}]<1>"] == decoded[1:4]
        if part["type"][0] == b"text":
            assert b"\n" not in decoded.replace(b"\r\n", b"")
        elif part["encoding"] in (b"7bit", b"8bit", b"binary"):
            assert decoded == body


def without_extension(part):
    """A BODYSTRUCTURE as BODY has it."""
    kept = {key: value for key, value in part.items() if key not in ("extension", "md5")}
    if "parts" in part:
        kept.pop("parameters", None)
        kept["parts"] = [without_extension(inside) for inside in part["parts"]]
    if "message" in part:
        kept["message"] = without_extension(part["message"])
    return kept


@pytest.mark.parametrize("seed", range(2))
def test_structures_and_sections_agree(posthorn, seed):
    letters = Letters(seed)
    raw = [(letters.entity() or "\r\n").encode("latin1") for _ in range(LETTERS)]
    with signed_on(posthorn, TOM) as writer:
        writer.ok("ENABLE UTF8=ACCEPT")  # a few have eight bits in their headers
        for letter in raw:
            writer.ok("APPEND INBOX {}", letter)
    with signed_on(posthorn, TOM) as wire:
        wire.ok("SELECT INBOX")
        for number, letter in enumerate(raw, 1):
            try:
                Shown(wire, number, letter).check()
            except AssertionError as e:
                raise AssertionError(f"letter {number} of seed {seed}: {letter!r}") from e
