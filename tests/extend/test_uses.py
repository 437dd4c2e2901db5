"""How a plugin is used, in one line or in a table."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presproxy.errors import ConfigurationMistakes
from presproxy.extend.uses import Use, parse_use, use_of

NAMES = st.from_regex(r"[a-z][a-z0-9._-]*", fullmatch=True)
USES = st.builds(Use, NAMES, st.dictionaries(st.text(min_size=1), st.text()))


@given(USES)
def test_what_is_written_reads_back_the_same(use):
    assert parse_use(str(use), "here") == use


@given(st.text())
def test_no_text_fails_in_another_way(text):
    with suppress(ConfigurationMistakes):
        use = parse_use(text, "here")

        assert parse_use(str(use), "here") == use


@pytest.mark.parametrize(
    ("text", "use"),
    [
        ("memory", Use("memory")),
        ("sqlite:path=x:timeout=2", Use("sqlite", {"path": "x", "timeout": "2"})),
        (r"webhook:url=https\://x/", Use("webhook", {"url": "https://x/"})),
        (r"file:path=a\\b", Use("file", {"path": r"a\b"})),
        (r"file:a\=b=c\=d", Use("file", {"a=b": "c=d"})),
        ("postgresql:dsn=host=db user=x", Use("postgresql", {"dsn": "host=db user=x"})),
        ("webhook:secret=", Use("webhook", {"secret": ""})),
        ("presence.winfo", Use("presence.winfo")),
    ],
)
def test_a_use_is_a_name_and_options(text, use):
    assert parse_use(text, "--storage") == use


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", ": names no plugin"),
        (":path=x", ": names no plugin"),
        ("sqlite:x", "sqlite: 'x' is not option=value"),
        ("sqlite:=x", "sqlite: '=x' is not option=value"),
        ("sqlite:", "sqlite: '' is not option=value"),
        ("sqlite:a=1:a=2", "sqlite: 'a' is given twice"),
        (r"sqlite:a=\n", r"sqlite: a backslash is written \\, not \n"),
        ("sqlite:a=\\", "sqlite: a backslash is written \\\\, not \\"),
    ],
)
def test_a_mistake_is_told_with_its_place(text, why):
    with pytest.raises(ConfigurationMistakes) as caught:
        parse_use(text, "--storage")

    assert caught.value.mistakes == [f"--storage: {why}"]


def test_all_mistakes_are_told_at_once():
    with pytest.raises(ConfigurationMistakes) as caught:
        parse_use("sqlite:x:y:a=1:a=2", "--storage")

    assert len(caught.value.mistakes) == 3


def test_a_table_names_its_plugin_and_keeps_the_types():
    use = use_of({"use": "sqlite", "path": "x", "timeout": 2.5}, "presproxy.toml")

    assert use == Use("sqlite", {"path": "x", "timeout": 2.5})


def test_a_table_may_be_written_as_one_line():
    assert use_of("sqlite:path=x", "presproxy.toml") == Use("sqlite", {"path": "x"})


@pytest.mark.parametrize("value", [{"path": "x"}, {"use": 1}, {"use": ""}, 3, ["x"]])
def test_what_names_no_plugin_is_a_mistake(value):
    with pytest.raises(ConfigurationMistakes, match=r"presproxy\.toml"):
        use_of(value, "presproxy.toml [storage]")
