"""
Asking the contact ACLs: once for a new subscription, and again when rules change.

Rules may change while somebody asks, or while what was decided is made lasting.  Such a
decision is asked for once more before it is obeyed: an old answer never wins over a newer
rule.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType

import attrs
from twisted.logger import Logger

from presproxy.errors import AccessDenied, PresproxyError
from presproxy.events.agent import PresenceAgent, view_of
from presproxy.extend.guard import Guard, PluginFailed
from presproxy.interfaces import Feed, IContactACL
from presproxy.model.decision import Decision, Explained, Handling
from presproxy.model.identity import Identity
from presproxy.model.subscription import State, Subscription
from presproxy.sip.uri import AddressOfRecord

_log = Logger()

# To look these up in their enumerations takes ten times as long before Python 3.12.
_BLOCK, _CONFIRM = Handling.BLOCK, Handling.CONFIRM
_PENDING, _ACTIVE = State.PENDING, State.ACTIVE

#: What nobody has an opinion about waits for the presentity.
_NOBODY = Decision(Handling.CONFIRM, "no contact ACL has an opinion")

#: What somebody keeps here of himself nobody else says anything about.
_OWN = Decision(Handling.ALLOW, "one's own account")

#: How often one asks whose answer is old by the time it comes.  Chosen: whoever changes
#: his rules faster than that has not made up his mind.
_TRIES = 5

#: Subscriptions decided about before the reactor is let breathe.
_PAGE = 200


@attrs.frozen(eq=False)
class Undecided(PresproxyError):
    """Nobody could say what a watcher may see; ``plugin`` is the ACL that failed."""

    why: str
    plugin: str = ""

    def __str__(self) -> str:
        return self.why


@attrs.define(eq=False)
class Question:
    """
    One decision from its asking to its being obeyed; a context.

    Within it, ``is_outdated`` tells whether rules have changed since the answer.
    """

    decider: Decider
    watcher: Identity
    presentity: AddressOfRecord
    package: str
    is_outdated: bool = True

    def __enter__(self) -> Question:
        self.decider.open_questions.setdefault(self.presentity, []).append(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        questions = self.decider.open_questions[self.presentity]
        questions.remove(self)
        if not questions:
            del self.decider.open_questions[self.presentity]

    async def explained(self) -> Explained:
        """
        Ask until the answer is not older than the rules; raises `Undecided`.

        What is undecided is asked about later.
        """
        for _ in range(_TRIES):
            self.is_outdated = False
            try:
                explained = await self._ask()
            except PluginFailed as failed:
                self.decider.ask_later(self.presentity)
                raise Undecided(f"acl {failed.name} failed", failed.name) from failed
            if not self.is_outdated:
                return explained
        self.decider.ask_later(self.presentity)
        raise Undecided("rules keep changing")

    async def decided(self) -> Decision:
        """Ask about a new subscription: what is undecided waits for the presentity."""
        try:
            return (await self.explained()).decision
        except Undecided as undecided:
            self.is_outdated = False
            return Decision(Handling.CONFIRM, undecided.why)

    async def _ask(self) -> Explained:
        if self.watcher.aor == self.presentity and self._is_about_account():
            return Explained(_OWN, "")
        for acl in self.decider.acls:
            decision = await acl.ask(
                acl.plugin.decide, self.watcher, self.presentity, self.package
            )
            if decision is not None:
                return Explained(decision, acl.name)
        return Explained(_NOBODY, "")

    def _is_about_account(self) -> bool:
        resources = self.decider.agent.resources
        if not resources.serves(self.package):
            return False
        return resources.guard(self.package).plugin.feeds is Feed.ACCOUNT


@attrs.define(eq=False)
class Decider:
    """
    Asks the contact ACLs in their order.

    ``keep`` keeps a subscription whose decision is another now; ``run`` runs what waits
    and logs what goes wrong; ``breathe`` lets the reactor do what else there is to do.
    """

    acls: Sequence[Guard[IContactACL]]
    agent: PresenceAgent
    keep: Callable[[Subscription], Awaitable[None]]
    run: Callable[[Awaitable[None]], None]
    breathe: Callable[[], Awaitable[None]]
    #: Those being asked, by presentity.
    open_questions: dict[AddressOfRecord, list[Question]] = attrs.field(
        factory=dict, init=False
    )
    #: Presentities about whose watchers is decided anew, and whether once more.
    _deciding: dict[AddressOfRecord, bool] = attrs.field(factory=dict, init=False)
    #: In the order in which they are to be asked about.
    _undecided: dict[AddressOfRecord, None] = attrs.field(factory=dict, init=False)
    _is_asking: bool = attrs.field(default=False, init=False)

    def question(
        self, watcher: Identity, presentity: AddressOfRecord, package: str
    ) -> Question:
        """Begin to ask what a watcher may see."""
        return Question(self, watcher, presentity, package)

    async def explain(
        self, watcher: Identity, presentity: AddressOfRecord, package: str
    ) -> Explained:
        """Say what a watcher may see, and who says so."""
        with self.question(watcher, presentity, package) as question:
            try:
                return await question.explained()
            except Undecided as undecided:
                decision = Decision(Handling.CONFIRM, undecided.why)
                return Explained(decision, undecided.plugin)

    def decide_again(self, presentity: AddressOfRecord) -> None:
        """The rules of a presentity changed: ask anew about all who watch, and obey."""
        for question in self.open_questions.get(presentity, ()):
            question.is_outdated = True
        self.run(self._decide_about(presentity))

    async def decide_each(self, subscriptions: Sequence[Subscription]) -> None:
        """Ask anew about some subscriptions, such as those found at a start."""
        for number, subscription in enumerate(subscriptions, 1):
            await self._decide_one(subscription)
            if number % _PAGE == 0:
                await self.breathe()

    def ask_later(self, presentity: AddressOfRecord) -> None:
        """Keep in mind that something is not decided about."""
        self._undecided[presentity] = None

    def ask_undecided(self) -> None:
        """Ask again where a plugin had failed, unless that is under way."""
        if not self._is_asking and self._undecided:
            self.run(self._ask_undecided())

    async def _ask_undecided(self) -> None:
        """Ask one after the other, until the first for whom it fails again."""
        self._is_asking = True
        try:
            for presentity in tuple(self._undecided):
                del self._undecided[presentity]
                await self._decide_about(presentity)
                if presentity in self._undecided:
                    return
        finally:
            self._is_asking = False

    async def _decide_about(self, presentity: AddressOfRecord) -> None:
        """Decide about all who watch; once more if that is under way already."""
        is_under_way = presentity in self._deciding
        self._deciding[presentity] = True
        if is_under_way:
            return
        try:
            while self._deciding[presentity]:
                self._deciding[presentity] = False
                await self._decide_about_visitors(presentity)
                await self.decide_each(self.agent.of(presentity))
        finally:
            del self._deciding[presentity]

    async def _decide_about_visitors(self, presentity: AddressOfRecord) -> None:
        """Let those wait no longer about whom the presentity has made up his mind."""
        for package, watcher in self.agent.visitors.waiting(presentity):
            explained = await self.explain(Identity(watcher, ""), presentity, package)
            if explained.decision.handling is not Handling.CONFIRM:
                self.agent.forget_visitor(presentity, package, watcher)

    async def _decide_one(self, subscription: Subscription) -> None:
        """Decide about a subscription; what is undecided stays as it is."""
        watcher, presentity = subscription.watcher, subscription.presentity
        with self.question(watcher, presentity, subscription.package) as question:
            try:
                explained = await question.explained()
            except Undecided:
                return
            is_another = self.agent.decided(subscription, explained.decision)
        if is_another:
            await self._keep(subscription)

    async def _keep(self, subscription: Subscription) -> None:
        try:
            await self.keep(subscription)
        except PresproxyError as error:
            # It is obeyed all the same, and after a start asked about again.
            _log.debug("A decision is not kept: {error}", error=error)


def obey(subscription: Subscription, decision: Decision) -> None:
    """
    Let a subscription begin as was decided.

    Raises `AccessDenied` where a SUBSCRIBE is answered 403.
    """
    handling = decision.handling
    if handling is _BLOCK:
        raise AccessDenied(decision.rule)
    subscription.rule = decision.rule
    subscription.state = _PENDING if handling is _CONFIRM else _ACTIVE
    subscription.view = view_of(decision)
