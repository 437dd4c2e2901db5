"""The sign-in of a Lync endpoint ([MS-SIPREGE] 3.1)."""

from __future__ import annotations

import re
from collections.abc import Callable
from uuid import UUID

import attrs

from presproxy.errors import PresproxyError
from presproxy.sip.message import Response
from presproxy.sip.uri import domain_of
from presproxy.useragent.alarms import Alarm
from presproxy.useragent.core import Core, Draft
from presproxy.useragent.errors import BadAnswer
from presproxy.useragent.held import Holder, accept
from presproxy.useragent.series import Series

_SUPPORTED = "gruu-10, adhoclist, msrtc-event-categories, com.microsoft.msrtc.presence"
_CATEGORIES = "msrtc-event-categories"

#: Quiet seconds after which a sign of life is sent, where the server names none.
_QUIET = 60
_timeout = re.compile(r"timeout\s*=\s*([0-9]{1,6})").search


@attrs.define(eq=False)
class LyncRegistration:
    """
    An endpoint signed in, until signed off or its connection breaks.

    ``lost`` is told when it could not be held.
    """

    core: Core = attrs.field(repr=False)
    epid: str
    instance: UUID
    lost: Callable[[PresproxyError], None]
    _series: Series = attrs.field(repr=False)
    _holder: Holder = attrs.field(repr=False)
    _sign_of_life: Alarm = attrs.field(repr=False)

    @_series.default
    def _begin(self) -> Series:
        aor = self.core.aor
        return Series.begin(aor, aor, self.core.tokens, f";epid={self.epid}")

    @_holder.default
    def _hold(self) -> Holder:
        return Holder(self.core.alarms.alarm(), self.sign_in, self.lost)

    @_sign_of_life.default
    def _live(self) -> Alarm:
        return self.core.alarms.alarm()

    async def sign_in(self) -> None:
        """
        Sign in, or go on.

        Raises `Refused`, `NoAnswer`, and `BadAnswer` of a server that speaks another
        dialect.
        """
        response = accept("REGISTER", await self._holder.turns.take(self._register))
        if response.expires is None:
            raise BadAnswer("REGISTER", "it names no Expires")
        if _CATEGORIES not in response.supported:
            raise BadAnswer("REGISTER", f"it does not support {_CATEGORIES}")
        self._holder.hold(response.expires)
        self._stay(response)

    async def sign_off(self) -> None:
        """Sign off; all that lasts as long as this endpoint ends."""
        self.let_go()
        await self._holder.turns.take(lambda: self._ask([("Expires", "0")]))

    def let_go(self) -> None:
        """Hold it no more."""
        self._holder.let_go()
        self._sign_of_life.clear()

    async def _register(self) -> Response:
        return await self._ask([])

    async def _ask(self, more: list[tuple[str, str]]) -> Response:
        return await self.core.request(lambda: self._draft(more))

    def _draft(self, more: list[tuple[str, str]]) -> Draft:
        return Draft(
            "REGISTER",
            f"sip:{domain_of(self.core.aor)}",
            [
                *self._series.fields("REGISTER"),
                ("Supported", _SUPPORTED),
                ("Event", "registration"),
                ("Allow-Events", "presence"),
                ("ms-keep-alive", "UAC;hop-hop=yes"),
                *more,
            ],
            contact_parameters=';methods="NOTIFY, BENOTIFY";proxy=replace'
            f';+sip.instance="<urn:uuid:{self.instance}>"',
        )

    def _stay(self, response: Response) -> None:
        """Let the connection not be taken for a dead one ([MS-CONMGMT] 2.2.1)."""
        found = _timeout(response.get("ms-keep-alive") or "")
        seconds = int(found[1]) if found is not None else _QUIET
        self._sign_of_life.set(max(1, seconds), lambda: self._live_on(response))

    def _live_on(self, response: Response) -> None:
        self.core.wire.keep_alive()
        self._stay(response)
