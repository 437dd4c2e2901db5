"""What the help options print of plugins."""

from __future__ import annotations

from textwrap import dedent

import pytest

from presproxy.extend.describe import describe_kind, describe_plugin
from presproxy.extend.find import Broken, Catalogue, Found, UnknownPlugin
from presproxy.extend.maker import PluginMaker

SOURCE = """
    import attrs

    from presproxy.extend.maker import option

    @attrs.define
    class Storage:
        path: str = option("Where the file is.")
        timeout: float = option("Seconds to wait for a lock.", default=2.5)
        hosts: list[str] = option("Who else.", default=attrs.Factory(list))

    class Plain:
        pass
"""


def maker(name, target):
    return PluginMaker("storage", name, target, f"Keeps in {name}.")


@pytest.fixture
def catalogue(elsewhere):
    elsewhere.module("acme_storage", SOURCE)
    return Catalogue(
        found=(
            Found(maker("file", "acme_storage:Storage"), "acme (acme_makers)"),
            Found(maker("gone", "acme_gone:Storage"), "acme (acme_makers)"),
            Found(maker("plain", "acme_storage:Plain"), "here"),
            Found(maker("two", "acme_storage:Plain"), "here"),
            Found(maker("two", "acme_storage:Plain"), "there"),
        ),
        broken=(Broken("torn", "presproxy.plugins.torn", "SyntaxError: oops"),),
    )


def test_a_kind_is_listed_with_summaries_origins_and_what_cannot_be_loaded(catalogue):
    assert describe_kind(catalogue, "storage").splitlines() == [
        "  file: Keeps in file. [acme (acme_makers)]",
        "  !gone (ModuleNotFoundError: No module named 'acme_gone') [acme",
        "      (acme_makers)]",
        "  plain: Keeps in plain. [here]",
        "  !two (declared by here and by there)",
        "  !torn (SyntaxError: oops) [presproxy.plugins.torn]",
    ]


def test_a_kind_without_plugins_says_so():
    assert describe_kind(Catalogue(), "acl") == "There is no acl."


def test_a_plugin_is_told_with_every_option_its_type_default_and_help(catalogue):
    assert describe_plugin(catalogue, "storage", "file") == dedent(
        """\
        storage file: Keeps in file.
        Declared by acme (acme_makers).

          path (text; must be given)
              Where the file is.

          timeout (number; default: 2.5)
              Seconds to wait for a lock.

          hosts (list of text, separated by commas; has a default)
              Who else."""
    )


def test_a_plugin_without_options_says_so(catalogue):
    assert describe_plugin(catalogue, "storage", "plain").endswith("It has no options.")


def test_an_unknown_plugin_is_an_error(catalogue):
    with pytest.raises(UnknownPlugin):
        describe_plugin(catalogue, "storage", "fiel")
