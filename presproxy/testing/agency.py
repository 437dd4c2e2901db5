"""
A presence agent with all its neighbours, in memory: a package of words, a notifier that
remembers, and a clock turned by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from itertools import count

import attrs
from twisted.internet.task import Clock
from zope.interface import implementer

from presproxy.errors import MalformedDocument
from presproxy.events.agent import PresenceAgent, view_of
from presproxy.events.categories import Categories
from presproxy.events.compositor import Compositor, Published, StagedPublication
from presproxy.events.fanout import SLICE, FanOut
from presproxy.events.resource import Resources
from presproxy.events.winfo import SUFFIX, Visitors
from presproxy.extend.guard import Guard
from presproxy.interfaces import (
    Bounds,
    Feed,
    IEventPackage,
    IHouse,
    INotifier,
    Material,
    Watcher,
)
from presproxy.metrics import Counter, Metrics
from presproxy.model.decision import FULL, Decision, Handling, View
from presproxy.model.identity import Identity
from presproxy.model.notice import Body, Notice
from presproxy.model.publication import EntityTag, Publication
from presproxy.model.record import Change
from presproxy.model.subscription import Reason, State, Subscription
from presproxy.sip.uri import AddressOfRecord

ALICE = AddressOfRecord("sip:alice@example.test")
WORDS = "words"
EPOCH = 1_700_000_000.0

#: The view which shows the first word only.
FIRST = View("first")

Words = tuple[str, ...]


@implementer(IEventPackage)
@attrs.define(eq=False)
class WordPackage:
    """
    What is published is a word; the state is all words, the latest first.

    A word supersedes one that begins alike.  A method whose name is in ``failing`` fails.
    """

    name: str = WORDS
    feeds: Feed = Feed.PUBLICATIONS
    pause: float = 0.0
    failing: set[str] = attrs.field(factory=set)
    produces: Sequence[str] = ("text/words", "text/lines")
    accepts: Collection[str] = ("text/word",)
    bounds: Bounds = attrs.field(factory=lambda: Bounds(60, 3600, 86400))

    def parse(self, content_type: str, data: bytes) -> str:
        self._may_fail("parse")
        if not data.isalpha():
            raise MalformedDocument("no word")
        return data.decode()

    def supersedes(self, document: str, earlier: str) -> bool:
        self._may_fail("supersedes")
        return document[0] == earlier[0]

    def compose(self, material: Material) -> Words:
        self._may_fail("compose")
        if self.feeds is Feed.WATCHERS:
            return tuple(sorted(map(_written, material.watchers)))
        return tuple(str(each.document) for each in material.publications)

    def narrow(self, state: Words, view: View) -> Words:
        self._may_fail("narrow")
        if view == FULL:
            return state
        return state[:1] if view == FIRST else ()

    def neutral(self, presentity: AddressOfRecord) -> Words:
        self._may_fail("neutral")
        return ()

    def render(self, state: Words, content_type: str) -> Body:
        self._may_fail("render")
        between = " " if content_type == "text/words" else "\n"
        return Body(content_type, between.join(state or ("nobody",)).encode())

    def _may_fail(self, method: str) -> None:
        if method in self.failing:
            raise RuntimeError(f"{method} fails")


def _written(watcher: Watcher) -> str:
    return f"{watcher.uri}/{watcher.status}/{watcher.event}/{watcher.id}"


@attrs.frozen
class Told:
    """What one watcher was told, and how his subscription stood then."""

    watcher: AddressOfRecord
    state: State
    body: str
    reason: Reason | None = None
    changed_at: float = 0.0


@implementer(INotifier)
@attrs.define(eq=False)
class RecordingNotifier:
    """
    A notifier which keeps what it was given, in order, and sends nothing.

    It fails while ``is_failing``.
    """

    notices: list[Notice] = attrs.field(factory=list)
    told: list[Told] = attrs.field(factory=list)
    is_failing: bool = False

    async def start(self, house: IHouse) -> None:
        """See `IPluggable`."""

    async def stop(self) -> None:
        """See `IPluggable`."""

    def notify(self, notice: Notice) -> None:
        if self.is_failing:
            raise RuntimeError("the notifier fails")
        self.notices.append(notice)
        for each in notice.subscriptions:
            self.told.append(
                Told(
                    each.watcher.aor,
                    each.state,
                    notice.body.numbered(0).decode(),
                    each.reason,
                    notice.changed_at,
                )
            )

    def take(self) -> list[Told]:
        """Give what was told since this was asked last."""
        told, self.told = self.told, []
        return told


def watcher(name: str) -> AddressOfRecord:
    """Give the address of a watcher."""
    return AddressOfRecord(f"sip:{name}@example.test")


@attrs.define(eq=False)
class Agency:
    """
    The agent, the compositor and what they need.

    What is staged is live at once, as if its commit had been answered.
    """

    package: WordPackage = attrs.field(factory=WordPackage)
    notifiers: dict[str, RecordingNotifier] = attrs.field(
        factory=lambda: {"sip": RecordingNotifier()}
    )
    most: int = 20
    most_in_all: int = 1000
    size: int = SLICE
    clock: Clock = attrs.field(factory=Clock)
    gone: list[Subscription] = attrs.field(factory=list, init=False)
    failures: Counter = attrs.field(factory=Counter, init=False)
    resources: Resources = attrs.field(init=False)
    fanout: FanOut = attrs.field(init=False)
    agent: PresenceAgent = attrs.field(init=False)
    compositor: Compositor = attrs.field(init=False)
    categories: Categories = attrs.field(init=False)
    #: Deletions of records that are of no use any more.
    forgotten: list[Change] = attrs.field(factory=list, init=False)
    _soon: list[Callable[[], None]] = attrs.field(factory=list, init=False)
    _numbers: count[int] = attrs.field(factory=lambda: count(1), init=False)

    def __attrs_post_init__(self) -> None:
        winfo = WordPackage(self.package.name + SUFFIX, Feed.WATCHERS)
        self.resources = Resources(
            {
                each.name: Guard("package", each.name, each, Metrics(), self.clock)
                for each in (self.package, winfo)
            }
        )
        self.fanout = FanOut(
            self.notifiers, self._soon.append, self.ticks, self.failures, self.size
        )
        self.agent = PresenceAgent(
            self.resources,
            self.fanout,
            Visitors(),
            self.now,
            self.ticks,
            self._later,
            self.gone.append,
        )
        self.compositor = Compositor(
            self.resources,
            self.agent.changed,
            lambda: EntityTag(f"e{next(self._numbers)}"),
            lambda: f"k{next(self._numbers)}",
            self.most,
            self.most_in_all,
        )
        self.categories = Categories(
            self.resources,
            self.agent.changed,
            lambda: f"c{next(self._numbers)}",
            self.forgotten.extend,
        )

    @property
    def notifier(self) -> RecordingNotifier:
        """The one that serves most subscriptions."""
        return self.notifiers["sip"]

    def now(self) -> float:
        """The moment on the wall clock."""
        return EPOCH + float(self.clock.seconds())

    def ticks(self) -> float:
        """The moment on the clock of latencies."""
        return 1.0 + float(self.clock.seconds())

    @property
    def is_idle(self) -> bool:
        """Whether nothing is to be done, now or later."""
        return not (self._soon or self.clock.getDelayedCalls())

    def told(self) -> list[tuple[State, str, Reason | None]]:
        """Let all be told, and give what was since this was asked last."""
        self.settle()
        return [(each.state, each.body, each.reason) for each in self.notifier.take()]

    def bodies(self) -> list[str]:
        """Give the bodies of what `told` gives."""
        return [body for _, body, _ in self.told()]

    def turn(self) -> None:
        """Let the reactor turn once; what comes of it is for the next turn."""
        acts = self._soon[:]
        del self._soon[: len(acts)]
        for act in acts:
            act()

    def settle(self) -> None:
        """Let the reactor turn until nothing is to be done."""
        while self._soon:
            self.turn()

    def sleep(self, seconds: float) -> None:
        """Let time go by, looking each second for what has expired."""
        for _ in range(int(seconds)):
            self.clock.advance(1)
            self.sweep()
            self.settle()
        self.clock.advance(seconds % 1)
        self.settle()

    def sweep(self) -> None:
        """Look for what has expired."""
        while self.compositor.expire(self.now(), self.ticks()):
            pass
        while self.agent.expire(self.now()):
            pass

    def _later(self, delay: float, act: Callable[[], None]) -> None:
        if delay:
            self.clock.callLater(delay, act)
        else:
            self._soon.append(act)

    def published(
        self,
        word: str = "",
        presentity: AddressOfRecord = ALICE,
        expires: float = 3600,
        source: str = "",
    ) -> Published:
        """Give what a PUBLISH carries; without a word it is a refresh."""
        return Published(
            presentity=presentity,
            package=self.package.name,
            content_type="text/word" if word else "",
            body=word.encode(),
            document=word or None,
            expires_at=self.now() + expires,
            at=self.now(),
            source=source,
            changed_at=self.ticks(),
        )

    def publish(
        self,
        word: str,
        presentity: AddressOfRecord = ALICE,
        expires: float = 3600,
        source: str = "",
    ) -> Publication:
        """Publish a word for the first time."""
        return self.live(
            self.compositor.stage_initial(
                self.published(word, presentity, expires, source)
            )
        )

    def publish_again(
        self, old: Publication, word: str = "", expires: float = 3600
    ) -> Publication:
        """Publish another word, or refresh."""
        published = self.published(word, old.presentity, expires, old.source)
        return self.live(self.compositor.stage_again(old, published))

    def unpublish(self, old: Publication) -> None:
        """End a publication."""
        self.live(self.compositor.stage_removal(old, self.ticks()))

    def live(self, staged: StagedPublication) -> Publication:
        """Answer the commit of what was staged."""
        staged.live()
        return staged.publication

    def subscription(
        self,
        name: str,
        handling: Handling = Handling.ALLOW,
        view: View = FULL,
        presentity: AddressOfRecord = ALICE,
        package: str = "",
        expires: float = 3600,
        content_type: str = "text/words",
        notifier: str = "sip",
    ) -> Subscription:
        """Make a subscription of a watcher, of whom was decided so."""
        is_pending = handling is Handling.CONFIRM
        return Subscription(
            key=f"s{next(self._numbers)}",
            watcher=Identity(watcher(name), "open"),
            presentity=presentity,
            package=package or self.package.name,
            content_type=content_type,
            expires_at=self.now() + expires,
            notifier=notifier,
            route=None,
            state=State.PENDING if is_pending else State.ACTIVE,
            view=view_of(Decision(handling, "", view)),
            since=self.now(),
        )

    def subscribe(
        self,
        name: str,
        handling: Handling = Handling.ALLOW,
        view: View = FULL,
        presentity: AddressOfRecord = ALICE,
        package: str = "",
        expires: float = 3600,
        content_type: str = "text/words",
        notifier: str = "sip",
    ) -> Subscription:
        """Let a watcher subscribe."""
        made = self.subscription(
            name, handling, view, presentity, package, expires, content_type, notifier
        )
        self.agent.begin(made)
        return made

    def refresh(self, subscription: Subscription, expires: float = 3600) -> None:
        """Let a subscription go on."""
        subscription.expires_at = self.now() + expires
        self.agent.refreshed(subscription)
