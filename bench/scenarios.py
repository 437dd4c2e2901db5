"""What is measured: the scenarios, each an operation at saturation."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from bench.servers.server import PASSWORD, Server, Wanted

#: What presproxy's cost is held against, each a title of a column: durable against
#: Kamailio's fastest, and against Kamailio where it, too, keeps what it has answered.
TO_MEMORY = "durable to in memory"
TO_DURABLE = "both durable"

#: Below a fifth of Kamailio's cost where both are durable, in every row.
_FIFTH = 0.2


@attrs.frozen
class Goal:
    """
    A ratio that presproxy's cost, with everything on the disk, is to keep.

    ``to`` is `TO_MEMORY`, `TO_DURABLE`, or the name of another scenario: then both costs
    are our own.
    """

    to: str
    at_most: float


@attrs.frozen
class Scenario:
    """
    One row of the table.

    The cost told is the server's CPU divided by ``per``: "operations" or "notifies".
    ``family`` names whose servers can do it; all can when it is None.
    """

    name: str
    title: str
    load: str
    arguments: Sequence[str] = ()
    per: str = "operations"
    transport: str = "udp"
    digest: bool = False
    users: int = 1000
    family: str | None = None
    #: Whether it is of calls that go through, and whether the users it asks for are at a
    #: server behind the one that is measured.
    relays: bool = False
    behind: bool = False
    #: How many subscriptions there may be at the server behind, all watchers together.
    shared: int | None = None
    goals: Sequence[Goal] = ()

    @property
    def wanted(self) -> Wanted:
        """What it wants of a server."""
        return Wanted(
            self.transport, self.digest, self.users, relays=self.relays or self.behind
        )

    def is_for(self, server: Server) -> bool:
        """Whether a server can do it at all."""
        return self.family in (None, server.family)

    def command(
        self, port: int, seconds: float, warmup: float, behind: int = 0
    ) -> list[str]:
        """Give the driver's arguments; ``behind`` is the port of the server behind."""
        elsewhere = ["--behind", f"127.0.0.1:{behind}"] if behind else []
        tcp = ["--tcp"] if self.transport == "tcp" else []
        password = ["--password", PASSWORD] if self.digest else []
        return [
            *("--server", f"127.0.0.1:{port}"),
            *("--duration", str(seconds)),
            *("--warmup", str(warmup)),
            *elsewhere,
            *tcp,
            *password,
            *self.arguments,
            self.load,
        ]


def _held(at_most: float) -> tuple[Goal, ...]:
    """Hold a row against Kamailio: in memory, and durable."""
    return Goal(TO_MEMORY, at_most), Goal(TO_DURABLE, _FIFTH)


def _over_tcp(scenario: Scenario) -> Scenario:
    return attrs.evolve(
        scenario,
        name=f"{scenario.name}-tcp",
        title=f"{scenario.title}, TCP",
        transport="tcp",
    )


def _with_digest(scenario: Scenario, title: str, users: int) -> Scenario:
    return attrs.evolve(
        scenario,
        name=f"{scenario.name}-digest",
        title=title,
        digest=True,
        users=users,
        goals=_held(1.2),
    )


def population(
    presentities: int, watchers: int, window: int, ways: int | None = None
) -> tuple[str, ...]:
    """Say who is there, and how many operations are under way, on how many sockets."""
    return (
        *("--presentities", str(presentities), "--watchers", str(watchers)),
        *("--window", str(window)),
        *(("--ways", str(ways)) if ways else ()),
    )


#: Many users, each watched by a few; and few who are watched by many.  These have several
#: sockets, so that the NOTIFYs of all that is under way find room in their buffers.
_MANY = population(1000, 1000, 32)
_FOUR = population(250, 1000, 32)
_TEN = population(100, 1000, 32, 8)
_HUNDRED = population(4, 400, 4, 8)
_THOUSAND = population(2, 2000, 2, 16)
_FRESH = population(1000, 200_000, 32)

#: Users who have to be known by a password, and subscribe once.
_KNOWN = 20_000

#: A rate all servers can keep, so that it is their latency that is compared.
_CALM = ("--presentities", "250", "--watchers", "1000", "--rate", "300")

_MODIFY = Scenario(
    "publish-modify", "PUBLISH, new state", "publish-modify", _MANY, goals=_held(1.0)
)
_REFRESH = Scenario(
    "publish-refresh", "PUBLISH, refresh", "publish-refresh", _MANY, goals=_held(1.0)
)
_SUBSCRIBE = Scenario(
    "subscribe",
    "SUBSCRIBE, new, with its NOTIFY",
    "subscribe",
    _FRESH,
    goals=_held(0.8),
)
_RESUBSCRIBE = Scenario(
    "resubscribe",
    "SUBSCRIBE, refresh, with its NOTIFY",
    "resubscribe",
    _MANY,
    goals=_held(0.7),
)
_POLL = Scenario(
    "poll", "SUBSCRIBE, fetch, with its NOTIFY", "poll", _MANY, goals=_held(0.7)
)
_FANOUT_4 = Scenario(
    "fanout-4", "PUBLISH with the NOTIFYs to 4 watchers", "fanout", _FOUR
)
_FANOUT_10, _FANOUT_100, _FANOUT_1000 = (
    Scenario(
        f"fanout-{count}",
        f"NOTIFY to one of {count:,} watchers",
        "fanout",
        people,
        "notifies",
        goals=_held(0.7),
    )
    for count, people in ((10, _TEN), (100, _HUNDRED), (1000, _THOUSAND))
)
_BENOTIFY_100 = attrs.evolve(
    _FANOUT_100,
    name="benotify-100",
    title="BENOTIFY to one of 100 watchers",
    arguments=(*_HUNDRED, "--benotify"),
    family="presproxy",
    goals=(Goal(_FANOUT_100.name, 0.6),),
)
_TO_BEHIND = attrs.evolve(
    _FANOUT_1000,
    name="fanout-1000-behind",
    title="NOTIFY to one of 1,000 watchers, of a change at the server behind",
    family="presproxy",
    behind=True,
    shared=2,
    goals=(Goal(_FANOUT_1000.name, 1.1),),
)
_CALL = Scenario(
    "call",
    "INVITE, ringing, 200, ACK, BYE, passed on to a contact",
    "call",
    _MANY,
    relays=True,
    goals=(Goal(TO_MEMORY, 2.0),),
)
_CALL_BEHIND = attrs.evolve(
    _CALL,
    name="call-behind",
    title="INVITE, ringing, 200, ACK, BYE, passed on to a server behind",
    behind=True,
)
_MIXED = Scenario("mixed", "a mix of all, 300 a second", "mixed", _CALM)

SCENARIOS = (
    _MODIFY,
    _REFRESH,
    _SUBSCRIBE,
    _RESUBSCRIBE,
    _POLL,
    _FANOUT_4,
    _FANOUT_10,
    _FANOUT_100,
    _FANOUT_1000,
    _BENOTIFY_100,
    _TO_BEHIND,
    _CALL,
    _CALL_BEHIND,
    _MIXED,
    _with_digest(_MODIFY, "PUBLISH, new state, Digest", 1000),
    _with_digest(
        attrs.evolve(_SUBSCRIBE, arguments=population(1000, _KNOWN, 32)),
        "SUBSCRIBE, new, with its NOTIFY, challenged first, Digest",
        _KNOWN,
    ),
    _with_digest(_RESUBSCRIBE, "SUBSCRIBE, refresh, with its NOTIFY, Digest", 1000),
    *(
        _over_tcp(one)
        for one in (
            *(_MODIFY, _REFRESH, _SUBSCRIBE, _RESUBSCRIBE, _POLL, _FANOUT_100),
            *(_CALL, _CALL_BEHIND),
        )
    ),
)

#: The everyday ones.
QUICK = (
    *(_MODIFY, _REFRESH, _SUBSCRIBE, _RESUBSCRIBE, _POLL),
    *(_FANOUT_4, _FANOUT_100),
)
