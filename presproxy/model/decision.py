"""What a contact ACL decides about one watcher of one presentity."""

from __future__ import annotations

import enum

import attrs


class Handling(enum.Enum):
    """
    The sub-handling of a subscription (RFC 5025 §3.2.1), weakest first.

    ``BLOCK`` is refused; ``CONFIRM`` waits, pending; ``POLITE_BLOCK`` looks active and
    sees nobody at home; ``ALLOW`` is active.
    """

    BLOCK = "block"
    CONFIRM = "confirm"
    POLITE_BLOCK = "polite-block"
    ALLOW = "allow"


@attrs.frozen
class View:
    """
    What part of a presentity's state a watcher sees, by name.

    Equal views share every document rendered for them.  A package's ``narrow`` gives
    views their meaning.
    """

    name: str


#: Everything there is.
FULL = View("full")
#: What a politely blocked watcher sees, and one whom nobody decided about yet.
NEUTRAL = View("neutral")


_CONTAINER = "container-"


def container_view(container: int) -> View:
    """Give the view of a Lync container ([MS-PRES] 3.3): its publications and no others."""
    return View(f"{_CONTAINER}{container}")


def container_of(view: View) -> int | None:
    """Give the number of the container a view shows, None for a view of another kind."""
    if not view.name.startswith(_CONTAINER):
        return None
    number = view.name.removeprefix(_CONTAINER)
    return int(number) if number.isascii() and number.isdigit() else None


def view_named(name: str) -> View:
    """Give the view of a name; one of those above is the very same object."""
    for view in (FULL, NEUTRAL):
        if view.name == name:
            return view
    return View(name)


# Not frozen, as one is made for every SUBSCRIBE: that takes three times as long.
@attrs.define(unsafe_hash=True)
class Decision:
    """
    A handling, the view it opens, and the rule that said so, in a few words for people.
    """

    handling: Handling
    rule: str
    view: View = FULL


@attrs.define(unsafe_hash=True)
class Explained:
    """A decision, and the name of the contact ACL that made it; empty if none did."""

    decision: Decision
    plugin: str
