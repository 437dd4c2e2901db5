"""``twistd presproxy``."""

from __future__ import annotations

import subprocess
import sys

import pytest
from twisted.application.service import IService, IServiceMaker
from twisted.plugin import getPlugins
from twisted.python.usage import UsageError

from presproxy import __version__
from presproxy.config import CommandLine
from presproxy.tap import Options, makeService

RUN = "from twisted.scripts.twistd import run; run()"


def parsed(*arguments):
    options = Options()
    options.parseOptions(arguments)
    return options


def printed(capsys, *arguments):
    with pytest.raises(SystemExit) as caught:
        parsed(*arguments)
    assert caught.value.code == 0
    return capsys.readouterr().out


@pytest.fixture
def twistd(tmp_path):
    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-c", RUN, "--nodaemon", *arguments],
            cwd=tmp_path,
            env={"PYTHONPATH": ":".join(filter(None, sys.path))},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return run


def test_twistd_knows_it():
    makers = [each for each in getPlugins(IServiceMaker) if each.tapname == "presproxy"]

    assert [maker.module for maker in makers] == ["presproxy.tap"]


def test_what_was_not_given_is_left_to_the_file_and_the_defaults():
    assert parsed().command_line() == CommandLine()


def test_every_option_is_taken():
    options = parsed(
        *("--config", "presproxy.toml"),
        *("--listen", "udp:0", "-l", "tcp:0"),
        *("--domain", "a.test", "-d", "b.test"),
        *("--auth", "open", "--auth", "digest:users=x"),
        *("--acl", "contacts", "--acl", "open"),
        *("--storage", "memory"),
        *("--notifier", "a", "--notifier", "b"),
        *("--http", "tcp:0"),
        *("--min-expires", "30"),
    )

    assert options.command_line() == CommandLine(
        config="presproxy.toml",
        listen=["udp:0", "tcp:0"],
        domain=["a.test", "b.test"],
        auth=["open", "digest:users=x"],
        acl=["contacts", "open"],
        storage="memory",
        notifier=["a", "b"],
        http="tcp:0",
        min_expires="30",
    )


@pytest.mark.parametrize(
    ("option", "name"),
    [
        ("--help-auth", "digest: "),
        ("--help-acl", "contacts: "),
        ("--help-storage", "sqlite: "),
        ("--help-notifier", "sip: "),
        ("--help-package", "presence.winfo: "),
    ],
)
def test_the_plugins_of_a_kind_are_listed(capsys, option, name):
    assert f"  {name}" in printed(capsys, option)


def test_the_options_of_a_plugin_are_told(capsys):
    text = printed(capsys, "--help-plugin", "storage:sqlite")

    assert "  path (text; must be given)\n" in text


def test_the_version_is_ours(capsys):
    assert printed(capsys, "--version") == f"presproxy {__version__}\n"


@pytest.mark.parametrize(
    ("plugin", "why"),
    [
        ("storag:sqlite", "'storag' is no kind of plugin.*did you mean 'storage'"),
        ("sqlite", "'sqlite' is no kind of plugin"),
        ("storage:sqlte", "did you mean 'sqlite'"),
    ],
)
def test_help_for_what_is_not_there_is_wrong_usage(plugin, why):
    with pytest.raises(UsageError, match=why):
        parsed("--help-plugin", plugin)


def test_a_service_is_made_and_nothing_is_opened(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    service = makeService(parsed())

    assert IService.providedBy(service)
    assert list(tmp_path.iterdir()) == []


def test_all_mistakes_are_told_and_nothing_is_started():
    with pytest.raises(SystemExit) as caught:
        makeService(parsed("--min-expires", "x", "--acl", "contatcs", "--http", "y"))

    assert len(caught.value.code.splitlines()) == 3


def test_twistd_exits_1_on_a_mistake(twistd):
    ran = twistd("presproxy", "--listen", "udp:5060", "--storage", "memory")

    assert ran.returncode == 1
    assert "give --auth digest:users=FILE, or --auth open" in ran.stderr
    assert "Traceback" not in ran.stderr
