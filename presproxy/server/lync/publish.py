"""Publication: a SERVICE that carries categories ([MS-PRES] 2.2.2.1)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

import attrs

from presproxy.documents.lync import roaming
from presproxy.documents.lync.categories import (
    PUBLISH_TYPE,
    Asked,
    Category,
    ExpireType,
    read_publish,
)
from presproxy.errors import AccessDenied
from presproxy.events.categories import Categories
from presproxy.events.category_staging import WrongVersion
from presproxy.events.endpoints import Endpoints
from presproxy.server.answer import Answer, Refusal, for_now
from presproxy.server.domains import Domains
from presproxy.server.exchange import Exchange
from presproxy.server.journal import Journal
from presproxy.server.lync.conflicts import Conflicts
from presproxy.server.lync.service import own_resource
from presproxy.server.lync.signin import epid_of
from presproxy.sip.uri import AddressOfRecord, address_of_record

#: What ends with endpoints is published by one that is signed in.
_BOUND = (ExpireType.ENDPOINT, ExpireType.USER)


@attrs.define(eq=False)
class CategoryPublishing:
    """
    Serves publications.

    ``shown`` gives all categories of a user as he is shown them himself.  ``now`` is the
    wall clock.
    """

    content_type: ClassVar[str] = PUBLISH_TYPE

    domains: Domains
    categories: Categories
    endpoints: Endpoints
    journal: Journal
    shown: Callable[[AddressOfRecord], Sequence[Category]]
    now: Callable[[], float]
    conflicts: Conflicts = attrs.field(factory=Conflicts)

    async def serve(self, exchange: Exchange) -> Answer:
        """
        Publish all that is asked for, or nothing.

        The answer tells all that there is of each category touched, with the versions
        that the next request is to be made on.
        """
        user = own_resource(exchange, self.domains)
        publish = read_publish(exchange.request.body)
        if self.domains.home(address_of_record(publish.uri)) != user:
            raise AccessDenied(f"{user} publishes for {publish.uri}")
        epid = epid_of(exchange)
        self._check_endpoint(user, epid, publish.asked)
        arrived = exchange.arrived
        try:
            staged = self.categories.stage(
                user,
                publish.asked,
                epid,
                self.now(),
                arrived,
                whatever_version=self.conflicts.is_enough(user, epid, arrived),
            )
        except WrongVersion:
            if self.conflicts.happened(user, epid, arrived):
                raise
            raise for_now("Too many publications on old versions") from None
        await self.journal.commit(staged)
        self.conflicts.accepted(user, epid)
        return self._accepted(user, publish.asked)

    def _check_endpoint(
        self, user: AddressOfRecord, epid: str, asked: Sequence[Asked]
    ) -> None:
        """Refuse what would never end since the endpoint that it ends with is not there."""
        if all(each.is_removal or each.expire_type not in _BOUND for each in asked):
            return
        if self.endpoints.find(user, epid) is None:
            raise Refusal(403, reason="The endpoint is not signed in")

    def _accepted(self, user: AddressOfRecord, asked: Sequence[Asked]) -> Answer:
        names = list(dict.fromkeys(each.name.category for each in asked))
        shown = [each for each in self.shown(user) if each.name.category in names]
        there = {each.name.category for each in shown}
        body = roaming.write_roaming(
            user,
            categories=shown,
            cleared=[name for name in names if name not in there],
        )
        return Answer(200, body=body, content_type=roaming.CONTENT_TYPE)
