"""
The response context: what becomes of the responses to all copies of a request.

RFC 3261 §16.7 to §16.10, with RFC 4320 for what is no INVITE and RFC 5393 for how wide a
request may be forked.  It knows neither flows nor transactions nor clocks: it is told what
came of a branch, and answers what is to be done, in order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

import attrs

from presproxy.proxying.branches import Branch, Do, Happening, Target
from presproxy.proxying.inspect import NotForwarded
from presproxy.sip.message import Response

#: Seconds without a word before an INVITE is given up: timer C, which has to be longer
#: than three minutes (RFC 3261 §16.6 step 11).
TIMER_C = 181.0

#: Seconds for the final response after a CANCEL (64 * T1, RFC 3261 §9.1).
_CANCELLED = 32.0

#: These say how to do better next time, and go before others (RFC 3261 §16.7 step 6).
_TELLING = frozenset({401, 407, 415, 420, 484})
_CHALLENGES = frozenset({401, 407})
_CHALLENGING = ("WWW-Authenticate", "Proxy-Authenticate")


@attrs.frozen
class Open:
    """Pass the request on to the branch's target."""

    branch: Branch


@attrs.frozen
class Cancel:
    """Send CANCEL by the branch."""

    branch: Branch


@attrs.frozen
class PassBack:
    """Pass a response back, with ``more`` fields."""

    response: Response
    more: tuple[tuple[str, str], ...] = ()


@attrs.frozen
class Respond:
    """Send a final response of our own."""

    status: int


@attrs.frozen
class KeepSilent:
    """
    There will be no final response.

    Nobody answered in time, and one to a request that is no INVITE would come after its
    sender gave up (RFC 4320 §4.2).
    """


Act = Open | Cancel | PassBack | Respond | KeepSilent


@attrs.frozen
class _Final:
    """
    A final response of a branch; ``response`` is None if it is ours.

    With ``is_lasting`` whatever is asked next will be refused alike.
    """

    status: int
    response: Response | None = None
    is_lasting: bool = False

    @property
    def rank(self) -> tuple[int, int]:
        """The less, the better (§16.7 step 6); of two alike the first that came is taken."""
        if self.status >= 600:
            return 0, 0
        if self.response is None:
            # What somebody said tells more than that nobody said anything.
            return self.status // 100, 3
        if self.status in _TELLING:
            return self.status // 100, 1
        return self.status // 100, 2


class Context:
    """
    One request that is passed on.

    The targets are tried in the order of their q, those of equal q at once; at most
    ``breadth`` of them.
    """

    def __init__(
        self, is_invite: bool, targets: Iterable[Target], breadth: int
    ) -> None:
        ordered = sorted(targets, key=lambda each: -each.q)
        #: Those not tried yet, the next ones last.
        self._groups = [list(each) for _, each in groupby(ordered, lambda each: each.q)]
        self._groups.reverse()
        if any(len(each) > breadth for each in self._groups):
            raise NotForwarded(440)
        self._is_invite = is_invite
        self._breadth = breadth
        self._finals: list[_Final] = []
        self.branches: list[Branch] = []
        #: Whether a final response was sent, or never will be.
        self.is_answered = False
        self.is_cancelled = False

    @property
    def is_over(self) -> bool:
        """Whether nothing is waited for any more."""
        return self.is_answered and not any(each.is_open for each in self.branches)

    # -- What is told it -------------------------------------------------------------

    def begin(self, now: float) -> list[Act]:
        """Pass the request on to the first targets."""
        return self._go_on(now)

    def provisional(self, branch: Branch, response: Response, now: float) -> list[Act]:
        """A provisional response came (§16.7 steps 2 and 5)."""
        do = branch.happen(Happening.PROVISIONAL)
        if do is Do.CANCEL:
            return [self._cancel(branch, now)]
        if do is not Do.TAKE or response.status == 100:
            return []
        branch.has_rung = True
        branch.until = now + TIMER_C
        # RFC 4320 §4.1: nothing but 100 to what is no INVITE.
        if self.is_answered or not self._is_invite:
            return []
        return [PassBack(response)]

    def final(self, branch: Branch, response: Response, now: float) -> list[Act]:
        """A final response came."""
        do = branch.happen(Happening.FINAL)
        if response.status < 300:
            return self._accepted(response, now)
        if do is not Do.TAKE:
            return []
        return self._refused(_Final(response.status, response), now)

    def fail(
        self, branch: Branch, status: int, now: float, *, is_lasting: bool = False
    ) -> list[Act]:
        """
        No response will come by a branch: behave as if ``status`` had (§16.8, §16.9).

        A 503 is told as one only if it ``is_lasting``.
        """
        if branch.happen(Happening.FINAL) is not Do.TAKE:
            return []
        return self._refused(_Final(status, is_lasting=is_lasting), now)

    def move_on(self, branch: Branch, target: Target, now: float) -> list[Act]:
        """
        Try another way instead of a branch (RFC 3263 §4.3).

        Gives nothing to do if nobody wants that any more.
        """
        if branch.happen(Happening.REPLACED) is not Do.TAKE:
            return []
        other = Branch(target, branch.breadth, now + TIMER_C)
        self.branches.append(other)
        return [Open(other)]

    def overdue(self, branch: Branch, now: float) -> list[Act]:
        """The time of a branch is over: timer C, or that of a CANCEL (§16.8)."""
        if not self._is_invite:
            return self.fail(branch, 408, now)
        do = branch.happen(Happening.OVERDUE)
        if do is Do.CANCEL:
            return [self._cancel(branch, now)]
        if do is Do.GIVE_UP:
            return self._refused(_Final(408), now)
        return []

    def cancel(self, now: float) -> list[Act]:
        """Whoever asked wants no answer any more (§16.10)."""
        self.is_cancelled = True
        return self._end(now)

    # -- What follows ----------------------------------------------------------------

    def _accepted(self, response: Response, now: float) -> list[Act]:
        """
        Pass a 2xx back at once (§16.7 step 5), and end the other branches (step 10).

        Each 2xx to an INVITE is passed back, for each makes a dialog; of others the first.
        """
        acts: list[Act] = []
        if self._is_invite or not self.is_answered:
            acts.append(PassBack(response))
        self.is_answered = True
        return acts + self._end(now)

    def _refused(self, final: _Final, now: float) -> list[Act]:
        self._finals.append(final)
        acts = self._end(now) if final.status >= 600 else []
        if any(each.is_open for each in self.branches):
            return acts
        return acts + self._go_on(now)

    def _go_on(self, now: float) -> list[Act]:
        """Try the next targets; when there are none, give the best response."""
        if self.is_answered:
            return []
        if not self._groups:
            self.is_answered = True
            return [self._best()]
        group = self._groups.pop()
        until = now + TIMER_C
        # All of them together may fork no wider than the request may (RFC 5393 §5.3.3).
        share, rest = divmod(self._breadth, len(group))
        opened = [
            Branch(target, share + (number < rest), until)
            for number, target in enumerate(group)
        ]
        self.branches += opened
        return [Open(branch) for branch in opened]

    def _end(self, now: float) -> list[Act]:
        """Want no response of what is open, and try no more."""
        self._groups.clear()
        acts: list[Act] = [
            self._cancel(branch, now)
            for branch in self.branches
            if self._is_invite and branch.happen(Happening.UNWANTED) is Do.CANCEL
        ]
        return acts

    def _cancel(self, branch: Branch, now: float) -> Act:
        branch.until = now + _CANCELLED
        return Cancel(branch)

    def _best(self) -> Act:
        """Choose the response (§16.7 steps 6 and 7)."""
        best = min(self._finals, key=lambda each: each.rank, default=_Final(480))
        if best.response is None:
            return self._own(best)
        if best.status == 503:
            # That one cannot now does not mean that we cannot.
            return Respond(500)
        if best.status in _CHALLENGES:
            return PassBack(best.response, self._other_challenges(best))
        return PassBack(best.response)

    def _own(self, final: _Final) -> Act:
        status = final.status
        if self.is_cancelled and status == 408:
            return Respond(487)
        if status == 408 and not self._is_invite:
            return KeepSilent()
        return Respond(500 if status == 503 and not final.is_lasting else status)

    def _other_challenges(self, best: _Final) -> tuple[tuple[str, str], ...]:
        """Give the challenges of the other branches, which go along (§16.7 step 7)."""
        others: Sequence[Response] = [
            each.response
            for each in self._finals
            if each.response is not None
            and each.status in _CHALLENGES
            and each is not best
        ]
        return tuple(
            (name, value)
            for response in others
            for name in _CHALLENGING
            for value in response.get_all(name.lower())
        )
