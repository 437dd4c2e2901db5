"""What is measured: the scenarios, each an operation at saturation."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from bench.servers.server import PASSWORD, Wanted


@attrs.frozen
class Scenario:
    """
    One row of the table.

    The cost told is the server's CPU divided by ``per``: "operations" or "notifies".
    """

    name: str
    title: str
    load: str
    arguments: Sequence[str] = ()
    per: str = "operations"
    transport: str = "udp"
    digest: bool = False
    users: int = 1000

    @property
    def wanted(self) -> Wanted:
        """What it wants of a server."""
        return Wanted(self.transport, self.digest, self.users)

    def command(self, port: int, seconds: float, warmup: float) -> list[str]:
        """Give the driver's arguments."""
        tcp = ["--tcp"] if self.transport == "tcp" else []
        password = ["--password", PASSWORD] if self.digest else []
        return [
            *("--server", f"127.0.0.1:{port}"),
            *("--duration", str(seconds)),
            *("--warmup", str(warmup)),
            *tcp,
            *password,
            *self.arguments,
            self.load,
        ]


#: Many users, each watched by a few; and few who are watched by many.
_MANY = ("--presentities", "1000", "--watchers", "1000", "--window", "32")
_FOUR = ("--presentities", "250", "--watchers", "1000", "--window", "32")
_HUNDRED = ("--presentities", "4", "--watchers", "400", "--window", "4")
_FRESH = ("--presentities", "1000", "--watchers", "200000", "--window", "32")

#: A rate all servers can keep, so that it is their latency that is compared.
_CALM = ("--presentities", "250", "--watchers", "1000", "--rate", "300")

SCENARIOS = (
    Scenario("publish-modify", "PUBLISH, new state", "publish-modify", _MANY),
    Scenario("publish-refresh", "PUBLISH, refresh", "publish-refresh", _MANY),
    Scenario("subscribe", "SUBSCRIBE, new, with its NOTIFY", "subscribe", _FRESH),
    Scenario(
        "resubscribe", "SUBSCRIBE, refresh, with its NOTIFY", "resubscribe", _MANY
    ),
    Scenario("poll", "SUBSCRIBE, fetch, with its NOTIFY", "poll", _MANY),
    Scenario("fanout-4", "PUBLISH with the NOTIFYs to 4 watchers", "fanout", _FOUR),
    Scenario(
        "fanout-100", "NOTIFY to one of 100 watchers", "fanout", _HUNDRED, "notifies"
    ),
    Scenario("mixed", "a mix of all, 300 a second", "mixed", _CALM),
    Scenario(
        "digest", "PUBLISH, new state, Digest", "publish-modify", _MANY, digest=True
    ),
    Scenario(
        "publish-tcp",
        "PUBLISH, new state, TCP",
        "publish-modify",
        _MANY,
        transport="tcp",
    ),
    Scenario(
        "fanout-100-tcp",
        "NOTIFY to one of 100 watchers, TCP",
        "fanout",
        _HUNDRED,
        "notifies",
        transport="tcp",
    ),
)

#: The everyday ones.
QUICK = SCENARIOS[:7]
