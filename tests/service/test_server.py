"""Starting and stopping the house."""

from __future__ import annotations

import errno
import socket
from contextlib import suppress
from itertools import count

import pytest
import treq
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater
from twisted.logger import capturedLogs

from presproxy.errors import StorageUnavailable
from presproxy.model.decision import FULL, NEUTRAL, Decision, Handling
from presproxy.service import build
from presproxy.service.server import Patience
from presproxy.testing.waiting import waiting_fixture, waiting_test
from presproxy.testing.wire import Message, compose, pidf
from presproxy.transport.sockets import CannotListen
from presproxy.transport.where import Where

BLOCK = Decision(Handling.BLOCK, "blocked", NEUTRAL)
ALLOW = Decision(Handling.ALLOW, "allowed", FULL)

STARTS = ["start storage", "start acl", "start auth", "start sip", "start notes"]
STOPS = [each.replace("start", "stop") for each in reversed(STARTS)]

BOB = "sip:bob@example.test"
_numbers = count(1)


@waiting_fixture
async def running(with_auth):
    """Servers that are stopped after the test."""
    servers = []

    async def start(plan=None):
        server = build(plan or with_auth(), reactor)
        servers.append(server)
        await server.start()
        return server

    yield start
    for server in servers:
        await server.stop()


class Peer:
    """A datagram socket that waits for answers by letting the reactor turn."""

    def __init__(self, server):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.connect(("127.0.0.1", server.bound[0].port))

    def send(self, method, fields=None, body="", user="alice", uri=BOB):
        number, port = next(_numbers), self.socket.getsockname()[1]
        standard = {
            "Via": f"SIP/2.0/UDP 127.0.0.1:{port};rport;branch=z9hG4bK{number}",
            "From": f"<sip:{user}@example.test>;tag=f{number}",
            "To": f"<{uri}>",
            "Call-ID": f"c{number}",
            "CSeq": f"1 {method}",
            "Contact": f"<sip:{user}@127.0.0.1:{port}>",
            "Event": "presence",
            "Authorization": f"I am sip:{user}@example.test",
        }
        data = compose(f"{method} {uri} SIP/2.0", {**standard, **(fields or {})}, body)
        self.socket.send(data)

    async def receive(self):
        came = []

        def look():
            with suppress(BlockingIOError):
                came.append(Message.read(self.socket.recv(65535)))
            return came

        await once(look)
        return came[0]

    async def ask(self, *arguments, **named):
        self.send(*arguments, **named)
        return await self.receive()


async def get(server, path):
    response = await treq.get(f"http://127.0.0.1:{server.http_bound.port}{path}")
    return response.code, await response.text()


async def ready(server):
    return (await get(server, "/readyz"))[0]


async def once(has_happened):
    """Let the reactor turn until something has happened."""
    for _ in range(1000):
        if has_happened():
            return
        await deferLater(reactor, 0.005, lambda: None)
    raise AssertionError("it did not happen")


def is_refused(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except ConnectionRefusedError:
        return True
    return False


# --- The order


@waiting_test
async def test_all_is_started_in_order_and_stopped_in_the_opposite_one(running, diary):
    server = await running()
    started = diary.entries[:]
    await server.stop()

    assert started == STARTS
    assert diary.entries[len(started) :] == STOPS


@waiting_test
async def test_nothing_is_opened_by_building(with_auth, diary):
    server = build(with_auth(), reactor)

    assert diary.entries == []
    assert (server.bound, server.http_bound) == ([], None)


@waiting_test
async def test_what_is_listened_on_is_told(running):
    server = await running()

    assert [(each.transport, each.interface) for each in server.bound] == [
        ("udp", "127.0.0.1"),
        ("tcp", "127.0.0.1"),
    ]
    assert all(each.port for each in (*server.bound, server.http_bound))


@waiting_test
async def test_stopping_twice_stops_once(running, diary):
    server = await running()
    await server.stop()
    await server.stop()

    assert diary.entries == STARTS + STOPS


# --- A start that fails


@pytest.mark.parametrize("number", range(len(STARTS)))
@waiting_test
async def test_a_start_that_fails_half_way_stops_what_was_started(
    with_auth, diary, number
):
    def fail():
        raise StorageUnavailable("no")

    diary.meanwhile[STARTS[number]] = fail
    server = build(with_auth(), reactor)

    with pytest.raises(StorageUnavailable):
        await server.start()

    assert diary.entries == [
        *STARTS[: number + 1],
        *STOPS[len(STOPS) - number :],
    ]
    assert not server.is_ready
    with pytest.raises(Exception, match="refused"):
        await get(server, "/healthz")


@pytest.mark.parametrize("which", ["http", "tcp", "udp"])
@waiting_test
async def test_a_place_that_is_taken_is_named(running, with_auth, diary, which):
    other = await running()
    taken = {
        "http": other.http_bound,
        "tcp": other.bound[1],
        "udp": other.bound[0],
    }[which]
    del diary.entries[:]
    plan = with_auth(http=taken) if which == "http" else with_auth(listen=(taken,))
    server = build(plan, reactor)

    with pytest.raises(CannotListen, match=f"cannot listen on .*{taken.port}: Address"):
        await server.start()

    assert diary.entries == ([] if which == "http" else STARTS + STOPS)


@waiting_test
async def test_a_start_may_be_given_up(with_auth, diary):
    diary.meanwhile["start acl"] = Deferred
    server = build(with_auth(), reactor)
    starting = Deferred.fromCoroutine(server.start())
    waits = diary.entries[:]

    starting.cancel()
    with pytest.raises(CancelledError):
        await starting

    assert waits == ["start storage", "start acl"]
    assert diary.entries == [*waits, "stop storage"]


# --- Health


@waiting_test
async def test_health_is_told_from_the_beginning_to_the_end(with_auth, diary):
    seen = []
    server = build(with_auth(), reactor)

    def look():
        asked = Deferred.fromCoroutine(ready(server))
        asked.addCallback(seen.append)
        return asked

    for each in ("start storage", "start notes", "stop notes", "stop storage"):
        diary.meanwhile[each] = look
    await server.start()
    seen.append(await ready(server))
    await server.stop()

    assert seen == [503, 503, 200, 503, 503]


@waiting_test
async def test_nothing_is_shown_before_all_is_there(with_auth, diary):
    seen = []
    server = build(with_auth(), reactor)

    def look():
        paths = ("/healthz", "/metrics", "/api/v1/server", "/api/v1/presentities")

        async def ask():
            seen.extend([(await get(server, path))[0] for path in paths])

        return Deferred.fromCoroutine(ask())

    diary.meanwhile["start acl"] = look
    await server.start()
    await server.stop()

    assert seen == [200, 200, 200, 503]


@waiting_test
async def test_nobody_is_listened_to_before_all_is_back(with_auth, diary):
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = other.getsockname()
    server = build(with_auth(listen=(Where("tcp", address[1], address[0]),)), reactor)
    seen = []

    def knock():
        with socket.socket() as asking:
            seen.append(asking.connect_ex(address))

    for each in ("start storage", "start acl", "start notes"):
        diary.meanwhile[each] = knock
    await server.start()
    knock()
    await server.stop()

    assert seen == [errno.ECONNREFUSED] * 3 + [0]


# --- A stop


@waiting_test
async def test_what_was_taken_is_served_before_the_stop(running, diary):
    server = await running()
    storage = server.plan.storage.plugin
    storage.hold()
    peer = Peer(server)
    peer.send("SUBSCRIBE")
    await once(lambda: storage.waiting)

    stopping = Deferred.fromCoroutine(server.stop())
    late = await peer.ask("OPTIONS")
    storage.release()
    answer = await peer.receive()
    notify = await peer.receive()
    await stopping

    assert (late.status, late.get("retry-after")) == (503, "30")
    assert (answer.status, notify.method) == (200, "NOTIFY")
    # It is kept, and goes on after a start.
    assert notify.need("subscription-state").startswith("active")
    kept = [each for each in storage.changes if each.kind == "subscription"]
    assert len(kept) == 1
    assert diary.entries[-len(STOPS) :] == STOPS


@waiting_test
async def test_no_connections_are_taken_while_it_stops(running):
    server = await running()
    server.plan.storage.plugin.hold()
    peer = Peer(server)
    peer.send("SUBSCRIBE")
    await once(lambda: server.plan.storage.plugin.waiting)

    stopping = Deferred.fromCoroutine(server.stop())
    await once(lambda: is_refused(server.bound[1].port))
    server.plan.storage.plugin.release()
    await stopping


@waiting_test
async def test_a_stop_that_fails_or_hangs_stops_the_others(with_auth, diary):
    server = build(with_auth(), reactor)
    server.patience = Patience(ending=0.05)
    await server.start()

    def fail():
        raise RuntimeError("cannot stop")

    diary.meanwhile["stop notes"] = fail
    diary.meanwhile["stop acl"] = Deferred

    with capturedLogs() as events:
        await server.stop()

    assert diary.entries == STARTS + STOPS
    assert [each["what"] for each in events if "what" in each] == [
        "stopping notifier notes",
        "stopping acl scripted",
    ]


@waiting_test
async def test_what_takes_too_long_is_refused_at_the_stop(running):
    server = await running()
    server.patience = Patience(serving=0.05)
    server.plan.storage.plugin.hold()
    peer = Peer(server)
    peer.send("SUBSCRIBE")
    await once(lambda: server.plan.storage.plugin.waiting)

    await server.stop()

    assert (await peer.receive()).status == 503


# --- What was kept


@waiting_test
async def test_what_was_kept_goes_on_after_a_start(running, with_auth):
    first = await running()
    peer = Peer(first)
    subscribed = await peer.ask("SUBSCRIBE")
    before = await peer.receive()
    await first.stop()

    plan = with_auth(listen=(first.bound[0],))
    plan.storage.plugin._records = first.plan.storage.plugin._records
    second = await running(plan)
    published = await Peer(second).ask(
        "PUBLISH",
        {"Content-Type": "application/pidf+xml"},
        pidf(BOB, "back"),
        user="bob",
    )
    after = await peer.receive()
    while after.cseq <= before.cseq:
        after = await peer.receive()

    assert (subscribed.status, published.status) == (200, 200)
    assert "back" in after.text
    assert after.call_id == before.call_id


@pytest.mark.parametrize(("decision", "left"), [(BLOCK, 0), (ALLOW, 1)])
@waiting_test
async def test_rules_that_changed_meanwhile_are_obeyed_after_a_start(
    running, with_auth, decision, left
):
    first = await running()
    await Peer(first).ask("SUBSCRIBE")
    await first.stop()

    plan = with_auth()
    plan.storage.plugin._records = first.plan.storage.plugin._records
    plan.acl[0].plugin.decision = decision
    second = await running(plan)
    await once(lambda: plan.acl[0].plugin.asked)

    assert len(plan.acl[0].plugin.asked) == 1
    assert len(second.agent) == left


# --- Timers


@waiting_test
async def test_a_defect_in_a_timer_is_counted_and_the_clock_goes_on(running):
    server = await running()
    turns = []

    def break_down(now):
        turns.append(now)
        raise RuntimeError("a defect")

    server.core.layer.tick = break_down

    with capturedLogs() as events:
        await once(lambda: len(turns) >= 5)

    assert [each["count"] for each in events if "count" in each] == [1, 2, 4]
    del server.core.layer.tick


# --- The log


@waiting_test
async def test_opening_the_ports_leaves_no_line_in_the_log(with_auth):
    server = build(with_auth(), reactor)

    with capturedLogs() as events:
        await server.start()
    await server.stop()

    assert [each for each in events if each.get("log_format")] == []


@waiting_test
async def test_http_is_there_in_both_families_at_one_port(running, with_auth):
    server = await running(with_auth(http=Where("tcp", 0, "localhost")))

    code, _ = await get(server, "/healthz")

    assert code == 200
