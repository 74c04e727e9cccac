"""A Postfix of the test's own: the other server, in both directions. It needs root and leaves /etc/postfix alone."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from harness.lines import Lines
from harness.processes import kill_group, wait_exit

MAIN = """\
compatibility_level = 3.6
queue_directory = {directory}/spool
data_directory = {directory}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
maillog_file = /dev/stdout
maillog_file_prefixes = /dev
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
smtp_bind_address = {host}
myhostname = mx.{domain}
mydestination =
mynetworks = 127.0.0.0/8
alias_maps =
alias_database =
local_recipient_maps =
virtual_mailbox_domains = {domain}
virtual_mailbox_base = {directory}/mail
virtual_mailbox_maps = inline:{{ {mailboxes} }}
virtual_minimum_uid = 1
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
transport_maps = inline:{{ {transports} }}
smtp_host_lookup = native
smtp_tls_security_level = may
smtpd_tls_security_level = may
smtpd_tls_cert_file = {directory}/config/cert.pem
smtpd_tls_key_file = {directory}/config/key.pem
smtpd_recipient_restrictions = permit_mynetworks, reject
smtpd_client_restrictions =
minimal_backoff_time = 1s
queue_run_delay = 1s
default_destination_concurrency_limit = 20
"""
MASTER = """\
{host}:{port} inet n - n - - smtpd
pickup    unix n - n 60 1 pickup
cleanup   unix n - n - 0 cleanup
qmgr      unix n - n 1 1 qmgr
tlsmgr    unix - - n 1000? 1 tlsmgr
rewrite   unix - - n - - trivial-rewrite
bounce    unix - - n - 0 bounce
defer     unix - - n - 0 bounce
trace     unix - - n - 0 bounce
verify    unix - - n - 1 verify
flush     unix n - n 1000? 0 flush
proxymap  unix - - n - - proxymap
smtp      unix - - n - - smtp
relay     unix - - n - - smtp
error     unix - - n - - error
retry     unix - - n - - error
discard   unix - - n - - discard
virtual   unix - n n - - virtual
anvil     unix - - n - 1 anvil
scache    unix - - n - 1 scache
postlog   unix-dgram n - n - 1 postlogd
"""


class Postfix:
    """Takes mail for its users at `domain` into maildirs; sends what goes to `routes` ({domain: "host:port"})."""

    def __init__(self, host, port, domain, users, routes=None):
        self.host, self.port, self.domain = host, port, domain
        self.directory = Path(tempfile.mkdtemp(prefix="posthorn-postfix-"))
        self.directory.chmod(0o755)
        self.log = Lines()
        self._process = None
        self._configure(users, routes or {})

    def _configure(self, users, routes):
        owner = pwd.getpwnam("postfix")
        config = self.directory / "config"
        config.mkdir()
        for name in ("spool", "data", "mail"):
            (self.directory / name).mkdir()
        shutil.chown(self.directory / "data", owner.pw_uid)
        shutil.chown(self.directory / "mail", owner.pw_uid)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-subj", f"/CN=mx.{self.domain}", "-keyout", config / "key.pem", "-out",
                        config / "cert.pem"], check=True, capture_output=True)
        mailboxes = ", ".join(f"{{{user}@{self.domain} = {user}/}}" for user in users)
        transports = ", ".join(f"{{{domain} = smtp:[{route.rsplit(':', 1)[0]}]:{route.rsplit(':', 1)[1]}}}"
                               for domain, route in routes.items()) or "{none.invalid = discard:}"
        (config / "main.cf").write_text(MAIN.format(directory=self.directory, host=self.host, domain=self.domain,
                                                    mailboxes=mailboxes, transports=transports, uid=owner.pw_uid,
                                                    gid=owner.pw_gid))
        (config / "master.cf").write_text(MASTER.format(host=self.host, port=self.port))

    def start(self):
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
        # "postfix start-fg" would put a shell before the master that keeps signals to itself.
        subprocess.run(["/usr/sbin/postfix", "-c", self.directory / "config", "check"], check=True,
                       stdin=subprocess.DEVNULL, capture_output=True, env=environment)
        self._process = subprocess.Popen(["/usr/lib/postfix/sbin/master", "-s", "-c", self.directory / "config"],
                                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                         stderr=subprocess.STDOUT, start_new_session=True, env=environment)
        self.log.follow(self._process.stdout)
        self.log.wait(lambda line: "daemon started" in line, "postfix: daemon started")
        return self

    def maildir(self, user):
        """The octets of every message the user has, in the order of arrival."""
        new = self.directory / "mail" / user / "new"
        files = sorted(new.iterdir(), key=lambda f: f.stat().st_mtime_ns) if new.is_dir() else []
        return [f.read_bytes() for f in files]

    def wait_delivered(self, address, since=0):
        """Until Postfix says it has this message in the mailbox (or on the next server)."""
        return self.log.wait(lambda line: f"to=<{address}>" in line and "status=sent" in line and line,
                             f"postfix: to=<{address}> status=sent", since)

    def wait_bounced(self, address, since=0):
        return self.log.wait(lambda line: f"to=<{address}>" in line and "status=bounced" in line and line,
                             f"postfix: to=<{address}> status=bounced", since)

    def close(self):
        process, self._process = self._process, None
        if process:
            process.send_signal(signal.SIGTERM)
            try:
                wait_exit(process)
            except AssertionError:
                kill_group(process)
        shutil.rmtree(self.directory, ignore_errors=True)


def is_possible():
    return os.geteuid() == 0 and os.access("/usr/sbin/postfix", os.X_OK)
