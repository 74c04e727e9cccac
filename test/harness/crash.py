"""Clients that talk until, at one of their steps, every process of the server is killed."""

import queue
import random
import threading


class Crash(Exception):
    """The server is gone, as planned."""


class Doomed:
    """What clients do in one round, and the step at which everything is killed. A subclass says with clients() what they
    are: (function, argument…), each called again and again in a thread of its own."""

    def __init__(self, server, number):
        self.server, self.number = server, number
        self.random = random.Random(number)
        self.steps_left = self.random.randrange(5, 400)
        self.lock = threading.Lock()
        self.dead = threading.Event()
        self.failures = queue.Queue()

    def due(self):
        """Whether, once its step has come, this is a moment to kill at; if not, the next step that is one takes its place."""
        return True

    def step(self):
        """Called by every client before it says something: one of these moments is the last."""
        with self.lock:
            if self.steps_left > 0:
                self.steps_left -= 1
            elif not self.dead.is_set() and (self.due() or not self.failures.empty()):
                self.dead.set()
                self.server.kill()
        if self.dead.is_set():
            raise Crash

    def guard(self, client, *arguments):
        """A client's thread. Only the crash may end it."""
        try:
            while True:
                client(*arguments)
        except (Crash, OSError, EOFError):
            pass
        except Exception as problem:
            if not self.dead.is_set():
                self.failures.put(problem)
        if not self.dead.is_set():
            self.failures.put(AssertionError("a client ended before the crash"))

    def said(self, answer, wanted):
        if not answer.startswith(wanted):
            raise Crash if self.dead.is_set() or answer.startswith("(") else AssertionError(answer)

    def run(self):
        clients = [threading.Thread(target=self.guard, args=client) for client in self.clients()]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        if not self.failures.empty():
            raise self.failures.get()
