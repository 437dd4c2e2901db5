"""Everybody is who he says he is."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
from zope.interface import implementer

from presproxy.errors import AccessDenied, MalformedField
from presproxy.interfaces import IAuthenticator, IHouse
from presproxy.model.identity import Identity
from presproxy.sip.flow import Flow
from presproxy.sip.message import Request

#: What vouches for an identity which nobody proved.
OPEN = "open"


@implementer(IAuthenticator)
@attrs.define(eq=False)
class OpenAuthenticator:
    """Believes the From field of every request.  It never challenges anybody."""

    async def start(self, house: IHouse) -> None:
        """Need nothing."""

    async def stop(self) -> None:
        """Hold nothing."""

    async def authenticate(self, request: Request, flow: Flow) -> Identity | None:
        try:
            return Identity(request.from_.aor, OPEN)
        except MalformedField as error:
            raise AccessDenied(f"nobody to believe in: {error}") from error

    def challenge(self, request: Request, realm: str, stale: bool) -> Sequence[str]:
        return ()
