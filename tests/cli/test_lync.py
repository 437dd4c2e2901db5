"""``publish --lync`` and ``watch --lync`` against a server of its own."""

from __future__ import annotations

import json

import pytest
import pytest_twisted

ALICE, BOB = "alice@example.test", "bob@example.test"
CAROL = ["--user", "carol@example.test"]


def said(process):
    """What each line says, without the time."""
    return [line.split("  ", 1)[1] for line in process.out.splitlines()]


@pytest_twisted.ensureDeferred
async def test_what_a_lync_client_says_is_seen_by_both_kinds(start, served):
    simple = start("watch", ALICE, *CAROL, *served.at())
    lync = start("watch", ALICE, "--lync", *CAROL, *served.at("tcp"))
    await simple.says("offline")
    await lync.says("offline")

    saying = start(
        "publish", ALICE, "dnd", "--note", "im Gespräch", "--lync", *served.at("tcp")
    )
    await saying.says("alice@example.test is do not disturb until Ctrl-C")
    await simple.says("im Gespräch")
    await lync.says("im Gespräch")

    assert (
        said(simple)
        == said(lync)
        == [
            f"{ALICE}  offline",
            f"{ALICE}  do not disturb  im Gespräch",
        ]
    )


@pytest_twisted.ensureDeferred
async def test_what_a_lync_client_said_is_taken_back_at_ctrl_c(start, invoke, served):
    saying = start("publish", ALICE, "busy", "--lync", *served.at("tcp"))
    await saying.says("busy")

    status = await saying.interrupted()
    after = await invoke("fetch", ALICE, *served.at())

    assert (status, saying.err) == (0, "")
    assert "offline" in after.output
    assert len(served.server.lync.endpoints) == 0
    assert len(served.server.lync.categories) == 0


@pytest_twisted.ensureDeferred
async def test_all_are_watched_by_one_subscription(start, invoke, served):
    watch = start("watch", ALICE, BOB, "--lync", "--json", *CAROL, *served.at("tcp"))
    await watch.says("sip:bob@example.test")
    await watch.says("sip:alice@example.test")
    lists = len(served.server.lync.endpoints)

    await invoke("publish", BOB, "brb", "--note", "lunch", *served.at())
    await watch.says("lunch")

    seen = [json.loads(line) for line in watch.out.splitlines()]
    assert lists == 1
    assert [(each["aor"], each["state"], each["note"]) for each in seen] == [
        ("sip:alice@example.test", "offline", None),
        ("sip:bob@example.test", "offline", None),
        ("sip:bob@example.test", "brb", "lunch"),
    ]
    assert {each["subscription"] for each in seen} == {"active"}


@pytest_twisted.ensureDeferred
async def test_ctrl_c_signs_off(start, served):
    watch = start("watch", ALICE, "--lync", *CAROL, *served.at("tcp"))
    await watch.says("offline")

    status = await watch.interrupted()

    assert (status, watch.err) == (0, "")
    assert len(served.server.agent.subscriptions()) == 0
    assert len(served.server.lync.endpoints) == 0


@pytest_twisted.ensureDeferred
async def test_who_may_not_see_somebody_goes_on_with_the_others(start, invoke, served):
    await invoke("block", ALICE, "carol@example.test", *served.api)

    watch = start("watch", ALICE, BOB, "--lync", *CAROL, *served.at("tcp"))
    await watch.says(f"{BOB}  offline")
    status = await watch.interrupted()

    assert status == 0
    assert watch.err == f"presproxy: {ALICE}: watched no more: rejected\n"


@pytest_twisted.ensureDeferred
async def test_when_nobody_is_left_to_be_watched_it_ends(start, invoke, served):
    watch = start("watch", ALICE, "--lync", *CAROL, *served.at("tcp"))
    await watch.says("offline")

    await invoke("block", ALICE, "carol@example.test", *served.api)

    assert await watch.status() == 1
    assert watch.err == f"presproxy: {ALICE}: watched no more: rejected\n"


@pytest_twisted.ensureDeferred
async def test_who_is_of_another_domain_cannot_sign_in(start, served):
    watch = start(
        "watch", ALICE, "--lync", "--user", "eve@evil.test", *served.at("tcp")
    )

    assert await watch.status() == 1
    assert "REGISTER was answered 404" in watch.err


@pytest.mark.parametrize("command", ["watch", "publish"])
@pytest_twisted.ensureDeferred
async def test_without_a_server_it_says_so(start, unused_port, command):
    words = [ALICE, "busy"] if command == "publish" else [ALICE]

    process = start(command, *words, "--lync", "--server", f"127.0.0.1:{unused_port}")

    assert await process.status() == 1
    assert f"no answer from tcp:127.0.0.1:{unused_port}" in process.err
