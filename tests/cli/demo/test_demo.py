from __future__ import annotations

import pytest
import pytest_twisted
from twisted.internet import reactor

from presproxy.cli.demo.ladder import BEAUTIFUL
from presproxy.cli.demo.page import Page
from presproxy.cli.demo.scenes import DOMAIN, Play
from presproxy.cli.demo.stage import Stage


@pytest_twisted.ensureDeferred
async def test_everything_is_as_expected(invoke):
    result = await invoke("demo")

    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1] == "33 of 33 as expected"


@pytest.mark.parametrize(("dialect", "checks"), [("simple", 17), ("lync", 16)])
@pytest_twisted.ensureDeferred
async def test_one_dialect_can_be_played_alone(invoke, dialect, checks):
    result = await invoke("demo", "--dialect", dialect)

    assert result.exit_code == 0
    last = result.stdout.splitlines()[-1]
    assert last == f"{checks} of {checks} as expected"


@pytest_twisted.ensureDeferred
async def test_lync_is_shown_in_its_own_words(invoke):
    result = await invoke("demo", "--dialect", "lync")

    lines = result.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    said = [line[51:] for line in lines]
    for words in (
        "signs in",
        "asks what he has here",
        "wants to watch 2 contacts",
        "→ Luser1: offline; offline",
        "says: do not disturb",
        "→ Luser1: do not disturb",
        "→ Luser2: what he has here",
        "looks once",
        "→ Luser3: off work",
        "blocks Luser1",
        "unblocks Luser1",
        "signs off",
    ):
        assert words in said


@pytest_twisted.ensureDeferred
async def test_it_shows_the_whole_flow_in_80_columns(invoke):
    result = await invoke("demo")

    lines = result.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    said = [line[51:] for line in lines]
    for state in (
        "available",
        "busy, “In a call”",
        "do not disturb",
        "be right back",
        "away",
        "off work",
        "offline",
    ):
        assert f"→ Luser1: {state}" in said
    for word in ("wants to watch", "looks once", "watches no more", "logs off"):
        assert word in said
    assert any("403 Forbidden" in line for line in lines)


@pytest_twisted.ensureDeferred
async def test_whole_messages_are_printed_for_who_wants_them(invoke):
    result = await invoke("demo", "--full")

    assert result.exit_code == 0
    assert "      PUBLISH sip:Luser2@contoso.com SIP/2.0" in result.stdout
    assert "<rpid:busy/>" in result.stdout


@pytest_twisted.ensureDeferred
async def test_a_program_is_given_no_colours(start):
    demo = start("demo", TERM="xterm-256color")

    assert await demo.status() == 0
    assert "\x1b" not in demo.out
    assert demo.err == ""


@pytest_twisted.ensureDeferred
async def test_a_reader_who_leaves_is_no_failure(start):
    demo = start("demo")
    demo.transport.closeStdout()
    await demo.status()

    assert demo.err == ""


@pytest_twisted.ensureDeferred
async def test_what_is_not_as_expected_is_noticed(screen):
    stage = await Stage.open(reactor, DOMAIN)
    page = Page(screen, BEAUTIFUL)
    try:
        play = await Play.prepare(stage, page)
        # Everybody sees his own presence, even who has blocked himself.
        play.luser3 = play.luser2
        await play.the_blocked_one()
    finally:
        await stage.close()

    assert page.end() is False
    assert "✗ Luser3 is refused: answered" in screen.file.getvalue()
