"""The output of a program, line by line, while it runs."""

import os
import re
import select
import shlex
import threading
import time

from harness import DEADLINE_S

PAIR = re.compile(r'([a-z0-9_-]+)=("(?:[^"\\]|\\.)*"|\S*)')


class Event(dict):
    """One line of Posthorn's log: `2026-11-22T04:15:05.123Z mx info delivered id=0CJ2… to=tom@acompany.test`."""

    def __init__(self, line):
        head = line.split(" ", 4)
        self.line = line
        self.is_event = len(head) >= 4 and head[0][:2] == "20" and head[0].endswith("Z")
        self.program, self.level, self.name = head[1:4] if self.is_event else ("", "", "")
        rest = head[4] if self.is_event and len(head) > 4 else ""
        super().__init__((key, _unquoted(value)) for key, value in PAIR.findall(rest))

    def matches(self, name, pairs):
        return (name is None or self.name == name) and all(self.get(k) == str(v) for k, v in pairs.items())


def _unquoted(value):
    if not value.startswith('"'):
        return value
    try:
        return shlex.split(value)[0]
    except (ValueError, IndexError):
        return value.strip('"')


class Lines:
    """Collects what comes out of pipes; those who wait for a line are woken when it comes. Whoever looks at what
    is there sees all that was written before: he reads the pipes himself and does not rely on the thread."""

    def __init__(self):
        self._lines = []
        self._pipes = {}
        self._changed = threading.Condition()

    def follow(self, stream):
        """Reads the binary stream to its end, in a thread of its own."""
        os.set_blocking(stream.fileno(), False)
        with self._changed:
            self._pipes[stream] = b""
        threading.Thread(target=self._read, args=(stream,), daemon=True).start()

    def _read(self, stream):
        ready = select.poll()
        ready.register(stream, select.POLLIN)
        while stream in self._pipes:
            ready.poll()
            with self._changed:
                if stream in self._pipes:
                    self._drain(stream)
        stream.close()

    def _drain(self, stream):
        """What the pipe holds now. With the lock held."""
        rest = self._pipes[stream]
        while True:
            try:
                came = os.read(stream.fileno(), 65536)
            except BlockingIOError:
                break
            *whole, rest = (rest + came).split(b"\n")
            if not came and rest:
                whole, rest = [rest], b""
            self._lines += [line.decode("utf-8", "backslashreplace") for line in whole]
            self._changed.notify_all()
            if not came:
                del self._pipes[stream]
                return
        self._pipes[stream] = rest

    @property
    def lines(self):
        with self._changed:
            for stream in list(self._pipes):
                self._drain(stream)
            return self._lines

    def wait_end(self):
        """Until every process that could still write is gone."""
        with self._changed:
            assert self._changed.wait_for(lambda: not self._pipes, DEADLINE_S), "the output does not end"

    def wait(self, found, what, since=0):
        """The first value `found(line)` gives that is true, looking at the lines from number `since` on."""
        end = time.monotonic() + DEADLINE_S
        at = since
        with self._changed:
            while True:
                for line in self.lines[at:]:
                    at += 1
                    value = found(line)
                    if value:
                        return value
                if not self._pipes:
                    raise AssertionError(f"the program ended without: {what}\n" + self.tail())
                if not self._changed.wait(end - time.monotonic()) and time.monotonic() >= end:
                    raise AssertionError(f"never came: {what}\n" + self.tail())

    def wait_more(self, since, at_most_s):
        """Until there is a line after number `since`, or that time is over."""
        with self._changed:
            self._changed.wait_for(lambda: len(self.lines) > since, at_most_s)

    def mark(self):
        """The number of the next line: what is there already does not count for a wait(since=mark)."""
        return len(self.lines)

    def tail(self, count=60):
        return "\n".join(self.lines[-count:])

    def text(self):
        return "\n".join(self.lines)
