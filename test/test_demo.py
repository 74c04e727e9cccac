"""`make run`, as someone does it who has just cloned the repository: the commands it prints must work."""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from harness import BUILD, DEADLINE_S, ROOT
from harness.lines import Lines
from harness.processes import ReadySocket, wait_exit

pytestmark = pytest.mark.root  # its ports are fixed: a network of its own keeps them from colliding


class Demo:
    """A copied tree with the programs built already, run in a network namespace of its own."""

    def __init__(self):
        self.tree = Path(tempfile.mkdtemp(prefix="posthorn-demo-"))
        self.tree.chmod(0o755)
        files = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT,
                               check=True, capture_output=True, text=True).stdout.split("\0")
        for name in filter(None, files):
            (self.tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, self.tree / name)
        (self.tree / "build").mkdir(exist_ok=True)
        for program in ("posthorn", "posthorn-gate", "posthorn-vault"):
            shutil.copy2(BUILD / program, self.tree / "build" / program)
        self.log = Lines()

    def start(self):
        ready = ReadySocket(self.tree / "notify")
        command = "ip link set lo up && exec make --no-print-directory -o deps -o build run"
        environment = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
        self.process = subprocess.Popen(["unshare", "--net", "sh", "-c", command], cwd=self.tree,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        env={**environment, "NOTIFY_SOCKET": ready.path}, start_new_session=True)
        self.log = Lines()
        self.log.follow(self.process.stdout)
        try:
            assert ready.wait_ready(self.process), self.log.wait_end() or self.log.text()
        finally:
            ready.close()

    def type(self, command):
        """What a user types in another terminal, in the same network."""
        result = subprocess.run(["nsenter", "--net", "--target", str(self.process.pid), "sh", "-c", command],
                                cwd=self.tree, capture_output=True, text=True, timeout=DEADLINE_S)
        assert result.returncode == 0, f"{command}\n{result.stdout}\n{result.stderr}"
        return result.stdout

    def commands(self):
        """The commands that it printed to try."""
        text = re.sub(r"\\\n\s*", "", self.log.text())
        return [line.strip() for line in text.splitlines() if re.match(r"\s+(swaks|curl|build/posthorn) ", line)]

    def stop(self):
        """Ctrl-C: the terminal sends it to the whole group."""
        os.killpg(self.process.pid, 2)
        wait_exit(self.process)
        self.log.wait_end()


@pytest.fixture
def demo():
    demo = Demo()
    yield demo
    if demo.process.poll() is None:
        os.killpg(demo.process.pid, 9)
        demo.log.wait_end()
    shutil.rmtree(demo.tree)


def test_first_and_second_start(demo):
    demo.start()
    commands = demo.commands()
    assert len(commands) == 5, demo.log.text()
    outputs = [demo.type(command) for command in commands]
    assert "INBOX" in outputs[1] and "Hello Tom" in outputs[2] and "Hello Tom" in outputs[3]
    assert "tom@acompany.test" in outputs[4]
    demo.stop()
    demo.start()
    assert demo.commands() == commands, "the same passwords"
    assert "Hello Tom" in demo.type(commands[2]), "the mail of the first time"
    demo.stop()


def readme_commands(passwords):
    """The first mail of README.md, with the passwords that `make run` printed."""
    text = (ROOT / "README.md").read_text().split("## A first mail")[1].split("\n## ")[0]
    lines = "\n".join(line for line in text.splitlines() if line.startswith("    "))
    for name, password in passwords.items():
        lines = lines.replace(f"{name.upper()}S-PASSWORD", password)
    return [line.strip() for line in lines.replace("\\\n", " ").splitlines()]


def test_first_mail_of_the_readme(demo):
    demo.start()
    passwords = {name: (demo.tree / "demo" / f"{name}.password").read_text().strip() for name in ("fred", "tom")}
    outputs = [demo.type(command) for command in readme_commands(passwords)]
    assert len(outputs) == 4
    assert "Hello Tom." in outputs[2] and "tom@acompany.test" in outputs[3]
    demo.stop()


def test_passwords_are_for_their_owner_alone(demo):
    demo.start()
    for name in ("fred", "tom"):
        assert (demo.tree / "demo" / f"{name}.password").stat().st_mode & 0o077 == 0
    demo.stop()
