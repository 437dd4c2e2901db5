"""
Any event package that nothing is known of but its name: the last word holds.

It is for what a server behind tells or a user agent publishes and watchers understand: a
body goes out as it came in, and nothing is composed.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import cast

import attrs
from attrs.validators import ge, matches_re, min_len
from zope.interface import implementer

from presproxy.errors import MalformedDocument
from presproxy.extend.maker import option
from presproxy.interfaces import Feed, IEventPackage, Material
from presproxy.model.decision import View
from presproxy.model.notice import EMPTY, Body
from presproxy.packages.intervals import Intervals
from presproxy.packages.visible import shows_all
from presproxy.sip.uri import AddressOfRecord

#: The name of a package, or of one with a template behind it (RFC 6665 §8.2.1).
_NAME = r"[a-z0-9\-!%*_+`'~]+(?:\.[a-z0-9\-!%*_+`'~]+)*"


@attrs.frozen
class OpaqueState:
    """A body as it came; both are empty where nothing is known."""

    presentity: AddressOfRecord
    content_type: str = ""
    data: bytes = b""


@implementer(IEventPackage)
@attrs.frozen(kw_only=True)
class OpaquePackage(Intervals):
    """An event package whose bodies are passed through."""

    event: str = option("Its name in the Event field.", validator=matches_re(_NAME))
    types: tuple[str, ...] = option(
        "The content types of its bodies, the preferred first.", validator=min_len(1)
    )
    largest: int = option("The most octets of a body.", default=65536, validator=ge(1))
    nothing: str = option(
        "The body where nothing is known; without one there is none.", default=""
    )

    feeds = Feed.PUBLICATIONS

    @property
    def name(self) -> str:
        """Its name in the Event field."""
        return self.event

    @property
    def produces(self) -> Sequence[str]:
        """What its bodies are."""
        return self.types

    @property
    def accepts(self) -> Collection[str]:
        """What its bodies are."""
        return self.types

    def parse(self, content_type: str, data: bytes) -> tuple[str, bytes]:
        """Take a body as it is; raises `MalformedDocument` for one that is too large."""
        if len(data) > self.largest:
            raise MalformedDocument(f"over {self.largest} octets")
        return content_type, data

    def supersedes(self, document: object, earlier: object) -> bool:
        """Say yes: the last word holds."""
        return True

    def compose(self, material: Material) -> OpaqueState:
        """Take the latest."""
        if not material.publications:
            return self.neutral(material.presentity)
        document = cast(tuple[str, bytes], material.publications[0].document)
        return OpaqueState(material.presentity, *document)

    def narrow(self, state: OpaqueState, view: View) -> OpaqueState:
        """Show all, or nothing."""
        return state if shows_all(view) else self.neutral(state.presentity)

    def neutral(self, presentity: AddressOfRecord) -> OpaqueState:
        """Show that nothing is known."""
        return OpaqueState(presentity)

    def render(self, state: OpaqueState, content_type: str) -> Body:
        """Give the body, where it is of the type that is wanted."""
        if state.data and state.content_type == content_type:
            return Body(content_type, state.data)
        nothing = self.nothing.encode()
        return Body(content_type, nothing) if nothing else EMPTY
