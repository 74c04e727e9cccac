"""A network of the test's own, with an address that is not loopback."""

import contextlib
import ctypes
import os
import subprocess

CLONE_NEWNET = 0x40000000
ADDRESS = "192.0.2.77"  # RFC 5737: belongs to nobody


@contextlib.contextmanager
def own_network():
    """Within it this thread, and every program it starts, is in a network in which only ADDRESS and loopback exist."""
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        if libc.unshare(CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "unshare")
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        subprocess.run(["ip", "address", "add", f"{ADDRESS}/32", "dev", "lo"], check=True)
        yield ADDRESS
    finally:
        libc.setns(before, CLONE_NEWNET)
        os.close(before)
