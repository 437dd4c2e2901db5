"""The command line, as click knows it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from textwrap import indent

import click
from sphinx.application import Sphinx

from fromcode.writing import written_by
from presproxy.cli.commands import cli

#: How click says that a number is not negative or not zero, which goes without saying.
_RANGE = re.compile(r"; x>=\d+")


def command(name: str) -> str:
    """Write how a command is used, what it does, and all its options."""
    found = cli.commands[name]
    context = click.Context(found, info_name=f"presproxy {name}")
    usage = found.get_usage(context).removeprefix("Usage: ")
    lines = [".. code-block:: text", "", indent(usage, "   "), "", _help(found)]
    lines += ["", f".. program:: presproxy {name}", ""]
    for written, text in options(found):
        lines += [f".. option:: {written}", "", f"   {text}", ""]
    return "\n".join(lines)


def options(found: click.Command) -> Iterator[tuple[str, str]]:
    """Give each option as it is written, and what it is for; ``--help`` is everywhere."""
    context = click.Context(found)
    for parameter in found.params:
        record = parameter.get_help_record(context)
        if isinstance(parameter, click.Option) and record is not None:
            written, text = record
            yield written, _RANGE.sub("", text)


def _help(found: click.Command) -> str:
    return "\n".join(line.strip() for line in (found.help or "").strip().splitlines())


def setup(app: Sphinx) -> None:
    """Make the directive known."""
    app.add_directive("command", written_by(command))
