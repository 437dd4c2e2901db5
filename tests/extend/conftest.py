"""Modules and packages of a third party, written where Python finds them."""

from __future__ import annotations

import importlib
import sys
from textwrap import dedent

import attrs
import pytest

import presproxy.plugins


@attrs.frozen
class Elsewhere:
    """A folder on the path.  Modules imported from it are forgotten after the test."""

    path: object

    def module(self, name, source):
        """Write a module."""
        file = self.path.joinpath(*name.split(".")).with_suffix(".py")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedent(source))
        importlib.invalidate_caches()

    def dropin(self, name, source):
        """Write a module into the folder where dropins are found."""
        self.module(f"presproxy.plugins.{name}", source)

    def distribution(self, name, **entry_points):
        """Install a package's metadata, as pip would."""
        folder = self.path / f"{name}-1.0.dist-info"
        folder.mkdir()
        folder.joinpath("METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
        )
        lines = [f"{key} = {value}" for key, value in entry_points.items()]
        folder.joinpath("entry_points.txt").write_text(
            "\n".join(["[presproxy.plugins]", *lines, ""])
        )
        importlib.invalidate_caches()


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    before = set(sys.modules)
    attributes = set(vars(presproxy.plugins))
    monkeypatch.syspath_prepend(tmp_path)
    dropins = tmp_path / "presproxy" / "plugins"
    monkeypatch.setattr(
        presproxy.plugins, "__path__", [*presproxy.plugins.__path__, str(dropins)]
    )
    yield Elsewhere(tmp_path)
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]
    for name in set(vars(presproxy.plugins)) - attributes:
        delattr(presproxy.plugins, name)
