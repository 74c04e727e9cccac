"""What is measured, and what it should come to.

A scenario is a row: how the load generator is called, on which of the server's ports, and its goals. The numbers of
messages differ between the servers on purpose: each run should last a few seconds, or it says nothing.
"""

import dataclasses

from servers import DOMAIN, READER, USERS

SOME = ["--address", f"user%d@{DOMAIN}", "--accounts", str(USERS)]
PIPELINED = ["--pipelining"]


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
    reference: bool = True
    reader: bool = False  # READER's mailbox has to be full
    fresh: bool = False  # a Posthorn that has just begun


def smtp(name, what, options, goals, posthorn, reference, figure="messages_per_s", **more):
    return Scenario(name, what, "smtp", more.pop("port", "smtp"), SOME + options, figure, goals,
                    ("--messages", posthorn, reference), reference=reference > 0, **more)


SCENARIOS = [
    Scenario("first", "first sign-on of 20 accounts, one after another", "signon", "pop3",
             ["--address", f"user%d@{DOMAIN}", "--accounts", "20", "--count", "20"], "sign_on_p50_ms",
             reference=False, fresh=True),
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
    Scenario("signon", "POP3 sign-on of accounts that signed on before, 20 at once", "signon", "pop3",
             SOME + ["--sessions", "20"], "sign_ons_per_s", [at_least("sign_ons_per_s", 5000)],
             ("--count", 30000, 6000)),
]


def fill_reader(messages):
    """The mailbox that is downloaded: 10 KB messages."""
    return Scenario("fill", "", "smtp", "smtp", ["--address", READER, "--sessions", "10"] + PIPELINED,
                    "messages_per_s", [], ("--messages", messages, messages))
