"""
What may be swapped, and what it promises.

How to read the methods: ``-> Awaitable[T]`` may wait and is called at most once per
request; a coroutine or a method returning a Deferred will do.  Any other return type
must not wait.  The exceptions named are answers; all others are failures, which the
server counts, logs with the plugin's name, and meets with the safe answer of the kind.
"""

from __future__ import annotations

import enum
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Mapping,
    Sequence,
)
from typing import Any, Protocol

import attrs
from zope.interface import Attribute, Interface

from presproxy.documents.lync.categories import Category
from presproxy.documents.lync.contacts import ContactList
from presproxy.documents.lync.containers import Container, Member
from presproxy.documents.lync.state import StateInput
from presproxy.documents.lync.subscribers import Subscriber
from presproxy.errors import IntervalTooBrief
from presproxy.metrics import Metrics
from presproxy.model.decision import Decision, Handling, View
from presproxy.model.identity import Identity
from presproxy.model.notice import Body, Notice, NumberedBody
from presproxy.model.publication import Publication
from presproxy.model.record import Batch, Change, Record, Snapshot
from presproxy.model.subscription import Reason, Subscription
from presproxy.sip.flow import Flow
from presproxy.sip.message import Request
from presproxy.sip.uri import AddressOfRecord


class IPluggable(Interface):
    """What every swappable plugin has."""

    def start(house: IHouse) -> Awaitable[None]:
        """
        Make ready.  Called once, before anything listens.

        Raising stops the server from starting.
        """

    def stop() -> Awaitable[None]:
        """Let go of everything.  Called once; never while another call is under way."""


class IAuthenticator(IPluggable):
    """
    Says who sent a request.

    The configured ones are asked in order, once per request, until one knows.
    """

    def authenticate(request: Request, flow: Flow) -> Awaitable[Identity | None]:
        """
        Name the sender, or answer None for "not mine": the request carries no
        credentials of this scheme, or came on a flow not trusted here.

        Raises `CredentialsRejected` (challenged anew; ``stale`` if only the nonce was
        old), `AuthenticationContinues` (one more leg, its challenge inside) or
        `AccessDenied`.  Anything else, or too long a wait, refuses the request.
        """

    def challenge(request: Request, realm: str, stale: bool) -> Sequence[str]:
        """
        Give the values of WWW-Authenticate to send, the preferred first; none is allowed.

        One which is a `ProxyChallenge` is sent as Proxy-Authenticate; the status is that
        of the first of all, 401 or 407.  Called when nobody knew the sender and the
        request needs one.
        """


class IContactACL(IPluggable):
    """
    Says who may see whom: the contact-list ACL.

    Asked in order for each new subscription, until one has an opinion; asked again after
    `IHouse.decide_again`.  Never asked per notification.
    """

    def decide(
        watcher: Identity, presentity: AddressOfRecord, package: str
    ) -> Awaitable[Decision | None]:
        """
        Answer the sub-handling, the rule and the view it opens, or None for no opinion.

        Decisions with equal views share every document rendered for them.  Raising, or
        too long a wait, leaves a new subscription pending and any other as it is; it is
        asked again later.
        """


class IContactList(Interface):
    """
    A contact ACL whose lists can be written, as ``presproxy allow`` and its like do.

    Provided by an `IContactACL` beside it; asked for once at the start.
    """

    def contacts(
        presentity: AddressOfRecord,
    ) -> Awaitable[Mapping[AddressOfRecord, Handling]]:
        """Give what the presentity has said of each watcher."""

    def handle(
        presentity: AddressOfRecord, watcher: AddressOfRecord, handling: Handling | None
    ) -> Awaitable[None]:
        """
        Write what the presentity says of a watcher; None forgets it.

        Answers once it is kept; decides again by itself.  Raises `StorageUnavailable`
        when nothing was written, and `LimitReached` when the list is full.
        """


class Lease(Protocol):
    """A node's right to speak for its dialogs."""

    node: str
    """As records name it; never used twice."""

    def holds(self) -> bool:
        """Say whether the node may send now.  Costs a clock reading at most."""


class IStorage(IPluggable):
    """
    Where records outlive the process.

    Asked once per request which changes something, never once per watcher.
    """

    durable: bool = Attribute(
        "Whether an answered commit survives the death of the machine."
    )
    shared: bool = Attribute("Whether other nodes may write to it, too.")
    lease: Lease = Attribute("Of this node.  Always holds unless ``shared``.")

    def commit(changes: Sequence[Change]) -> Awaitable[None]:
        """
        Make ``changes`` lasting: all or none; to one record, in the order of the calls.

        Many calls may be under way at once; sharing one write among them is expected.
        The peer hears of success only after the answer.

        Raises `Conflict`, which names the records that had another version (nothing was
        written); `NodeLost` (nothing was written, this node's dialogs are others' now);
        `StorageUnavailable` (nothing was written or, only if ``shared``, nobody knows
        yet: if it was, it comes by the feed).
        """

    def fetch(kind: str, key: str) -> Awaitable[Record | None]:
        """Read one record; the reader looks at ``expires_at``."""

    def read(owners: Sequence[str]) -> Awaitable[Snapshot]:
        """Read all records of these owners, and the feed's position they stand at."""

    def scan(kind: str, node: str | None = None) -> AsyncIterator[Sequence[Record]]:
        """
        Read all records of a kind, or those bound to one node, in pages of any order.

        Deleted ones are left out; expired ones may come.  Called at the start and when a
        node takes over another's dialogs.
        """

    def count(kind: str) -> Awaitable[int]:
        """
        Say about how many records of a kind there are, deleted ones perhaps among them.

        Called now and then while a scan is under way, to tell people how far it is.
        """

    def follow(changed: Callable[[Batch | None], None]) -> Awaitable[int]:
        """
        Begin to tell what was committed, one's own included; answer the position begun at.

        ``changed`` is called in the reactor's thread; None is "read again, and let it
        replace what you hold".  Only if ``shared``.
        """

    def orphans(limit: int) -> Awaitable[Sequence[Record]]:
        """Mark nodes whose lease ran out as dead, and give some of their records."""


class INotifier(IPluggable):
    """Brings notifications to watchers by one kind of road."""

    def notify(notice: Notice) -> None:
        """
        Take a notice for all the subscriptions in it and return at once.

        Called once per change, view and content type, however many subscriptions there
        are.  The body is shared: it must not be changed.  It is empty where the package
        could give none.  Notices for one subscription arrive in order; one not yet sent
        may be replaced by a later.

        What fails later is told by `IHouse.ended`, or retried here.  Raising is a bug:
        it is counted, and the others are told all the same.
        """


@attrs.frozen
class Bounds:
    """
    The intervals granted to publications, subscriptions or registrations, in seconds.

    ``default`` is used when the peer names none.
    """

    shortest: int
    default: int
    longest: int

    def grant(self, asked: int | None) -> int:
        """
        Say how long the state asked for will last, in seconds.

        Zero is always granted, as it ends the state (RFC 3903 §4.5).  Raises
        `IntervalTooBrief` below ``shortest``, but never for an hour or more, however
        long ``shortest`` is (RFC 6665 §4.2.1.1).
        """
        if asked is None:
            return max(self.default, self.shortest)
        if 0 < asked < min(self.shortest, 3600):
            raise IntervalTooBrief(self.shortest)
        return min(asked, self.longest)


class IRouteKeeper(Interface):
    """
    A notifier whose subscriptions outlive the process.

    Provided by an `INotifier` beside it; asked for once at the start.  Without it the
    notifier's subscriptions live in memory only.
    """

    def write(route: Any) -> bytes:
        """Write a route, as it is to be found after a start."""

    def kept(route: Any, payload: bytes) -> None:
        """What ``write`` gave is lasting now."""

    def read(payload: bytes) -> Any:
        """Read a route back.  Raises ValueError for what it cannot read."""


class Feed(enum.Enum):
    """What a package's state is composed from."""

    PUBLICATIONS = "publications"
    #: The subscriptions to the package whose name this one extends (RFC 3857 §4.1).
    WATCHERS = "watchers"
    #: What a user keeps here of himself: categories, containers, contacts, subscribers.
    ACCOUNT = "account"
    #: Where a user is registered here.
    REGISTRATIONS = "registrations"


@attrs.frozen
class Watcher:
    """
    One watcher as watcher information tells it (RFC 3858 §3).

    ``status`` is pending, active, waiting or terminated; ``event`` what brought it
    there.  ``since`` and ``expires_at`` are moments on the wall clock.
    """

    id: str
    uri: AddressOfRecord
    status: str
    event: str
    since: float
    expires_at: float


@attrs.frozen
class Bound:
    """
    One contact that a user is registered with (RFC 3261 §10).

    ``q`` is from 0 to 1; ``call_id`` is that of the REGISTER that last touched it.
    """

    uri: str
    q: float = 1.0
    call_id: str = ""


@attrs.frozen
class Account:
    """
    What a Lync user keeps here of himself ([MS-PRES] 1.3.1.5).

    It is shown to his own endpoints and to nobody else.  ``handlings`` are what he said
    of watchers, contacts or not.
    """

    categories: Sequence[Category] = ()
    containers: Sequence[Container] = ()
    subscribers: Sequence[Subscriber] = ()
    contacts: ContactList = attrs.field(factory=ContactList)
    handlings: Mapping[AddressOfRecord, Handling] = attrs.field(factory=dict)


@attrs.frozen
class Material:
    """
    All there is of one presentity for one package.

    ``publications`` are alive and the latest modified comes first; ``categories`` are
    what Lync endpoints published.  ``account`` is there for `Feed.ACCOUNT` alone, and
    ``bindings``, the preferred first, are for `Feed.REGISTRATIONS`.
    """

    presentity: AddressOfRecord
    publications: Sequence[Publication] = ()
    watchers: Sequence[Watcher] = ()
    categories: Sequence[Category] = ()
    account: Account | None = None
    bindings: Sequence[Bound] = ()


class IEventPackage(Interface):
    """
    An event package: everything that differs from one to the next (RFC 6665 §5).

    Pure: no waiting, no clock, no memory of earlier calls.
    """

    name: str = Attribute("As in the Event header field.")
    produces: Sequence[str] = Attribute(
        "Content types of NOTIFY bodies, preferred first."
    )
    accepts: Collection[str] = Attribute(
        "Content types of PUBLISH bodies; empty: no PUBLISH."
    )
    bounds: Bounds = Attribute(
        "The intervals granted to subscriptions and publications."
    )
    pause: float = Attribute(
        "The least seconds between two changes of one presentity that are told."
    )
    feeds: Feed = Attribute("What its state is composed from.")

    def parse(content_type: str, data: bytes) -> Any:
        """
        Read a published body into the package's own form of it.

        ``content_type`` is one of ``accepts``.  Raises `MalformedDocument`.
        """

    def supersedes(document: Any, earlier: Any) -> bool:
        """
        Say whether a new publication takes the place of an earlier one by the same flow.

        Both are what ``parse`` made.  It is how a user agent that never names an
        entity-tag is kept from filling the table with its own past.
        """

    def compose(material: Material) -> Any:
        """Make one state of all there is.  A value: equal states are told once."""

    def narrow(state: Any, view: View) -> Any:
        """Leave what the view lets through."""

    def neutral(presentity: AddressOfRecord) -> Any:
        """
        What a politely blocked watcher sees; it must look like nobody at home.

        It is always the same, so that he is told of no change.
        """

    def render(state: Any, content_type: str) -> Body | NumberedBody:
        """
        Write the body.  Called once per distinct state, view and content type.

        A `NumberedBody` leaves a gap for a version counted per subscription.
        """


class IDeltaPackage(Interface):
    """
    An event package that can say what is new, too.

    Provided by an `IEventPackage` beside it; asked for once at the start.
    """

    def render_change(state: Any, former: Any, content_type: str) -> bytes | None:
        """
        Write what ``state`` has and ``former`` had not; None to say all again.

        It goes to watchers who were told ``former`` last, and nobody else.
        """


class IAggregator(Interface):
    """
    Makes one state of all that a user's endpoints, calendar and phone say of him.

    Pure: no waiting, no clock, no memory of earlier calls.
    """

    def aggregate(inputs: Sequence[StateInput]) -> StateInput:
        """
        Make the state that watchers see, of the kind ``aggregateState``.

        The order of ``inputs`` says nothing; there may be none.  Equal inputs make equal
        states.  When it raises, watchers keep the last state.
        """


class IAggregating(Interface):
    """
    An event package that shows one state made of many.

    Provided by an `IEventPackage` beside it; asked for once at the start.
    """

    def aggregated_by(
        aggregate: Callable[[Sequence[StateInput]], StateInput],
    ) -> IEventPackage:
        """Give a package like this one, which has its states made by ``aggregate``."""

    def aggregates(material: Material) -> Sequence[Category]:
        """
        Give the states made of all there is, as their owner is shown them.

        They are the server's publications of the category ``state``, one for each
        container that has one ([MS-PRES] 1.3.1.5).
        """


class IPartialPackage(Interface):
    """
    An event package of which a watcher may ask for a part, in the body of his SUBSCRIBE.

    Provided by an `IEventPackage` beside it.
    """

    def part(content_type: str, body: bytes) -> str:
        """
        Give the content type ``render`` is asked for, with a parameter that names the part.

        ``content_type`` is one of ``produces``; the body that ``render`` gives has it
        without the parameter.  Raises `MalformedDocument`.
        """


class IFollowingPackage(Interface):
    """
    An event package whose published bodies may say only what changed.

    Provided by an `IEventPackage` beside it.
    """

    def follow(document: Any, former: Any) -> Any:
        """
        Give what is so now: ``document`` came after ``former``, from the same publisher.

        Both are what ``parse`` or this made.
        """

    def write(document: Any) -> bytes:
        """Write a document as a body that ``parse`` reads as the same."""


class ITailoredPackage(Interface):
    """
    An event package that writes otherwise for user agents known to break on what it writes.

    Provided by an `IEventPackage` beside it.
    """

    def tailored(content_type: str, user_agent: str) -> str:
        """
        Give the content type ``render`` is asked for, with parameters that name the shape.

        ``content_type`` is one of ``produces``, ``user_agent`` as the watcher names it, or
        empty; the body that ``render`` gives has the type without these.
        """


class IPrivatePackage(Interface):
    """
    An event package whose state is its owner's, and nobody else's.

    Provided by an `IEventPackage` beside it.
    """

    is_private: bool = Attribute("Whether none but the presentity may watch.")


class IClock(Protocol):
    """The part of a reactor that tells time."""

    def seconds(self) -> float:
        """A moment on a clock that never goes back."""

    def callLater(
        self, delay: float, callable: Callable[..., object], *args: object
    ) -> Any:
        """Call something after ``delay`` seconds."""


class ContactBook(Protocol):
    """
    The contact lists of the house: one of each user, whoever writes to it.

    An entry is of one watcher, or of a whole domain: ``sip:*@example.org``.
    """

    def open(self, limit: int | None = None) -> Awaitable[None]:
        """
        Read all lists, unless they are there already.

        ``limit`` is the most entries in one from now on.  Raises ValueError for a record
        that cannot be read: it might have blocked somebody.
        """

    def find(
        self, presentity: AddressOfRecord, watcher: AddressOfRecord
    ) -> tuple[AddressOfRecord, Handling] | None:
        """Give the entry that holds for a watcher, its own or its domain's, by name."""

    def of(self, presentity: AddressOfRecord) -> Mapping[AddressOfRecord, Handling]:
        """Give all that a presentity has said."""

    def shown(self, presentity: AddressOfRecord) -> ContactList:
        """Give the list as its owner's clients see it, with groups and names."""

    def handle(
        self,
        presentity: AddressOfRecord,
        watcher: AddressOfRecord,
        handling: Handling | None,
    ) -> Awaitable[None]:
        """Do what `IContactList.handle` does."""


class ContainerBook(Protocol):
    """The containers of Lync's users: who sees which of their publications."""

    def open(self) -> Awaitable[None]:
        """
        Read all, unless they are there already.

        Raises ValueError for a record that cannot be read: it might have blocked
        somebody.
        """

    def has_any(self, user: AddressOfRecord) -> bool:
        """Whether a user ever changed one of his containers."""

    def seat(
        self, user: AddressOfRecord, watcher: AddressOfRecord
    ) -> tuple[Container, Member] | None:
        """
        Say which container of a user's a watcher is in, and as whom.

        None is the container of all others.  A container of version 0 is one everybody
        begins with.
        """


class IHouse(Interface):
    """The little of the server that a plugin may see."""

    reactor: Any = Attribute("For timers, names, threads and connections of its own.")
    domains: Collection[str] = Attribute("The domains served here, in lower case.")
    metrics: Metrics = Attribute("Where a plugin may count.")
    storage: IStorage = Attribute(
        "For records of a plugin's own kinds; started before all others."
    )
    contacts: ContactBook = Attribute("The contact lists; to be opened first.")
    containers: ContainerBook = Attribute("Lync's containers; to be opened first.")

    def now() -> float:
        """The moment on the wall clock, in seconds since 1970."""

    def decide_again(presentity: AddressOfRecord) -> None:
        """Ask the contact ACLs anew: the rules of ``presentity`` changed."""

    def ended(subscription: Subscription, reason: Reason) -> None:
        """The watcher is gone, or cannot be reached any more."""

    def keep(subscription: Subscription) -> Awaitable[None]:
        """
        Write the record of a subscription anew, as its route now is.

        Raises `StorageUnavailable` when it could not be written, and `SubscriptionEnded`.
        """

    def watch(
        watcher: Identity,
        presentity: AddressOfRecord,
        package: str,
        notifier: str,
        route: object,
        expires: int,
    ) -> Awaitable[Subscription]:
        """
        Open a subscription for a watcher who did not come by SUBSCRIBE.

        It passes the same ACLs.  ``notifier`` is the name of the notifier that serves it,
        ``route`` means something only to that one.  It lives in memory: whoever opened it
        opens it again after a start.

        Raises `AccessDenied`, `LimitReached`, `IntervalTooBrief`, and LookupError for a
        package that is not served.
        """
