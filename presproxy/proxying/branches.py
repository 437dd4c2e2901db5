"""
One branch of a request that was passed on: where the waiting for its response stands.

All that changes the state of a branch is in one table; what becomes of the responses of
all of them is decided in `presproxy.proxying.context`.
"""

from __future__ import annotations

import enum
from typing import Protocol

import attrs

from presproxy.sip.flow import Flow


class State(enum.Enum):
    """How far a branch has come."""

    #: Nothing has been heard.
    CALLING = enum.auto()
    #: A provisional response came.
    PROCEEDING = enum.auto()
    #: To be cancelled as soon as something is heard: not before (RFC 3261 §9.1).
    DOOMED = enum.auto()
    #: CANCEL was sent.
    CANCELLED = enum.auto()
    #: There was a final response, or there will be none.
    DONE = enum.auto()


class Happening(enum.Enum):
    """What happens to a branch."""

    PROVISIONAL = enum.auto()
    FINAL = enum.auto()
    #: Nobody wants its response any more.
    UNWANTED = enum.auto()
    #: Timer C, or nobody answered to a CANCEL.
    OVERDUE = enum.auto()
    #: It is tried elsewhere instead (RFC 3263 §4.3).
    REPLACED = enum.auto()


class Do(enum.Enum):
    """What is then to be done."""

    NOTHING = enum.auto()
    #: Take the response; a late one counts only if it accepts.
    TAKE = enum.auto()
    TAKE_LATE = enum.auto()
    CANCEL = enum.auto()
    #: Behave as if 408 had come (RFC 3261 §16.8).
    GIVE_UP = enum.auto()


_TABLE: dict[tuple[State, Happening], tuple[State, Do]] = {
    (State.CALLING, Happening.PROVISIONAL): (State.PROCEEDING, Do.TAKE),
    (State.CALLING, Happening.FINAL): (State.DONE, Do.TAKE),
    (State.CALLING, Happening.UNWANTED): (State.DOOMED, Do.NOTHING),
    (State.CALLING, Happening.OVERDUE): (State.DONE, Do.GIVE_UP),
    (State.CALLING, Happening.REPLACED): (State.DONE, Do.TAKE),
    (State.PROCEEDING, Happening.PROVISIONAL): (State.PROCEEDING, Do.TAKE),
    (State.PROCEEDING, Happening.FINAL): (State.DONE, Do.TAKE),
    (State.PROCEEDING, Happening.UNWANTED): (State.CANCELLED, Do.CANCEL),
    (State.PROCEEDING, Happening.OVERDUE): (State.CANCELLED, Do.CANCEL),
    (State.PROCEEDING, Happening.REPLACED): (State.DONE, Do.TAKE),
    (State.DOOMED, Happening.PROVISIONAL): (State.CANCELLED, Do.CANCEL),
    (State.DOOMED, Happening.FINAL): (State.DONE, Do.TAKE),
    (State.DOOMED, Happening.OVERDUE): (State.DONE, Do.GIVE_UP),
    (State.CANCELLED, Happening.FINAL): (State.DONE, Do.TAKE),
    (State.CANCELLED, Happening.OVERDUE): (State.DONE, Do.GIVE_UP),
    # A 2xx comes until it is acknowledged, and others of a fork behind us may follow.
    (State.DONE, Happening.FINAL): (State.DONE, Do.TAKE_LATE),
}


_WAITING = frozenset({State.CALLING, State.PROCEEDING})


class Detour(Protocol):
    """What knows other ways to where a target lies (RFC 3263 §4.3)."""

    @property
    def has_other(self) -> bool:
        """Whether there seems to be another now."""

    @property
    def is_gone(self) -> bool:
        """Whether nobody is there by the last way, as has been found out."""

    @property
    def is_away(self) -> bool:
        """Whether what comes next would find no way at all."""

    def doubt(self) -> None:
        """Find out whether anybody is there by the last way, which is silent."""

    def heard(self) -> None:
        """Hear of a response by the last way."""

    async def after_silence(self, why: str) -> Target | None:
        """Give the next way after one that nobody answers by."""

    async def after_close(self) -> Target | None:
        """Give the next way after one that was closed before there was an answer."""

    async def after_refusal(self, retry_after: float | None) -> Target | None:
        """Give the next way after 503, which may say for how many seconds."""


@attrs.frozen
class Target:
    """
    Where a request may go: the Request-URI and Route of the copy, and the flow it takes.

    ``flow`` is None if none leads there now.  ``name`` is what the flow is called in a
    Record-Route.  ``detour`` knows further ways to a server; ``others`` are further flows
    to a user agent, of which one is tried after the other has failed (RFC 5626 §6).
    """

    uri: str
    flow: Flow | None
    name: str = ""
    routes: tuple[str, ...] = ()
    q: float = 1.0
    detour: Detour | None = None
    others: tuple[Target, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether something can be sent to it now."""
        return self.flow is not None and self.flow.is_open


@attrs.define(eq=False)
class Branch:
    """
    A copy of a request on its way to one target.

    ``until`` is when it is overdue; with each provisional response it is later.
    ``breadth`` is how far it may be forked again.
    """

    target: Target
    breadth: int
    until: float
    state: State = State.CALLING
    #: Whether more than 100 was heard of it, which any server on the way may say.
    has_rung: bool = False

    def happen(self, happening: Happening) -> Do:
        """Move on by one happening.  A pair with no row in the table changes nothing."""
        stay = (self.state, Do.NOTHING)
        self.state, do = _TABLE.get((self.state, happening), stay)
        return do

    @property
    def is_open(self) -> bool:
        """Whether a final response may still come."""
        return self.state is not State.DONE

    @property
    def is_silent(self) -> bool:
        """Whether it is waited for without a word of who is called."""
        return self.state in _WAITING and not self.has_rung
