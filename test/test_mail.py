"""What mail/ reads out of messages is what Python's library puts into them, and reads out of them."""

import datetime
import email
import email.header
import email.policy
import email.utils
import quopri
import random
import re
import subprocess
from email.message import EmailMessage

import pytest

from harness import BUILD

TEXTS = {
    "us-ascii": "Plain words, = signs and trailing blanks  \nand more.\n",
    "utf-8": "Grüße, 日本語, عربى, 😀\n",
    "iso-8859-1": "Fünf Äpfel für Zoë\n",
    "iso-8859-2": "Příliš žluťoučký kůň\n",
    "iso-8859-7": "Ελληνικά\n",
    "iso-8859-15": "zehn € und Žižek\n",
    "windows-1251": "Привет, мир\n",
    "koi8-r": "Съешь же ещё этих булок\n",
    "windows-1256": "مرحبا\n",
    "iso-2022-jp": "こんにちは世界\n",
    "shift_jis": "東京タワー\n",
    "euc-jp": "京都のお寺\n",
    "euc-kr": "안녕하세요\n",
    "gb2312": "你好，世界\n",
    "gb18030": "简体中文𠀀\n",
    "big5": "繁體中文\n",
}
NAMES = ["a.txt", "two words.pdf", "Grüße.txt", "日本語のとても長いファイル名がここにあります、さらに続きます.txt",
         'quoted "name".txt', "semi;colon.txt", "apostrophe's.txt", "100%.txt"]


def show(message):
    """mail_show's records: what is of the whole message, and the leaves, a dictionary each."""
    data = subprocess.run([BUILD / "test" / "mail_show"], input=message, stdout=subprocess.PIPE, check=True).stdout
    whole, leaves, at = {}, [], 0
    while at < len(data):
        end = data.index(b"\n", at)
        name, length = data[at:end].decode().split()
        value = data[end + 1 : end + 1 + int(length)]
        at = end + 1 + int(length)
        if name == "leaf":
            leaves.append({})
        else:
            (leaves[-1] if leaves else whole)[name] = value
    return whole, leaves


def leaves_of(message):
    """Python's leaves, those of messages inside as well, in order."""
    if message.is_multipart():
        return [leaf for part in message.get_payload() for leaf in leaves_of(part)]
    return [message]


def one_line(text):
    return " ".join(text.split())


def lines(text):
    return text.replace("\r\n", "\n")


def compare(data):
    parsed = email.message_from_bytes(data, policy=email.policy.default)
    whole, leaves = show(data)
    expected = leaves_of(parsed)
    assert re.sub(r"\s+", " ", parsed["Subject"]) == whole["subject"].decode()
    assert int(parsed["Date"].datetime.timestamp()) == int(whole["date"])
    assert len(leaves) == len(expected)
    for leaf, part in zip(leaves, expected):
        if part.get_filename() is not None:
            assert leaf["filename"].decode() == part.get_filename()
        content = part.get_content()
        if isinstance(content, bytes):
            assert leaf["binary"] == content
        else:
            assert lines(leaf["binary"].decode(part.get_content_charset("us-ascii"))) == lines(content)
        if part.get_content_type() == "text/plain":
            assert lines(leaf["text"].decode())[:-1] == lines(content)


def text_part(choose, message=None):
    """Text in some charset and encoding; Python's own encoders know only a few of both."""
    message = message or EmailMessage(policy=email.policy.SMTP)
    charset = choose.choice(list(TEXTS))
    data = (TEXTS[charset] * choose.randrange(1, 20)).encode(charset)
    plain = "7bit" if charset in ("us-ascii", "iso-2022-jp") else "8bit"
    encoding = choose.choice(["base64", "quoted-printable", plain])
    message.set_content(data, "text", "plain", cte="base64", params={"charset": charset})
    if encoding != "base64":
        encoded = quopri.encodestring(data) if encoding == "quoted-printable" else data
        message.set_payload(encoded.decode("ascii", "surrogateescape"))
        message.replace_header("Content-Transfer-Encoding", encoding)
    return message


def random_message(choose, depth=0):
    message = EmailMessage(policy=email.policy.SMTP)
    kind = choose.choice(["plain", "mixed", "alternative", "forward"] if depth < 3 else ["plain"])
    if kind == "plain":
        text_part(choose, message)
    elif kind == "alternative":
        message.set_content(TEXTS["utf-8"])
        message.add_alternative(f"<p>{TEXTS['koi8-r']}</p>", subtype="html")
    else:
        message.make_mixed()
        message.attach(text_part(choose))
        if kind == "forward":
            message.add_attachment(random_message(choose, depth + 1))
        for _ in range(choose.randrange(3)):
            message.add_attachment(choose.randbytes(choose.randrange(3000)), "application", "octet-stream",
                                   filename=choose.choice(NAMES))
    zone = datetime.timezone(datetime.timedelta(minutes=choose.randrange(-720, 840, 30)))
    message["Date"] = email.utils.format_datetime(datetime.datetime.fromtimestamp(choose.randrange(2 * 10**9), zone))
    message["Subject"] = "Re: " + one_line(TEXTS[choose.choice(list(TEXTS))]) * choose.randrange(1, 6)
    return message


@pytest.mark.parametrize("seed", range(150))
def test_as_python_reads_them(seed):
    compare(random_message(random.Random(seed)).as_bytes())


@pytest.mark.parametrize("charset", TEXTS)
def test_encoded_words_of_each_charset(charset):
    text = one_line(TEXTS[charset]) * 5
    subject = email.header.Header(text, charset, header_name="Subject").encode(linesep="\r\n")
    whole, _ = show(f"Subject: {subject}\r\n\r\n".encode())
    assert whole["subject"].decode() == re.sub(r"\s+", " ", text)
