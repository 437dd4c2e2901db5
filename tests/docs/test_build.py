"""The pages are built without a warning, and hold what is taken from the code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from presproxy.cli.commands import cli
from presproxy.config import Limits
from presproxy.extend.options import options_of

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """All pages as text."""
    folder = tmp_path_factory.mktemp("pages")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q"),
            *("-b", "text", "-d", str(folder / "doctrees"), str(DOCS), str(folder)),
        ],
        env={**os.environ, "PYTHONPATH": ":".join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture
def page(needed, request):
    """Give the text of a page."""
    needed("furo")
    folder = request.getfixturevalue("built")
    return lambda name: (folder / f"{name}.txt").read_text()


def test_the_commands_are_there_with_their_options(page):
    text = page("reference/commands")

    for name, command in cli.commands.items():
        assert f"presproxy {name}" in text
        options = [o for each in command.params for o in each.opts if o[0] == "-"]
        assert [each for each in options if each not in text] == []


def test_the_limits_are_there(page):
    text = page("reference/options")

    assert all(f'"{limit.name}"' in text for limit in options_of(Limits))


def test_the_interfaces_are_there(page):
    text = page("reference/interfaces")

    assert "interface presproxy.interfaces.IStorage(IPluggable)" in text
    assert "commit(changes: Sequence[Change]) -> Awaitable[None]" in text
    assert "interface presproxy.interfaces.IEventPackage" in text
