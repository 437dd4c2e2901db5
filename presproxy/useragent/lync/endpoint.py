"""A Lync endpoint: it signs in, publishes what its user says, and watches his contacts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from uuid import NAMESPACE_URL, UUID, uuid5
from zlib import crc32

import attrs
from twisted.logger import Logger

from presproxy.documents.lync import batch, categories, containers, roaming
from presproxy.documents.lync.batch import Batch, BatchAction, BatchResource
from presproxy.documents.lync.containers import (
    BLOCKED,
    ContainerChange,
    Member,
    MemberType,
)
from presproxy.errors import MalformedDocument, PresproxyError
from presproxy.sip.message import Response
from presproxy.sip.uri import AddressOfRecord
from presproxy.useragent.agent import UserAgent
from presproxy.useragent.core import Draft
from presproxy.useragent.errors import BadAnswer
from presproxy.useragent.held import accept
from presproxy.useragent.lync.registration import LyncRegistration
from presproxy.useragent.lync.roamed import Roamed
from presproxy.useragent.lync.said import Piece, nothing_of, pieces_of
from presproxy.useragent.lync.subscription import LyncSubscription
from presproxy.useragent.publication import Content
from presproxy.useragent.series import Series
from presproxy.useragent.states import Presence
from presproxy.useragent.subscription import Notification

_log = Logger()

#: What is watched of a contact.
WATCHED = ("contactCard", "note", "state")
_LISTS = (
    "application/rlmi+xml",
    "multipart/related",
    categories.CONTENT_TYPE,
)

#: How often a publication is made anew on versions that another endpoint has changed
#: meanwhile.  Chosen: two endpoints seldom meet twice.
_TRIES = 3
#: Seconds asked for in name only: the server says how long.
_HELD = 3600


def _log_loss(error: PresproxyError) -> None:
    _log.warn("{error}", error=error)


@attrs.define(eq=False)
class LyncEndpoint:
    """
    An endpoint of ``agent``'s user, named ``epid`` among his endpoints.

    ``lost`` is told when it is signed in no more, for whatever reason but its own wish.
    """

    agent: UserAgent
    lost: Callable[[PresproxyError], None] = _log_loss
    epid: str = attrs.field()
    roamed: Roamed = attrs.field(init=False)
    registration: LyncRegistration = attrs.field(init=False, repr=False)
    _own: LyncSubscription | None = None

    @epid.default
    def _any(self) -> str:
        return self.agent.tokens.call_id()[:12]

    @roamed.default
    def _nothing_known(self) -> Roamed:
        return Roamed(self.agent.aor)

    @registration.default
    def _not_yet(self) -> LyncRegistration:
        return LyncRegistration(self.agent.core, self.epid, self.instance, self.lost)

    @property
    def instance(self) -> UUID:
        """Its UUID, the same for the same name."""
        return uuid5(NAMESPACE_URL, f"{self.agent.aor};epid={self.epid}")

    @property
    def machine(self) -> int:
        """The instance of its own state among the user's."""
        return 0x30000000 | (crc32(self.epid.encode()) & 0x0FFFFFFF)

    async def sign_in(self) -> None:
        """
        Sign in, and learn what the user has published.

        Raises `Refused`, `NoAnswer` or `BadAnswer`.
        """
        await self.registration.sign_in()
        self.roamed = Roamed(self.agent.aor)
        self._own = await self._subscribe(
            "vnd-microsoft-roaming-self",
            (roaming.CONTENT_TYPE,),
            Content(
                roaming.CONTENT_TYPE, roaming.write_roaming_list(sorted(roaming.PARTS))
            ),
            self._roams,
        )

    async def sign_off(self) -> None:
        """Sign off; what the user chose stays, that he is there does not."""
        own, self._own = self._own, None
        if own is not None and own.is_alive:
            await own.unsubscribe()
        await self.registration.sign_off()

    def let_go(self) -> None:
        """Hold nothing more: the connection it was signed in by is gone."""
        self.registration.let_go()

    async def say(self, presence: Presence) -> None:
        """Publish what the user says.  Raises `Refused`, `NoAnswer` or `BadAnswer`."""
        await self._publish(pieces_of(presence, self.machine))

    async def take_back(self) -> None:
        """Take back all that was said."""
        await self._publish(nothing_of(self.machine))

    async def watch(
        self,
        contacts: Sequence[AddressOfRecord],
        told: Callable[[Notification], None] | None = None,
        lost: Callable[[PresproxyError], None] = _log_loss,
    ) -> LyncSubscription:
        """
        Watch some contacts by one subscription; what it is told `seen_in` reads.

        Raises `Refused`, `NoAnswer` or `BadAnswer`.
        """
        return await self._subscribe(
            "presence", _LISTS, self.batch(contacts), told, lost
        )

    async def look(self, contacts: Sequence[AddressOfRecord]) -> Notification:
        """Look at some contacts once."""
        subscription = self._subscription(
            "presence", _LISTS, self.batch(contacts), None, _log_loss, expires=0
        )
        await subscription.subscribe()
        return await subscription.next()

    def batch(self, contacts: Iterable[AddressOfRecord]) -> Content:
        """Give the body which asks for these contacts."""
        action = BatchAction(
            True, "1", [BatchResource(each) for each in contacts], WATCHED
        )
        written = batch.write_batch(Batch(self.agent.aor, (action,)))
        return Content(batch.CONTENT_TYPE, written)

    async def block(self, contact: AddressOfRecord, is_blocked: bool = True) -> None:
        """Block somebody, or block him no more.  Raises `Refused` or `NoAnswer`."""
        member = Member(MemberType.USER, contact.partition(":")[2])
        change = ContainerChange(
            BLOCKED,
            self.roamed.containers.get(BLOCKED, 0),
            (member,) if is_blocked else (),
            () if is_blocked else (member,),
        )
        body = containers.write_container_members([change])
        accept("SERVICE", await self.serve(Content(containers.CONTENT_TYPE, body)))

    async def serve(self, content: Content) -> Response:
        """Ask for a change of what the user keeps at the server."""
        agent = self.agent
        series = Series.begin(agent.aor, agent.aor, agent.tokens, f";epid={self.epid}")
        return await agent.request(
            lambda: Draft(
                "SERVICE",
                agent.aor,
                series.fields("SERVICE"),
                content.data,
                content.content_type,
            )
        )

    async def _publish(self, pieces: Iterable[Piece]) -> None:
        pieces = tuple(pieces)
        for _ in range(_TRIES):
            asked = self.roamed.asked(pieces)
            if not asked:
                return
            body = self.roamed.body(asked)
            response = await self.serve(Content(categories.PUBLISH_TYPE, body))
            if response.status != 409:
                break
            self._learn(partial(self._correct, asked), response)
        accept("SERVICE", response)
        if response.body:
            self._learn(self.roamed.take, response)

    def _correct(self, asked: Sequence[categories.Asked], body: bytes) -> None:
        self.roamed.correct(asked, categories.read_fault(body))

    def _learn(self, take: Callable[[bytes], None], response: Response) -> None:
        try:
            take(response.body)
        except MalformedDocument as error:
            raise BadAnswer("SERVICE", error.why) from error

    def _roams(self, notification: Notification) -> None:
        if not notification.body:
            return
        try:
            self.roamed.take(notification.body)
        except MalformedDocument as error:
            _log.warn("what is published cannot be read: {error}", error=error)

    async def _subscribe(
        self,
        package: str,
        accepts: Sequence[str],
        content: Content,
        told: Callable[[Notification], None] | None,
        lost: Callable[[PresproxyError], None] | None = None,
    ) -> LyncSubscription:
        subscription = self._subscription(
            package, accepts, content, told, lost or self.lost
        )
        await subscription.subscribe()
        return subscription

    def _subscription(
        self,
        package: str,
        accepts: Sequence[str],
        content: Content,
        told: Callable[[Notification], None] | None,
        lost: Callable[[PresproxyError], None],
        expires: int = _HELD,
    ) -> LyncSubscription:
        return LyncSubscription(
            core=self.agent.core,
            presentity=self.agent.aor,
            package=package,
            expires=expires,
            accepts=accepts,
            told=told,
            lost=lost,
            epid=self.epid,
            content=content,
            requires="adhoclist, categoryList" if package == "presence" else "",
        )
