"""Servers to talk to, each a process of its own, and peers to talk to them with."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from presproxy.testing.instance import Instance
from presproxy.testing.kamailio import Kamailio
from presproxy.testing.kamailio_presence import PresenceServer
from presproxy.testing.peer import Peer
from presproxy.testing.sipp import Sipp
from presproxy.testing.wire import fresh

_instances = pytest.StashKey()

#: Octets of a log that are shown when a test failed.
_SHOWN = 20_000


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for instance in item.stash.get(_instances, ()):
            report.sections.append(
                (f"log of {instance.folder}", instance.logs()[-_SHOWN:])
            )


@pytest.fixture
def instances_shown(request):
    """What has ``folder`` and ``logs()``, and is shown when the test fails."""
    return request.node.stash.setdefault(_instances, [])


@pytest.fixture(scope="module")
def module_servers(tmp_path_factory):
    """Makes servers that live as long as the module's tests; they must end well."""
    started = []

    def start(*options, **fields):
        instance = Instance(tmp_path_factory.mktemp("server"), options, **fields)
        started.append(instance)
        instance.start()
        return instance

    yield start
    statuses = [instance.stop() for instance in started]
    troubles = [line for instance in started for line in instance.troubles()]
    assert (statuses, troubles) == ([0] * len(started), [])


@pytest.fixture
def servers(instances_shown, tmp_path):
    """Makes servers of this test only; ``expected`` names troubles that are no surprise."""

    def start(*options, expected="(?!)", **fields):
        folder = tmp_path / f"server{len(instances)}"
        folder.mkdir()
        instance = Instance(folder, options, **fields)
        instances_shown.append(instance)
        instances.append((instance, re.compile(expected)))
        instance.start()
        return instance

    instances: list[tuple[Instance, re.Pattern[str]]] = []
    yield start
    wrong = []
    for instance, expected in instances:
        defects = instance.defects() if instance.is_running else 0
        status = instance.stop() if instance.is_running else 0
        surprises = [line for line in instance.troubles() if not expected.search(line)]
        if (defects, status, surprises) != (0, 0, []):
            wrong.append((defects, status, surprises))
    assert wrong == []


@pytest.fixture(scope="module")
def shared_server(module_servers):
    """One server for all tests of a module, which use users of their own."""
    return module_servers("--min-expires", "2")


@pytest.fixture
def server(instances_shown, shared_server):
    """The module's server, looked at after each test."""
    instances_shown.append(shared_server)
    defects, troubles = shared_server.defects(), shared_server.troubles()
    yield shared_server
    assert shared_server.is_running
    assert (shared_server.defects(), shared_server.troubles()) == (defects, troubles)


@pytest.fixture(params=["udp", "tcp"])
def alice(request, server, peers):
    """A user by either transport."""
    return peers(server, f"{fresh('alice')}@contoso.com", request.param)


@pytest.fixture
def bob(server, peers):
    """Another user."""
    return peers(server, f"{fresh('bob')}@contoso.com")


@pytest.fixture
def peers():
    """Makes peers, and closes them."""
    made = []

    def make(server, user="alice@contoso.com", transport="udp"):
        address = server.udp if transport == "udp" else server.tcp
        peer = Peer(address, user, transport)
        made.append(peer)
        return peer

    yield make
    for peer in made:
        peer.close()


@pytest.fixture
def sipp(tmp_path):
    """Starts SIPp by the name of a scenario, and ends it."""
    started = []
    scenarios = Path(__file__).parent / "sipp"

    def start(name, *options, **more):
        folder = tmp_path / f"{len(started)}-{name}"
        started.append(Sipp(folder, scenarios / f"{name}.xml", *options, **more))
        return started[-1]

    yield start
    for each in started:
        each.kill()


@pytest.fixture(scope="module")
def module_kamailio(tmp_path_factory):
    """Starts Kamailio for all tests of a module, and ends it."""
    started = []

    def start(**fields):
        started.append(Kamailio(tmp_path_factory.mktemp("kamailio"), **fields))
        started[-1].start()
        return started[-1]

    yield start
    for each in started:
        each.stop()


@pytest.fixture
def kamailio(tmp_path, instances_shown):
    """Starts Kamailio, and ends it."""
    started = []

    def start(**fields):
        folder = tmp_path / f"kamailio{len(started)}"
        folder.mkdir()
        server = Kamailio(folder, **fields)
        started.append(server)
        instances_shown.append(server)
        server.start()
        return server

    yield start
    for each in started:
        each.stop()


@pytest.fixture
def presence_behind(tmp_path, instances_shown):
    """Starts Kamailio's presence server, and kills it."""
    started = []

    def start(transport="udp", password="", **fields):
        folder = tmp_path / "kamailio"
        folder.mkdir()
        one = PresenceServer.make(folder, transport, password, **fields)
        started.append(one)
        instances_shown.append(one)
        one.start()
        return one

    yield start
    for each in started:
        each.kill()
