"""
Soft state held at the server by refreshing it in time.

What a registration, a publication and a subscription have in common on the user agent's
side: an interval granted, the moment to ask again, and what to do when that fails.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import attrs
from twisted.internet.defer import Deferred, DeferredLock
from twisted.logger import Logger

from presproxy.errors import PresproxyError
from presproxy.sip.message import Response
from presproxy.useragent.alarms import Alarm
from presproxy.useragent.errors import BadAnswer, NoAnswer, Refused

_log = Logger()

T = TypeVar("T")

#: The share of the granted interval after which to refresh, as baresip and Linphone do.
REFRESH_AT = 0.9
#: Seconds between tries while the server does not answer: doubled from the first to the
#: last of these.  Chosen.
_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 60.0


@attrs.define(eq=False)
class Turns:
    """One thing after another."""

    _lock: DeferredLock = attrs.field(factory=DeferredLock)

    async def take(self, do: Callable[[], Awaitable[T]]) -> T:
        """Do it when all before it is done."""
        await self._lock.acquire()
        try:
            return await do()
        finally:
            self._lock.release()


@attrs.define(eq=False)
class Holder:
    """
    Calls ``refresh`` in time, again and again.

    A refresh which fails in passing is tried again; ``lost`` is told when one fails for
    good.
    """

    alarm: Alarm
    refresh: Callable[[], Awaitable[object]]
    lost: Callable[[PresproxyError], None]
    turns: Turns = attrs.field(factory=Turns)
    _pause: float = _FIRST_PAUSE

    def hold(self, granted: float) -> None:
        """Refresh before ``granted`` seconds are over."""
        self._pause = _FIRST_PAUSE
        self.alarm.set(granted * REFRESH_AT, self._due)

    def hurry(self, more: float = 0.0) -> None:
        """Refresh as soon as it makes sense: whatever broke may need a moment, or more."""
        self.alarm.set(_FIRST_PAUSE + more, self._due)

    def let_go(self) -> None:
        """Refresh no more."""
        self.alarm.clear()

    def _due(self) -> None:
        Deferred.fromCoroutine(self._refresh()).addErrback(
            lambda failure: _log.failure("a refresh broke", failure)
        )

    async def _refresh(self) -> None:
        try:
            await self.refresh()
        except NoAnswer as error:
            self._again(error, None)
        except Refused as error:
            if error.may_pass:
                self._again(error, error.retry_after)
            else:
                self.lost(error)
        except PresproxyError as error:
            self.lost(error)

    def _again(self, error: PresproxyError, retry_after: int | None) -> None:
        pause = max(self._pause, retry_after or 0)
        _log.warn("{error}; asking again in {pause:g} s", error=error, pause=pause)
        self._pause = min(self._pause * 2, _LONGEST_PAUSE)
        self.alarm.set(pause, self._due)


def accept(method: str, response: Response) -> Response:
    """Give back a 2xx.  Raises `Refused` for any other."""
    if 200 <= response.status < 300:
        return response
    raise Refused(
        method,
        response.status,
        response.reason,
        retry_after=_seconds(response.get("retry-after")),
        minimum=_seconds(response.get("min-expires")),
    )


def longer(response: Response, asked: int) -> int | None:
    """Say how long a 423 wants it to be, None if there is nothing to obey."""
    minimum = _seconds(response.get("min-expires"))
    if response.status != 423 or minimum is None or minimum <= asked:
        return None
    return minimum


def granted(method: str, response: Response, asked: int) -> int:
    """
    Say how many seconds a 2xx grants.

    Raises `BadAnswer` if it does not say, although RFC 3903 §6 and RFC 6665 §4.2.1.1
    want it to, unless the end was asked for.
    """
    expires = response.expires
    if expires is None:
        if asked == 0:
            return 0
        raise BadAnswer(method, "it names no Expires")
    return expires


def _seconds(value: str | None) -> int | None:
    """Read the number a Retry-After or Min-Expires begins with (RFC 3261 §20.33)."""
    digits = "" if value is None else value.strip().split(";")[0].split("(")[0].strip()
    return int(digits) if digits.isdecimal() else None
