"""Health and metrics, and the bounds of the other door."""

from __future__ import annotations

import json

import pytest
from prometheus_client.parser import text_string_to_metric_families
from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.logger import capturedLogs

from presproxy.acl.contacts import ContactsACL
from presproxy.http.channel import LARGEST_BODY
from presproxy.testing.desk import Desk
from presproxy.testing.waiting import waiting_test
from presproxy.testing.wire import pidf

HERE = b"Host: localhost\r\n"
CONTACT = "/api/v1/contacts/bob@example.test/alice@example.test"


async def once(has_happened):
    """Let the reactor turn until something has happened."""
    for _ in range(1000):
        if has_happened():
            return
        await deferLater(reactor, 0.005, lambda: None)
    raise AssertionError("it did not happen")


async def answered(wire, times=1):
    """Wait for whole answers, and give what came."""
    await once(lambda: wire.data.count(b"HTTP/1.1 ") >= times)
    await once(lambda: wire.data.endswith((b"\n", b"0\r\n\r\n")))
    return wire.data


# --- Health and metrics


@pytest.mark.parametrize(
    ("path", "is_ready", "code", "body"),
    [
        ("/healthz", True, 200, b"alive\n"),
        ("/healthz", False, 200, b"alive\n"),
        ("/readyz", True, 200, b"ready\n"),
        ("/readyz", False, 503, b"not ready\n"),
    ],
)
@waiting_test
async def test_health_is_told(door, path, is_ready, code, body):
    door.desk.server.is_ready = is_ready

    answer = await door.ask("GET", path)

    assert (answer.code, answer.body) == (code, body)
    assert answer.header("content-type") == "text/plain; charset=utf-8"
    assert answer.header("cache-control") == "no-store"


@pytest.mark.parametrize(
    ("path", "code"),
    [("server", 200), ("openapi.json", 200), ("presentities", 503), (CONTACT[8:], 503)],
)
@waiting_test
async def test_what_is_not_ready_shows_nothing(door, path, code):
    door.desk.server.is_ready = False

    answer = await door.ask("GET", f"/api/v1/{path}")

    assert answer.code == code
    if code == 503:
        assert answer.header("retry-after") == "5"
        assert answer.json["where"] == "server"


@waiting_test
async def test_metrics_are_as_prometheus_reads_them(door):
    desk = door.desk
    desk.subscribe()
    desk.publish(pidf("sip:bob@example.test"))
    desk.ask("X-METHOD")

    answer = await door.ask("GET", "/metrics")

    families = {
        each.name: each for each in text_string_to_metric_families(answer.body.decode())
    }
    samples = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families.values()
        for sample in family.samples
    }
    assert answer.header("content-type").startswith("text/plain; version=0.0.4")
    assert all(name.startswith("presproxy_") for name in families)
    assert all(family.documentation for family in families.values())
    assert samples["presproxy_answers_total", (("status", "200"),)] == 2
    assert samples["presproxy_answers_total", (("status", "405"),)] == 1
    assert samples["presproxy_requests_total", (("method", "SUBSCRIBE"),)] == 1
    assert samples["presproxy_subscriptions", ()] == 1
    assert samples["presproxy_publications", ()] == 1
    assert samples["presproxy_defects_total", ()] == 0
    assert samples["presproxy_http_connections", ()] == 1
    assert families["presproxy_request_seconds"].type == "histogram"
    assert samples["presproxy_request_seconds_count", ()] == 3


@waiting_test
async def test_buckets_only_rise_and_end_with_all_there_are(door):
    took = door.desk.server.metrics.histogram("tested_seconds", "For a test.")
    for value in (0.0001, 0.0005, 0.3, 100.0):
        took.observe(value)

    answer = await door.ask("GET", "/metrics")

    (family,) = (
        each
        for each in text_string_to_metric_families(answer.body.decode())
        if each.name == "presproxy_tested_seconds"
    )
    buckets = [
        (float(each.labels["le"]), each.value)
        for each in family.samples
        if each.name.endswith("_bucket")
    ]
    assert buckets == sorted(buckets)
    assert (buckets[0], buckets[-1]) == ((0.0005, 2), (float("inf"), 4))


@waiting_test
async def test_a_gauge_that_fails_hides_no_other(door):
    def fail():
        raise RuntimeError("broken")

    door.desk.server.metrics.gauge("broken", "A plugin's own.", fail)

    answer = await door.ask("GET", "/metrics")

    assert answer.code == 200
    assert b"presproxy_broken NaN" in answer.body
    assert b"presproxy_subscriptions 0.0" in answer.body


# --- Who may ask


@pytest.mark.parametrize(
    ("host", "code"),
    [
        ("localhost", 200),
        ("LOCALHOST.:8080", 200),
        ("127.0.0.1:8080", 200),
        ("127.8.9.1", 200),
        ("[::1]:8080", 200),
        ("evil.test", 403),
        ("127.0.0.1.evil.test", 403),
        ("localhost.evil.test:8080", 403),
        ("192.0.2.1", 403),
        ("0.0.0.0:8080", 403),
        ("[::]", 403),
        ("", 403),
    ],
)
@waiting_test
async def test_the_door_answers_to_names_of_the_loopback_only(
    door, connect, host, code
):
    wire = await connect(door)

    wire.transport.write(b"GET /healthz HTTP/1.1\r\nHost: %b\r\n\r\n" % host.encode())
    data = await answered(wire)

    assert data.startswith(b"HTTP/1.1 %d " % code)
    assert (b'"where": "Host"' in data) is (code == 403)


@pytest.mark.parametrize(
    ("method", "origin", "code"),
    [
        ("PUT", None, 200),
        ("PUT", "http://localhost", 200),
        ("PUT", "http://evil.test", 403),
        ("PUT", "https://localhost", 403),
        ("PUT", "http://localhost:9999", 403),
        ("PUT", "null", 403),
        ("DELETE", "http://evil.test", 403),
        ("POST", "http://evil.test", 403),
        ("PATCH", "http://evil.test", 403),
        ("GET", "http://evil.test", 405),
    ],
)
@waiting_test
async def test_no_page_of_another_origin_changes_anything(
    door, connect, method, origin, code
):
    wire = await connect(door)
    body = b'{"handling": "allow"}'
    sent_by = b"" if origin is None else b"Origin: %b\r\n" % origin.encode()

    wire.transport.write(
        b"%b %b HTTP/1.1\r\n%b%bContent-Length: %d\r\n\r\n%b"
        % (method.encode(), CONTACT.encode(), HERE, sent_by, len(body), body)
    )
    data = await answered(wire)

    assert data.startswith(b"HTTP/1.1 %d " % code)
    assert len(door.desk.kept("contact")) == (code == 200)


@pytest.mark.parametrize("path", ["/", "/api/v1/trace?as=log", "/api/v1/events"])
@pytest.mark.parametrize(
    ("site", "mode", "is_page_let", "is_api_let"),
    [
        (None, None, True, True),
        ("none", "navigate", True, True),
        ("same-origin", "cors", True, True),
        ("cross-site", "navigate", True, False),
        ("cross-site", "no-cors", False, False),
        ("same-site", "cors", False, False),
    ],
)
@waiting_test
async def test_no_page_of_another_origin_makes_anything_be_done(
    door, connect, path, site, mode, is_page_let, is_api_let
):
    wire = await connect(door)
    said = f"Sec-Fetch-Site: {site}\r\nSec-Fetch-Mode: {mode}\r\n" if site else ""

    wire.transport.write(
        b"GET %b HTTP/1.1\r\n%b%b\r\n" % (path.encode(), HERE, said.encode())
    )
    await once(lambda: b"\r\n\r\n" in wire.data)

    code = 200 if (is_page_let if path == "/" else is_api_let) else 403
    assert wire.data.startswith(b"HTTP/1.1 %d " % code)


# --- Paths


@pytest.mark.parametrize(
    ("method", "path", "code", "where"),
    [
        ("GET", "/nowhere", 404, "path"),
        ("GET", "/static/0/js/main.js", 404, "path"),
        ("GET", "/api", 404, "path"),
        ("GET", "/api/v2/server", 404, "path"),
        ("GET", "/%FF%FE", 404, "path"),
        ("POST", "/metrics", 405, "method"),
        ("DELETE", "/healthz", 405, "method"),
    ],
)
@waiting_test
async def test_what_leads_nowhere_is_told_in_json(door, method, path, code, where):
    with capturedLogs() as events:
        answer = await door.ask(method, path)

    assert (answer.code, answer.json["where"]) == (code, where)
    assert answer.header("allow") == ("GET, HEAD" if code == 405 else None)
    assert [each for each in events if each.get("log_failure")] == []


@waiting_test
async def test_the_head_of_an_answer_may_be_asked_for(door):
    answer = await door.ask("HEAD", "/metrics")

    assert (answer.code, answer.body) == (200, b"")


@waiting_test
async def test_a_defect_is_answered_500_counted_and_logged_when_it_doubles(open_door):
    class Broken(ContactsACL):
        async def contacts(self, presentity):
            raise RuntimeError("a secret")

    door = await open_door(Desk(Broken()))

    with capturedLogs() as events:
        answers = [
            await door.ask("GET", "/api/v1/contacts/bob@example.test") for _ in range(5)
        ]

    assert {each.code for each in answers} == {500}
    assert answers[0].json["where"] == "server"
    assert b"secret" not in answers[0].body
    assert [each["count"] for each in events if "count" in each] == [1, 2, 4]
    metrics = await door.ask("GET", "/metrics")
    assert b"presproxy_http_defects 5.0" in metrics.body


# --- Bodies


@waiting_test
async def test_a_body_over_the_limit_is_answered_413(door):
    answer = await door.ask("PUT", CONTACT, data=b"x" * (LARGEST_BODY + 1))

    assert answer.code == 413
    assert answer.json == {
        "error": f"a body may have {LARGEST_BODY} octets",
        "where": "body",
    }


@waiting_test
async def test_a_body_far_over_the_limit_is_answered_413_and_not_kept(door):
    answer = await door.ask("PUT", CONTACT, data=b"x" * 20_000_000)

    assert answer.code == 413


@waiting_test
async def test_the_answer_does_not_wait_for_the_body(door, connect):
    wire = await connect(door)

    wire.transport.write(
        b"PUT %b HTTP/1.1\r\n%bExpect: 100-continue\r\nContent-Length: 99999999\r\n\r\n"
        % (CONTACT.encode(), HERE)
    )
    data = await answered(wire)

    head, _, body = data.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 413 ")
    assert b"Connection: close" in head
    assert json.loads(body)["where"] == "body"


@pytest.mark.parametrize("chunks", [1, 3])
@waiting_test
async def test_a_body_in_chunks_is_bounded_as_well(door, connect, chunks):
    wire = await connect(door)
    chunk = b"%x\r\n%b\r\n" % (LARGEST_BODY, b"x" * LARGEST_BODY)

    wire.transport.write(
        b"PUT %b HTTP/1.1\r\n%bTransfer-Encoding: chunked\r\n\r\n"
        % (CONTACT.encode(), HERE)
    )
    wire.transport.write(chunk * chunks + b"1\r\nx\r\n0\r\n\r\n")
    data = await wire.closed

    assert data.startswith(b"HTTP/1.1 413 ")
    assert data.count(b"HTTP/1.1") == 1


@waiting_test
async def test_a_body_in_chunks_is_read(door, connect):
    wire = await connect(door)
    body = b'{"handling": "allow"}'

    wire.transport.write(
        b"PUT %b HTTP/1.1\r\n%bTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n"
        % (CONTACT.encode(), HERE, len(body), body)
    )
    data = await answered(wire)

    assert data.startswith(b"HTTP/1.1 200 ")


# --- Time, and how many


@pytest.mark.parametrize(
    "parts",
    [
        [],
        [b"G"],
        [b"GET /he"] + [b"a"] * 100,
        [b"GET /healthz HTTP/1.1\r\n"] + [b"X-A: b\r\n"] * 100,
        [
            b"PUT %b HTTP/1.1\r\n%bContent-Length: 1000\r\n\r\n"
            % (CONTACT.encode(), HERE)
        ]
        + [b"x"] * 100,
        [b"GET /healthz HTTP/1.1\r\n%b\r\n" % HERE] + [b"G"] * 100,
    ],
    ids=["nothing", "stalls", "line", "header", "body", "the second request"],
)
@waiting_test
async def test_a_request_that_is_not_there_in_time_ends_its_connection(
    open_door, connect, parts
):
    door = await open_door(timeout=0.2)
    wire = await connect(door)

    with capturedLogs() as events:
        for part in parts:
            if not wire.closed.called:
                wire.transport.write(part)
                await deferLater(reactor, 0.02, lambda: None)
        await wire.closed

    assert not any("Timing out" in str(each.get("log_format")) for each in events)


@waiting_test
async def test_a_connection_is_kept_while_it_is_used(open_door, connect):
    door = await open_door(timeout=0.3)
    wire = await connect(door)

    for number in range(1, 6):
        wire.transport.write(b"GET /healthz HTTP/1.1\r\n%b\r\n" % HERE)
        await answered(wire, number)
        await deferLater(reactor, 0.1, lambda: None)

    assert not wire.closed.called
    assert wire.data.count(b"alive\n") == 5
    await wire.closed


@waiting_test
async def test_connections_over_the_limit_are_closed(open_door, connect):
    door = await open_door(connections=3)
    wires = [await connect(door) for _ in range(3)]
    for wire in wires:
        wire.transport.write(b"GET /healthz HTTP/1.1\r\n%b\r\n" % HERE)
        await answered(wire)

    one_more = await connect(door)
    refused = await one_more.closed
    wires[0].transport.loseConnection()
    await wires[0].closed
    await once(lambda: len(door.open) < 3)
    answer = await door.ask("GET", "/healthz")

    assert refused == b""
    assert answer.code == 200


@waiting_test
async def test_several_requests_may_come_at_once(door, connect):
    wire = await connect(door)

    wire.transport.write(b"GET /healthz HTTP/1.1\r\n%b\r\n" % HERE * 10)
    data = await answered(wire, 10)

    assert data.count(b"HTTP/1.1 200 ") == 10


@waiting_test
async def test_a_door_that_closes_ends_its_connections(open_door, connect):
    door = await open_door()
    wire = await connect(door)
    wire.transport.write(b"GET /healthz HTTP/1.1\r\n%b\r\n" % HERE)
    await answered(wire)

    await door.close()

    await wire.closed


@waiting_test
async def test_requests_leave_no_line_in_the_log(door):
    with capturedLogs() as events:
        await door.ask("GET", "/metrics")
        await door.ask("GET", "/nothing")

    assert [each for each in events if "presproxy" in str(each)] == []
