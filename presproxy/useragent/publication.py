"""A publication held at the server (RFC 3903 §4)."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from presproxy.errors import PresproxyError
from presproxy.sip.message import Response
from presproxy.sip.uri import AddressOfRecord
from presproxy.useragent.core import Core, Draft
from presproxy.useragent.errors import BadAnswer
from presproxy.useragent.held import Holder, accept, granted, longer
from presproxy.useragent.series import Series


@attrs.frozen
class Content:
    """A body and its type."""

    content_type: str
    data: bytes


@attrs.define(eq=False)
class HeldPublication:
    """
    One publication of the user's own state, until removed.

    ``entity_tag`` is the latest the server gave, None before the first and after the
    last.  One PUBLISH is under way at a time, as RFC 3903 §4 wants.
    """

    core: Core = attrs.field(repr=False)
    package: str
    content: Content
    expires: int
    lost: Callable[[PresproxyError], None]
    entity_tag: str | None = None
    is_held: bool = False
    granted: int = 0
    _series: Series = attrs.field(repr=False)
    _holder: Holder = attrs.field(repr=False)

    @_series.default
    def _begin(self) -> Series:
        aor = self.core.aor
        return Series.begin(aor, aor, self.core.tokens)

    @_holder.default
    def _hold(self) -> Holder:
        return Holder(self.core.alarms.alarm(), self.refresh, self.lost)

    async def modify(self, content: Content) -> None:
        """
        Publish ``content``, for the first time or in place of what was there.

        Raises `Refused`, `NoAnswer` or `BadAnswer`; what was published then stays.
        """
        self.is_held = True
        await self._holder.turns.take(lambda: self._publish(content))

    async def refresh(self) -> None:
        """
        Hold what is published for another while (RFC 3903 §4.3).

        It is published anew if the server has forgotten it.
        """
        await self._holder.turns.take(self._refresh)

    async def remove(self) -> None:
        """Take the publication away; that it has gone already is as good."""
        self.is_held = False
        await self._holder.turns.take(self._remove)

    def let_go(self) -> None:
        """Refresh no more, and leave it to expire."""
        self.is_held = False
        self._holder.let_go()

    async def _refresh(self) -> None:
        # It may have been removed while this waited for its turn.
        if self.is_held:
            await self._publish(None)

    async def _publish(self, content: Content | None) -> None:
        """Send ``content``, or None for a refresh; obey a 412 and a 423 once each."""
        if self.entity_tag is None:
            content = content or self.content
        response = await self._ask(content, self.expires)
        if response.status == 412 and self.entity_tag is not None:
            self.entity_tag = None
            content = content or self.content
            response = await self._ask(content, self.expires)
        wanted = longer(response, self.expires)
        if wanted is not None:
            self.expires = wanted
            response = await self._ask(content, wanted)
        self._keep(accept("PUBLISH", response))
        if content is not None:
            self.content = content

    async def _remove(self) -> None:
        self._holder.let_go()
        if self.entity_tag is None:
            return
        response = await self._ask(None, 0)
        self.entity_tag = None
        if response.status != 412:
            accept("PUBLISH", response)

    def _keep(self, response: Response) -> None:
        entity_tag = response.get("sip-etag")
        if entity_tag is None:
            raise BadAnswer("PUBLISH", "it has no SIP-ETag")
        self.entity_tag = entity_tag
        self.granted = granted("PUBLISH", response, self.expires)
        self._holder.hold(self.granted)

    async def _ask(self, content: Content | None, expires: int) -> Response:
        return await self.core.request(lambda: self._draft(content, expires))

    def _draft(self, content: Content | None, expires: int) -> Draft:
        return _draft(self._series, self.package, content, expires, self.entity_tag)


@attrs.frozen
class Kept:
    """What a server keeps of a publication: its entity-tag, and for how many seconds."""

    entity_tag: str
    seconds: int


async def publish_once(
    core: Core,
    presentity: AddressOfRecord,
    sender: AddressOfRecord,
    package: str,
    content: Content | None,
    expires: int,
    entity_tag: str | None,
) -> Kept:
    """
    Send one PUBLISH for anybody, and hold nothing (RFC 3903 §4).

    Without ``content`` it is a refresh of ``entity_tag``, or with 0 for ``expires`` its
    end.  Raises `Refused`, `NoAnswer` or `BadAnswer`.
    """
    series = Series.begin(sender, presentity, core.tokens)
    response = accept(
        "PUBLISH",
        await core.request(
            lambda: _draft(series, package, content, expires, entity_tag)
        ),
    )
    tag = response.get("sip-etag")
    if tag is None and expires:
        raise BadAnswer("PUBLISH", "it has no SIP-ETag")
    return Kept(tag or "", granted("PUBLISH", response, expires))


def _draft(
    series: Series,
    package: str,
    content: Content | None,
    expires: int,
    entity_tag: str | None,
) -> Draft:
    fields = [
        *series.fields("PUBLISH"),
        ("Event", package),
        ("Expires", str(expires)),
    ]
    if entity_tag is not None:
        fields.append(("SIP-If-Match", entity_tag))
    if content is None:
        return Draft("PUBLISH", series.to, fields)
    return Draft(
        "PUBLISH",
        series.to,
        fields,
        body=content.data,
        content_type=content.content_type,
    )
