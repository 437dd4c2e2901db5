from __future__ import annotations

import itertools

import attrs
import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.names import client, dns, server
from twisted.names.authority import FileAuthority
from twisted.names.error import DNSNameError, DNSServerError

from presproxy.errors import LimitReached
from presproxy.transport.hop import Hop, Unreachable
from presproxy.transport.locate import Locator, in_order
from presproxy.transport.names import Names, Service

TYPES = {
    "lookupAddress": dns.A,
    "lookupIPV6Address": dns.AAAA,
    "lookupService": dns.SRV,
    "lookupNamingAuthorityPointer": dns.NAPTR,
}


@attrs.define(eq=False)
class Zone:
    """A resolver which knows what it was given, and what it was asked."""

    records: dict[str, list] = attrs.field(factory=dict)
    ttl: int = 60
    asked: list[tuple[str, int]] = attrs.field(factory=list)
    is_dead: bool = False

    def __getattr__(self, method):
        kind = TYPES[method]

        def look_up(name, timeout=None):
            self.asked.append((name, kind))
            if self.is_dead:
                return Deferred()
            if name not in self.records:
                return fail(DNSNameError())
            found = [each for each in self.records[name] if kind == each.TYPE]
            answers = [dns.RRHeader(name, kind, 1, self.ttl, each) for each in found]
            return succeed((answers, [], []))

        return look_up


def a(address):
    return dns.Record_A(address)


def aaaa(address):
    return dns.Record_AAAA(address)


def srv(priority, weight, port, target):
    return dns.Record_SRV(priority, weight, port, target)


def naptr(order, preference, service, replacement, flags=b"s"):
    return dns.Record_NAPTR(order, preference, flags, service, b"", replacement)


ZONE = {
    "one.test": [a("192.0.2.1"), aaaa("2001:db8::1")],
    "plain.test": [a("192.0.2.2")],
    "served.test": [a("192.0.2.3")],
    "_sip._udp.served.test": [srv(10, 1, 5070, "one.test")],
    "_sip._tcp.served.test": [
        srv(20, 1, 5082, "plain.test"),
        srv(10, 1, 5080, "plain.test"),
    ],
    "pointed.test": [
        naptr(20, 1, b"SIP+D2U", "_sip._udp.served.test"),
        naptr(10, 2, b"SIP+D2T", "_sip._tcp.served.test"),
        naptr(10, 1, b"SIPS+D2T", "_sips._tcp.served.test"),
        naptr(5, 1, b"SIP+D2U", "nowhere.test", flags=b"u"),
        naptr(5, 1, b"E2U+sip", "nowhere.test", flags=b"u"),
    ],
    "tcp-only.test": [a("192.0.2.4")],
    "_sip._udp.tcp-only.test": [srv(0, 0, 0, "")],
    "_sip._tcp.tcp-only.test": [srv(0, 0, 5060, "plain.test")],
    "_sip._tcp.plain.test": [srv(0, 0, 0, "")],
    "_sips._tcp.secure.test": [srv(0, 0, 5443, "one.test")],
    "secure.test": [a("192.0.2.6")],
    "group.test": [a("224.0.0.1"), a("0.0.0.0"), aaaa("ff02::1")],
    "half.test": [a("0.0.0.0"), a("192.0.2.5")],
}


@pytest.fixture
def zone():
    return Zone(dict(ZONE))


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def locator(zone, clock, tmp_path):
    hosts = tmp_path / "hosts"
    hosts.write_text("192.0.2.77 own.test own\n2001:db8::77 own.test\n")
    names = Names(clock, zone, str(hosts).encode())
    return Locator(names, random=lambda: 0.0)


def outcome(awaitable):
    """What came of something that has not to wait."""
    got = []
    Deferred.fromCoroutine(awaitable).addBoth(got.append)
    [result] = got
    return result


def locate(locator, target, *transports):
    result = outcome(locator.locate(target, transports or ("udp", "tcp")))
    if hasattr(result, "value"):
        raise result.value
    return [str(hop) for hop in result]


@pytest.mark.parametrize(
    ("target", "hops"),
    [
        ("sip:192.0.2.1", ["udp:192.0.2.1:5060"]),
        ("sip:alice@192.0.2.1:5070", ["udp:192.0.2.1:5070"]),
        ("sip:192.0.2.1;transport=TCP", ["tcp:192.0.2.1:5060"]),
        ("sip:[2001:db8::1]:5070;transport=udp", ["udp:[2001:db8::1]:5070"]),
        ("sip:[::ffff:192.0.2.1]", ["udp:192.0.2.1:5060"]),
        ("sip:alice@nowhere.test;maddr=192.0.2.1", ["udp:192.0.2.1:5060"]),
        ("sip:192.0.2.9:5070;maddr=[2001:db8::1]", ["udp:[2001:db8::1]:5070"]),
        ("sip:localhost", ["udp:127.0.0.1:5060", "udp:[::1]:5060"]),
        ("sip:a.localhost:80", ["udp:127.0.0.1:80", "udp:[::1]:80"]),
        ("sip:own.test", ["udp:192.0.2.77:5060", "udp:[2001:db8::77]:5060"]),
        ("sip:OWN:5061;transport=tcp", ["tcp:192.0.2.77:5061"]),
        ("sip:one.test:5061", ["udp:192.0.2.1:5061", "udp:[2001:db8::1]:5061"]),
        ("sip:served.test:5060", ["udp:192.0.2.3:5060"]),
        ("sip:plain.test", ["udp:192.0.2.2:5060"]),
        ("sip:plain.test.", ["udp:192.0.2.2:5060"]),
        ("sip:half.test;transport=tcp", ["tcp:192.0.2.5:5060"]),
        ("sip:served.test", ["udp:192.0.2.1:5070", "udp:[2001:db8::1]:5070"]),
        (
            "sip:served.test;transport=tcp",
            ["tcp:192.0.2.2:5080", "tcp:192.0.2.2:5082"],
        ),
        ("sip:pointed.test", ["tcp:192.0.2.2:5080", "tcp:192.0.2.2:5082"]),
        ("sip:tcp-only.test", ["tcp:192.0.2.2:5060"]),
        ("sip:half.test", ["udp:192.0.2.5:5060"]),
    ],
)
def test_a_uri_leads_to_hops(target, hops, locator):
    assert locate(locator, target) == hops


@pytest.mark.parametrize(
    ("target", "address", "port", "name"),
    [
        ("sips:secure.test", "192.0.2.1", 5443, "secure.test"),
        ("sip:secure.test;transport=tls", "192.0.2.1", 5443, "secure.test"),
        ("sip:bob@pointed.test", "192.0.2.1", 5443, "pointed.test"),
        ("sips:Plain.test", "192.0.2.2", 5061, "plain.test"),
        ("sips:plain.test:5099", "192.0.2.2", 5099, "plain.test"),
        ("sips:192.0.2.9", "192.0.2.9", 5061, "192.0.2.9"),
        ("sips:[2001:db8::9]", "2001:db8::9", 5061, "2001:db8::9"),
    ],
)
def test_who_is_called_by_tls_has_to_prove_what_was_looked_for(
    target, address, port, name, locator, zone
):
    zone.records["_sips._tcp.served.test"] = zone.records["_sips._tcp.secure.test"]

    found = outcome(locator.locate(target, ("udp", "tcp", "tls")))

    assert found[0] == Hop("tls", address, port, name)


def test_only_transports_that_are_there_are_taken(locator):
    assert locate(locator, "sip:192.0.2.1", "tcp") == ["tcp:192.0.2.1:5060"]
    assert locate(locator, "sip:pointed.test", "udp")[0] == "udp:192.0.2.1:5070"
    with pytest.raises(Unreachable, match="there is no socket for udp"):
        locate(locator, "sip:192.0.2.1;transport=udp", "tcp")


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("sips:example.test", "there is no socket for tls"),
        ("sip:192.0.2.1;transport=tls", "there is no socket for tls"),
        ("sip:x.invalid;transport=ws", "there is no socket for ws"),
        ("sips:192.0.2.1;transport=ws", "there is no socket for wss"),
        ("sip:192.0.2.1;transport=sctp", "'sctp' is not known"),
        ("tel:+49301234", "it names no host"),
        ("no URI", "cannot be read"),
        ("sip:224.0.1.75", "224.0.1.75 is not the address of one host"),
        ("sip:0.0.0.0", "not the address of one host"),
        ("sip:[::]", "not the address of one host"),
        ("sip:255.255.255.255", "not the address of one host"),
        ("sip:group.test:5060", "no address that can be used"),
        ("sip:plain.test;transport=tcp", "plain.test says it has no such service"),
        ("sip:nowhere.test", "there is no such name"),
        (f"sip:{'x' * 64}.test", "is no host"),
        (f"sip:x;maddr={'x.' * 130}test", "is no host"),
        ("sip:x;maddr=a..b", "is no host"),
    ],
)
def test_what_leads_nowhere_says_why(target, why, locator, zone):
    with pytest.raises(Unreachable) as caught:
        locate(locator, target)

    assert str(caught.value).startswith(f"{target} cannot be reached: ")
    assert why in str(caught.value)


@pytest.mark.parametrize("target", ["sip:192.0.2.1", "sip:localhost", "sip:own.test"])
def test_what_is_known_here_is_asked_of_nobody(target, locator, zone):
    locate(locator, target)

    assert zone.asked == []


def test_answers_are_remembered_as_long_as_they_say(locator, zone, clock):
    times = []
    for seconds in (0, 59, 1):
        clock.advance(seconds)
        zone.asked.clear()
        locate(locator, "sip:plain.test:5060")
        times.append([kind for _, kind in zone.asked])

    # That there is no AAAA is remembered for ten seconds, the A for its minute.
    assert times == [[dns.A, dns.AAAA], [dns.AAAA], [dns.A]]


def test_a_name_server_that_is_dead_is_waited_for_so_long(locator, zone, clock):
    zone.is_dead = True
    got = []
    Deferred.fromCoroutine(locator.locate("sip:plain.test")).addBoth(got.append)

    clock.pump([1.0] * 8)
    before = list(got)
    clock.advance(1)

    assert before == []
    assert str(got[0].value).endswith("no name server answered")


def test_a_name_server_that_knows_no_services_does_not_hide_addresses(locator, zone):
    class Half(Zone):
        def __getattr__(self, method):
            if TYPES[method] in (dns.SRV, dns.NAPTR):
                return lambda name, timeout=None: fail(DNSServerError())
            return super().__getattr__(method)

    locator.names = Names(Clock(), Half(dict(ZONE)), None)

    assert locate(locator, "sip:plain.test") == ["udp:192.0.2.2:5060"]


def test_many_who_ask_for_one_name_ask_once(locator, zone):
    zone.is_dead = True

    for _ in range(10):
        Deferred.fromCoroutine(locator.locate("sip:plain.test:5060"))

    assert len(zone.asked) == 2


def test_only_so_many_names_are_asked_for_at_once(locator, zone):
    zone.is_dead = True
    got = []

    for number in range(101):
        asking = locator.locate(f"sip:n{number}.test:5060")
        Deferred.fromCoroutine(asking).addErrback(got.append)

    assert [failure.type for failure in got] == [LimitReached]


def test_only_so_much_is_remembered(locator, zone):
    for number in range(2100):
        zone.records[f"n{number}.test"] = [a("192.0.2.1")]
        locate(locator, f"sip:n{number}.test:5060")

    assert len(locator.names._known) == 2000


def test_a_name_with_many_addresses_gives_only_some(locator, zone):
    zone.records["many.test"] = [a(f"192.0.2.{number}") for number in range(1, 200)]

    assert len(locate(locator, "sip:many.test")) == 16


# --- The order of servers


def test_lower_priorities_come_first():
    services = [Service(number, 0, 5060, "x") for number in (3, 1, 2)]

    assert [each.priority for each in in_order(services, lambda: 0.5)] == [1, 2, 3]


def test_a_server_of_more_weight_is_first_more_often():
    heavy, light = Service(1, 3, 5060, "heavy"), Service(1, 1, 5060, "light")
    lots = itertools.cycle(number / 100 for number in range(100))

    first = [in_order([heavy, light], lambda: next(lots))[0] for _ in range(1000)]

    assert 700 <= first.count(heavy) <= 800


@pytest.mark.parametrize("lot", [0.0, 0.5, 0.999_999])
def test_every_server_has_its_place(lot):
    services = [Service(1, weight, 5060, "x") for weight in (0, 0, 5, 65535)]

    ordered = in_order(services, lambda: lot)

    assert sorted(ordered, key=lambda each: each.weight) == services


# --- With a name server


class Authority(FileAuthority):
    """The name server of example.test."""

    def loadFile(self, filename):
        self.soa = (b"example.test", dns.Record_SOA())
        self.records = {
            b"example.test": [naptr(1, 1, b"SIP+D2T", "_sip._tcp.example.test")],
            b"_sip._tcp.example.test": [srv(1, 1, 5099, "a.example.test")],
            b"a.example.test": [a("192.0.2.8"), aaaa("2001:db8::8")],
        }


@pytest_twisted.ensureDeferred
async def test_a_real_name_server_is_understood():
    authority = Authority("")
    protocol = dns.DNSDatagramProtocol(server.DNSServerFactory([authority]))
    port = reactor.listenUDP(0, protocol, interface="127.0.0.1")
    where = port.getHost()
    resolver = client.Resolver(servers=[(where.host, where.port)], reactor=reactor)
    try:
        locator = Locator(Names(reactor, resolver, None))
        hops = await locator.locate("sip:example.test")
        with pytest.raises(Unreachable, match="there is no such name"):
            await locator.locate("sip:nobody.example.test")
    finally:
        await port.stopListening()

    assert hops == [Hop("tcp", "192.0.2.8", 5099), Hop("tcp", "2001:db8::8", 5099)]
