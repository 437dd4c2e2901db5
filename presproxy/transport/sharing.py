"""One piece of work that many wait for, and many pieces that one waits for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Hashable, Iterable
from typing import Any, Generic, TypeVar

from twisted.internet.defer import Deferred, FirstError, gatherResults
from twisted.python.failure import Failure

from presproxy.errors import LimitReached

Key = TypeVar("Key", bound=Hashable)
T = TypeVar("T")


async def together(work: Iterable[Coroutine[Deferred[Any], Any, T]]) -> list[T]:
    """Wait for all of it at once; raises what the first to fail raised."""
    begun = [Deferred.fromCoroutine(each) for each in work]
    try:
        return await gatherResults(begun, consumeErrors=True)
    except FirstError as first:
        first.subFailure.raiseException()


class Sharing(Generic[Key, T]):
    """
    Work under way, each piece by its key.

    Whoever asks for what is under way waits for that; one who gives up waiting does not
    stop it for the others.  At most ``limit`` pieces are under way at once; ``what``
    they are is said by the `LimitReached` raised then.
    """

    def __init__(self, what: str, limit: int) -> None:
        self._what = what
        self._limit = limit
        self._waiting: dict[Key, list[Deferred[T]]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def join(self, key: Key, begin: Callable[[], Awaitable[T]]) -> Deferred[T]:
        """Wait for the work named ``key``, which is begun if it is not under way."""
        waiting = self._waiting.get(key)
        mine: Deferred[T] = Deferred(lambda gone: self._leave(key, gone))
        if waiting is not None:
            waiting.append(mine)
            return mine
        if len(self._waiting) >= self._limit:
            raise LimitReached(self._what, self._limit)
        self._waiting[key] = [mine]
        Deferred.fromCoroutine(_awaiting(begin)).addBoth(self._finish, key)
        return mine

    def _leave(self, key: Key, gone: Deferred[T]) -> None:
        waiting = self._waiting.get(key, [])
        if gone in waiting:
            waiting.remove(gone)

    def _finish(self, result: T | Failure, key: Key) -> None:
        for waiting in self._waiting.pop(key):
            if isinstance(result, Failure):
                waiting.errback(result)
            else:
                waiting.callback(result)


async def _awaiting(begin: Callable[[], Awaitable[T]]) -> T:
    return await begin()
