from __future__ import annotations

import json

import pytest
import pytest_twisted


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest_twisted.ensureDeferred
async def test_what_is_published_can_be_fetched(invoke, served, transport):
    at = served.at(transport)

    published = await invoke(
        "publish", "alice@example.test", "busy", "--note", "in a call", *at
    )
    fetched = await invoke("fetch", "alice@example.test", *at)

    assert published.exit_code == 0
    assert published.output.startswith("alice@example.test is busy for 3600 s")
    assert fetched.exit_code == 0
    assert fetched.output.split(maxsplit=1)[1] == (
        "alice@example.test  busy  in a call\n"
    )


@pytest_twisted.ensureDeferred
async def test_a_state_is_given_to_programs_as_json(invoke, served):
    await invoke("publish", "sip:alice@example.test", "dnd", *served.at())

    fetched = await invoke("fetch", "sip:alice@example.test", "--json", *served.at())
    seen = json.loads(fetched.output)

    assert seen.pop("at")
    assert seen == {
        "aor": "sip:alice@example.test",
        "subscription": "terminated",
        "reason": "timeout",
        "state": "dnd",
        "note": None,
    }


@pytest_twisted.ensureDeferred
async def test_who_has_published_nothing_is_offline(invoke, served):
    fetched = await invoke("fetch", "nobody@example.test", *served.at())

    assert "nobody@example.test  offline" in fetched.output


@pytest_twisted.ensureDeferred
async def test_who_is_blocked_fails_in_one_line(invoke, served):
    await invoke("block", "alice@example.test", "bob@example.test", *served.api)

    fetched = await invoke(
        "fetch", "alice@example.test", "--user", "bob@example.test", *served.at()
    )

    assert fetched.exit_code == 1
    assert fetched.stderr == "presproxy: SUBSCRIBE was answered 403 Forbidden\n"
    assert fetched.stdout == ""


@pytest_twisted.ensureDeferred
async def test_a_password_is_read_from_its_file(invoke, guarded, tmp_path):
    password = ["--password-file", str(tmp_path / "password")]

    published = await invoke(
        "publish", "alice@example.test", "away", *password, *guarded.at()
    )

    assert published.exit_code == 0


@pytest_twisted.ensureDeferred
async def test_a_password_is_read_from_stdin(invoke, guarded):
    options = ["--password-file", "-", "--user", "alice@example.test", *guarded.at()]

    fetched = await invoke(
        "fetch", "alice@example.test", *options, input="wonderland\n"
    )

    assert fetched.exit_code == 0


@pytest_twisted.ensureDeferred
async def test_without_a_password_it_is_said_what_is_missing(invoke, guarded):
    published = await invoke("publish", "alice@example.test", "away", *guarded.at())

    assert published.exit_code == 1
    assert published.stderr == (
        "presproxy: PUBLISH was answered 401 Unauthorized: "
        "see --user and --password-file\n"
    )


@pytest_twisted.ensureDeferred
async def test_nobody_there_fails_in_one_line(invoke, unused_port):
    fetched = await invoke(
        "fetch",
        "alice@example.test",
        "--transport=tcp",
        f"--server=127.0.0.1:{unused_port}",
    )

    assert fetched.exit_code == 1
    assert fetched.stderr == (
        f"presproxy: no answer from tcp:127.0.0.1:{unused_port}: Connection refused\n"
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["publish", "alice@example.test"],
        ["publish", "alice@example.test", "asleep"],
        ["publish", "alice", "busy"],
        ["publish", "alice@example.test", "busy", "--expires", "0"],
        ["fetch"],
        ["fetch", "sip:example.test"],
        ["fetch", "tel:+49301234"],
        ["fetch", "alice@example.test", "--server", "a:b"],
        ["fetch", "alice@example.test", "--transport", "smoke"],
        ["fetch", "alice@example.test", "--password-file", "/nowhere"],
        ["watch"],
        ["show", "windows"],
        ["explain", "alice@example.test"],
        ["allow", "alice@example.test"],
        ["nothing"],
    ],
    ids=" ".join,
)
@pytest_twisted.ensureDeferred
async def test_wrong_usage_is_2(invoke, arguments):
    result = await invoke(*arguments)

    assert result.exit_code == 2
    assert result.stderr.startswith("Usage: ")


@pytest_twisted.ensureDeferred
async def test_what_is_held_is_taken_back_at_ctrl_c(start, invoke, served):
    holding = start("publish", "alice@example.test", "busy", "--hold", *served.at())
    await holding.says("alice@example.test is busy")
    held = await invoke("fetch", "alice@example.test", *served.at())

    status = await holding.interrupted()
    after = await invoke("fetch", "alice@example.test", *served.at())

    assert status == 0
    assert "busy" in held.output
    assert "offline" in after.output
    assert holding.err == ""
