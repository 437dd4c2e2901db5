"""PUBLISH: the event state compositor's side (RFC 3903 §6)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import attrs

from presproxy.errors import AccessDenied
from presproxy.events.compositor import Compositor, Published, StagedPublication
from presproxy.events.resource import Resources
from presproxy.interfaces import IEventPackage
from presproxy.model.publication import Publication
from presproxy.server.answer import Answer, Refusal
from presproxy.server.bodies import bounded_body
from presproxy.server.domains import Domains
from presproxy.server.events import EventPackages
from presproxy.server.exchange import Exchange
from presproxy.server.journal import Journal
from presproxy.server.pbx import Pbxs
from presproxy.sip.uri import AddressOfRecord


@attrs.define(eq=False)
class PublishStep:
    """Serves PUBLISH.  ``now`` is the wall clock."""

    identifies: ClassVar[bool] = True

    packages: EventPackages
    domains: Domains
    resources: Resources
    compositor: Compositor
    journal: Journal
    largest_body: int
    now: Callable[[], float]
    #: They publish for all users.
    pbxs: Pbxs = attrs.field(factory=Pbxs)

    async def serve(self, exchange: Exchange) -> Answer:
        """
        Answer one PUBLISH, in the steps of RFC 3903 §6.

        Nobody is told of it before it is lasting.
        """
        presentity = self.domains.ours(exchange.resource())
        package = self.packages.publishable(exchange)
        if exchange.sender.aor != presentity and not self.pbxs.sent(exchange):
            raise AccessDenied(f"{exchange.sender.aor} publishes for {presentity}")
        now = self.now()
        old = self._named(exchange, package, presentity, now)
        expires = self.packages.grant(package.name, exchange.request.expires)
        staged = self._stage(exchange, package, presentity, old, now, expires)
        if staged is None:
            return _accepted(self.compositor.make_tag(), 0)
        await self.journal.commit(staged)
        if staged.is_removal:
            # A 2xx has an entity-tag, even where nothing is left that it could name.
            return _accepted(self.compositor.make_tag(), 0)
        return _accepted(staged.publication.entity_tag, expires)

    def _named(
        self,
        exchange: Exchange,
        package: IEventPackage,
        presentity: AddressOfRecord,
        now: float,
    ) -> Publication | None:
        """Give the publication that SIP-If-Match names."""
        entity_tag = exchange.only("sip-if-match")
        if entity_tag is None:
            return None
        return self.compositor.find(presentity, package.name, entity_tag, now)

    def _stage(
        self,
        exchange: Exchange,
        package: IEventPackage,
        presentity: AddressOfRecord,
        old: Publication | None,
        now: float,
        expires: int,
    ) -> StagedPublication | None:
        """Stage what is asked for; None if there is nothing to be changed."""
        if old is not None and expires == 0:
            return self.compositor.stage_removal(old, exchange.arrived)
        published = self._read(exchange, package, presentity, old, now, expires)
        if old is not None:
            return self.compositor.stage_again(old, published)
        if expires == 0:
            return self.compositor.stage_brief(published)
        return self.compositor.stage_initial(published)

    def _read(
        self,
        exchange: Exchange,
        package: IEventPackage,
        presentity: AddressOfRecord,
        old: Publication | None,
        now: float,
        expires: int,
    ) -> Published:
        request = exchange.request
        content_type, body, document = "", b"", None
        if request.body:
            content_type = self._content_type(exchange, package)
            body = bounded_body(request, self.largest_body)
            if old is not None and (content_type, body) == (old.content_type, old.body):
                document = old.document
            else:
                guard = self.resources.guard(package.name)
                document = guard.tell(package.parse, content_type, body)
                if old is not None and package.name in self.packages.following:
                    following: Any = package
                    document = guard.tell(following.follow, document, old.document)
                    body = guard.tell(following.write, document)
        elif old is None:
            raise Refusal(400, reason="A first PUBLISH needs a body")
        return Published(
            presentity=presentity,
            package=package.name,
            content_type=content_type,
            body=body,
            document=document,
            expires_at=now + expires,
            at=now,
            source=str(exchange.flow) if exchange.is_direct else "",
            changed_at=exchange.arrived,
        )

    def _content_type(self, exchange: Exchange, package: IEventPackage) -> str:
        media_type = exchange.request.content_type
        if media_type is None or media_type.type not in package.accepts:
            raise Refusal(415, (("Accept", ", ".join(package.accepts)),))
        return media_type.type


def _accepted(entity_tag: str, expires: int) -> Answer:
    return Answer(200, (("SIP-ETag", entity_tag), ("Expires", str(expires))))
