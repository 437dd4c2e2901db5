"""The whole crowd, a server that is killed under it, and the comparison afterwards."""

from __future__ import annotations

import random
import re
import select
import threading
import time
from collections.abc import Callable
from functools import partial

import attrs

from presproxy.testing.instance import Instance, wait_for
from presproxy.testing.ledger.agent import Agent
from presproxy.testing.ledger.lists import ListWriter
from presproxy.testing.ledger.publisher import Publisher, Registrant
from presproxy.testing.ledger.watcher import Watcher
from presproxy.testing.peer import Peer
from presproxy.testing.wire import fresh, pidf

#: Seconds in which everybody is told of a change, by retransmission if need be.
_TOLD = 10.0

#: Users whose publication nobody can change any more, and who are still looked at.
_ABANDONED = 20


@attrs.define(eq=False)
class _Marked:
    """A second publication of a user, by which his watchers are told of something new."""

    peer: Peer
    tag: str | None = None
    note: str = ""

    def change(self) -> str:
        """Publish another note, and give the status."""
        note = fresh("mark")
        body = pidf(self.peer.aor, note, id="mark")
        response = self.peer.publish(body, entity_tag=self.tag)
        if response.status != 200:
            return f"the mark of {self.peer.aor}: {response.data!r}"
        self.tag, self.note = response.need("sip-etag"), note
        return ""


@attrs.define(eq=False)
class Crowd:
    """
    Publishers, watchers, registrants and one who writes lists, half of them by TCP.

    ``size`` is how many publishers there are, and how many watchers.
    """

    server: Instance
    chance: random.Random
    size: int = 12
    publishers: list[Publisher] = attrs.field(factory=list)
    watchers: list[Watcher] = attrs.field(factory=list)
    registrants: list[Registrant] = attrs.field(factory=list)
    writer: ListWriter = attrs.field()
    _marked: dict[str, _Marked] = attrs.field(factory=dict)
    _abandoned: dict[str, set[str]] = attrs.field(factory=dict)
    _brief: list[tuple[str, float]] = attrs.field(factory=list)
    _wrong: list[str] = attrs.field(factory=list)

    @writer.default
    def _make_writer(self) -> ListWriter:
        return ListWriter(self.server, self.chance)

    def __attrs_post_init__(self) -> None:
        for number in range(self.size):
            common = (self.server, self.chance, ("udp", "tcp")[number % 2])
            self.publishers.append(Publisher(*common))
            self.watchers.append(Watcher(*common, choose=self._somebody))
        for transport in ("udp", "tcp"):
            self.registrants.append(Registrant(self.server, self.chance, transport))
        self._connect()

    @property
    def answers(self) -> int:
        """How many requests were answered so far."""
        return sum(each.answers for each in self._agents) + self.writer.answers

    @property
    def wrong(self) -> list[str]:
        """What must not have happened, in words."""
        of_agents = [wrong for each in self._agents for wrong in each.wrong]
        return [*self._wrong, *self.writer.wrong, *of_agents]

    # -- Life ------------------------------------------------------------------------

    def live(self, seconds: float, end: Callable[[], object] | None = None) -> None:
        """
        Ask for so long, then end the server while all wait for its answers.

        It is killed, unless there is another ``end``.
        """
        self.writer.begin()
        self._spin(lambda: False, seconds, asking=True)
        # Who is killed refuses nothing; who stops may.
        self._may_be_refused(end is not None)
        (end or self.server.kill)()
        self.writer.end()
        # What it has said before it died was said.
        self._spin(lambda: False, 0.05)
        self._spin(self._is_silent, 1.0)
        self._may_be_refused(False)

    def come_back(self) -> None:
        """Start the server again, and compare."""
        self.server.start()
        self._connect()
        for watcher in self.watchers:
            watcher.check()
        self._check_publications()
        for registrant in self.registrants:
            registrant.check()
        self.writer.check()
        self._tell_everybody()
        self._check_brief()

    def publish_briefly(self) -> None:
        """Publish something that ends within a second."""
        peer = Peer(self.server.udp, f"{fresh('brief')}@contoso.com")
        response = peer.publish(pidf(peer.aor, fresh("brief")), expires=1)
        peer.close()
        if response.status == 200:
            self._brief.append((peer.aor, time.time() + 1))

    def close(self) -> None:
        """Close all sockets."""
        for agent in self._agents:
            agent.close()
        for marked in self._marked.values():
            marked.peer.close()

    def stop_gently(self) -> None:
        """End the server as a supervisor does, and take what it says meanwhile."""
        statuses: list[int] = []
        stop = threading.Thread(target=lambda: statuses.append(self.server.stop()))
        stop.start()
        while stop.is_alive():
            self._turn()
        if statuses != [0]:
            self._wrong.append(f"the exit status is {statuses}")

    # -- Comparing -------------------------------------------------------------------

    def _check_publications(self) -> None:
        inspector = Peer(self.server.udp, "inspector@contoso.com")
        for publisher in self.publishers:
            notes = self._notes(inspector, publisher.aor)
            if not publisher.check(notes):
                self._abandoned[publisher.aor] = notes
                publisher.begin_anew()
        for aor, expected in tuple(self._abandoned.items())[-_ABANDONED:]:
            found = self._notes(inspector, aor)
            if found != expected:
                self._wrong.append(f"{aor} has {found}, not {expected}")
        inspector.close()

    def _notes(self, inspector: Peer, aor: str) -> set[str]:
        """Give the notes that are published for a user, but for the mark."""
        notes = set(re.findall("<note>(.*?)</note>", inspector.fetch(aor).text))
        marked = self._marked.get(aor)
        if marked is not None and marked.note not in notes:
            self._wrong.append(f"the mark of {aor} is lost: {marked.note}, {notes}")
        return notes - {"" if marked is None else marked.note}

    def _tell_everybody(self) -> None:
        """Every subscription that is there is told of something new; none else is."""
        expected = [(each, d) for each in self.watchers for d in each.living()]
        for aor in {dialog.presentity for _, dialog in expected}:
            if aor not in self._marked:
                self._marked[aor] = _Marked(Peer(self.server.udp, aor[4:]))
            self._wrong += filter(None, [self._marked[aor].change()])

        def missing() -> list[str]:
            return [
                f"{dialog} was not told"
                for watcher, dialog in expected
                if not watcher.was_told(dialog, self._marked[dialog.presentity].note)
            ]

        if not self._spin(lambda: not missing(), _TOLD):
            self._wrong += missing()

    def _check_brief(self) -> None:
        inspector = Peer(self.server.udp, "inspector@contoso.com")
        for aor, ends in self._brief:
            time.sleep(max(0.0, ends - time.time()))
            # What has expired is looked for once a second.
            if not wait_for(partial(self._is_gone, inspector, aor), 3, 0.1):
                self._wrong.append(f"{aor} should have expired")
        self._brief.clear()
        inspector.close()

    def _is_gone(self, inspector: Peer, aor: str) -> bool:
        return not self._notes(inspector, aor)

    # -- Below -----------------------------------------------------------------------

    @property
    def _agents(self) -> list[Agent]:
        return [*self.publishers, *self.watchers, *self.registrants]

    def _may_be_refused(self, value: bool) -> None:
        self.writer.may_be_refused = value
        for agent in self._agents:
            agent.may_be_refused = value

    def _somebody(self) -> str:
        return self.chance.choice(self.publishers).aor

    def _connect(self) -> None:
        for agent in self._agents:
            agent.connect()

    def _spin(
        self, is_done: Callable[[], bool], limit: float, *, asking: bool = False
    ) -> bool:
        """Take what comes, until something is done or the time is over."""
        until = time.monotonic() + limit
        while not is_done():
            if time.monotonic() >= until:
                return False
            if asking:
                for agent in self._agents:
                    agent.go_on()
            self._turn()
        return True

    def _turn(self, wait: float = 0.005) -> bool:
        """Take what has come; say whether anything had."""
        owners = {s: agent for agent in self._agents for s in agent.sockets()}
        ready, _, _ = select.select(list(owners), [], [], wait)
        for each in ready:
            owners[each].pump(each)
        return bool(ready)

    def _is_silent(self) -> bool:
        return not self._turn(0.02)
