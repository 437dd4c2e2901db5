"""Containers changed by their owner's clients: a SERVICE of its own ([MS-PRES] 2.2.2.5)."""

from __future__ import annotations

from typing import ClassVar

import attrs

from presproxy.documents.lync import containers as documents
from presproxy.events.containers import StaleContainers
from presproxy.server.answer import Answer, for_now
from presproxy.server.containers import Containers
from presproxy.server.domains import Domains
from presproxy.server.exchange import Exchange
from presproxy.server.lync.conflicts import Conflicts
from presproxy.server.lync.service import own_resource
from presproxy.server.lync.signin import epid_of


@attrs.define(eq=False)
class ContainerChanging:
    """
    Serves changes of who is in a container.

    The answer comes first; then the owner's clients are told, and each watcher who is in
    another container now of what he sees there.
    """

    content_type: ClassVar[str] = documents.CONTENT_TYPE

    domains: Domains
    containers: Containers
    conflicts: Conflicts = attrs.field(factory=Conflicts)

    async def serve(self, exchange: Exchange) -> Answer:
        """Change all that is asked for, or nothing: 409 says on which versions to ask."""
        user = own_resource(exchange, self.domains)
        asked = documents.read_container_members(exchange.request.body)
        try:
            await self.containers.change(user, asked)
        except StaleContainers:
            if self.conflicts.may_be_told(user, epid_of(exchange), exchange.arrived):
                raise
            raise for_now("Too many changes of old versions") from None
        return Answer(200)
