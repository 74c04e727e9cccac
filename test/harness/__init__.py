"""What the system tests stand on: the server under test, and the world around it (DNS, other servers).

Nothing here sleeps. Whoever waits, waits for an event (a log line, a datagram, the end of a process) with a
deadline that only a broken program reaches.
"""

import os
import pathlib
import random
import socket

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("POSTHORN_BUILD", ROOT / "build")).resolve()

SLOW = bool(os.environ.get("POSTHORN_TEST_SLOW"))
DEADLINE_S = 120 if SLOW else 30
"""The longest wait for anything. No test measures time: this only ends one that would never end."""

_given = set()


def free_port(*hosts):
    """A port that is free on every host, TCP and UDP, outside the range the kernel gives to clients."""
    while True:
        port = random.randrange(10000, 32000)
        if port not in _given and all(_is_free(host, port) for host in hosts or ("127.0.0.1",)):
            _given.add(port)
            return port


def _is_free(host, port):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(family, kind) as s:
            try:
                s.bind((host, port))
            except OSError:
                return False
    return True
