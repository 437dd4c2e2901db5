"""
Users who prove who they are by the certificate of their connection.

Who may certify them is said where TLS is listened for, by ``clients=FILE``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import attrs
from zope.interface import implementer

from presproxy.errors import MalformedField
from presproxy.extend.maker import option
from presproxy.interfaces import IAuthenticator, IHouse
from presproxy.model.identity import Identity
from presproxy.sip.flow import Flow
from presproxy.sip.message import Request
from presproxy.sip.uri import AddressOfRecord, address_of_record

#: What vouches for the identities proved here.
TLS = "tls"

_MAILBOX = "mailto:"


@implementer(IAuthenticator)
@attrs.define(eq=False)
class TlsAuthenticator:
    """
    Believes a certificate that has a user's address of record among its names.

    Only for whoever sends himself: what a proxy passes on is not said by its certificate.
    """

    mailboxes: bool = option(
        "Take the mailboxes of a certificate for addresses of users as well.",
        default=False,
    )

    async def start(self, house: IHouse) -> None:
        """Need nothing."""

    async def stop(self) -> None:
        """Hold nothing."""

    async def authenticate(self, request: Request, flow: Flow) -> Identity | None:
        if not flow.certified or not request.has_one_via:
            return None
        try:
            claimed = request.from_.aor
        except MalformedField:
            return None
        if claimed in self._users(flow.certified):
            return Identity(claimed, TLS)
        return None

    def challenge(self, request: Request, realm: str, stale: bool) -> Sequence[str]:
        return ()

    def _users(self, certified: Sequence[str]) -> Iterator[AddressOfRecord]:
        for text in certified:
            if text.startswith(_MAILBOX):
                if not self.mailboxes:
                    continue
                text = f"sip:{text.removeprefix(_MAILBOX)}"
            try:
                yield address_of_record(text)
            except MalformedField:
                continue
