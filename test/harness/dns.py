"""nsd, answering for everything under .test as the test wrote it."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from harness import free_port
from harness.lines import Lines
from harness.processes import kill_group

CONFIGURATION = """\
server:
    ip-address: 127.0.0.1@{port}
    server-count: 1
    username: ""
    chroot: ""
    zonesdir: "{directory}"
    database: ""
    pidfile: "{directory}/nsd.pid"
    xfrdfile: ""
    xfrdir: "{directory}"
    zonelistfile: "{directory}/zone.list"
    cookie-secret-file: ""
    verbosity: 1
remote-control:
    control-enable: no
zone:
    name: test.
    zonefile: test.zone
"""
ZONE = """\
$ORIGIN test.
$TTL 1
@ SOA ns hostmaster 1 3600 600 86400 1
@ NS ns
ns A 127.0.0.1
"""


class Dns:
    """A name server on a port of its own. Names that no record mentions do not exist: NXDOMAIN.

        dns.serve('''
            other       MX 10 mx1.other
            other       MX 20 mx2.other
            mx1.other   A  127.0.0.11
            nomail      MX 0 .
        ''')
    """

    def __init__(self):
        self.directory = Path(tempfile.mkdtemp(prefix="posthorn-dns-"))
        self.port = free_port()
        self.address = f"127.0.0.1@{self.port}"
        self.trust_anchor = self.directory / "test.anchor"
        self._process = None

    def serve(self, records="", signed=False, forged=None):
        """Answers from these records from now on, and from no others. With `signed` they bear DNSSEC signatures, which
        a resolver can check from `trust_anchor`; `forged` is a pair, (old, new): text that was changed after signing."""
        self.stop()
        records = "\n".join(line.strip() for line in records.splitlines())
        zone = self.directory / "test.zone"
        zone.write_text(ZONE + records + "\n")
        if signed:
            self._sign(zone)
        if forged:
            assert forged[0] in zone.read_text()
            zone.write_text(zone.read_text().replace(*forged))
        configuration = self.directory / "nsd.conf"
        configuration.write_text(CONFIGURATION.format(port=self.port, directory=self.directory))
        subprocess.run(["/usr/sbin/nsd-checkzone", "test", zone], check=True,
                       stdout=subprocess.DEVNULL)
        self.log = Lines()
        self._process = subprocess.Popen(["/usr/sbin/nsd", "-d", "-c", configuration], stdin=subprocess.DEVNULL,
                                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
                                         env={k: v for k, v in os.environ.items() if k != "NOTIFY_SOCKET"})
        self.log.follow(self._process.stdout)
        self.log.wait(lambda line: "nsd started" in line, "nsd started")
        return self

    def _sign(self, zone):
        """With one key, made now; the resolvers that were told of another one are out of date."""
        made = subprocess.run(["ldns-keygen", "-a", "ECDSAP256SHA256", "-k", "test."], check=True, cwd=self.directory,
                              capture_output=True, text=True)
        key = made.stdout.strip()
        subprocess.run(["ldns-signzone", "-o", "test.", "-f", zone, zone, key], check=True, cwd=self.directory)
        (self.directory / f"{key}.ds").rename(self.trust_anchor)
        self.trust_anchor.chmod(0o644)

    def stop(self):
        """From now on nobody answers at all."""
        if self._process:
            kill_group(self._process)
            self._process = None

    def close(self):
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)
