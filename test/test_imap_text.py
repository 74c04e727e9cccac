"""What IMAP finds and shows of mail in many charsets and encodings, through the real programs and their sandbox."""

import base64
import quopri

import pytest

from harness.imap import signed_on
from test_mail import TEXTS

TOM = "tom@acompany.test"
FORWARD = (b"Subject: forward\r\nFrom: a@b.test\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
           b"--b\r\n\r\nlook at this\r\n"
           b"--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: =?koi8-r?B?8NLJ18XU?=\r\n\r\ninside\r\n"
           b"--b\r\nContent-Type: text/plain; name*0*=utf-8''gr%C3%BC;\r\n name*1=n.txt\r\n"
           b"Content-Transfer-Encoding: base64\r\n\r\nYQpiAGM=\r\n--b--\r\n")


def word_of(text):
    return max(text.split(), key=len)


def letters():
    """One of each charset, in an encoding that goes through any server."""
    for number, (charset, text) in enumerate(TEXTS.items()):
        data = text.encode(charset)
        encoding, encoded = (("base64", base64.encodebytes(data)) if number % 2
                             else ("quoted-printable", quopri.encodestring(data)))
        word = base64.b64encode(word_of(text).encode(charset)).decode()
        yield charset, (f"From: a@b.test\r\nSubject: =?{charset}?B?{word}?=\r\nDate: {number + 1} Jan 2020 00:00 +0000\r\n"
                        f"Content-Type: text/plain; charset={charset}\r\n"
                        f"Content-Transfer-Encoding: {encoding}\r\n\r\n").encode() + encoded.replace(b"\n", b"\r\n")


@pytest.fixture
def tom(posthorn):
    with signed_on(posthorn, TOM) as wire:
        yield wire


def numbers(lines):
    return [int(n) for line in lines if line.startswith(b"* SEARCH") for n in line.split()[2:]]


def test_words_of_each_charset_are_found(tom):
    all_letters = list(letters())
    for _, letter in all_letters:
        tom.ok("APPEND INBOX {}", letter)
    tom.ok("SELECT INBOX")
    for number, text in enumerate(TEXTS.values(), 1):
        word = word_of(text)
        for key in ("BODY", "TEXT", "SUBJECT"):
            assert numbers(tom.ok(f"SEARCH CHARSET UTF-8 {key} {{}}", word.lower().encode())) == [number], (key, word)
    lines = tom.ok("FETCH 1:* (PREVIEW)")
    for line, text in zip(lines, TEXTS.values()):
        assert word_of(text).encode() in line


def test_sections(tom):
    tom.ok("APPEND INBOX {}", FORWARD)
    tom.ok("SELECT INBOX")

    def fetch(item):
        line, = tom.ok(f"FETCH 1 ({item})")
        return line

    assert fetch("BODY.PEEK[2.HEADER]").endswith(b"{34}\r\nSubject: =?koi8-r?B?8NLJ18XU?=\r\n\r\n)")
    assert fetch("BODY.PEEK[2.1]").endswith(b" {6}\r\ninside)")
    assert fetch("BODY.PEEK[3]<2.4>").endswith(b'BODY[3]<2> {4}\r\npiAG)')
    assert fetch("BODY.PEEK[4]").endswith(b"BODY[4] NIL)")
    assert b"BINARY.SIZE[3] 6" in fetch("BINARY.SIZE[3]")
    assert fetch("BINARY.PEEK[3]").endswith(b"BINARY[3] ~{6}\r\na\r\nb\0c)")
    assert b'("name*" "utf-8\'\'gr%C3%BCn.txt")' in fetch("BODYSTRUCTURE")
    assert b"look" in fetch("BODY.PEEK[1]") and numbers(tom.ok("SEARCH CHARSET UTF-8 BODY {}", "Привет".encode())) == [1]
    tom.ok("UNSELECT")
    tom.ok("ENABLE IMAP4rev2")
    tom.ok("SELECT INBOX")
    assert '("name*" "grün.txt")'.encode() in fetch("BODYSTRUCTURE")
