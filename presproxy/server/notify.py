"""NOTIFY outside our dialogs: signs of life, and what a PBX tells unasked."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import attrs

from presproxy.errors import MalformedField
from presproxy.events.compositor import Compositor, Published
from presproxy.extend.guard import Guard
from presproxy.interfaces import IEventPackage
from presproxy.packages.messages import NAME, MessagesPackage
from presproxy.server.answer import Answer, Refusal
from presproxy.server.bodies import bounded_body
from presproxy.server.domains import Domains
from presproxy.server.exchange import Exchange
from presproxy.server.journal import Journal
from presproxy.server.pbx import PBX, Pbxs
from presproxy.sip.uri import (
    AddressOfRecord,
    address_of_record,
    domain_of,
    escape_user,
    user_of,
)

#: Phones keep a translator of addresses awake by a NOTIFY of this event.
_KEEP_ALIVE = "keep-alive"


@attrs.define(eq=False)
class Mailboxes:
    """
    What PBXs tell of mailboxes by NOTIFY, kept as if they had published it.

    ``home`` is the domain of a mailbox whose own is not one of ours: PBXs name their own,
    or an address.  ``now`` is the wall clock.
    """

    package: MessagesPackage
    guard: Guard[IEventPackage]
    compositor: Compositor
    journal: Journal
    domains: Domains
    home: str
    largest_body: int
    now: Callable[[], float]

    async def take(self, exchange: Exchange) -> Answer:
        """Keep the summary of a NOTIFY; it takes the place of the PBX's last one."""
        staged = self.compositor.stage_initial(self._read(exchange))
        await self.journal.commit(staged)
        return Answer(200)

    def _read(self, exchange: Exchange) -> Published:
        package, request = self.package, exchange.request
        media_type = request.content_type
        if media_type is None or media_type.type not in package.accepts:
            raise Refusal(415, (("Accept", ", ".join(package.accepts)),))
        body = bounded_body(request, self.largest_body)
        document = self.guard.tell(package.parse, media_type.type, body)
        now = self.now()
        return Published(
            presentity=self._mailbox(exchange),
            package=package.name,
            content_type=media_type.type,
            body=body,
            document=document,
            expires_at=now + package.kept,
            at=now,
            source=f"{PBX} {exchange.flow.peer[0]}",
            changed_at=exchange.arrived,
        )

    def _mailbox(self, exchange: Exchange) -> AddressOfRecord:
        """Say whose it is: whom the Request-URI names, or To where that is ours."""
        request = exchange.request
        named = [address_of_record(each) for each in (request.uri, request.to.uri)]
        for aor in named:
            if user_of(aor) and domain_of(aor) in self.domains.names:
                return self.domains.home(aor)
        user = next(filter(None, map(user_of, named)), None)
        if user is None:
            raise MalformedField("Request-URI", "names no mailbox")
        return AddressOfRecord(f"sip:{escape_user(user)}@{self.home}")


@attrs.frozen(eq=False)
class NotifyStep:
    """
    Answers a NOTIFY: nobody here has subscribed to anything.

    ``mailboxes`` are there where the package is served.
    """

    identifies: ClassVar[bool] = False

    pbxs: Pbxs = attrs.field(factory=Pbxs)
    mailboxes: Mailboxes | None = None

    async def serve(self, exchange: Exchange) -> Answer:
        """Answer 200 to a keep-alive and to a PBX's word of a mailbox, and 481 to all else."""
        event = exchange.request.event
        if event is not None and event.package == _KEEP_ALIVE:
            return Answer(200)
        if (
            self.mailboxes is not None
            and event is not None
            and event.package == NAME
            and exchange.request.to.tag is None
            and self.pbxs.sent(exchange)
        ):
            return await self.mailboxes.take(exchange)
        raise Refusal(481)
