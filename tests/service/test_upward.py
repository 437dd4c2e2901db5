"""What is to be passed behind, as it was configured."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from presproxy.config import CommandLine, make_plan
from presproxy.errors import ConfigurationMistakes
from presproxy.extend.find import find_plugins
from presproxy.service import build
from presproxy.sip.uri import AddressOfRecord

ALICE = AddressOfRecord("sip:alice@example.test")
BOB = AddressOfRecord("sip:bob@other.test")


def built(tmp_path, text):
    path = tmp_path / "presproxy.toml"
    path.write_text(
        'domains = ["example.test", "other.test"]\nstorage = "memory"\n' + text
    )
    return build(make_plan(CommandLine(config=str(path)), find_plugins()), Clock())


def test_nothing_is_passed_when_nothing_is_said(tmp_path):
    assert built(tmp_path, 'upstream = "sip:192.0.2.7"').passing is None


def test_each_table_names_a_server_and_whose_state_it_is_told(tmp_path):
    passing = built(
        tmp_path,
        'upstream = "sip:192.0.2.7"\n'
        '[[publish_upstream]]\nserver = "tls:pbx.test"\ndomains = ["Example.test"]\n'
        'packages = ["presence", "dialog"]\nsender = "sip:us@example.test"\n'
        "[[publish_upstream]]\nexpires = 600\n",
    ).passing

    first, second = passing.upwards
    assert (first.name, first.sender) == ("tls:pbx.test:5061", "sip:us@example.test")
    assert (second.name, second.sender) == ("udp:192.0.2.7:5060", None)
    assert first.aim.takes_in(ALICE, "dialog")
    assert not first.aim.takes_in(BOB, "presence")
    assert second.aim.takes_in(BOB, "presence")
    assert (first.aim.expires, second.aim.expires) == (300, 600)


def test_the_mark_is_the_same_after_each_start_and_another_for_each_server(tmp_path):
    text = (
        '[[publish_upstream]]\nserver = "192.0.2.7"\n'
        '[[publish_upstream]]\nserver = "192.0.2.8"\n'
    )

    marks, again = (
        [each.mark for each in built(tmp_path, text).passing.upwards] for _ in range(2)
    )

    assert marks == again
    assert marks[0] != marks[1]
    assert all(mark[0].isalpha() and mark.isalnum() for mark in marks)


def test_the_first_table_that_fits_counts(tmp_path):
    server = built(
        tmp_path,
        '[[publish_upstream]]\nserver = "192.0.2.7"\ndomains = ["example.test"]\n'
        '[[publish_upstream]]\nserver = "192.0.2.8"\n',
    )
    told = []
    for number, each in enumerate(server.passing.upwards):
        each.turns.is_open = True
        each.turns.run = lambda coroutine, number=number: (
            coroutine.close(),
            told.append(number),
        )

    server.compositor.changed(ALICE, "presence", 0.0)
    server.compositor.changed(BOB, "presence", 0.0)
    server.compositor.changed(BOB, "dialog", 0.0)

    assert told == [0, 1]


def test_what_lync_endpoints_publish_is_passed_too(tmp_path):
    server = built(tmp_path, '[[publish_upstream]]\nserver = "192.0.2.7"\n')
    (upward,) = server.passing.upwards
    upward.turns.is_open = True
    upward.turns.run = lambda coroutine: coroutine.close()

    server.lync.categories.changed(ALICE, "presence", 0.0)

    assert [each.presentity for each in upward.all()] == [ALICE]


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        (
            "[[publish_upstream]]",
            "publish_upstream: passes to nobody: upstream is not given",
        ),
        (
            '[[publish_upstream]]\nserver = "192.0.2.7"\npackages = ["weather"]',
            "publish_upstream: no package weather is published here",
        ),
        (
            '[[publish_upstream]]\nserver = "192.0.2.7"\npackages = ["presence.winfo"]',
            "publish_upstream: no package presence.winfo is published here",
        ),
        (
            '[[publish_upstream]]\nserver = "192.0.2.7"\n'
            '[[publish_upstream]]\nserver = "192.0.2.8"\npackages = ["weather"]',
            "presproxy.toml: publish_upstream 2: no package weather is published here",
        ),
        (
            '[[publish_upstream]]\nserver = "192.0.2.7"\ndomains = ["third.test"]',
            "presproxy.toml: publish_upstream: third.test is none of our domains",
        ),
        (
            '[[publish_upstream]]\nserver = "quic:192.0.2.7:5060"',
            "presproxy.toml: publish_upstream: option server: no host: "
            "'quic:192.0.2.7:5060'",
        ),
        (
            '[[publish_upstream]]\nserver = "a b"',
            "publish_upstream: option server: no host: 'a b'",
        ),
    ],
)
def test_what_cannot_be_passed_is_told(tmp_path, text, mistake):
    with pytest.raises(ConfigurationMistakes, match=mistake):
        built(tmp_path, text)
