"""Processes that a test starts: told apart from all others by pidfd, never by name."""

import os
import select
import signal
import socket

from harness import DEADLINE_S


def wait_exit(process):
    """The exit status of a Popen, once it has ended. No polling: its pidfd becomes readable."""
    if process.poll() is not None:
        return process.returncode
    fd = os.pidfd_open(process.pid)
    try:
        ready, _, _ = select.select([fd], [], [], DEADLINE_S)
    finally:
        os.close(fd)
    assert ready, f"{process.args[0]} does not end"
    return process.wait()


def kill_group(process):
    """SIGKILL to the process and everything it started (it leads a session of its own); returns when all have ended. The
    ends of their pipes would tell it too early: what else they have open, a socket that listens or a lock, is closed later."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    # Looked for afterwards: it takes its time, in which what was to be interrupted would be done. What has gone has ended.
    ends = pidfds_of_group(process.pid)
    process.wait()
    for fd in ends:
        ready, _, _ = select.select([fd], [], [], DEADLINE_S)
        os.close(fd)
        assert ready, f"something that {process.args[0]} started does not end"


def pidfds_of_group(group):
    fds = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat") as stat:
                if int(stat.read().rpartition(")")[2].split()[2]) == group:
                    fds.append(os.pidfd_open(int(name)))
        except (FileNotFoundError, ProcessLookupError):
            pass
    return fds


class ReadySocket:
    """The other end of sd_notify(3)."""

    def __init__(self, path):
        self.path = str(path)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.bind(self.path)
        os.chmod(self.path, 0o666)

    def wait_ready(self, process):
        """True once READY=1 comes; False if the process ends before."""
        fd = os.pidfd_open(process.pid)
        try:
            while True:
                ready, _, _ = select.select([self._socket, fd], [], [], DEADLINE_S)
                assert ready, f"{process.args[0]} is never ready"
                if self._socket in ready and b"READY=1" in self._socket.recv(4096).split(b"\n"):
                    return True
                if fd in ready:
                    return False
        finally:
            os.close(fd)

    def close(self):
        self._socket.close()
        os.unlink(self.path)
