"""The example package can be installed beside presproxy, and is found."""

from __future__ import annotations

import shutil
import subprocess
import venv
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]


def run(*command: object) -> str:
    done = subprocess.run(
        [str(each) for each in command], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_example_package_is_installed_and_used(tmp_path):
    copy = tmp_path / "presproxy"
    parts = ("presproxy", "twisted", "etc", "setup.cfg", "pyproject.toml")
    for part in (*parts, "README.rst", "LICENSE"):
        source = CHECKOUT / part
        leave = shutil.ignore_patterns("__pycache__", "*.egg-info", "dropin.cache")
        if source.is_dir():
            shutil.copytree(source, copy / part, ignore=leave)
        else:
            shutil.copy(source, copy / part)
    venv.create(tmp_path / "venv", with_pip=True)
    programs = tmp_path / "venv" / "bin"

    quietly = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    run(programs / "python", *quietly, copy, copy / "etc" / "example-plugin")
    listed = run(programs / "twistd", "presproxy", "--help-acl")
    checked = run(
        programs / "presproxy",
        "check",
        "--acl",
        "office-hours:opens=9",
        "--acl",
        "contacts",
        "--storage",
        "memory",
    )

    assert "office-hours" in listed
    assert "presproxy-example" in listed or "presproxy_example" in listed
    assert checked
