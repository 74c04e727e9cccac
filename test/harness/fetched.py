"""FETCH responses, read as strictly as the grammar of RFC 9051 §9 has them. A client that is as strict must get along."""

import re

QUOTED = re.compile(rb'"((?:[^"\\\r\n\x80-\xff\0]|\\["\\])*)"')
LITERAL = re.compile(rb"(~?)\{(\d+)\}\r\n")
NUMBER = re.compile(rb"\d+")
NAME = re.compile(rb"[A-Z0-9.]+(\[[^\]]*\](<\d+>)?)?")
HOLDS_MESSAGE = ((b"message", b"rfc822"), (b"message", b"global"))


def fetched(line):
    """What stands behind each name of one "* n FETCH (…)"."""
    reader = _Reader(line)
    reader.take(re.compile(rb"\* \d+ FETCH "))
    items = dict(reader.listed(reader.item))
    assert reader.rest() == b"", line
    return items


class _Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def rest(self):
        return self.data[self.at:]

    def take(self, pattern):
        found = pattern.match(self.data, self.at)
        assert found, (pattern.pattern, self.data[self.at:self.at + 100])
        self.at = found.end()
        return found

    def starts(self, text):
        return self.data.startswith(text, self.at)

    def want(self, text):
        assert self.starts(text), (text, self.data[self.at:self.at + 100])
        self.at += len(text)

    def nil(self):
        if self.starts(b"NIL"):
            self.at += 3
            return True
        return False

    def string(self):
        if self.starts(b'"'):
            return re.sub(rb"\\(.)", rb"\1", self.take(QUOTED)[1])
        literal = self.take(LITERAL)
        value = self.data[self.at:self.at + int(literal[2])]
        assert len(value) == int(literal[2]) and (literal[1] or b"\0" not in value)
        self.at += len(value)
        return value

    def nstring(self):
        return None if self.nil() else self.string()

    def number(self):
        return int(self.take(NUMBER)[0])

    def listed(self, element):
        """"(" element *(SP element) ")" """
        values, before = [], b"("
        while not values or not self.starts(b")"):
            self.want(before)
            values.append(element())
            before = b" "
        self.want(b")")
        return values

    def fields(self, *elements):
        values = [elements[0]()]
        for element in elements[1:]:
            self.want(b" ")
            values.append(element())
        return values

    def item(self):
        name = self.take(NAME)[0].decode()
        self.want(b" ")
        if name in ("BODY", "BODYSTRUCTURE"):
            return name, self.body(name == "BODYSTRUCTURE")
        if name == "ENVELOPE":
            return name, self.envelope()
        is_number = name in ("RFC822.SIZE", "UID") or name.startswith("BINARY.SIZE")
        return name, self.number() if is_number else self.nstring()

    def envelope(self):
        self.want(b"(")
        values = self.fields(*[self.nstring] * 2, *[self.addresses] * 6, *[self.nstring] * 2)
        self.want(b")")
        assert not values[2] or (values[3] and values[4]), "sender and reply-to are from's if there are none"
        return values

    def addresses(self):
        if self.nil():
            return None
        self.want(b"(")
        values = []
        while self.starts(b"(") or not values:
            values.append(self.address())
        self.want(b")")
        in_group = False
        for _, _, mailbox, host in values:
            if host is None:
                assert in_group == (mailbox is None), values
                in_group = mailbox is not None
        assert not in_group, values
        return values

    def address(self):
        self.want(b"(")
        values = self.fields(*[self.nstring] * 4)
        self.want(b")")
        return values

    def pair(self):
        return tuple(self.fields(self.string, self.string))

    def parameters(self):
        return None if self.nil() else self.listed(self.pair)

    def disposition(self):
        if self.nil():
            return None
        self.want(b"(")
        values = self.fields(self.string, self.parameters)
        self.want(b")")
        return values

    def language(self):
        return self.listed(self.string) if self.starts(b"(") else self.nstring()

    def extension(self, part, extended, first, read_first):
        if not self.starts(b")"):
            assert extended, "BODY has no extension data"
            self.want(b" ")
            part["extension"] = self.fields(read_first, self.disposition, self.language, self.nstring)
            part[first] = part["extension"][0]
        self.want(b")")
        return part

    def body(self, extended):
        self.want(b"(")
        return self.multipart(extended) if self.starts(b"(") else self.part(extended)

    def multipart(self, extended):
        parts = []
        while self.starts(b"("):
            parts.append(self.body(extended))
        self.want(b" ")
        part = {"parts": parts, "type": (b"multipart", self.string().lower())}
        return self.extension(part, extended, "parameters", self.parameters)

    def part(self, extended):
        type_, subtype, parameters, id_, description, encoding, size = self.fields(
            self.string, self.string, self.parameters, self.nstring, self.nstring, self.string, self.number)
        part = {"type": (type_.lower(), subtype.lower()), "parameters": parameters, "id": id_, "description": description,
                "encoding": encoding.lower(), "size": size}
        assert encoding and part["type"][0] != b"multipart"
        if part["type"] in HOLDS_MESSAGE:
            self.want(b" ")
            part["envelope"], part["message"], part["lines"] = self.fields(
                self.envelope, lambda: self.body(extended), self.number)
        elif part["type"][0] == b"text":
            self.want(b" ")
            part["lines"] = self.number()
        return self.extension(part, extended, "md5", self.nstring)
