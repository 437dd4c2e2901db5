"""The console in a real browser, beside a real server and real user agents."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys

import pytest
from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from presproxy.cli.demo.stage import Stage
from presproxy.sip.uri import address_of_record
from presproxy.testing.console import browser
from presproxy.testing.waiting import waiting_fixture, waiting_test
from presproxy.useragent.states import Presence

BOB = address_of_record("sip:bob@example.test")
NOTE = "<img src=x onerror=alert(1)>"

has_all = browser() is not None and importlib.util.find_spec("playwright") is not None
pytestmark = pytest.mark.skipif(
    not has_all and not os.environ.get("PRESPROXY_REQUIRE_ALL"),
    reason="playwright or Chromium is not installed",
)


@waiting_fixture
async def played():
    stage = await Stage.open(reactor, "example.test")
    bob = await stage.enter(BOB, "udp")
    alice = await stage.enter("sip:alice@example.test", "udp")
    await alice.subscribe(BOB)
    await bob.publish(Presence("busy", NOTE))
    await (await stage.enter("sip:carol@example.test", "tcp")).fetch(BOB)
    while not stage.tape.is_quiet:
        await deferLater(reactor, 0.001)
    yield stage
    await stage.close()


async def play(stage, *actions):
    url = f"http://127.0.0.1:{stage.server.http_bound.port}"
    played = await deferToThread(
        subprocess.run,
        [sys.executable, "-m", "presproxy.testing.console", url, json.dumps(actions)],
        capture_output=True,
        timeout=60,
    )
    assert played.returncode == 0, played.stderr.decode()
    found = json.loads(played.stdout)
    assert found["errors"] == []
    return found


def opened(path, selector):
    return {"do": "open", "path": path}, {"do": "wait", "for": selector}


def texts(name, of):
    return {"do": "texts", "of": of, "as": name}


@waiting_test
async def test_each_figure_is_in_the_ladder_with_its_sentence(played):
    found = await play(
        played, *opened("/trace", ".figure.polling"), texts("said", ".figure h2")
    )

    assert found["said"] == [
        "alice subscribes to bob",
        "bob is busy: 1 is told",
        "carol asks once for bob",
    ]


@waiting_test
async def test_a_link_opens_the_message_it_names(played):
    found = await play(
        played,
        *opened("/trace?msg=1", ".aside dl"),
        texts("start", ".aside p.mono"),
        {"do": "press", "key": "Escape"},
        {"do": "value", "of": "location.pathname + location.search", "as": "address"},
    )

    assert found["start"] == ["SUBSCRIBE sip:bob@example.test SIP/2.0"]
    assert found["address"] == "/trace"


@waiting_test
async def test_a_filter_leaves_what_it_should(played):
    found = await play(
        played,
        *opened("/trace?q=user:carol", ".figure"),
        texts("said", ".figure h2"),
    )

    assert found["said"] == ["carol asks once for bob"]


@waiting_test
async def test_what_a_stranger_wrote_is_text(played):
    found = await play(
        played,
        *opened("/people", ".people tbody small"),
        texts("notes", ".people tbody small"),
        texts("states", ".people tbody .state"),
        {"do": "value", "of": "document.querySelectorAll('td img').length", "as": "n"},
    )

    assert (found["notes"], found["states"], found["n"]) == ([NOTE], ["Busy"], 0)


@waiting_test
async def test_nothing_scrolls_sideways(played):
    actions = []
    for width in (320, 390, 768, 1440):
        actions.append({"do": "size", "width": width})
        for path, selector in (("/trace", ".figure"), ("/people", ".people tbody td")):
            wide = "document.documentElement.scrollWidth - innerWidth"
            name = f"{path} {width}"
            actions += [
                *opened(path, selector),
                {"do": "value", "of": wide, "as": name},
            ]

    found = await play(played, *actions)

    del found["errors"]
    assert found == dict.fromkeys(found, 0)
