"""What is to be fetched from behind, as it was configured."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from presproxy.config import CommandLine, make_plan
from presproxy.errors import ConfigurationMistakes
from presproxy.extend.find import find_plugins
from presproxy.service import build
from presproxy.sip.uri import AddressOfRecord

ALICE = AddressOfRecord("sip:alice@example.test")


def built(tmp_path, text: str):
    path = tmp_path / "presproxy.toml"
    path.write_text(
        'domains = ["example.test", "other.test"]\nstorage = "memory"\n' + text
    )
    plan = make_plan(CommandLine(config=str(path)), find_plugins())
    return build(plan, Clock()).aggregate


def test_nothing_is_fetched_when_nothing_is_said(tmp_path):
    assert built(tmp_path, "") is None
    assert built(tmp_path, 'upstream = "sip:192.0.2.7"') is None


def test_the_table_says_what_and_from_where(tmp_path):
    aggregate = built(
        tmp_path, '[aggregate]\nserver = "tcp:192.0.2.7:5070"\ndomain = "pbx.test"'
    )

    assert str(aggregate.agent.server) == "tcp:192.0.2.7:5070"
    assert aggregate.agent.aor == "sip:presproxy@pbx.test"
    takes_in = aggregate.upstream.aim.takes_in
    assert takes_in(ALICE, "dialog")
    assert takes_in(ALICE, "message-summary")
    assert not takes_in(ALICE, "presence")


@pytest.mark.parametrize(
    ("uri", "server"),
    [
        ("sip:192.0.2.7", "udp:192.0.2.7:5060"),
        ("sip:[2001:db8::7]:5070;transport=tcp", "tcp:[2001:db8::7]:5070"),
        ("sips:pbx.test", "tls:pbx.test:5061"),
    ],
)
def test_a_rule_aggregates_from_the_server_behind(tmp_path, uri, server):
    aggregate = built(
        tmp_path,
        f'upstream = "{uri}"\n[[route]]\naction = "aggregate"\n'
        'package = ["presence"]\ndomain = ["example.test"]\n',
    )

    assert str(aggregate.agent.server) == server
    takes_in = aggregate.upstream.aim.takes_in
    assert takes_in(ALICE, "presence")
    assert not takes_in(ALICE, "dialog")
    assert not takes_in(AddressOfRecord("sip:bob@other.test"), "presence")


def test_a_rule_without_packages_is_for_all_that_can_be_fetched(tmp_path):
    aggregate = built(
        tmp_path, 'upstream = "sip:192.0.2.7"\n[[route]]\naction = "aggregate"\n'
    )

    takes_in = aggregate.upstream.aim.takes_in
    assert takes_in(ALICE, "presence")
    assert takes_in(ALICE, "dialog")
    assert not takes_in(ALICE, "presence.winfo")
    assert not takes_in(ALICE, "reg")


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        (
            '[[route]]\naction = "aggregate"',
            "presproxy.toml: route: aggregates from nobody: upstream is not given",
        ),
        (
            '[aggregate]\nserver = "192.0.2.7"\npackages = ["weather"]',
            "presproxy.toml: aggregate: no package weather is served",
        ),
        (
            'upstream = "sip:h"\n[[route]]\naction = "serve"\n'
            '[[route]]\naction = "aggregate"\npackage = ["weather"]',
            "presproxy.toml: route 2: no package weather is served",
        ),
        (
            'upstream = "sip:h"\n[[route]]\naction = "aggregate"\nto = "sip:192.0.2.7"',
            "the table aggregate names its server, not to",
        ),
        (
            'upstream = "sip:h"\n[[route]]\naction = "serve"\n'
            '[[route]]\naction = "aggregate"\nmethod = ["SUBSCRIBE"]',
            "presproxy.toml: route 2: option method counts for nothing where action is "
            "aggregate",
        ),
        (
            'upstream = "sip:h"\n[[route]]\naction = "aggregate"\n'
            'source = ["192.0.2.0/24"]',
            "presproxy.toml: route: option source counts for nothing",
        ),
        (
            'upstream = "sip:h"\n[[route]]\naction = "aggregate"\nstatus = 404',
            "presproxy.toml: route: option status counts for nothing",
        ),
    ],
)
def test_what_cannot_be_fetched_is_told(tmp_path, text, mistake):
    with pytest.raises(ConfigurationMistakes, match=mistake):
        built(tmp_path, text)
