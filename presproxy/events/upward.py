"""
State of our users passed to a server behind, by PUBLISH (RFC 3903).

What is published here of one presentity is one publication there.  One PUBLISH is under
way for it at a time, and the next one tells the latest state; what was true in between is
never told.  Nothing that was fetched from a server behind is in it, and what comes back
from there is known by its mark.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Protocol

import attrs
from twisted.logger import Logger

from presproxy.errors import Conflict, PresproxyError
from presproxy.events.aim import Aim
from presproxy.events.passed import Passed, StagedPassed, read_passed
from presproxy.events.patience import (
    LONGEST_OBEYED,
    LONGEST_PAUSE,
    REFUSED,
    pause_after,
)
from presproxy.events.resource import Resource, Resources
from presproxy.events.staging import Staged
from presproxy.events.turns import Turns
from presproxy.extend.guard import PluginFailed
from presproxy.interfaces import IPassedPackage, Material
from presproxy.metrics import Counter, has_doubled
from presproxy.model.notice import Body, NumberedBody
from presproxy.model.record import Record
from presproxy.sip.uri import AddressOfRecord
from presproxy.useragent.alarms import Alarms
from presproxy.useragent.errors import NoAnswer, Refused
from presproxy.useragent.held import REFRESH_AT
from presproxy.useragent.publication import Content, Kept

_log = Logger()

#: Statuses of a server that can do nothing for anybody now; others are about one user.
_AWAY = frozenset({408, 503, 504})
#: Requests for one state: as it is, for longer, and anew.
_TRIES = 4


class Behind(Protocol):
    """Who asks the server behind."""

    def publish_once(
        self,
        presentity: AddressOfRecord,
        package: str,
        content: Content | None,
        expires: int,
        entity_tag: str | None = None,
        sender: AddressOfRecord | None = None,
    ) -> Awaitable[Kept]:
        """Publish, refresh or end a publication.  Raises a `PresproxyError`."""


@attrs.define(eq=False)
class Upward:
    """
    All that is passed to one server.

    ``aim`` says what is; its ``expires`` is the interval asked for.  ``name`` is that of
    the server in records.  ``sender`` is who stands in From; the presentity if None.
    ``commit`` makes lasting what the server keeps, and ``run`` runs what waits.  ``now``
    is the wall clock.  ``freed`` is told of what is not ours behind any more.
    """

    name: str
    mark: str
    aim: Aim
    behind: Behind
    resources: Resources
    sender: AddressOfRecord | None
    commit: Callable[[Staged], Awaitable[None]]
    run: Callable[[Awaitable[None]], None]
    alarms: Alarms
    now: Callable[[], float]
    random: Callable[[], float]
    make_key: Callable[[], str]
    failures: Counter
    freed: Callable[[AddressOfRecord, str], None] = lambda aor, package: None
    _passed: dict[tuple[AddressOfRecord, str], Passed] = attrs.field(factory=dict)
    turns: Turns = attrs.field(init=False)
    #: When the server had lost something.
    _doubted_at: float = float("-inf")

    @turns.default
    def _make_turns(self) -> Turns:
        return Turns(self.name, self._take, self.doubt, self.run, self.alarms)

    def __len__(self) -> int:
        """How many publications are kept behind."""
        return sum(each.entity_tag is not None for each in self._passed.values())

    @property
    def is_away(self) -> bool:
        """Whether nobody answers there now."""
        return self.turns.is_away

    def all(self) -> tuple[Passed, ...]:
        """Give all that is passed, or is to be."""
        return tuple(self._passed.values())

    # -- What changes here ---------------------------------------------------------------

    def changed(self, presentity: AddressOfRecord, package: str) -> None:
        """What is published here is another now."""
        if not self.turns.is_open or not self.aim.takes_in(presentity, package):
            return
        passed = self._passed.get((presentity, package))
        if passed is None:
            if len(self._passed) >= self.aim.most:
                why = f"there are {self.aim.most} already"
                self._count_failure(presentity, package, why)
                return
            passed = self._begin(presentity, package)
        if not passed.is_refused:
            self.turns.enqueue(passed)

    def restore(self, record: Record) -> bool:
        """
        Take back what a server keeps, after a start; False if it is not this one.

        Raises ValueError for a record that cannot be read.
        """
        kept = read_passed(record)
        if kept.server != self.name or record.expires_at <= self.now():
            return False
        if not self.resources.serves(kept.package):
            return False
        passed = self._begin(kept.presentity, kept.package)
        passed.key, passed.version = record.key, record.version
        passed.entity_tag = kept.entity_tag
        passed.ends_at = self._clock() + record.expires_at - self.now()
        return True

    def start(self) -> None:
        """Pass on from now on, all that is there to begin with."""
        self.turns.is_open = True
        for resource in self.resources:
            if resource.publications or resource.categories:
                self.changed(resource.presentity, resource.package.name)
        self.doubt()

    def stop(self) -> None:
        """Pass on nothing more; what is behind stays until it expires."""
        self.turns.is_open = False
        self.alarms.stop()

    def doubt(self) -> None:
        """The server may have forgotten all: look whether it has."""
        for passed in self._passed.values():
            passed.is_due = passed.is_doubted = True
            if not passed.is_refused:
                self.turns.enqueue(passed)

    # -- What comes back -----------------------------------------------------------------

    def others(
        self, presentity: AddressOfRecord, package: str, document: Any
    ) -> Any | None:
        """
        Give what a document from behind says besides what was passed there.

        Where that cannot be told apart, it is ours while we publish.
        """
        passed = self._passed.get((presentity, package))
        guard = self.resources.guard(package)
        plugin: Any = guard.plugin
        if IPassedPackage.providedBy(plugin):
            return guard.tell(plugin.others, document, self.mark)
        return document if passed is None or passed.entity_tag is None else None

    # -- One state -----------------------------------------------------------------------

    def _begin(self, presentity: AddressOfRecord, package: str) -> Passed:
        passed = Passed(
            presentity,
            package,
            self.aim.expires,
            self.alarms.alarm(),
            self.make_key(),
        )
        self._passed[presentity, package] = passed
        return passed

    async def _take(self, passed: Passed) -> None:
        began = self._clock()
        try:
            await self._pass(passed)
        except PresproxyError as error:
            self._failed(passed, error, began)

    async def _pass(self, passed: Passed) -> None:
        """Bring what is behind to what is here."""
        try:
            body = self._body(passed)
        except PluginFailed:
            # Counted and logged by its guard; what is behind stands.
            return
        if body is None:
            await self._end(passed)
            return
        is_same = passed.body is not None and body == passed.body
        if is_same and passed.entity_tag is not None and not passed.is_due:
            return
        for _ in range(_TRIES):
            try:
                await self._publish(passed, body)
            except Refused as error:
                self._obey(passed, error)
            else:
                return
        raise Refused("PUBLISH", 412, "again and again")

    async def _publish(self, passed: Passed, body: Body | NumberedBody) -> None:
        content = None
        if passed.entity_tag is None or body != passed.body:
            data = body.numbered(passed.number)
            content = Content(body.content_type, data)
        kept = await self._ask(passed, content, passed.expires, passed.entity_tag)
        self.turns.heard()
        passed.tries, passed.why = 0, ""
        passed.body, passed.is_due, passed.is_doubted = body, False, False
        passed.number += content is not None
        passed.entity_tag = kept.entity_tag
        passed.ends_at = self._clock() + kept.seconds
        passed.alarm.set(kept.seconds * REFRESH_AT, partial(self._refresh, passed))
        await self._keep(passed)

    async def _end(self, passed: Passed) -> None:
        """Take away what is behind, unless it has gone already."""
        if passed.entity_tag is not None and passed.ends_at > self._clock():
            try:
                await self._ask(passed, None, 0, passed.entity_tag)
            except Refused as error:
                if error.status not in (404, 412):
                    raise
            self.turns.heard()
        passed.entity_tag, passed.body = None, None
        passed.alarm.clear()
        await self._keep(passed)
        self.freed(passed.presentity, passed.package)
        if not passed.is_wanted:
            self._passed.pop((passed.presentity, passed.package), None)

    def _ask(
        self,
        passed: Passed,
        content: Content | None,
        expires: int,
        entity_tag: str | None,
    ) -> Awaitable[Kept]:
        return self.behind.publish_once(
            self.aim.name_behind(passed.presentity),
            passed.package,
            content,
            expires,
            entity_tag,
            self.sender,
        )

    async def _keep(self, passed: Passed) -> None:
        """Make lasting what the server keeps; it goes on without."""
        ends_at = self.now() + passed.ends_at - self._clock()
        staged = StagedPassed(passed, self.name, ends_at, self.make_key())
        try:
            await self.commit(staged)
        except Conflict:
            # What was given up came to be after all; it expires.
            passed.key, passed.version = staged.next_key, 0
        except PresproxyError as error:
            _log.debug("What is passed on was not kept: {error}", error=error)

    def _body(self, passed: Passed) -> Body | NumberedBody | None:
        """Write what is published here; None if nothing is."""
        resource = self.resources.find(passed.presentity, passed.package)
        if resource is None or not (resource.publications or resource.categories):
            return None
        state, guard = self._state(resource), resource.guard
        plugin: Any = guard.plugin
        if IPassedPackage.providedBy(plugin):
            body: Body | NumberedBody | None
            body = guard.tell(plugin.passed, state, self.mark)
        else:
            body = guard.tell(plugin.render, state, plugin.produces[0])
        return body

    def _state(self, resource: Resource) -> Any:
        material = Material(
            self.aim.name_behind(resource.presentity),
            tuple(resource.publications),
            categories=resource.categories,
        )
        return resource.guard.tell(resource.package.compose, material)

    # -- What goes wrong -----------------------------------------------------------------

    def _obey(self, passed: Passed, error: Refused) -> None:
        """Make what a 412 or 423 wants of the next try, or raise the error."""
        longest = LONGEST_OBEYED
        if error.status == 412 and passed.entity_tag is not None:
            clock = self._clock()
            is_early = passed.ends_at > clock and not passed.is_doubted
            passed.entity_tag = None
            if is_early and self._doubted_at < clock - LONGEST_PAUSE:
                # A server that lost one before its time has lost all of them.
                self._doubted_at = clock
                self.doubt()
        elif error.status == 423 and passed.expires < longest:
            wanted = error.minimum or 2 * passed.expires
            passed.expires = min(max(wanted, passed.expires + 1), longest)
        else:
            raise error

    def _failed(self, passed: Passed, error: PresproxyError, began: float) -> None:
        """Try again in a while."""
        passed.tries += 1
        passed.why = str(error)
        self._count_failure(passed.presentity, passed.package, passed.why)
        wanted = 0
        if isinstance(error, Refused):
            wanted = min(error.retry_after or 0, LONGEST_OBEYED)
        is_silence = isinstance(error, NoAnswer)
        if is_silence or (isinstance(error, Refused) and error.status in _AWAY):
            self.turns.unheard(began, wanted)
            if passed.tries == 1:
                passed.is_wanted = True
                return
        pause = pause_after(passed.tries)
        if isinstance(error, Refused) and not error.may_pass:
            pause = REFUSED
        passed.is_refused = True
        passed.is_wanted = False
        pause = max(pause, wanted)
        passed.alarm.set(
            pause * (1 + self.random() / 5), partial(self._forgive, passed)
        )

    def _forgive(self, passed: Passed) -> None:
        passed.is_refused = False
        passed.is_due = True
        self.turns.enqueue(passed)

    def _refresh(self, passed: Passed) -> None:
        passed.is_due = True
        self.turns.enqueue(passed)

    def _count_failure(
        self, presentity: AddressOfRecord, package: str, why: str
    ) -> None:
        self.failures.value += 1
        if has_doubled(self.failures.value):
            # One line each time the number has doubled.
            _log.warn(
                "{package} of {presentity} is not passed on: {why} (failure {count})",
                package=package,
                presentity=presentity,
                why=why,
                count=self.failures.value,
            )

    def _clock(self) -> float:
        return self.alarms.clock.seconds()
