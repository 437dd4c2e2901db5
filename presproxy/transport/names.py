"""
Asking for names: at once from the hosts file, else from the domain name system.

Bounded in time and number, remembered for as long as the records say, and never louder
than "nobody knows".
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from socket import AF_INET, AF_INET6, inet_ntop
from typing import Any

import attrs
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.defer import TimeoutError as GaveUp
from twisted.internet.interfaces import IReactorTime, IResolver
from twisted.names import client, dns, hosts
from twisted.names.error import (
    AuthoritativeDomainError,
    DNSNameError,
    DNSQueryTimeoutError,
    DomainError,
    ResolverError,
)

from presproxy.transport.sharing import Sharing, together

#: Seconds between the questions to one server, and for an answer at all.  Three
#: questions may follow one another (NAPTR, SRV, A), and a transaction lasts 32 seconds.
_RETRY = (1, 2)
_PATIENCE = 3.0
#: Questions asked at once, answers remembered, and the bounds of their lives in seconds:
#: a burst to one peer asks once, a change is seen after five minutes.
_ASKED = 200
_REMEMBERED = 2_000
_SHORTEST, _LONGEST, _NOTHING = 5.0, 300.0, 10.0

#: What the resolvers of Twisted fail with.
_FAILURES = (
    DomainError,
    AuthoritativeDomainError,
    ResolverError,
    DNSQueryTimeoutError,
    GaveUp,
    CancelledError,
    NotImplementedError,
    OSError,
)

#: Stands where a type of record would, for what the hosts file says.
_IN_HOSTS = 0

_METHODS = {
    dns.A: "lookupAddress",
    dns.AAAA: "lookupIPV6Address",
    dns.SRV: "lookupService",
    dns.NAPTR: "lookupNamingAuthorityPointer",
}


@attrs.frozen
class Service:
    """What an SRV record says (RFC 2782)."""

    priority: int
    weight: int
    port: int
    target: str


@attrs.frozen
class Pointer:
    """What a NAPTR record says (RFC 3403 §4.1)."""

    order: int
    preference: int
    flags: str
    service: str
    replacement: str


@attrs.frozen
class _Answer:
    """Records, and until when they may be used; ``why`` there are none."""

    records: tuple[Any, ...]
    until: float
    why: str = ""


class Names:
    """
    What is known of names.

    ``resolver`` is made from the system's settings when first needed if none is given;
    ``hosts_file`` is asked before it, and what it knows needs no resolver.
    """

    def __init__(
        self,
        reactor: Any,  # a clock, and what twisted.names wants of a reactor
        resolver: IResolver | None = None,
        hosts_file: bytes | None = b"/etc/hosts",
    ) -> None:
        self._reactor = reactor
        self._clock: IReactorTime = reactor
        self._resolver = resolver
        self._hosts: IResolver | None = None
        if hosts_file is not None:
            self._hosts = hosts.Resolver(hosts_file)
        self._known: OrderedDict[tuple[int, str], _Answer] = OrderedDict()
        self._asking: Sharing[tuple[int, str], _Answer] = Sharing(
            "names asked for at once", _ASKED
        )

    async def in_hosts(self, name: str) -> Sequence[str]:
        """Give the addresses which the hosts file has for a name, IPv4 first."""
        if name == "localhost" or name.endswith(".localhost"):
            # RFC 6761 §6.3: never asked of anybody.
            return ("127.0.0.1", "::1")
        if self._hosts is None or not is_domain(name):
            return ()
        key = (_IN_HOSTS, name.lower())
        known = self._known.get(key)
        if known is None or self._clock.seconds() >= known.until:
            found = [*await self._read_hosts(dns.A, name)]
            found += await self._read_hosts(dns.AAAA, name)
            known = _Answer(tuple(found), self._clock.seconds() + _NOTHING)
            self._remember(key, known)
        return known.records

    async def addresses(self, name: str) -> tuple[Sequence[str], str]:
        """Give the addresses of a name, IPv4 first; or why there are none."""
        answers = await together(self._ask(kind, name) for kind in (dns.A, dns.AAAA))
        found = _addresses(record for each in answers for record in each.records)
        return found, answers[0].why or answers[1].why

    async def services(self, name: str) -> Sequence[Service]:
        """Give the SRV records of a name."""
        return [
            Service(
                record.priority, record.weight, record.port, _text(record.target.name)
            )
            for record in (await self._ask(dns.SRV, name)).records
        ]

    async def pointers(self, name: str) -> Sequence[Pointer]:
        """Give the NAPTR records of a name."""
        return [
            Pointer(
                record.order,
                record.preference,
                _text(record.flags.string).lower(),
                _text(record.service.string).upper(),
                _text(record.replacement.name),
            )
            for record in (await self._ask(dns.NAPTR, name)).records
        ]

    # --- Within

    async def _read_hosts(self, kind: int, name: str) -> Sequence[str]:
        try:
            answers, _, _ = await getattr(self._hosts, _METHODS[kind])(name)
        except _FAILURES:
            return ()
        return _addresses(answer.payload for answer in answers)

    async def _ask(self, kind: int, name: str) -> _Answer:
        if not is_domain(name):
            return _Answer((), 0.0, "it is no domain name")
        key = (kind, name.lower().rstrip("."))
        known = self._known.get(key)
        if known is not None and self._clock.seconds() < known.until:
            return known
        return await self._asking.join(key, lambda: self._look_up(key))

    async def _look_up(self, key: tuple[int, str]) -> _Answer:
        kind, name = key
        now = self._clock.seconds
        try:
            asked: Deferred[Any] = self._ask_resolver(kind, name)
            answers, _, _ = await asked.addTimeout(_PATIENCE, self._clock)
        except _FAILURES as error:
            answer = _Answer((), now() + _NOTHING, _why(error))
        else:
            mine = [each for each in answers if each.type == kind]
            life = min((each.ttl for each in mine), default=_NOTHING)
            records = tuple(each.payload for each in mine)
            until = now() + min(max(life, _SHORTEST), _LONGEST)
            answer = _Answer(records, until, "" if mine else "it has no address")
        self._remember(key, answer)
        return answer

    def _ask_resolver(self, kind: int, name: str) -> Deferred[Any]:
        if self._resolver is None:
            self._resolver = client.Resolver(
                resolv="/etc/resolv.conf", reactor=self._reactor
            )
        ask: Callable[..., Deferred[Any]] = getattr(self._resolver, _METHODS[kind])
        return ask(name, _RETRY)

    def _remember(self, key: tuple[int, str], answer: _Answer) -> None:
        self._known[key] = answer
        self._known.move_to_end(key)
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)


def is_domain(name: str) -> bool:
    """Whether a name can be asked for at all (RFC 1035 §2.3.4)."""
    labels = name.removesuffix(".").split(".")
    return (
        name.isascii()
        and len(name) <= 253
        and all(0 < len(label) <= 63 for label in labels)
    )


def _addresses(records: Iterable[Any]) -> list[str]:
    written: list[str] = []
    for record in records:
        if record.TYPE == dns.A:
            written.append(inet_ntop(AF_INET, record.address))
        elif record.TYPE == dns.AAAA:
            written.append(inet_ntop(AF_INET6, record.address))
    return written


def _text(data: bytes) -> str:
    return data.decode("ascii", "replace")


def _why(error: BaseException) -> str:
    if isinstance(error, DNSNameError):
        return "there is no such name"
    if isinstance(error, (GaveUp, DNSQueryTimeoutError, CancelledError)):
        return "no name server answered"
    return "the name server cannot say"
