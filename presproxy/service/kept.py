"""What is shown of state at servers behind: what is fetched from there and passed there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from presproxy.events.passed import Passed
from presproxy.events.resource import Resources
from presproxy.events.upstream import Shared
from presproxy.http.sight import KeptBehind
from presproxy.service.behind import Aggregate
from presproxy.service.upward import Passing


def kept_behind(
    aggregate: Aggregate | None,
    passing: Passing | None,
    resources: Resources,
    clock: float,
) -> Sequence[KeptBehind]:
    """Give all of it, what is fetched first; ``clock`` is that of alarms."""
    return [*_fetched(aggregate, resources, clock), *_passed(passing, clock)]


def _fetched(
    aggregate: Aggregate | None, resources: Resources, clock: float
) -> Iterator[KeptBehind]:
    if aggregate is None:
        return
    server = str(aggregate.agent.server)
    for each in aggregate.upstream.all():
        yield _fetched_one(each, server, resources, clock)


def _fetched_one(
    shared: Shared, server: str, resources: Resources, clock: float
) -> KeptBehind:
    resource = resources.find(shared.presentity, shared.package)
    told = None if resource is None else resource.fetched
    until = None if shared.held is None else shared.held.confirmed_until
    return KeptBehind(
        shared.presentity,
        shared.package,
        server,
        "fetched",
        shared.held is not None,
        None if until is None else until - clock,
        shared.tries,
        shared.why,
        "" if told is None else told.content_type,
        b"" if told is None else told.body,
    )


def _passed(passing: Passing | None, clock: float) -> Iterator[KeptBehind]:
    for upward in () if passing is None else passing.upwards:
        for each in upward.all():
            yield _passed_one(each, upward.name, clock)


def _passed_one(passed: Passed, server: str, clock: float) -> KeptBehind:
    is_there = passed.entity_tag is not None
    return KeptBehind(
        passed.presentity,
        passed.package,
        server,
        "passed",
        is_there,
        passed.ends_at - clock if is_there else None,
        passed.tries,
        passed.why,
        "" if passed.body is None else passed.body.content_type,
        b"" if passed.body is None else passed.body.numbered(passed.number),
    )
