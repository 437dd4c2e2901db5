"""``presproxy``, the command line."""

from presproxy.cli.commands import main

__all__ = ["main"]
