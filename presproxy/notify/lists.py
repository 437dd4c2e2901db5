"""
Lists: many presentities watched in one dialog (RFC 4662), as Lync clients' batches are.

Each has a subscription of its own, a back-end subscription, which the presence agent keeps
as any other.  What these are told is gathered until the end of the reactor's turn and goes
in one notification of the list's dialog: as it is if it is of one presentity, and with
meta-information in a body of several parts otherwise.  It is written as late as it goes, so
that a slow watcher is told the latest state of each, and of none twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import attrs
from zope.interface import implementer

from presproxy.documents.rlmi import (
    CONTENT_TYPE,
    RlmiInstance,
    RlmiResource,
    write_rlmi,
)
from presproxy.interfaces import IHouse, INotifier
from presproxy.model.notice import EMPTY, AnyBody, LateBody, Notice
from presproxy.model.subscription import Reason, State, Subscription
from presproxy.notify.route import SipRoute
from presproxy.sip.multipart import Part, related_type, write_related
from presproxy.sip.tokens import Tokens
from presproxy.sip.uri import AddressOfRecord

#: The names of the notifiers of lists and of their back-end subscriptions.  Neither is
#: kept: after a start nobody could be reached.
LIST, BACK_END = "sip.list", "sip.back-end"

#: The Content-ID of the meta-information.
_START = "resourceList"

#: Octets of the states in one body; more go in another, so that nobody waits long for a
#: whole message.  Chosen: some thousand contacts without pictures.
_LARGEST = 1_000_000

# To look these up in their enumeration takes ten times as long before Python 3.12.
_ACTIVE, _TERMINATED = State.ACTIVE, State.TERMINATED


@attrs.define(eq=False)
class BackEnd:
    """
    One presentity in a list, and the route of the subscription to him.

    ``uri`` is as the watcher wrote it, and ``presentity`` as it is kept here, which may
    be nobody's.  The rest is as it was told last.
    """

    dialog: ListDialog
    uri: str
    presentity: AddressOfRecord
    subscription: Subscription | None = None
    state: State = State.TERMINATED
    reason: str = ""
    body: AnyBody = EMPTY

    @property
    def data(self) -> bytes:
        """What is to be seen, empty if nothing is."""
        return self.body.numbered(0)

    @property
    def is_plain(self) -> bool:
        """Whether the state alone says all there is to say."""
        return self.state is _ACTIVE and bool(self.data)

    def resource(self) -> RlmiResource:
        """Give what the meta-information says of it."""
        cid = self.content_id if self.data else ""
        instance = RlmiInstance("0", self.state.value, cid, self.reason)
        return RlmiResource(self.uri, (instance,))

    def part(self) -> Part:
        """Give the part with the state."""
        return Part(self.body.content_type, self.data, self.content_id)

    @property
    def content_id(self) -> str:
        """What names the part: one presentity is in a list once."""
        return self.presentity.removeprefix("sip:")


@attrs.define(eq=False)
class ListDialog(LateBody):
    """
    The dialog of a list, and all that is in it; it is its own body.

    ``subscription`` is that of the list itself, whose key is our tag.  ``uri`` is what
    the list is called.
    """

    subscription: Subscription
    route: SipRoute
    uri: str
    #: Whether the watcher knows lists (RFC 4662), and is told that this is one.
    knows_lists: bool
    notifier: ListNotifier
    members: dict[AddressOfRecord, BackEnd] = attrs.field(factory=dict)
    #: What the watcher is to be told, in order, and when the first change was asked for.
    news: dict[BackEnd, None] = attrs.field(factory=dict)
    changed_at: float = 0.0
    #: What he was told last, which may not have arrived.
    sent: dict[BackEnd, None] = attrs.field(factory=dict)
    #: By how many SUBSCRIBEs that are served, whose answers tell it, news are held back.
    held: int = 0
    #: Counts the meta-information (RFC 4662 §5.1).
    version: int = 0

    @property
    def is_alive(self) -> bool:
        """Whether the dialog has not ended."""
        return self.subscription.is_alive

    def take(self, member: BackEnd) -> None:
        """The watcher is to be told of a member."""
        if member in self.news:
            # Behind those who changed before.
            del self.news[member]
        self.news[member] = None

    def leave(self, member: BackEnd) -> None:
        """A member is in the list no more."""
        if self.members.get(member.presentity) is member:
            del self.members[member.presentity]

    def alone(self) -> AnyBody | None:
        """
        Give the body that tells all news if it is one, and can go at once.

        It is taken for sent.
        """
        if len(self.news) != 1 or not self.version or not self._is_ready():
            return None
        member = next(iter(self.news))
        if not member.is_plain:
            return None
        self.sent, self.news = self.news, {}
        return member.body

    def _is_ready(self) -> bool:
        route = self.route
        flow = route.flow
        return (
            not route.is_busy
            and route.waiting is None
            and (route.told is not None or not self.sent)
            and flow is not None
            and flow.is_open
            and not flow.is_full
        )

    def numbered(self, version: int) -> bytes:
        """See `LateBody`; one presentity's state needs nothing said about it."""
        members = self._sending()
        self.fields = b""
        if len(members) == 1 and self.version and members[0].is_plain:
            self.content_type = members[0].body.content_type
            return members[0].data
        return self._write(members) if members else b""

    def answer(self) -> bytes:
        """Write all news for the answer to a SUBSCRIBE; it may be empty."""
        members = self._sending()
        return self._write(members) if members else b""

    def _sending(self) -> list[BackEnd]:
        """Take the news, and what went last if it did not arrive."""
        if self.route.told is None:
            self.news = {**self.sent, **self.news}
        self.sent = self._taken()
        if self.news:
            self.notifier.mark(self)
        return list(self.sent)

    def _taken(self) -> dict[BackEnd, None]:
        """Take as many news as go in one message."""
        taken: dict[BackEnd, None] = {}
        room = _LARGEST
        for member in tuple(self.news):
            room -= len(member.data)
            if room < 0 and taken and self.is_alive:
                break
            taken[member] = None
            del self.news[member]
        return taken

    def _write(self, members: list[BackEnd]) -> bytes:
        self.version += 1
        if self.knows_lists:
            self.fields = b"Require: eventlist\r\n"
        boundary = self.notifier.boundary()
        self.content_type = related_type(boundary, _START, CONTENT_TYPE)
        resources = [member.resource() for member in members]
        meta = write_rlmi(self.uri, self.version, False, resources)
        parts = [Part(CONTENT_TYPE, meta, _START)]
        parts += [member.part() for member in members if member.data]
        return write_related(parts, boundary)


@implementer(INotifier)
@attrs.define(eq=False)
class ListNotifier:
    """
    Tells back-end subscriptions by telling their lists.

    ``tell`` hands a notice to the SIP notifier.  ``soon`` calls a function in the
    reactor's next turn.
    """

    tell: Callable[[Notice], None]
    soon: Callable[[Callable[[], None]], object]
    tokens: Tokens
    _marked: dict[ListDialog, None] = attrs.field(factory=dict)
    _is_coming: bool = False

    async def start(self, house: IHouse) -> None:
        """See `IPluggable`; the SIP notifier is started by itself."""

    async def stop(self) -> None:
        """See `IPluggable`."""

    def boundary(self) -> str:
        """Give a word that is in no body."""
        return self.tokens.call_id()

    def notify(self, notice: Notice) -> None:
        """See `INotifier`; the routes are members of lists."""
        body, changed_at = notice.body, notice.changed_at
        for subscription in notice.subscriptions:
            member: BackEnd = subscription.route  # type: ignore[assignment]
            dialog = member.dialog
            if dialog.subscription.state is _TERMINATED:
                continue
            member.state, member.body = subscription.state, body
            if subscription.state is _TERMINATED:
                member.reason = (subscription.reason or Reason.TIMEOUT).value
                dialog.leave(member)
            dialog.take(member)
            if not dialog.changed_at:
                dialog.changed_at = changed_at
            if not dialog.held:
                self._marked[dialog] = None
        self._come()

    def mark(self, dialog: ListDialog) -> None:
        """A list has news, to be told at the end of this turn unless an answer tells it."""
        if dialog.held or not dialog.is_alive:
            return
        self._marked[dialog] = None
        self._come()

    def _come(self) -> None:
        if self._marked and not self._is_coming:
            self._is_coming = True
            self.soon(self.flush)

    def flush(self) -> None:
        """Tell all lists that have news."""
        self._is_coming = False
        marked, self._marked = self._marked, {}
        self._tell_same(dialog for dialog in marked if self._has_news(dialog))

    def _has_news(self, dialog: ListDialog) -> bool:
        return dialog.is_alive and bool(dialog.news) and not dialog.held

    def _tell_same(self, dialogs: Iterable[ListDialog]) -> None:
        """Tell each list; those to which one body says all are told together."""
        together: dict[int, tuple[AnyBody, float, list[Subscription]]] = {}
        for dialog in dialogs:
            changed_at, dialog.changed_at = dialog.changed_at, 0.0
            body = dialog.alone()
            if body is None:
                self.tell(Notice((dialog.subscription,), dialog, changed_at))
            else:
                same = together.setdefault(id(body), (body, changed_at, []))
                same[2].append(dialog.subscription)
        for body, changed_at, subscriptions in together.values():
            self.tell(Notice(subscriptions, body, changed_at))
