"""Directives that stand for reStructuredText which a function writes."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from textwrap import indent
from typing import ClassVar

from docutils.nodes import Node
from sphinx.util.docutils import SphinxDirective


class Written(SphinxDirective):
    """Stands for what ``write`` gives for the arguments."""

    write: ClassVar[Callable[..., str]]

    def run(self) -> list[Node]:
        """Read the text as if it stood here."""
        return self.parse_text_to_nodes(self.write(*self.arguments))


def written_by(write: Callable[..., str]) -> type[Written]:
    """Make the directive of a function, which is given the directive's arguments."""
    arguments = len(inspect.signature(write).parameters)
    body = {"write": staticmethod(write), "required_arguments": arguments}
    return type(f"Written_{write.__name__}", (Written,), body)


def definition(term: str, text: str) -> str:
    """Write one entry of a list of definitions."""
    return f"{term}\n{indent(text, '    ')}\n"
