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
_FRESH = ("--presentities", "1000", "--watchers", "100000", "--window", "32")

SCENARIOS = (
    Scenario("publish-modify", "PUBLISH, new state", "publish-modify", _MANY),
    Scenario("publish-refresh", "PUBLISH, refresh", "publish-refresh", _MANY),
    Scenario("subscribe", "SUBSCRIBE, new, and its NOTIFY", "subscribe", _FRESH),
    Scenario("resubscribe", "SUBSCRIBE, refresh, and its NOTIFY", "resubscribe", _MANY),
    Scenario("poll", "SUBSCRIBE, fetch, and its NOTIFY", "poll", _MANY),
    Scenario("fanout-4", "PUBLISH and the NOTIFYs to 4 watchers", "fanout", _FOUR),
    Scenario("fanout-100", "NOTIFY, to 100 watchers", "fanout", _HUNDRED, "notifies"),
)
