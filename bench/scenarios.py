"""What is measured, and what it should come to.

A scenario is a row: how the load generator is called, on which of the server's ports, and its goals. The numbers of
messages differ between the servers on purpose: each run should last a few seconds, or it says nothing.
"""

import dataclasses

from servers import DOMAIN, READER, USERS

SOME = ["--address", f"user%d@{DOMAIN}", "--accounts", str(USERS)]
PIPELINED = ["--pipelining"]


MANY = 100_000
"""Letters in the mailbox that IMAP is measured on; a quick run has a tenth of them, or what --letters says."""

IMAP_WORK = """\
select 200 SELECT INBOX
flags 5 FETCH 1:* (FLAGS)
structure 3 FETCH 1:* (ENVELOPE BODYSTRUCTURE)
subject 5 SEARCH SUBJECT harvest
rare 3 SEARCH BODY quincunx
common 3 SEARCH FROM baker
sort 3 SORT (SUBJECT) UTF-8 ALL
thread 3 THREAD REFERENCES UTF-8 ALL
store 1 STORE 1:* +FLAGS.SILENT (\\Flagged)
unstore 1 STORE 1:* -FLAGS.SILENT (\\Flagged)
- 1 CREATE copy
copy 1 COPY 1:{some} copy
- 1 SELECT copy
- 1 STORE 1:{some} +FLAGS.SILENT (\\Deleted)
expunge 1 EXPUNGE
- 1 SELECT INBOX
- 1 DELETE copy
bodies 1 FETCH 1:{some} BODY.PEEK[]
"""


@dataclasses.dataclass(frozen=True)
class Goal:
    """`figure` of Posthorn, as it is or divided by the reference's, is at least, or at most, `bound`."""

    figure: str
    bound: float
    ratio: bool = False
    most: bool = False

    def value(self, posthorn, reference):
        if self.figure not in posthorn or (self.ratio and not (reference or {}).get(self.figure)):
            return None
        return posthorn[self.figure] / (reference[self.figure] if self.ratio else 1)

    def is_met(self, value):
        return value <= self.bound if self.most else value >= self.bound


def times(figure, bound):
    return Goal(figure, bound, ratio=True)


def faster(figure, bound):
    """A time: the reference's is so many times ours."""
    return Goal(figure, 1 / bound, ratio=True, most=True)


def at_most(figure, bound):
    return Goal(figure, bound, most=True)


def at_least(figure, bound):
    return Goal(figure, bound)


@dataclasses.dataclass(frozen=True)
class Scenario:
    name: str
    what: str
    command: str  # of posthorn-bench
    port: str
    options: list
    figure: str  # the one that is printed first
    goals: list = dataclasses.field(default_factory=list)
    work: tuple = ("--messages", 0, 0)  # the option that says how much, for Posthorn and for the reference, in full
    reference: str = "postfix"  # the server beside us; empty: none
    script: str = ""  # of the command imap: {all} messages, {some} of them
    mailbox: bool = False  # it works on a large mailbox, READER's if that is whose it is
    unindexed: bool = False  # no texts are indexed
    cold: bool = False  # the servers begin anew, and nothing of their stores is in memory
    reader: bool = False  # READER's mailbox has to be full
    fresh: bool = False  # a Posthorn that has just begun


def smtp(name, what, options, goals, posthorn, reference, figure="messages_per_s", **more):
    return Scenario(name, what, "smtp", more.pop("port", "smtp"), SOME + options, figure, goals,
                    ("--messages", posthorn, reference), reference="postfix" if reference else "", **more)


SCENARIOS = [
    Scenario("first", "first sign-on of 20 accounts, one after another", "signon", "pop3",
             ["--address", f"user%d@{DOMAIN}", "--accounts", "20", "--count", "20"], "sign_on_p50_ms",
             reference="", fresh=True),
    smtp("memory", "10 KB to one of 100 accounts, on a server begun a minute ago", ["--sessions", "10"] + PIPELINED,
         [at_most("pss_begun_mb", 40), at_most("server_pss_mb", 120)], 10000, 0, fresh=True,
         figure="server_pss_mb"),
    smtp("ten", "10 KB to one of 100 accounts, 10 sessions", ["--sessions", "10"] + PIPELINED,
         [times("messages_per_s", 10)], 30000, 4000),
    smtp("fifty", "10 KB to one of 100 accounts, 50 sessions", ["--sessions", "50"] + PIPELINED,
         [times("messages_per_s", 15), at_most("server_cpu_ms_each", 0.30), at_most("reply_p99_ms", 10),
          at_most("flushes_each", 0.2), at_most("server_written_kb_each", 25)], 40000, 4000),
    smtp("one", "10 KB to one of 100 accounts, one session", ["--sessions", "1"] + PIPELINED,
         [times("messages_per_s", 5)], 12000, 3000),
    smtp("large", "100 KB to one of 100 accounts, 10 sessions", ["--sessions", "10", "--size", "100K"] + PIPELINED,
         [times("messages_per_s", 6)], 6000, 1500),
    smtp("many", "10 KB to 10 of 100 accounts, 10 sessions", ["--sessions", "10", "--recipients", "10"] + PIPELINED,
         [times("deliveries_per_s", 20)], 15000, 1000, figure="deliveries_per_s"),
    smtp("lockstep", "10 KB, 10 sessions, a reply awaited for each command", ["--sessions", "10"], [], 20000, 4000),
    smtp("bdat", "10 KB, 10 sessions, BDAT", ["--sessions", "10", "--bdat"] + PIPELINED, [], 30000, 4000),
    smtp("connect", "10 KB, 10 sessions, a connection for each message", ["--sessions", "10", "--per-connection", "1"]
         + PIPELINED, [], 15000, 3000),
    smtp("tls", "10 KB, 10 sessions, a connection with STARTTLS for each message",
         ["--sessions", "10", "--per-connection", "1", "--tls", "start"] + PIPELINED, [], 5000, 2000),
    smtp("submission", "10 KB, 10 signed-on sessions with STARTTLS", ["--sessions", "10", "--tls", "start",
         "--auth-plain"] + PIPELINED, [], 20000, 0, port="submission"),
    Scenario("download", "POP3 download of one mailbox, a reply awaited for each RETR", "pop3", "pop3",
             ["--address", READER], "messages_per_s", [times("messages_per_s", 1.4)], ("--count", 8, 4),
             reader=True),
    Scenario("pipelined", "POP3 download of one mailbox, pipelined", "pop3", "pop3",
             ["--address", READER] + PIPELINED, "messages_per_s", [times("messages_per_s", 2)], ("--count", 16, 8),
             reader=True),
    Scenario("append", "IMAP APPEND, one letter a command", "imap", "imap", ["--address", f"user1@{DOMAIN}"],
             "append_per_s", [times("append_per_s", 2.5)], script="append {some} !APPEND 1 INBOX", mailbox=True,
             reference="dovecot"),
    Scenario("multiappend", "IMAP APPEND, 100 letters a command", "imap", "imap", ["--address", f"user2@{DOMAIN}"],
             "multiappend_per_s", [times("multiappend_per_s", 1.5)],
             script="multiappend {all} !APPEND 100 INBOX", mailbox=True, reference="dovecot"),
    Scenario("imap-unindexed", "IMAP search for a rare word in one large mailbox, with no index", "imap", "imap",
             ["--address", READER], "rare_unindexed_ms", [faster("rare_unindexed_ms", 10)],
             script="- 1 SELECT INBOX\nrare_unindexed 5 SEARCH BODY quincunx", mailbox=True, reference="dovecot",
             unindexed=True),
    Scenario("imap", "IMAP on one large mailbox", "imap", "imap", ["--address", READER], "flags_ms",
             [faster("flags_ms", 2), faster("structure_ms", 3), faster("select_ms", 1), faster("subject_ms", 2),
              faster("rare_ms", 100), faster("common_ms", 2), faster("sort_ms", 2), faster("thread_ms", 2),
              faster("store_ms", 1), faster("copy_ms", 2), faster("expunge_ms", 1), faster("bodies_ms", 1)],
             script=IMAP_WORK, mailbox=True, reference="dovecot"),
    Scenario("imap-cold", "the first listing after a start, from the disk", "imap", "imap", ["--address", READER],
             "structure_ms", [faster("structure_ms", 2)],
             script="select 1 SELECT INBOX\nstructure 1 FETCH 1:* (ENVELOPE BODYSTRUCTURE)", mailbox=True,
             reference="dovecot", cold=True),
    Scenario("idle", "IMAP sessions in IDLE, each", "idle", "imap", SOME + ["--select", "--idle"],
             "server_pss_kib_each", [at_most("server_pss_kib_each", 3), at_most("cpu_percent_at_rest", 1)],
             ("--sessions", 5000, 0), reference="", fresh=True),
    Scenario("idle-tls", "the same over TLS", "idle", "imaps",
             SOME + ["--select", "--idle", "--tls", "implicit"], "server_pss_kib_each",
             [at_most("server_pss_kib_each", 20), at_most("cpu_percent_at_rest", 1)], ("--sessions", 5000, 0),
             reference="", fresh=True),
    Scenario("imap-signon", "IMAP sign-on of accounts that signed on before, 20 at once", "imap-signon", "imap",
             SOME + ["--sessions", "20"], "sign_ons_per_s", [at_least("sign_ons_per_s", 9000)],
             ("--count", 30000, 6000), reference="dovecot"),
    Scenario("signon", "POP3 sign-on of accounts that signed on before, 20 at once", "signon", "pop3",
             SOME + ["--sessions", "20"], "sign_ons_per_s", [at_least("sign_ons_per_s", 5000)],
             ("--count", 30000, 6000)),
]


def fill_reader(messages):
    """The mailbox that is downloaded: 10 KB messages."""
    return Scenario("fill", "", "smtp", "smtp", ["--address", READER, "--sessions", "10"] + PIPELINED,
                    "messages_per_s", [], ("--messages", messages, messages))


def fill_imap():
    return Scenario("fill", "", "imap", "imap", ["--address", READER, "--time-limit", "1h"], "fill_per_s", [],
                    script="fill {all} !APPEND 100 INBOX", mailbox=True, reference="dovecot")
