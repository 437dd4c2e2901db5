"""
A subscription of a Lync endpoint ([MS-SIP] 3.5, 3.6).

Its first notification rides in the answer, later ones come as BENOTIFY; it goes to the
user himself, and ends with the connection.
"""

from __future__ import annotations

import attrs

from presproxy.sip.eventfields import parse_subscription_state
from presproxy.sip.message import Response
from presproxy.useragent.core import Draft
from presproxy.useragent.errors import NoAnswer, Refused, SubscriptionEnded
from presproxy.useragent.held import accept
from presproxy.useragent.publication import Content
from presproxy.useragent.series import Series
from presproxy.useragent.subscription import HeldSubscription

PIGGYBACK, BENOTIFY = "ms-piggyback-first-notify", "ms-benotify"


@attrs.define(eq=False)
class LyncSubscription(HeldSubscription):
    """
    What an endpoint named ``epid`` subscribes to with ``content``.

    ``requires`` are the extensions without which the server must refuse it.
    """

    epid: str = ""
    content: Content | None = None
    requires: str = ""
    _series: Series = attrs.field(repr=False)

    @_series.default
    def _begin(self) -> Series:
        tokens = self.core.tokens
        epid = f";epid={self.epid}"
        return Series.begin(self.core.aor, self.presentity, tokens, epid)

    def cut_off(self) -> None:
        """End: the server has forgotten whoever was there by that connection."""
        self._lost(NoAnswer("SUBSCRIBE", self.core.wire.name, "the connection broke"))

    async def add(self, content: Content) -> None:
        """Subscribe to more in the same dialog."""
        await self._holder.turns.take(lambda: self._add(content))

    async def _add(self, content: Content) -> None:
        self.content = content
        self._established(await self.core.request(lambda: self._asking(content)))

    async def _unsubscribe(self) -> None:
        if self.ended is not None:
            return
        try:
            accept("SUBSCRIBE", await self._ask(0))
        except Refused as error:
            if error.status != 481:
                raise
        self._end(SubscriptionEnded(self.presentity, None))

    def _established(self, response: Response) -> None:
        super()._established(response)
        state = response.get("subscription-state")
        if state is not None and response.get("ms-piggyback-cseq") is not None:
            self._take(response, parse_subscription_state(state))

    def _draft(self, expires: int) -> Draft:
        draft = self._asking(self.content if self.dialog is None else None)
        if expires:
            # How long it lasts is the server's to say.
            return draft
        return attrs.evolve(draft, fields=[*draft.fields, ("Expires", "0")])

    def _asking(self, content: Content | None) -> Draft:
        uri, place = self._place()
        fields = [
            *place,
            ("Event", self.package),
            ("Accept", ", ".join(self.accepts)),
            ("Supported", "eventlist"),
            ("Supported", BENOTIFY),
            ("Proxy-Require", BENOTIFY),
            ("Supported", PIGGYBACK),
        ]
        if self.requires and content is not None:
            fields.append(("Require", self.requires))
        if content is None:
            return Draft("SUBSCRIBE", uri, fields)
        return Draft("SUBSCRIBE", uri, fields, content.data, content.content_type)
