"""``passwd``: the users' file."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from presproxy.auth.users import write_users
from presproxy.cli.words import address, short
from presproxy.errors import ConfigurationMistakes
from presproxy.sip.uri import AddressOfRecord


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.argument("aor", type=address, required=False)
@click.option("--stdin", "from_stdin", is_flag=True, help="Read the password there.")
@click.option(
    "--batch",
    is_flag=True,
    help="Read lines USER@DOMAIN:PASSWORD from stdin, in place of AOR.",
)
def passwd(
    file: Path, aor: AddressOfRecord | None, from_stdin: bool, batch: bool
) -> None:
    """
    Write the password of AOR into a users' FILE, which is made if there is none.

    Without --stdin or --batch it is asked for, twice.
    """
    if batch == (aor is not None) or (batch and from_stdin):
        raise click.UsageError("Give AOR, or --batch and no AOR.")
    passwords = dict(_batch()) if aor is None else {short(aor): _one(from_stdin)}
    try:
        write_users(file, passwords)
    except OSError as error:
        raise click.FileError(str(file), error.strerror) from error
    if batch:
        click.echo(f"{len(passwords)} users written")


def _one(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    password: str = click.prompt(
        "Password", hide_input=True, confirmation_prompt="Again"
    )
    return password


def _batch() -> Iterator[tuple[str, str]]:
    """Read names and passwords; a password may have colons, a name has none."""
    mistakes = []
    for number, line in enumerate(sys.stdin, 1):
        line = line.rstrip("\r\n")
        if not line:
            continue
        name, colon, password = line.partition(":")
        if colon and name and password:
            yield name, password
        else:
            mistakes.append(f"line {number} is not USER@DOMAIN:PASSWORD")
    if mistakes:
        raise ConfigurationMistakes(mistakes)
