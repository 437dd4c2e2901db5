from __future__ import annotations

import json

import pytest
import pytest_twisted

from presproxy.cli.news import pause_after
from presproxy.useragent import NoAnswer, Refused, SubscriptionEnded

ALICE = "alice@example.test"


@pytest_twisted.ensureDeferred
async def test_each_change_is_a_line(start, invoke, served):
    watch = start("watch", ALICE, *served.at())
    await watch.says("offline")

    await invoke("publish", ALICE, "busy", *served.at())
    await watch.says("busy")
    await watch.interrupted()

    lines = [line.split("  ", 1)[1] for line in watch.out.splitlines()]
    assert lines == [f"{ALICE}  offline", f"{ALICE}  busy"]


@pytest_twisted.ensureDeferred
async def test_each_change_is_a_line_of_json(start, invoke, served):
    watch = start("watch", ALICE, "bob@example.test", "--json", *served.at("tcp"))
    await watch.says("sip:bob@example.test")
    await watch.says("sip:alice@example.test")

    await invoke("publish", ALICE, "dnd", "--note", "im Gespräch", *served.at())
    await watch.says("dnd")
    await watch.interrupted()

    seen = [json.loads(line) for line in watch.out.splitlines()]
    assert {(each["aor"], each["state"]) for each in seen[:2]} == {
        ("sip:alice@example.test", "offline"),
        ("sip:bob@example.test", "offline"),
    }
    assert (seen[2]["state"], seen[2]["note"]) == ("dnd", "im Gespräch")
    assert seen[2]["subscription"] == "active"


@pytest_twisted.ensureDeferred
async def test_ctrl_c_unsubscribes(start, served):
    watch = start("watch", ALICE, *served.at())
    await watch.says("offline")
    before = len(served.server.agent.subscriptions())

    status = await watch.interrupted()

    assert status == 0
    assert before == 1
    assert len(served.server.agent.subscriptions()) == 0
    assert watch.err == ""


@pytest_twisted.ensureDeferred
async def test_when_nobody_is_left_to_be_watched_it_ends(start, invoke, served):
    bob = ["--user", "bob@example.test"]
    watch = start("watch", ALICE, *bob, *served.at())
    await watch.says("offline")

    await invoke("block", ALICE, "bob@example.test", *served.api)

    assert await watch.status() == 1
    assert watch.err == f"presproxy: {ALICE}: watched no more: rejected\n"


@pytest_twisted.ensureDeferred
async def test_who_refuses_does_not_keep_others_from_being_watched(
    start, invoke, served
):
    await invoke("block", ALICE, "bob@example.test", *served.api)
    bob = ["--user", "bob@example.test"]

    watch = start("watch", ALICE, "carol@example.test", *bob, *served.at())
    await watch.says("carol@example.test  offline")
    status = await watch.interrupted()

    assert status == 0
    assert watch.err == f"presproxy: {ALICE}: SUBSCRIBE was answered 403 Forbidden\n"


@pytest_twisted.ensureDeferred
async def test_who_waits_to_be_allowed_is_told_so(start, served):
    watch = start("watch", ALICE, "--user", "eve@evil.test", *served.at())
    await watch.says(f"{ALICE}  not allowed yet")

    assert await watch.interrupted() == 0


@pytest_twisted.ensureDeferred
async def test_a_reader_who_leaves_is_no_failure(start, invoke, served):
    watch = start("watch", ALICE, *served.at())
    await watch.says("offline")
    watch.transport.closeStdout()

    await invoke("publish", ALICE, "busy", *served.at())
    await watch.status()

    assert watch.err == ""
    assert len(served.server.agent.subscriptions()) == 0


@pytest.mark.parametrize(
    ("error", "was_there", "pause"),
    [
        (SubscriptionEnded("", "deactivated"), True, 1.0),
        (SubscriptionEnded("", "timeout"), True, 1.0),
        (SubscriptionEnded("", None), True, 1.0),
        (SubscriptionEnded("", "deactivated", 20), True, 20),
        (SubscriptionEnded("", "probation"), True, 30.0),
        (SubscriptionEnded("", "giveup", 60), True, 60),
        (SubscriptionEnded("", "rejected"), True, None),
        (SubscriptionEnded("", "noresource"), True, None),
        (SubscriptionEnded("", "invariant"), True, None),
        (Refused("SUBSCRIBE", 481, ""), True, 1.0),
        (Refused("SUBSCRIBE", 503, ""), True, 5.0),
        (Refused("SUBSCRIBE", 503, "", 20), True, 20),
        (Refused("SUBSCRIBE", 503, ""), False, None),
        (Refused("SUBSCRIBE", 403, ""), True, None),
        (NoAnswer("SUBSCRIBE", "", ""), True, 5.0),
        (NoAnswer("SUBSCRIBE", "", ""), False, None),
    ],
)
def test_it_subscribes_anew_where_that_makes_sense(error, was_there, pause):
    assert pause_after(error, was_there) == pause
