"""Thunderbird as a program that others wrote, without a window, and made to work by Marionette: a small JSON protocol
(https://firefox-source-docs.mozilla.org/testing/marionette/Protocol.html) by which a script runs inside it."""

import json
import os
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path

from harness import DEADLINE_S
from harness.processes import kill_group, wait_exit

SCRIPT = Path(__file__).with_suffix(".js").read_text()
PREFERENCES = {
    "marionette.port": 0,  # any that is free; it writes down which
    "app.update.enabled": False, "extensions.update.enabled": False, "datareporting.policy.dataSubmissionEnabled": False,
    "toolkit.telemetry.enabled": False, "mail.accounthub.enabled": False, "mail.provider.enabled": False,
    "mail.shell.checkDefaultClient": False, "mail.spotlight.firstRunDone": True, "mailnews.start_page.enabled": False,
    "mailnews.smtp.loglevel": "All", "mail.server.default.autosync_offline_stores": False,
}
SPOKEN = re.compile(r"IMAP .*?(SendData|CreateNewLineFromSocket): (.*)")


def is_installed():
    return shutil.which("thunderbird") is not None


class Thunderbird:
    """One user's, with a profile in `directory`. Its functions are those of thunderbird.js."""

    def __init__(self, directory, **preferences):
        self.directory, self.number = Path(directory), 0
        profile = self.directory / "profile"
        profile.mkdir(exist_ok=True)
        (profile / "MarionetteActivePort").unlink(missing_ok=True)
        (profile / "user.js").write_text("".join(f"user_pref({json.dumps(key)}, {json.dumps(value)});\n"
                                                 for key, value in {**PREFERENCES, **preferences}.items()))
        environment = {"HOME": str(self.directory), "PATH": os.environ["PATH"], "TMPDIR": str(self.directory), "LC_ALL": "C.UTF-8",
                       "MOZ_LOG": "IMAP:5,sync", "MOZ_LOG_FILE": str(self.directory / "spoken")}
        with open(self.directory / "said", "wb") as said:
            self.process = subprocess.Popen(["thunderbird", "--headless", "--marionette", "--remote-allow-system-access",
                                             "--no-remote", "--profile", profile], env=environment, stdin=subprocess.DEVNULL,
                                            stdout=said, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            self._connect(profile / "MarionetteActivePort")
        except BaseException:
            self.kill()
            raise

    def _connect(self, written):
        end = time.monotonic() + DEADLINE_S
        while not (written.exists() and written.read_text().strip()):  # nothing tells when
            assert self.process.poll() is None and time.monotonic() < end, (self.directory / "said").read_text()
            time.sleep(0.05)
        self.socket = socket.create_connection(("127.0.0.1", int(written.read_text())), DEADLINE_S * 3)
        self.stream = self.socket.makefile("rb")
        self._read()  # its greeting
        self.say("WebDriver:NewSession", capabilities={"timeouts": {"script": DEADLINE_S * 2000}})
        self.say("Marionette:SetContext", value="chrome")

    def _read(self):
        length = b""
        while (byte := self.stream.read(1)) != b":":
            assert byte, "Thunderbird has gone:\n" + (self.directory / "said").read_text()
            length += byte
        return json.loads(self.stream.read(int(length)))

    def say(self, command, **parameters):
        self.number += 1
        text = json.dumps([0, self.number, command, parameters]).encode()
        self.socket.sendall(b"%d:%s" % (len(text), text))
        _, number, error, result = self._read()
        assert number == self.number and not error, f"{command}: {error}\n{self.conversation()[-6000:]}"
        return result

    def __getattr__(self, name):
        def call(*arguments):
            answer = self.say("WebDriver:ExecuteAsyncScript", script=SCRIPT, args=[name, arguments], sandbox="system")["value"]
            assert "error" not in answer, f"{name}{arguments}: {answer['error']}\n{self.conversation()[-6000:]}"
            return answer.get("value")
        return call

    def conversation(self):
        """All that was said by IMAP."""
        text = "".join(path.read_text(errors="replace") for path in sorted(self.directory.glob("spoken*")))
        return "\n".join(("C: " if way == "SendData" else "S: ") + words for way, words in SPOKEN.findall(text))

    def quit(self):
        self.say("Marionette:Quit", flags=["eForceQuit"])
        self.socket.close()
        assert wait_exit(self.process) == 0

    def kill(self):
        kill_group(self.process)
