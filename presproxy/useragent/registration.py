"""A registration held at the server (RFC 3261 §10)."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from presproxy.errors import PresproxyError
from presproxy.sip.message import Response
from presproxy.sip.uri import domain_of
from presproxy.useragent.core import Core, Draft
from presproxy.useragent.held import Holder, accept, longer
from presproxy.useragent.series import Series


@attrs.define(eq=False)
class HeldRegistration:
    """
    One contact bound to the user's address of record, until removed.

    ``contact`` is a URI; None is the user agent's own address.
    """

    core: Core = attrs.field(repr=False)
    contact: str | None
    expires: int
    lost: Callable[[PresproxyError], None]
    _series: Series = attrs.field(repr=False)
    _holder: Holder = attrs.field(repr=False)

    @_series.default
    def _begin(self) -> Series:
        aor = self.core.aor
        return Series.begin(aor, aor, self.core.tokens)

    @_holder.default
    def _hold(self) -> Holder:
        return Holder(self.core.alarms.alarm(), self.refresh, self.lost)

    async def refresh(self) -> Response:
        """
        Bind the contact, or bind it anew; the answer lists all contacts.

        A 423 is obeyed.  Raises `Refused`, `NoAnswer`.
        """
        response = await self._holder.turns.take(self._register)
        self._holder.hold(self._granted(response))
        return response

    async def remove(self) -> Response:
        """Take the contact away."""
        self._holder.let_go()
        response = await self._holder.turns.take(lambda: self._ask(0))
        return accept("REGISTER", response)

    async def _register(self) -> Response:
        response = await self._ask(self.expires)
        wanted = longer(response, self.expires)
        if wanted is not None:
            self.expires = wanted
            response = await self._ask(wanted)
        return accept("REGISTER", response)

    async def _ask(self, expires: int) -> Response:
        return await self.core.request(lambda: self._draft(expires))

    def _draft(self, expires: int) -> Draft:
        return Draft(
            "REGISTER",
            f"sip:{domain_of(self.core.aor)}",
            [*self._series.fields("REGISTER"), ("Expires", str(expires))],
            contact=f"<{self.contact}>" if self.contact else None,
        )

    def _granted(self, response: Response) -> int:
        """
        Say how many seconds the binding will last (RFC 3261 §10.2.4).

        The shortest which the server names for any contact: sooner than needed does no
        harm, and contacts need not be told apart.
        """
        named = [
            contact.expires
            for contact in response.contacts
            if contact.expires is not None
        ]
        if response.expires is not None:
            named.append(response.expires)
        return min([self.expires, *named])
