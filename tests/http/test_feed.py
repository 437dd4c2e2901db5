from __future__ import annotations

import json

import attrs
import pytest
import treq
from twisted.internet import reactor
from twisted.internet.protocol import Protocol
from twisted.internet.task import deferLater

from presproxy.http.console import feed as feed_module
from presproxy.testing.waiting import waiting_test


@attrs.define(eq=False)
class Page:
    """A page that reads events."""

    response: object
    text: str = ""
    is_over: bool = False

    def events(self):
        for block in self.text.split("\n\n")[:-1]:
            lines = dict(
                line.split(": ", 1) for line in block.split("\n") if ": " in line
            )
            if "event" in lines:
                yield lines["event"], json.loads(lines["data"]), lines["id"]

    async def event(self, name, place=0):
        """Wait for an event."""
        while True:
            found = [each for each in self.events() if each[0] == name]
            if len(found) > place:
                return found[place]
            await deferLater(reactor, 0.005)

    async def ended(self):
        while not self.is_over:
            await deferLater(reactor, 0.005)


class Reading(Protocol):
    def __init__(self, page):
        self.page = page

    def dataReceived(self, data):
        self.page.text += data.decode()

    def connectionLost(self, reason):
        self.page.is_over = True


SUBSCRIBE = (
    b"SUBSCRIBE sip:bob@example.test SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n"
    b"From: <sip:alice@example.test>;tag=f\r\nTo: <sip:bob@example.test>\r\n"
    b"Call-ID: c1\r\nCSeq: 1 SUBSCRIBE\r\nEvent: presence\r\n\r\n"
)


def happen(door):
    """Let a message go over the wire."""
    server = door.desk.server
    ends = (("127.0.0.1", 5060), ("192.0.2.1", 5060))
    server.ring.append((server.core.ticks(), None, "UDP", *ends, SUBSCRIBE))


async def read(door, query, **headers):
    response = await treq.get(
        f"http://127.0.0.1:{door.port}/api/v1/events?{query}",
        headers=headers,
        persistent=False,
        unbuffered=True,
    )
    page = Page(response)
    if response.code == 200:
        response.original.deliverBody(Reading(page))
    return page


@waiting_test
async def test_a_message_is_told_as_it_comes(door):
    page = await read(door, "topics=trace:")
    await page.event("hello")

    happen(door)

    _, data, _ = await page.event("trace")
    assert [each["kind"] for each in data["figures"]] == ["subscription"]
    assert data["messages"][0]["method"] == "SUBSCRIBE"


@waiting_test
async def test_only_what_is_wanted_is_told(door):
    page = await read(door, "topics=trace:method:PUBLISH")
    await page.event("hello")

    happen(door)

    _, data, _ = await page.event("trace")
    assert (data["figures"], data["capture"]["seen"] > 0) == ([], True)


@waiting_test
async def test_who_comes_back_goes_on_from_where_he_was(door):
    page = await read(door, "topics=trace:")
    _, _, last = await page.event("hello")
    happen(door)

    again = await read(door, "topics=trace:", **{"Last-Event-ID": last})

    _, data, _ = await again.event("trace")
    assert data["messages"][0]["id"] == "1"
    assert "reset" not in [name for name, _, _ in again.events()]


@waiting_test
async def test_who_comes_back_to_another_process_begins_anew(door):
    page = await read(door, "topics=server", **{"Last-Event-ID": "0badcafe-7"})

    await page.event("reset")


@waiting_test
async def test_topics_are_changed_while_it_reads(door):
    page = await read(door, "topics=trace:")
    _, hello, _ = await page.event("hello")

    answer = await door.ask(
        "POST", f"/api/v1/events/{hello['id']}/topics", json={"topics": "server"}
    )

    assert answer.code == 204
    _, data, _ = await page.event("server")
    assert data["is_ready"] is True


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("events/nobody/topics", {"topics": "server"}, 404),
        ("events/nobody/topics", {"topics": 7}, 400),
        ("events/nobody/topics", [], 400),
    ],
)
@waiting_test
async def test_a_change_that_cannot_be_is_refused(door, path, body, code):
    answer = await door.ask("POST", f"/api/v1/{path}", json=body)

    assert answer.code == code


@waiting_test
async def test_an_unknown_topic_is_refused(door):
    answer = await door.ask("GET", "/api/v1/events?topics=gossip")

    assert (answer.code, answer.json["where"]) == (400, "topics")


@waiting_test
async def test_there_may_be_so_many_pages(door):
    pages = [await read(door, "topics=") for _ in range(feed_module.READERS)]

    answer = await door.ask("GET", "/api/v1/events?topics=")

    assert (answer.code, answer.header("retry-after")) == (503, "5")
    assert len(pages) == feed_module.READERS


@waiting_test
async def test_a_page_is_told_when_the_server_stops(door):
    page = await read(door, "topics=")
    await page.event("hello")

    await door.door.stop()

    await page.event("bye")
    await page.ended()
