"""The servers that are measured. Each lives in one directory of its own, on ports of its own, and ends with close().

They write their logs to files: a log that Python reads along would cost the processor time that is to be measured.
"""

import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from harness import DEADLINE_S, free_port
from harness.processes import ReadySocket, kill_group, wait_exit

DOMAIN = "bench.test"
PASSWORD = "battery-staple"
USERS = 100
READER = f"reader@{DOMAIN}"
"""Whose mailbox is downloaded. Nobody else writes to it."""


def addresses():
    return [f"user{n}@{DOMAIN}" for n in range(1, USERS + 1)] + [READER]


def wait_listening(port, process):
    """Until somebody answers there: neither Postfix nor Dovecot says so in a way that can be awaited."""
    end = time.monotonic() + DEADLINE_S
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args[0]} ended with {process.returncode}")
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1) as s:
                s.settimeout(DEADLINE_S)
                if s.recv(1):
                    return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"{process.args[0]} does not answer on port {port}")


def stop(process, how=signal.SIGTERM):
    if process is None or process.poll() is not None:
        return
    process.send_signal(how)
    try:
        wait_exit(process)
    except AssertionError:
        kill_group(process)


class Server:
    """What every server has: a directory, ports by protocol, processes, and a name for the table."""

    name = "?"
    protocols = ("smtp", "pop3")

    def __init__(self, parent):
        self.directory = Path(tempfile.mkdtemp(prefix=f"bench-{self.name}-", dir=parent))
        self.directory.chmod(0o755)
        self.ports = {protocol: free_port() for protocol in self.protocols}
        self.processes = []

    def index(self, address):
        """Makes the index of an account's texts, if there is such a thing."""

    def forget_indexes(self):
        """No account has one, and none is being made."""

    def pids(self):
        return [process.pid for process in self.processes]

    def spawn(self, *command, log, **options):
        with open(self.directory / log, "ab") as out:
            process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=out,
                                       stderr=subprocess.STDOUT, start_new_session=True, **options)
        self.processes.append(process)
        return process

    def counters(self):
        """Numbers of the server's own that only grow; what they grew by in a run is kept with its figures."""
        return {}

    def stop(self):
        for process in reversed(self.processes):
            stop(process)
        self.processes = []

    def close(self, keep=False):
        self.stop()
        if not keep:
            shutil.rmtree(self.directory, ignore_errors=True)


POSTHORN = """\
hostname = "mail.{domain}"
data-dir = "{directory}/data"
postmaster = "postmaster@{domain}"
listen smtp {{ on = {{"127.0.0.1:{smtp}"}} }}
listen submission {{ on = {{"127.0.0.1:{submission}"}} }}
listen pop3 {{ on = {{"127.0.0.1:{pop3}"}} }}
listen imap {{ on = {{"127.0.0.1:{imap}"}} }}
listen imaps {{ on = {{"127.0.0.1:{imaps}"}} }}
allow-plaintext-auth = true
limits {{ connections-per-address = 10000 }}
"""


class Posthorn(Server):
    name = "posthorn"
    protocols = ("smtp", "submission", "pop3", "imap", "imaps")

    def __init__(self, parent, build):
        super().__init__(parent)
        self.program = Path(build) / "posthorn"
        self.has_accounts = False
        self.config = self.directory / "posthorn.conf"
        self.config.write_text(POSTHORN.format(directory=self.directory, domain=DOMAIN, **self.ports))

    def _command(self, *words, text=None):
        done = subprocess.run([self.program, "--config", self.config, *words], input=text, text=True,
                              capture_output=True)
        if done.returncode:
            raise RuntimeError(f"posthorn {' '.join(words)}: {done.stderr.strip()}")
        return done.stdout

    def start(self):
        ready = ReadySocket(self.directory / "notify")
        process = self.spawn(self.program, "--config", self.config, "serve", log="log",
                             env={**os.environ, "NOTIFY_SOCKET": ready.path})
        try:
            if not ready.wait_ready(process):
                raise RuntimeError(f"posthorn serve: {(self.directory / 'log').read_text()[-2000:]}")
        finally:
            ready.close()
        if not self.has_accounts:
            self._command("domain", "add", DOMAIN)
            for address in addresses():
                self._command("account", "add", address, "--password-stdin", text=PASSWORD + "\n")
            self.has_accounts = True
        return self

    def index(self, address):
        self._command("index", address)

    def forget_indexes(self):
        self.stop()
        shutil.rmtree(self.directory / "data" / "store" / "index", ignore_errors=True)
        self.start()

    def counters(self):
        done = subprocess.run([self.program, "--config", self.config, "--json", "status"], capture_output=True)
        if not done.stdout:
            raise RuntimeError(f"posthorn status: {done.stderr.decode().strip()}")
        status = json.loads(done.stdout)  # whatever its exit status, which tells monitors of a full disk and such
        return {key: value for key, value in status.items()
                if isinstance(value, (int, float)) and not isinstance(value, bool)}


MAIN_CF = """\
compatibility_level = 3.6
queue_directory = {directory}/spool
data_directory = {directory}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
maillog_file = {directory}/postfix.log
maillog_file_prefixes = {directory}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mail.{domain}
mydestination =
mynetworks = 127.0.0.0/8
alias_maps =
alias_database =
virtual_mailbox_domains = {domain}
virtual_mailbox_maps = texthash:{directory}/postfix/users
virtual_transport = lmtp:unix:{directory}/run/lmtp
smtpd_recipient_restrictions = permit_mynetworks, reject
smtpd_tls_security_level = may
smtpd_tls_cert_file = {directory}/cert.pem
smtpd_tls_key_file = {directory}/key.pem
message_size_limit = 52428800

# What a tuned installation would set.
in_flow_delay = 0
hash_queue_names = incoming, active, deferred, defer
hash_queue_depth = 1
default_process_limit = 200
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
smtpd_peername_lookup = no
lmtp_destination_concurrency_limit = 20
initial_destination_concurrency = 20
lmtp_connection_cache_on_demand = yes
"""
MASTER_CF = """\
127.0.0.1:{smtp} inet n - n - - smtpd
cleanup   unix n - n - 0 cleanup
qmgr      unix n - n 300 1 qmgr
tlsmgr    unix - - n 1000? 1 tlsmgr
rewrite   unix - - n - - trivial-rewrite
bounce    unix - - n - 0 bounce
defer     unix - - n - 0 bounce
trace     unix - - n - 0 bounce
flush     unix n - n 1000? 0 flush
proxymap  unix - - n - - proxymap
lmtp      unix - - n - - lmtp
error     unix - - n - - error
retry     unix - - n - - error
anvil     unix - - n - 1 anvil
scache    unix - - n - 1 scache
postlog   unix-dgram n - n - 1 postlogd
"""
DOVECOT_CONF = """\
base_dir = {directory}/run
state_dir = {directory}/state
instance_name = posthorn-bench
log_path = {directory}/dovecot.log
protocols = pop3 lmtp
listen = 127.0.0.1
ssl = yes
ssl_cert = <{directory}/cert.pem
ssl_key = <{directory}/key.pem
disable_plaintext_auth = no
mail_location = mdbox:{directory}/mail/%u
mail_uid = {uid}
mail_gid = {gid}
first_valid_uid = 1
mail_fsync = optimized
mail_max_userip_connections = 1000
passdb {{
  driver = passwd-file
  args = username_format=%u {directory}/users
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={directory}/mail/%u
}}

# What a tuned installation would set.
auth_cache_size = 10M
auth_cache_ttl = 1 hour
service anvil {{
  client_limit = 2000
}}
service auth {{
  client_limit = 4000
}}
service pop3-login {{
  service_count = 0
  process_min_avail = 2
  client_limit = 1000
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
service pop3 {{
  service_count = 0
  process_min_avail = 20
  process_limit = 200
}}
service lmtp {{
  service_count = 0
  process_min_avail = 20
  unix_listener lmtp {{
    mode = 0666
  }}
}}
"""


# THREAD of a million letters takes more memory than a process of it may have otherwise.
DOVECOT_IMAP = """
protocols = imap
mail_plugins =
default_vsz_limit = 8G
service imap-login {{
  service_count = 0
  process_min_avail = 2
  client_limit = 10000
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
service imap {{
  service_count = 0
  process_min_avail = 4
  process_limit = 10000
  client_limit = 1
}}
"""


def make_certificate(directory):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-subj", f"/CN=mail.{DOMAIN}", "-keyout", directory / "key.pem", "-out",
                    directory / "cert.pem"], check=True, capture_output=True)


class DovecotImap(Server):
    """Debian's Dovecot as an IMAP server over mdbox, for the same mailbox as ours. It needs root."""

    name = "dovecot"
    protocols = ("imap", "imaps", "pop3")

    @staticmethod
    def missing():
        if os.geteuid():
            return "needs root"
        return "" if os.access("/usr/lib/dovecot/imap", os.X_OK) else "not installed: dovecot-imapd"

    def __init__(self, parent):
        super().__init__(parent)
        owner = pwd.getpwnam("mail")
        values = dict(directory=self.directory, domain=DOMAIN, uid=owner.pw_uid, gid=owner.pw_gid, **self.ports)
        for name in ("mail", "run", "state"):
            (self.directory / name).mkdir()
        shutil.chown(self.directory / "mail", "mail", "mail")
        make_certificate(self.directory)
        common = DOVECOT_CONF.format(**values).partition("service pop3-login")[0]
        (self.directory / "dovecot.conf").write_text(common + DOVECOT_IMAP.format(**values))
        (self.directory / "users").write_text("".join(f"{a}:{{PLAIN}}{PASSWORD}::::::\n" for a in addresses()))
        (self.directory / "users").chmod(0o644)

    def start(self):
        process = self.spawn("/usr/sbin/dovecot", "-F", "-c", self.directory / "dovecot.conf", log="dovecot.out",
                             env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
        wait_listening(self.ports["imap"], process)
        return self


CYRUS_CONF = """\
configdirectory: {directory}/conf
proc_path: {directory}/proc
mboxname_lockpath: {directory}/lock
defaultpartition: default
partition-default: {directory}/spool
virtdomains: userid
unixhierarchysep: yes
altnamespace: yes
allowplaintext: yes
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: {directory}/sasldb2
sasl_mech_list: PLAIN
autocreate_users: anyone
autocreate_quota: 0
autocreate_post: 0
duplicatesuppression: 0
search_engine: none
"""
CYRUS_SERVICES = """\
START {{
  recover cmd="{programs}/ctl_cyrusdb -C {directory}/imapd.conf -r"
}}
SERVICES {{
  imap cmd="{programs}/imapd -C {directory}/imapd.conf -U 1000" listen="127.0.0.1:{imap}" prefork=4
}}
EVENTS {{
}}
"""


class CyrusImap(Server):
    """Debian's Cyrus from its unpacked packages (README.md): installed, it would drive Dovecot's away."""

    name = "cyrus"
    protocols = ("imap",)

    def __init__(self, parent, root):
        super().__init__(parent)
        root = Path(root).resolve()
        programs = root / "usr/lib/cyrus/bin"
        values = dict(directory=self.directory, domain=DOMAIN, programs=programs, **self.ports)
        for name in ("conf", "spool", "proc", "lock"):
            (self.directory / name).mkdir()
        (self.directory / "imapd.conf").write_text(CYRUS_CONF.format(**values))
        (self.directory / "cyrus.conf").write_text(CYRUS_SERVICES.format(**values))
        self.environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "CYRUS_USER": "mail",
                            "LD_LIBRARY_PATH": str(root / "usr/lib" / f"{os.uname().machine}-linux-gnu")}
        self.master = programs / "master"
        for address in addresses():
            name, _, domain = address.partition("@")
            subprocess.run([root / "usr/sbin/saslpasswd2", "-p", "-c", "-f", self.directory / "sasldb2", "-u", domain, name],
                           input=PASSWORD, text=True, check=True, env=self.environment, capture_output=True)
        for path in self.directory.iterdir():
            shutil.chown(path, "mail", "mail")

    def start(self):
        process = self.spawn(self.master, "-C", self.directory / "imapd.conf", "-M", self.directory / "cyrus.conf",
                             "-p", self.directory / "conf/master.pid", "-D", log="cyrus.out", env=self.environment)
        wait_listening(self.ports["imap"], process)
        return self


class PostfixDovecot(Server):
    """Debian's Postfix hands to Debian's Dovecot by LMTP, which keeps mdbox. It needs root, and touches nothing of
    the machine's own Postfix and Dovecot."""

    name = "postfix"

    @staticmethod
    def missing():
        """Why it cannot be measured here; empty: it can."""
        if os.geteuid():
            return "needs root"
        wanted = {"/usr/sbin/postfix": "postfix", "/usr/sbin/dovecot": "dovecot-core",
                  "/usr/lib/dovecot/pop3": "dovecot-pop3d", "/usr/lib/dovecot/lmtp": "dovecot-lmtpd"}
        absent = [package for path, package in wanted.items() if not os.access(path, os.X_OK)]
        return f"not installed: {' '.join(absent)}" if absent else ""

    def __init__(self, parent):
        super().__init__(parent)
        owner = pwd.getpwnam("mail")
        values = dict(directory=self.directory, domain=DOMAIN, uid=owner.pw_uid, gid=owner.pw_gid, **self.ports)
        for name in ("postfix", "spool", "data", "mail", "run", "state"):
            (self.directory / name).mkdir()
        shutil.chown(self.directory / "data", "postfix")
        shutil.chown(self.directory / "mail", "mail", "mail")
        make_certificate(self.directory)
        (self.directory / "postfix" / "main.cf").write_text(MAIN_CF.format(**values))
        (self.directory / "postfix" / "master.cf").write_text(MASTER_CF.format(**values))
        (self.directory / "postfix" / "users").write_text("".join(f"{a} x\n" for a in addresses()))
        (self.directory / "dovecot.conf").write_text(DOVECOT_CONF.format(**values))
        (self.directory / "users").write_text("".join(f"{a}:{{PLAIN}}{PASSWORD}::::::\n" for a in addresses()))
        (self.directory / "users").chmod(0o644)

    def start(self):
        path = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
        dovecot = self.spawn("/usr/sbin/dovecot", "-F", "-c", self.directory / "dovecot.conf", log="dovecot.out",
                             env=path)
        # "postfix start-fg" would put a shell before the master that keeps signals to itself.
        subprocess.run(["/usr/sbin/postfix", "-c", self.directory / "postfix", "check"], check=True,
                       capture_output=True, env=path)
        postfix = self.spawn("/usr/lib/postfix/sbin/master", "-s", "-c", self.directory / "postfix",
                             log="postfix.out", env=path)
        wait_listening(self.ports["pop3"], dovecot)
        wait_listening(self.ports["smtp"], postfix)
        return self
