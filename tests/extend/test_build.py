"""From a use to a plugin, or to all that is wrong with it."""

from __future__ import annotations

import pytest

from presproxy.errors import ConfigurationMistakes
from presproxy.extend.build import UnloadablePlugin, build, build_named, load
from presproxy.extend.find import Catalogue, Found
from presproxy.extend.maker import PluginMaker
from presproxy.extend.uses import Use, parse_use

MAKER = PluginMaker("acl", "acme", "acme_acl:AcmeACL", "Asks Acme.")

ACME_ACL = '''
    from __future__ import annotations

    from pathlib import Path
    from typing import Literal

    import attrs
    from zope.interface import implementer

    from presproxy.extend.maker import option
    from presproxy.interfaces import IContactACL


    @implementer(IContactACL)
    @attrs.define(eq=False)
    class AcmeACL:
        """Asks Acme."""

        path: Path = option("Where Acme is.")
        strangers: Literal["allow", "block"] = option("What they get.", default="block")
        timeout: float = option(
            "Seconds to wait.", default=2.0, validator=attrs.validators.gt(0)
        )
        key: str = option("What Acme knows us by.", default="")

        def __attrs_post_init__(self):
            if self.key == "wrong":
                raise ValueError("Acme does not know this key")
            if self.key == "worse":
                raise KeyError(self.key)

        async def start(self, house):
            raise AssertionError("nothing is opened here")

        async def stop(self):
            pass

        async def decide(self, watcher, presentity, package):
            return None
'''


@pytest.fixture
def acme(elsewhere):
    elsewhere.module("acme_acl", ACME_ACL)


def mistakes_of(use, maker=MAKER):
    with pytest.raises(ConfigurationMistakes) as caught:
        build(maker, use)
    return caught.value.mistakes


@pytest.mark.usefixtures("acme")
def test_a_plugin_is_made_with_its_options_converted():
    plugin = build(MAKER, parse_use("acme:path=/a:strangers=allow:timeout=3", "--acl"))

    assert (str(plugin.path), plugin.strangers, plugin.timeout) == ("/a", "allow", 3.0)


@pytest.mark.usefixtures("acme")
def test_the_same_options_come_typed_from_a_table():
    plugin = build(MAKER, Use("acme", {"path": "/a", "timeout": 3}))

    assert plugin.timeout == 3.0


@pytest.mark.usefixtures("acme")
def test_all_mistakes_of_a_plugin_are_told_at_once():
    use = parse_use("acme:pth=/a:strangers=maybe:timeout=0:key=x", "presproxy.toml")

    assert mistakes_of(use) == [
        "presproxy.toml: acl acme: unknown option 'pth'; did you mean 'path'?",
        "presproxy.toml: acl acme: option strangers: 'maybe' is none of allow, block",
        "presproxy.toml: acl acme: option timeout: 'timeout' must be > 0: 0.0",
        "presproxy.toml: acl acme: option path is missing (Where Acme is.)",
    ]


@pytest.mark.usefixtures("acme")
@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("wrong", "Acme does not know this key"),
        ("worse", "cannot be made: KeyError: 'worse'"),
    ],
)
def test_what_a_plugin_says_when_it_is_made_is_told(key, why):
    use = parse_use(f"acme:path=/a:key={key}", "--acl")

    assert mistakes_of(use) == [f"--acl: acl acme: {why}"]


@pytest.mark.usefixtures("acme")
def test_a_plugin_of_another_kind_breaks_its_promise():
    maker = PluginMaker("storage", "acme", "acme_acl:AcmeACL", "Keeps.")

    told = mistakes_of(parse_use("acme:path=/a", "--storage"), maker)

    assert len(told) > 1
    assert any("IStorage" in line and "commit" in line for line in told)


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("import redis_that_is_missing", "No module named 'redis_that_is_missing'"),
        ("", "has no attribute 'AcmeACL'"),
        ("AcmeACL = 3", "acme_acl:AcmeACL is not a class"),
        ("raise SystemExit(1)", "SystemExit: 1"),
    ],
)
def test_a_plugin_that_cannot_be_loaded_says_why_when_it_is_used(
    elsewhere, source, why
):
    elsewhere.module("acme_acl", source)

    with pytest.raises(UnloadablePlugin) as caught:
        load(MAKER)
    told = mistakes_of(Use("acme", {}, "--acl"))

    assert why in str(caught.value)
    assert told == [f"--acl: {caught.value}"]


def test_annotations_that_name_nothing_are_told(elsewhere):
    elsewhere.module("acme_acl", ACME_ACL.replace("import Path", "import PurePath"))

    [told] = mistakes_of(Use("acme", {}, "--acl"))

    assert told == (
        "--acl: acl acme cannot be loaded: NameError: name 'Path' is not defined"
    )


def test_a_plugin_without_options_takes_none(elsewhere):
    source = ACME_ACL.replace("option(", "(lambda *a, **k: 3)(")
    elsewhere.module("acme_acl", source)

    assert mistakes_of(Use("acme", {"path": "/a"}, "--acl")) == [
        "--acl: acl acme: unknown option 'path'; it has none"
    ]


@pytest.mark.usefixtures("acme")
def test_a_plugin_is_named_as_it_is_used():
    catalogue = Catalogue((Found(MAKER, "here"),))

    built = build_named(catalogue, "acl", parse_use("acme:path=/a", "--acl"))

    assert built.name == "acme"
    assert str(built.plugin.path) == "/a"


@pytest.mark.parametrize("makers", [(), (MAKER, MAKER)], ids=["none", "two"])
def test_a_name_that_is_unknown_or_taken_is_told_with_its_place(makers):
    catalogue = Catalogue(tuple(Found(maker, "here") for maker in makers))

    with pytest.raises(ConfigurationMistakes) as caught:
        build_named(catalogue, "acl", Use("acme", {}, "--acl"))

    assert caught.value.mistakes[0].startswith("--acl: ")
