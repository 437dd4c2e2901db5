"""
The event package ``reg`` (RFC 3680): where a user is registered.

Every notification carries the full state, so a contact that is gone is not in it.  Seconds
that a contact has left are not told: they differ at each moment, so that no two states would
be equal, and watchers would be told of every refresh.
"""

from __future__ import annotations

from hashlib import blake2s
from typing import ClassVar, NoReturn

import attrs
from zope.interface import implementer

from presproxy.documents import reginfo
from presproxy.documents.reginfo import RegisteredContact
from presproxy.errors import MalformedDocument
from presproxy.extend.maker import option
from presproxy.interfaces import (
    Bound,
    Feed,
    IEventPackage,
    IPrivatePackage,
    Material,
)
from presproxy.model.decision import FULL, View
from presproxy.model.notice import NumberedBody
from presproxy.packages.intervals import Intervals
from presproxy.sip.uri import AddressOfRecord

NAME = "reg"


@attrs.frozen
class RegistrationState:
    """The contacts of one user, the preferred first."""

    presentity: AddressOfRecord
    contacts: tuple[RegisteredContact, ...] = ()


@implementer(IEventPackage, IPrivatePackage)
@attrs.frozen
class RegistrationPackage(Intervals):
    """Where users are registered (RFC 3680)."""

    shared: bool = option(
        "Let others watch, too, whom the contact ACLs allow; otherwise a user alone "
        "learns where he is registered.",
        default=False,
    )

    name = NAME
    produces = (reginfo.CONTENT_TYPE,)
    accepts: ClassVar[frozenset[str]] = frozenset()
    feeds = Feed.REGISTRATIONS

    @property
    def is_private(self) -> bool:
        """Whether none but the user may watch."""
        return not self.shared

    def parse(self, content_type: str, data: bytes) -> NoReturn:
        """Refuse: who wants to be reached registers."""
        raise MalformedDocument("nobody publishes registrations")

    def supersedes(self, document: object, earlier: object) -> bool:
        """Say no: there are no publications."""
        return False

    def compose(self, material: Material) -> RegistrationState:
        """List all contacts."""
        contacts = tuple(map(_contact, material.bindings))
        return RegistrationState(material.presentity, contacts)

    def narrow(self, state: RegistrationState, view: View) -> RegistrationState:
        """Show all in the full view, and nothing in every other."""
        return state if view == FULL else self.neutral(state.presentity)

    def neutral(self, presentity: AddressOfRecord) -> RegistrationState:
        """Show somebody who is registered nowhere."""
        return RegistrationState(presentity)

    def render(self, state: RegistrationState, content_type: str) -> NumberedBody:
        """Write the full state; who is registered nowhere was so, or might have been."""
        aor = state.presentity
        registered = "active" if state.contacts else "terminated"
        halves = reginfo.halves(aor, reginfo.name_of(aor), registered, state.contacts)
        return NumberedBody(reginfo.CONTENT_TYPE, *halves)


def _contact(bound: Bound) -> RegisteredContact:
    # As short as is safe, and the same as long as the contact is.
    digest = blake2s(bound.uri.encode(), digest_size=8).hexdigest()
    return RegisteredContact(
        f"c{digest}",
        bound.uri,
        "active",
        "registered",
        "" if bound.q == 1.0 else f"{bound.q:.3f}".rstrip("0").rstrip("."),
        bound.call_id,
    )
