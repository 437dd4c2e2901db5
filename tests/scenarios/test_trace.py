"""What is seen of real conversations: figures by HTTP, and files that others read."""

from __future__ import annotations

import json
import os
import shutil
import subprocess

import pytest
import treq
from twisted.internet import reactor
from twisted.internet.task import deferLater

from presproxy.cli.demo.stage import Stage
from presproxy.sip.uri import address_of_record
from presproxy.testing.waiting import waiting_fixture, waiting_test
from presproxy.trace import Seen
from presproxy.useragent.states import Presence

BOB = address_of_record("sip:bob@example.test")


@waiting_fixture
async def stage():
    stage = await Stage.open(reactor, "example.test")
    yield stage
    await stage.close()


async def until_quiet(stage):
    """Wait until all that was asked has been answered."""
    while not stage.tape.is_quiet:
        await deferLater(reactor, 0.001)


@waiting_fixture
async def played(stage):
    """Somebody watches, the watched publishes twice, and somebody else looks once."""
    bob = await stage.enter(BOB, "udp")
    alice = await stage.enter("sip:alice@example.test", "udp")
    carol = await stage.enter("sip:carol@example.test", "tcp")
    await alice.subscribe(BOB)
    await until_quiet(stage)
    publication = await bob.publish(Presence("available"))
    await until_quiet(stage)
    await publication.modify(bob.content(Presence("busy")))
    await until_quiet(stage)
    await carol.fetch(BOB)
    await until_quiet(stage)
    yield stage


async def ask(stage, path):
    response = await treq.get(
        f"http://127.0.0.1:{stage.server.http_bound.port}/api/v1/{path}",
        persistent=False,
    )
    return response, await response.content()


async def trace(stage, query=""):
    response, body = await ask(stage, f"trace{query}")
    assert response.code == 200, body
    return json.loads(body)


@waiting_test
async def test_each_figure_says_what_happened(played):
    shown = await trace(played)

    said = [(each["kind"], each["title"], each["state"]) for each in shown["figures"]]
    assert said == [
        ("subscription", "alice subscribes to bob", None),
        ("change", "bob is available: 1 is told", [None, "available"]),
        ("change", "bob is busy: 1 is told", ["available", "busy"]),
        ("polling", "carol asks once for bob", None),
    ]
    assert [each["label"] for each in shown["lanes"]] == [
        *("alice", "carol", "presproxy", "bob"),
    ]


@waiting_test
async def test_a_notification_is_of_the_change_that_caused_it(played):
    shown = await trace(played)

    changes = [each["id"] for each in shown["figures"] if each["kind"] == "change"]
    for change in changes:
        rows = [each for each in shown["messages"] if each["figure"] == change]
        assert [(row["method"], row["status"]) for row in rows] == [
            ("PUBLISH", None),
            ("PUBLISH", 200),
            ("NOTIFY", None),
            ("NOTIFY", 200),
        ]
        assert rows[0]["mark"] == rows[2]["mark"]


@waiting_test
async def test_what_is_new_is_given_alone(played):
    latest = (await trace(played))["latest"]
    dave = await played.enter("sip:dave@example.test", "tcp")
    await dave.fetch(BOB)
    await until_quiet(played)

    shown = await trace(played, f"?after={latest}")

    assert [each["title"] for each in shown["figures"]] == ["dave asks once for bob"]


@waiting_test
async def test_one_message_is_shown_whole(played):
    shown = await trace(played, "?q=user:alice")
    (row,) = [row for row in shown["messages"] if row["mark"] == "available"][-1:]

    _, body = await ask(played, f"trace/{row['id']}")

    message = json.loads(body)
    assert message["start"].startswith("NOTIFY ")
    assert "<basic>open</basic>" in message["body"]["text"]
    assert message["links"]["presentity"] == BOB
    assert [step["what"] for step in message["delivery"]] == ["sent", "200 OK"]


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("trace/x", 400),
        ("trace/999999", 404),
        ("trace?q=nothing:x", 400),
        ("trace?before=-1", 400),
        ("trace?limit=0", 400),
        ("trace?errors=yes", 400),
        ("trace?as=gif", 400),
    ],
)
@waiting_test
async def test_what_cannot_be_asked_for_is_told(stage, path, code):
    response, body = await ask(stage, path)

    assert response.code == code
    assert json.loads(body)["error"]


@waiting_test
async def test_it_is_given_as_text(played):
    response, body = await ask(played, "trace?as=text&q=user:carol")

    assert response.headers.getRawHeaders("content-type") == [
        "text/plain; charset=utf-8"
    ]
    assert b"  TCP  carol asks once for bob\n" in body
    assert b"\nSUBSCRIBE sip:bob@example.test SIP/2.0\n" in body


@waiting_test
async def test_it_is_given_as_a_log_with_all_octets(played):
    _, body = await ask(played, "trace?as=log")

    log = json.loads(body)["log"]
    assert log["creator"]["name"] == "presproxy"
    assert len(log["entries"]) == len(played.tape.messages)
    assert all(entry["raw"] for entry in log["entries"])


@waiting_test
async def test_wireshark_reads_it(played, tmp_path):
    tshark = shutil.which("tshark")
    if tshark is None and not os.environ.get("PRESPROXY_REQUIRE_ALL"):
        pytest.skip("tshark is not installed")
    _, body = await ask(played, "trace?as=pcap")
    file = tmp_path / "trace.pcap"
    file.write_bytes(body)

    ports = {port for _, port in (each.local for each in played_ends(played))}
    decode = [word for port in ports for word in ("-d", f"udp.port=={port},sip")]
    read = subprocess.run(
        [
            *(tshark, "-r", str(file), *decode, "-Y", "sip", "-T", "fields"),
            *(
                "-e",
                "sip.CSeq.method",
                "-e",
                "sip.Status-Code",
                "-e",
                "ip.checksum.status",
            ),
        ],
        capture_output=True,
        text=True,
        check=True,
    )

    lines = [line.split("\t")[:2] for line in read.stdout.splitlines()]
    assert [method for method, _ in lines] == [
        message.method for message in played.tape.messages
    ]


def played_ends(stage):
    """Give both ends of all that was seen."""
    return [Seen(*entry) for _, entry in stage.server.ring.since(1, 1000)]
