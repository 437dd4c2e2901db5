"""``check``: all that is wrong with a configuration, before it is used."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import click

from presproxy.cli.contacts import with_json
from presproxy.cli.output import print_json, print_table
from presproxy.config import CommandLine, Configuration, make_plan
from presproxy.errors import ConfigurationMistakes
from presproxy.extend.find import find_plugins


def _as_twistd(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of ``twistd presproxy``."""
    options = (
        click.option(
            "-c",
            "--config",
            metavar="FILE",
            help="presproxy.toml; what is given here wins over it.",
        ),
        _again("-l", "--listen", metavar="WHERE", help="Where SIP is spoken."),
        _again("-d", "--domain", metavar="NAME", help="A domain served here."),
        _again("--auth", metavar="SPEC", help="Who you are."),
        _again("--acl", metavar="SPEC", help="Who may see whom."),
        click.option("--storage", metavar="SPEC", help="Where state is kept."),
        _again("--notifier", metavar="SPEC", help="A further road to watchers."),
        click.option(
            "--aggregator", metavar="SPEC", help="What makes one state of many."
        ),
        click.option("--http", metavar="WHERE", help="Where HTTP is spoken."),
        click.option(
            "--min-expires", metavar="SECONDS", help="The shortest interval granted."
        ),
        click.option("--upstream", metavar="URI", help="The server behind."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def _again(*names: str, **settings: Any) -> Callable[..., Callable[..., None]]:
    """Make an option which may be given again for more."""
    return click.option(*names, multiple=True, **settings)


@click.command()
@_as_twistd
@with_json
def check(as_json: bool, **given: Any) -> None:
    """
    Read the whole configuration, and say all that is wrong with it at once.

    Takes the options of twistd presproxy, and opens nothing.
    """
    try:
        plan = make_plan(CommandLine(**given), find_plugins())
    except ConfigurationMistakes as error:
        for mistake in error.mistakes:
            click.echo(mistake, err=True)
        raise click.exceptions.Exit(1) from error
    settings = _settings(plan.configuration)
    if as_json:
        print_json(settings)
    else:
        print_table(
            ("setting", "value"),
            [
                (name, value)
                for name in settings
                for value in settings[name] or ["none"]
            ],
        )


def _settings(configuration: Configuration) -> dict[str, Sequence[str]]:
    """Give what would be used, as the command line writes it."""
    return {
        "listen": _written(configuration.listen),
        "domain": list(configuration.domains),
        "auth": _written(configuration.auth),
        "acl": _written(configuration.acl),
        "storage": _written([configuration.storage]),
        "notifier": _written(configuration.notifier),
        "package": _written(configuration.package),
        "aggregator": _written([configuration.aggregator]),
        "http": _written([configuration.http]),
        "min-expires": _written([configuration.min_expires]),
        "upstream": _written(filter(None, [configuration.upstream])),
    }


def _written(values: Iterable[object]) -> list[str]:
    return [str(value) for value in values]
