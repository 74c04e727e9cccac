"""What the system tests stand on: the server under test, and the world around it (DNS, other servers).

Nothing here sleeps. Whoever waits, waits for an event (a log line, a datagram, the end of a process) with a
deadline that only a broken program reaches.
"""

import itertools
import os
import pathlib
import socket

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("POSTHORN_BUILD", ROOT / "build")).resolve()

SLOW = bool(os.environ.get("POSTHORN_TEST_SLOW"))
DEADLINE_S = 300 if SLOW else 120
"""The longest wait for anything. No test measures time: this only ends one that would never end."""

PORTS_EACH = 400
FIRST_PORT, LAST_PORT = 10000, 32000  # below what the kernel gives to clients


def _take_ports():
    """Ports that no other test process uses meanwhile: the name of their block, as an abstract socket, is the lock. Such a
    name is one of a network, hence taken before any test makes a network of its own."""
    for first in range(FIRST_PORT, LAST_PORT, PORTS_EACH):
        lock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            lock.bind(f"\0posthorn-test-ports-{first}")
        except OSError:
            lock.close()
            continue
        return lock, itertools.cycle(range(first, first + PORTS_EACH))
    raise RuntimeError("every block of ports is taken")


_lock, _ports = _take_ports()


def free_port(*hosts):
    """A port that is free on every host, TCP and UDP."""
    for port in itertools.islice(_ports, PORTS_EACH):
        if all(_is_free(host, port) for host in hosts or ("127.0.0.1",)):
            return port
    raise RuntimeError(f"no port is free on {hosts}")


def _is_free(host, port):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(family, kind) as s:
            try:
                s.bind((host, port))
            except OSError:
                return False
    return True
