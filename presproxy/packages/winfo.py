"""
The event package template ``winfo`` (RFC 3857): who watches whom.

Every notification carries the full state.  The optional attributes that count seconds,
``expiration`` and ``duration-subscribed``, are left out: they differ at each moment, so
that no two states would be equal, and watchers would be told of every refresh.  RFC 3857
§4.7.1 wants them told of what happens to a subscription, and a refresh is no event there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NoReturn

import attrs
from zope.interface import implementer

from presproxy.documents import winfo
from presproxy.errors import MalformedDocument
from presproxy.extend.maker import option
from presproxy.interfaces import Feed, IEventPackage, Material, Watcher
from presproxy.model.decision import FULL, View
from presproxy.model.notice import NumberedBody
from presproxy.packages.intervals import Intervals
from presproxy.sip.uri import AddressOfRecord


@attrs.frozen
class WinfoState:
    """The watchers of one presentity, written already, the longest subscribed first."""

    presentity: AddressOfRecord
    watchers: Sequence[bytes] = ()


@implementer(IEventPackage)
@attrs.frozen
class WinfoPackage(Intervals):
    """Watcher information about one package, presence by default."""

    package: str = option("The package whose watchers are told of.", default="presence")

    produces = (winfo.CONTENT_TYPE,)
    accepts: ClassVar[frozenset[str]] = frozenset()
    feeds = Feed.WATCHERS

    @property
    def name(self) -> str:
        """The name of the watched package, extended (RFC 3857 §4.1)."""
        return f"{self.package}.winfo"

    def parse(self, content_type: str, data: bytes) -> NoReturn:
        """Refuse: nobody publishes watcher information."""
        raise MalformedDocument("watcher information is not published")

    def supersedes(self, document: object, earlier: object) -> bool:
        """Say no: there are no publications."""
        return False

    def compose(self, material: Material) -> WinfoState:
        """List all watchers, by the time of their arrival."""
        watchers = sorted(material.watchers, key=lambda each: (each.since, each.id))
        written = tuple([_written(watcher) for watcher in watchers])
        return WinfoState(material.presentity, written)

    def narrow(self, state: WinfoState, view: View) -> WinfoState:
        """Show all in the full view, and nobody in every other."""
        return state if view == FULL else self.neutral(state.presentity)

    def neutral(self, presentity: AddressOfRecord) -> WinfoState:
        """Show no watchers."""
        return WinfoState(presentity)

    def render(self, state: WinfoState, content_type: str) -> NumberedBody:
        """Write the full state."""
        watchers = winfo.write_list(state.presentity, self.package, state.watchers)
        return NumberedBody(winfo.CONTENT_TYPE, *winfo.halves(watchers))


def _written(watcher: Watcher) -> bytes:
    return winfo.Watcher(watcher.id, watcher.uri, watcher.status, watcher.event).write()
