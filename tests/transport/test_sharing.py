from __future__ import annotations

import pytest
from twisted.internet.defer import CancelledError, Deferred

from presproxy.errors import LimitReached
from presproxy.transport.sharing import Sharing


def results(deferred):
    got = []
    deferred.addBoth(got.append)
    return got


def test_all_who_wait_share_the_work():
    sharing = Sharing("pieces", 10)
    work = Deferred()

    got = [results(sharing.join("a", lambda: work)) for _ in range(3)]
    work.callback("done")

    assert got == [["done"]] * 3
    assert len(sharing) == 0


def test_work_that_ended_begins_anew():
    sharing = Sharing("pieces", 10)
    begun = []

    async def work():
        begun.append("begun")
        return len(begun)

    got = [results(sharing.join("a", work)) for _ in range(2)]

    assert got == [[1], [2]]


def test_all_who_wait_are_told_of_a_failure():
    sharing = Sharing("pieces", 10)
    work = Deferred()
    got = [results(sharing.join("a", lambda: work)) for _ in range(2)]

    work.errback(RuntimeError("no"))

    assert [failure.type for [failure] in got] == [RuntimeError, RuntimeError]


def test_work_that_cannot_begin_is_not_under_way():
    sharing = Sharing("pieces", 10)

    def refuse():
        raise RuntimeError("no")

    [failure] = results(sharing.join("a", refuse))

    assert failure.type is RuntimeError
    assert len(sharing) == 0


def test_who_gives_up_does_not_stop_the_others():
    sharing = Sharing("pieces", 10)
    work = Deferred()
    impatient = sharing.join("a", lambda: work)
    given_up, got = results(impatient), results(sharing.join("a", lambda: work))

    impatient.cancel()
    work.callback("done")

    assert given_up[0].type is CancelledError
    assert got == ["done"]


def test_only_so_much_is_under_way_at_once():
    sharing = Sharing("pieces", 1)
    sharing.join("a", Deferred)

    with pytest.raises(LimitReached, match="at most 1 pieces"):
        sharing.join("b", Deferred)
