"""
What the reference takes from the code: options, commands, interfaces.

Each directive writes reStructuredText from what the server itself uses, so a page cannot
say what is not so.
"""

from __future__ import annotations

from sphinx.application import Sphinx

from fromcode import commands, options, sources


def setup(app: Sphinx) -> dict[str, bool]:
    """Make the directives known."""
    for module in (commands, options, sources):
        module.setup(app)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
