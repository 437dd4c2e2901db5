"""The files at the root can be read, and say what is so."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from presproxy.cli import main

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.rst").read_text()


@pytest.fixture
def read(needed):
    """Read a text as PyPI does: plain docutils, nothing included, no warning let pass."""
    core = needed("docutils.core")

    def read(text: str) -> None:
        warnings = io.StringIO()
        core.publish_string(
            text,
            writer="html5",
            settings_overrides={
                "report_level": 1,
                "halt_level": 5,
                "file_insertion_enabled": False,
                "raw_enabled": False,
                "warning_stream": warnings,
            },
        )
        assert warnings.getvalue() == ""

    return read


@pytest.mark.parametrize("name", ["README.rst", "CONTRIBUTING.rst", "CHANGELOG.rst"])
def test_a_file_is_read_without_a_warning(read, name):
    read((ROOT / name).read_text())


def test_the_ladder_is_the_one_the_demo_draws(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", f"from {main.__module__} import main; main()", "demo"],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": ":".join(filter(None, sys.path)),
            "PYTHONIOENCODING": "utf-8",
        },
        capture_output=True,
        text=True,
        timeout=60,
    )
    drawn = [line.strip() for line in done.stdout.splitlines()]
    shown = [
        line.strip()
        for line in README.splitlines()
        if "│" in line or "presproxy  " in line
    ]

    assert done.returncode == 0
    assert [line for line in shown if line not in drawn] == []
    assert len(shown) > 10


def test_the_plugin_is_the_one_of_the_guide():
    block = README.partition(".. code-block:: python\n\n")[2].partition("\nA plugin")[0]
    shown = re.sub("^   ", "", block, flags=re.MULTILINE).strip()

    assert (
        (ROOT / "docs" / "examples" / "colleagues.py")
        .read_text()
        .strip()
        .endswith(shown)
    )


@pytest.mark.parametrize("name", ["README.rst", "CONTRIBUTING.rst"])
def test_every_file_that_is_named_is_there(name):
    text = (ROOT / name).read_text()
    named = set(
        re.findall(r"``((?:docs|tests|presproxy|etc)/[\w./-]*|\.ci/\w+)``", text)
    )

    assert {each for each in named if not (ROOT / each).exists()} == {
        "docs/_build/html"
    } & named


@pytest.mark.parametrize("name", ["README.rst", "CONTRIBUTING.rst"])
def test_every_target_of_make_is_there(name):
    named = set(re.findall(r"\bmake ([a-z]+)\b(?= +#|``)", (ROOT / name).read_text()))
    makefile = (ROOT / "Makefile").read_text()

    assert named
    assert {each for each in named if f"\n{each}:" not in makefile} == set()


def test_news_becomes_a_change_log(read, needed, tmp_path):
    needed("towncrier")
    for name in ("newsfragments", "presproxy"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)
    for name in ("pyproject.toml", "CHANGELOG.rst"):
        shutil.copy(ROOT / name, tmp_path)

    subprocess.run(
        [sys.executable, "-m", "towncrier", "build", "--yes", "--version", "9.9"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        timeout=60,
    )
    log = (tmp_path / "CHANGELOG.rst").read_text()

    read(log)
    assert "\n9.9 (" in log
    assert [f.name for f in (tmp_path / "newsfragments").glob("*.*.rst")] == []


@pytest.mark.parametrize(
    "fragment",
    sorted((ROOT / "newsfragments").glob("*.*.rst")),
    ids=lambda path: path.name,
)
def test_news_is_whole_sentences(fragment):
    slug, kind, _ = fragment.name.split(".")
    text = fragment.read_text()

    assert re.fullmatch(r"[a-z0-9-]+", slug)
    assert kind in ("feature", "bugfix", "doc", "removal", "misc")
    assert text.endswith(".\n")
