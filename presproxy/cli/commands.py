"""All commands, and where the program begins."""

from __future__ import annotations

import io
import sys

import click

from presproxy import __version__
from presproxy.cli.agents import fetch, publish
from presproxy.cli.check import check
from presproxy.cli.contacts import (
    allow,
    block,
    contacts,
    explain,
    forget,
    politely_block,
)
from presproxy.cli.demo.command import demo
from presproxy.cli.passwd import passwd
from presproxy.cli.running import CommandGroup
from presproxy.cli.show import show
from presproxy.cli.trace import trace
from presproxy.cli.watch import watch


@click.group(cls=CommandGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="presproxy")
def cli() -> None:
    """Speak to a presproxy, look into it, and configure it."""


for _command in (
    demo,
    publish,
    watch,
    fetch,
    show,
    explain,
    trace,
    allow,
    block,
    politely_block,
    forget,
    contacts,
    passwd,
    check,
):
    cli.add_command(_command)


def main() -> None:
    """Run the command line, and exit."""
    for stream in (sys.stdout, sys.stderr):
        # A note in another alphabet than the terminal's is no reason to fail.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    cli(prog_name="presproxy")
