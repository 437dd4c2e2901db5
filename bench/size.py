"""How much is measured."""

from __future__ import annotations

import attrs


@attrs.frozen
class Size:
    """So many runs of each row, of so many seconds; and how large the checks are."""

    runs: int
    seconds: float
    warmup: float
    #: Of publications and subscriptions, for their memory.
    grown: int
    #: Seconds until transactions over UDP are forgotten: RFC 3261's Timer J is 32.
    rest: float
    #: At the restart.
    publications: int
    subscriptions: int
    #: Seconds for which more is offered than can be served.
    storm: float
    #: How often a server is killed while it is busy.
    kills: int
    #: Watchers with a contact list each.
    rosters: int


QUICK = Size(
    runs=1,
    seconds=1.0,
    warmup=0.3,
    grown=20_000,
    rest=5.0,
    publications=500,
    subscriptions=5_000,
    storm=10.0,
    kills=3,
    rosters=20,
)

FULL = Size(
    runs=3,
    seconds=2.0,
    warmup=0.5,
    grown=100_000,
    rest=35.0,
    publications=2_000,
    subscriptions=10_000,
    storm=120.0,
    kills=20,
    rosters=100,
)
