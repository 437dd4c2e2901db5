"""Which plugins there are, and what is said of those that are not."""

from __future__ import annotations

import subprocess
import sys
from textwrap import dedent

import pytest
from twisted.logger import capturedLogs

from presproxy.extend.build import load
from presproxy.extend.find import (
    Catalogue,
    Found,
    NameTaken,
    UnknownPlugin,
    find_plugins,
)
from presproxy.extend.maker import PluginMaker

MAKERS = """
    from presproxy.extend.maker import PluginMaker

    acl = PluginMaker("acl", "acme", "acme.acl:AcmeACL", "Asks Acme.")
    storage = PluginMaker("storage", "acme", "acme.storage:AcmeStorage", "Keeps.")
"""


def origins(catalogue, kind, name):
    return [found.origin for found in catalogue.declarations(kind, name)]


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("auth", {"open", "digest"}),
        ("acl", {"open", "contacts"}),
        ("storage", {"memory", "sqlite"}),
        ("notifier", {"sip"}),
        ("package", {"presence", "presence.winfo"}),
        ("aggregator", {"standard"}),
    ],
)
def test_our_own_plugins_are_found_and_can_be_loaded(kind, names):
    catalogue = find_plugins()

    assert names <= set(catalogue.names(kind))
    for name in names:
        assert load(catalogue.get(kind, name).maker)


def test_an_entry_point_may_name_a_module_of_makers(elsewhere):
    elsewhere.module("acme_makers", MAKERS)
    elsewhere.distribution("acme-presproxy", acme="acme_makers")

    catalogue = find_plugins()

    assert origins(catalogue, "acl", "acme") == ["acme-presproxy (acme_makers)"]
    assert origins(catalogue, "storage", "acme") == ["acme-presproxy (acme_makers)"]


def test_an_entry_point_may_name_one_maker(elsewhere):
    elsewhere.module("acme_makers", MAKERS)
    elsewhere.distribution("acme-presproxy", acme="acme_makers:acl")

    catalogue = find_plugins()

    assert origins(catalogue, "acl", "acme") == ["acme-presproxy (acme_makers:acl)"]
    assert origins(catalogue, "storage", "acme") == []


def test_a_dropin_is_a_module_in_a_folder(elsewhere):
    elsewhere.dropin("acme", MAKERS)

    catalogue = find_plugins()

    assert origins(catalogue, "acl", "acme") == ["presproxy.plugins.acme"]


def test_a_folder_on_the_path_is_all_that_a_dropin_needs(tmp_path):
    folder = tmp_path / "presproxy" / "plugins"
    folder.mkdir(parents=True)
    folder.joinpath("acme.py").write_text(dedent(MAKERS))
    script = """
        from presproxy.extend.find import find_plugins

        print(find_plugins().get("acl", "acme").origin)
    """

    ran = subprocess.run(
        [sys.executable, "-c", dedent(script)],
        env={"PYTHONPATH": f"{tmp_path}:{':'.join(sys.path)}"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (ran.stdout, ran.stderr) == ("presproxy.plugins.acme\n", "")


def test_a_cache_that_cannot_be_written_troubles_nobody(elsewhere):
    elsewhere.dropin("acme", MAKERS)
    in_the_way = elsewhere.path / "presproxy" / "plugins" / "dropin.cache"
    in_the_way.mkdir()
    in_the_way.joinpath("file").touch()

    with capturedLogs() as events:
        catalogue = find_plugins()

    assert origins(catalogue, "acl", "acme") == ["presproxy.plugins.acme"]
    assert not any("log_failure" in event or event.get("isError") for event in events)


def test_a_dropin_named_by_an_entry_point_as_well_counts_once(elsewhere):
    elsewhere.dropin("acme", MAKERS)
    elsewhere.distribution("acme-presproxy", acme="presproxy.plugins.acme")

    assert len(origins(find_plugins(), "acl", "acme")) == 1


def test_a_name_declared_twice_is_an_error_that_names_both(elsewhere):
    elsewhere.dropin("acme", MAKERS)
    elsewhere.module("acme_makers", MAKERS)
    elsewhere.distribution("acme-presproxy", acme="acme_makers")

    with pytest.raises(NameTaken) as caught:
        find_plugins().get("acl", "acme")

    assert str(caught.value) == (
        "acl 'acme' is declared by acme-presproxy (acme_makers)"
        " and by presproxy.plugins.acme"
    )


def test_two_kinds_may_share_a_name():
    makers = [PluginMaker(kind, "open", "a:B", "") for kind in ("auth", "acl")]
    catalogue = Catalogue(tuple(Found(maker, "here") for maker in makers))

    assert catalogue.get("acl", "open").maker is makers[1]


def test_an_unknown_name_is_told_with_those_there_are():
    with pytest.raises(UnknownPlugin) as caught:
        find_plugins().get("acl", "contatcs")

    assert str(caught.value).startswith(
        "there is no acl 'contatcs', only contacts, containers, open; did you mean 'contacts'?"
    )


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("import no_such_module", "ModuleNotFoundError: No module named"),
        ("def", "SyntaxError: invalid syntax"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("PluginMaker()", "NameError: name 'PluginMaker' is not defined"),
    ],
)
def test_a_dropin_that_cannot_be_imported_is_kept_with_the_reason(
    elsewhere, source, why
):
    elsewhere.dropin("broken", source)

    with capturedLogs():
        catalogue = find_plugins()

    [broken] = [each for each in catalogue.broken if each.name == "broken"]
    assert broken.why.startswith(why)
    assert str(broken) == f"!broken ({broken.why})"
    assert "contacts" in catalogue.names("acl")


def test_whoever_misses_a_plugin_hears_what_could_not_be_imported(elsewhere):
    elsewhere.dropin("broken", "import no_such_module")

    with capturedLogs():
        catalogue = find_plugins()
    with pytest.raises(UnknownPlugin) as caught:
        catalogue.get("storage", "acme")

    assert str(caught.value).endswith(
        "presproxy.plugins.broken could not be imported:"
        " ModuleNotFoundError: No module named 'no_such_module'"
    )


def test_a_dropin_that_breaks_after_it_was_cached_is_told(elsewhere):
    elsewhere.dropin("acme", MAKERS)
    find_plugins()
    del sys.modules["presproxy.plugins.acme"]
    elsewhere.dropin("acme", "import no_such_module")

    with capturedLogs():
        catalogue = find_plugins()

    assert [broken.name for broken in catalogue.broken] == ["acme"]


@pytest.mark.parametrize(
    ("source", "target"),
    [("", "acme_makers"), ("x = 1", "acme_makers:x"), ("", "acme_makers:missing")],
    ids=["no maker", "something else", "missing"],
)
def test_an_entry_point_that_names_no_maker_is_kept_as_broken(
    elsewhere, source, target
):
    elsewhere.module("acme_makers", source)
    elsewhere.distribution("acme-presproxy", acme=target)

    catalogue = find_plugins()

    assert [broken.name for broken in catalogue.broken] == ["acme"]
