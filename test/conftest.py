"""Fixtures. `posthorn` is a running server with the domain acompany.test and its people fred and tom; the others
are what stands around it. See harness/ for what each can do."""

import os

import pytest

from harness import BUILD, free_port, postfix as postfix_module
from harness.dns import Dns
from harness.fakesmtp import FakeSmtp
from harness.server import Posthorn


def pytest_addoption(parser):
    parser.addoption("--long", action="store_true", help="the long form of tests that have one (200 crashes)")


def pytest_collection_modifyitems(items):
    for item in items:
        if item.get_closest_marker("root") and os.geteuid() != 0:
            item.add_marker(pytest.mark.skip(reason="needs root"))


def pytest_sessionstart(session):
    os.umask(0o022)  # whatever the caller's: the rooms, and nobody, read files that tests write
    if not os.access(BUILD / "posthorn", os.X_OK):
        pytest.exit(f"{BUILD}/posthorn is not built", 2)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    setattr(item, "failed_in_" + report.when, report.failed)
    if report.failed:
        for server in getattr(item, "servers", []):
            report.sections.append((f"log of {server.hostname}", server.log.tail(200)))


@pytest.fixture
def make_posthorn(request):
    """Makes servers (see Posthorn); the test starts them, the fixture ends them and looks at how they ended."""
    servers = request.node.servers = []

    def make(**options):
        server = Posthorn(**options)
        servers.append(server)
        return server

    yield make
    failed = getattr(request.node, "failed_in_call", True)
    for server in servers:
        server.abandon() if failed else server.close()


@pytest.fixture
def posthorn(make_posthorn):
    return make_posthorn().with_people().start()


@pytest.fixture(scope="module")
def shared():
    """One running server for all tests of a file that leave nothing behind: for tables of replies."""
    server = Posthorn().with_people().start()
    yield server
    server.close()


@pytest.fixture
def rounds(request):
    """How often a crash test kills the server."""
    return 200 if request.config.getoption("--long") else 20


@pytest.fixture
def dns():
    server = Dns()
    yield server
    server.close()


@pytest.fixture
def relay_port():
    """One port on which every "other server" of a test listens, each on an address of its own."""
    return free_port(*(f"127.0.0.{n}" for n in range(1, 20)), "::1")


@pytest.fixture
def fake_smtp(relay_port):
    """fake_smtp("127.0.0.11", RCPT="550 5.1.1 nobody") makes another server at that address."""
    servers = []

    def make(host, **options):
        servers.append(FakeSmtp(host, relay_port, **options))
        return servers[-1]

    yield make
    for server in servers:
        server.close()


@pytest.fixture
def make_postfix(relay_port):
    servers = []

    def make(host, domain, users, routes=None):
        if not postfix_module.is_possible():
            pytest.skip("needs root and Postfix")
        servers.append(postfix_module.Postfix(host, relay_port, domain, users, routes))
        return servers[-1].start()

    yield make
    for server in servers:
        server.close()
