"""
What the event packages of a user's own account have in common ([MS-SIP], [MS-PRES]).

Lync's clients subscribe to what their user keeps here.  Nobody publishes it, and nobody
else sees it.
"""

from __future__ import annotations

from typing import Any, ClassVar, NoReturn

import attrs

from presproxy.errors import MalformedDocument
from presproxy.interfaces import Feed
from presproxy.model.decision import FULL, View
from presproxy.packages.intervals import Intervals
from presproxy.sip.uri import AddressOfRecord


@attrs.frozen
class OwnPackage(Intervals):
    """An event package that feeds on an account; the state is what each makes of it."""

    accepts: ClassVar[frozenset[str]] = frozenset()
    feeds: ClassVar[Feed] = Feed.ACCOUNT

    def parse(self, content_type: str, data: bytes) -> NoReturn:
        """Refuse: it is changed by other requests."""
        raise MalformedDocument("nobody publishes what is kept here of a user")

    def supersedes(self, document: object, earlier: object) -> bool:
        """Say no: there are no publications."""
        return False

    def narrow(self, state: Any, view: View) -> Any:
        """Show all in the full view, which is the user's own, and nothing in others."""
        return state if view == FULL else self.neutral(AddressOfRecord(""))

    def neutral(self, presentity: AddressOfRecord) -> Any:
        """Show what somebody has who keeps nothing here."""
        raise TypeError("each package says what that is")
