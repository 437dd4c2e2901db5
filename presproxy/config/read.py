"""
From the command line and presproxy.toml to a `Configuration`.

What is given on the command line is taken instead of what the file says of it.  Nothing
stops at the first mistake: what cannot be read is noted, with its place, and its default
stands in until all has been looked at.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Any, TypeVar

import attrs

from presproxy.config.aggregate import AggregateOptions
from presproxy.config.upward import PublishOptions
from presproxy.config.values import (
    SIP,
    CommandLine,
    Configuration,
    Limits,
    LyncOptions,
    Machine,
    ProxyOptions,
    TransportOptions,
)
from presproxy.errors import ConfigurationMistakes, MalformedField, PresproxyError
from presproxy.extend.build import read_options
from presproxy.extend.hints import did_you_mean, reason
from presproxy.extend.options import options_of, read_value
from presproxy.extend.uses import Use, use_of
from presproxy.server.front.options import FrontOptions
from presproxy.server.front.routes import Action, Rule, uri_of_server
from presproxy.sip.uri import SipURI, parse_uri
from presproxy.transport.certificates import (
    Certificate,
    Trust,
    UnusableCertificate,
)
from presproxy.transport.ends import sent_by
from presproxy.transport.where import Where, parse_where

#: What the file may hold, as it is spelt there.
KEYS = (
    "listen",
    "domains",
    "auth",
    "acl",
    "storage",
    "notifier",
    "pbx",
    "package",
    "aggregator",
    "http",
    "min_expires",
    "advertise",
    "limits",
    "lync",
    "proxy",
    "upstream",
    "front",
    "route",
    "transport",
    "aggregate",
    "publish_upstream",
)

#: Seconds.  No interval of an hour or more is too brief (RFC 6665 §4.2.1.1).
_LONGEST_MIN_EXPIRES = 3600

_T = TypeVar("_T")


def load(line: CommandLine, machine: Machine | None = None) -> Configuration:
    """
    Read all there is.

    Raises `ConfigurationMistakes`, with all of them.
    """
    configuration, mistakes = read(line, machine)
    if mistakes:
        raise ConfigurationMistakes(mistakes)
    return configuration


def read(
    line: CommandLine, machine: Machine | None = None
) -> tuple[Configuration, list[str]]:
    """Read all there is, and tell all that is wrong; defaults stand in for that."""
    reader = _Reader(line, machine or Machine())
    return reader.read(), reader.mistakes


@attrs.frozen
class _Given:
    """A value, and where it was given."""

    value: Any
    where: str


#: The contact ACLs that have an opinion about everybody, and the one that must come before
#: them.
_SURE = ("contacts", "open")
_ASKED_FIRST = "containers"


@attrs.define(eq=False)
class _Reader:
    line: CommandLine
    machine: Machine
    mistakes: list[str] = attrs.field(factory=list)
    _table: Mapping[str, Any] = attrs.field(factory=dict)

    def read(self) -> Configuration:
        self._table = self._read_file()
        self._refuse_unknown_keys()
        line, default = self.line, Configuration()
        listen = self._listen(default)
        http = self._http(default)
        auth = self._uses("auth", "--auth", line.auth, default.auth)
        self._refuse_open_doors(listen)
        storage = self._one("storage", "--storage", line.storage, use_of)
        given = line.aggregator
        aggregator = self._one("aggregator", "--aggregator", given, use_of)
        upstream = self._one("upstream", "--upstream", line.upstream, _upstream)
        return Configuration(
            listen=listen,
            domains=self._domains(listen),
            auth=auth,
            acl=self._acl(default),
            storage=storage or default.storage,
            notifier=self._notifiers(default),
            pbx=tuple(self._each(self._given("pbx", "", ()) or (), _network)),
            package=self._uses("package", "", (), default.package),
            aggregator=aggregator or default.aggregator,
            http=http,
            min_expires=self._min_expires(default),
            advertise=self._one("advertise", "", None, _advertised),
            limits=self._options("limits", Limits),
            lync=self._options("lync", LyncOptions),
            proxy=self._options("proxy", ProxyOptions),
            upstream=upstream,
            front=self._options("front", FrontOptions),
            route=self._rules(upstream),
            transport=self._transport(),
            aggregate=self._options("aggregate", AggregateOptions),
            publish_upstream=self._passing(upstream),
        )

    # -- What was given ---------------------------------------------------------------

    def _read_file(self) -> Mapping[str, Any]:
        if self.line.config is None:
            return {}
        try:
            return tomllib.loads(Path(self.line.config).read_text("utf-8"))
        except OSError as error:
            self._mistake(self.line.config, error.strerror or reason(error))
        except UnicodeDecodeError as error:
            self._mistake(self.line.config, f"is not UTF-8: {error.reason}")
        except tomllib.TOMLDecodeError as error:
            self._mistake(self.line.config, str(error))
        return {}

    def _refuse_unknown_keys(self) -> None:
        for key, value in self._table.items():
            if key not in KEYS:
                what = "table" if _is_table(value) else "option"
                why = f"unknown {what} {key!r}{did_you_mean(key, KEYS)}"
                self._mistake(str(self.line.config), why)

    def _given(
        self, key: str, option: str, given: Sequence[str]
    ) -> Sequence[_Given] | None:
        """Give all values of the command line, or else of the file, or else None."""
        if given:
            return [_Given(text, option) for text in given]
        if key not in self._table:
            return None
        value = self._table[key]
        where = f"{self.line.config}: {key}"
        if not isinstance(value, list):
            return [_Given(value, where)]
        if len(value) == 1:
            return [_Given(value[0], where)]
        return [_Given(each, f"{where} {n}") for n, each in enumerate(value, 1)]

    def _mistake(self, where: str, why: str) -> None:
        self.mistakes.append(f"{where}: {why}")

    # -- Values of one kind -----------------------------------------------------------

    def _each(
        self, given: Sequence[_Given], read: Callable[[Any, str], _T]
    ) -> Iterator[_T]:
        for one in given:
            try:
                yield read(one.value, one.where)
            except ConfigurationMistakes as error:
                self.mistakes.extend(error.mistakes)
            except (PresproxyError, ValueError) as error:
                self._mistake(one.where, str(error))

    def _one(
        self,
        key: str,
        option: str,
        text: str | None,
        read: Callable[[Any, str], _T],
    ) -> _T | None:
        given = self._given(key, option, () if text is None else (text,)) or ()
        if len(given) > 1:
            self._mistake(f"{self.line.config}: {key}", "there can be only one")
            return None
        return next(self._each(given, read), None)

    def _uses(
        self, key: str, option: str, texts: Sequence[str], default: tuple[Use, ...]
    ) -> tuple[Use, ...]:
        given = self._given(key, option, texts)
        if given is None:
            return default
        return tuple(self._each(given, use_of))

    def _acl(self, default: Configuration) -> tuple[Use, ...]:
        """Give the contact ACLs; containers that nobody asks would let the blocked in."""
        uses = self._uses("acl", "--acl", self.line.acl, default.acl)
        names = [each.name for each in uses]
        before = names[: names.index(_ASKED_FIRST)] if _ASKED_FIRST in names else []
        for name in _SURE:
            if name in before:
                self._mistake(
                    uses[names.index(_ASKED_FIRST)].where or "acl",
                    f"{_ASKED_FIRST} behind {name}, which decides about everybody, is "
                    "never asked: name it first",
                )
        return uses

    # -- One setting each -------------------------------------------------------------

    def _listen(self, default: Configuration) -> tuple[Where, ...]:
        given = self._given("listen", "--listen", self.line.listen)
        if given is None:
            return default.listen
        if not given:
            self._mistake(f"{self.line.config}: listen", "names no place to listen")
        places: list[Where] = []
        for place in self._each(given, _where):
            if place in places and place.port:
                self._mistake(given[0].where, f"{place} is given twice")
            for other in places:
                if place.takes_from(other):
                    why = "would take the same sockets: give each a name of its own"
                    self._mistake(given[0].where, f"{other} and {place} {why}")
            places.append(place)
        return tuple(places) or default.listen

    def _http(self, default: Configuration) -> Where:
        return self._one("http", "--http", self.line.http, _http) or default.http

    def _domains(self, listen: Sequence[Where]) -> tuple[str, ...]:
        given = self._given("domains", "--domain", self.line.domain)
        if given is None:
            return tuple(dict.fromkeys(_everyday_domains(self.machine, listen)))
        if not given:
            self._mistake(f"{self.line.config}: domains", "names no domain")
        return tuple(dict.fromkeys(self._each(given, _domain)))

    def _notifiers(self, default: Configuration) -> tuple[Use, ...]:
        given = self.line.notifier
        uses = self._uses("notifier", "--notifier", given, default.notifier)
        if SIP.name in (use.name for use in uses):
            return uses
        return (SIP, *uses)

    def _min_expires(self, default: Configuration) -> int:
        text = self.line.min_expires
        read = self._one("min_expires", "--min-expires", text, _min_expires)
        return default.min_expires if read is None else read

    def _options(self, key: str, kind: type[_T]) -> _T:
        """Read a table of options; a mistake lets the defaults stand in."""
        where = f"{self.line.config}: {key}"
        values, _ = self._read_table(self._table.get(key, {}), kind, where)
        return kind(**values)

    def _read_table(
        self, table: Any, kind: type, where: str
    ) -> tuple[dict[str, Any], bool]:
        """Give the options of a table that can be read, and whether all can."""
        if not isinstance(table, Mapping):
            self._mistake(where, "is not a table")
            return {}, False
        options = {option.name: option for option in options_of(kind)}
        values, mistakes = read_options(options, table)
        for why in mistakes:
            self._mistake(where, why)
        return dict(values), not mistakes

    def _rules(self, upstream: str | None) -> tuple[Rule, ...]:
        """Read what is done with requests; each rule is a table."""
        rules = []
        for given in self._given("route", "", ()) or ():
            values, is_whole = self._read_table(given.value, Rule, given.where)
            if not is_whole:
                continue
            rule = Rule(**values)
            if rule.action is Action.FORWARD and not (rule.to or upstream):
                self._mistake(given.where, "forwards to nobody: upstream is not given")
            if rule.action is Action.AGGREGATE:
                self._refuse_idle(given.where, values)
            rules.append(rule)
        return tuple(rules)

    def _refuse_idle(self, where: str, values: Mapping[str, Any]) -> None:
        """Refuse what counts for nothing where state is fetched, once for all who ask."""
        if values.get("to"):
            self._mistake(where, "the table aggregate names its server, not to")
        for key in ("method", "source", "status"):
            if key in values:
                why = f"option {key} counts for nothing where action is aggregate"
                self._mistake(where, why)

    def _passing(self, upstream: str | None) -> tuple[PublishOptions, ...]:
        """Read whose state is passed to which server behind; a table for each."""
        tables = []
        for given in self._given("publish_upstream", "", ()) or ():
            values, is_whole = self._read_table(
                given.value, PublishOptions, given.where
            )
            if is_whole:
                options = PublishOptions(**values)
                if not (options.server or upstream):
                    why = "passes to nobody: upstream is not given"
                    self._mistake(given.where, why)
                tables.append(options)
        return tuple(tables)

    def _transport(self) -> TransportOptions:
        options = self._options("transport", TransportOptions)
        try:
            # What cannot be used is told before anything is started.
            Trust(options.authorities).renew()
        except UnusableCertificate as error:
            self._mistake(f"{self.line.config}: transport", f"authorities: {error}")
        return options

    def _refuse_open_doors(self, listen: Sequence[Where]) -> None:
        """Let nobody in from elsewhere before somebody has said who may come."""
        if self._given("auth", "--auth", self.line.auth):
            return
        doors = [str(place) for place in listen if not place.is_loopback]
        if doors:
            self.mistakes.append(
                f"{' and '.join(doors)} can be reached from other machines, and nothing "
                "says how users prove who they are: give --auth digest:users=FILE, or "
                "--auth open to believe everybody"
            )


def _is_table(value: Any) -> bool:
    first = value[0] if isinstance(value, list) and value else value
    return isinstance(first, Mapping)


def _where(value: Any, _: str) -> Where:
    place = parse_where(read_value(value, str))
    for chain, key in place.certificates:
        # What cannot be used is told before anything is started.
        Certificate.read(chain, key, place.clients)
    return place


def _http(value: Any, where: str) -> Where:
    place = _where(value, where)
    if place.transport != "tcp":
        raise ValueError(f"HTTP is spoken over tcp, not {place.transport}")
    if not place.is_loopback:
        # Whoever can reach it may write contact lists: nobody is asked who he is there.
        raise ValueError(
            f"HTTP on {place} can be reached from other machines, and asks nobody who he "
            "is: give it an interface of the loopback"
        )
    return place


def _min_expires(value: Any, _: str) -> int:
    seconds: int = read_value(value, int)
    if not 1 <= seconds <= _LONGEST_MIN_EXPIRES:
        raise ValueError(f"{seconds} is not from 1 to {_LONGEST_MIN_EXPIRES}")
    return seconds


def _advertised(value: Any, _: str) -> str:
    text: str = read_value(value, str)
    host = f"[{text}]" if text.count(":") > 1 and text[:1] != "[" else text
    uri = _host_as_uri(host)
    if uri is None:
        raise ValueError(f"{text!r} is neither a host nor host:port")
    return text


def _network(value: Any, _: str) -> IPv4Network | IPv6Network:
    return ip_network(read_value(value, str))


def _upstream(value: Any, _: str) -> str:
    text: str = read_value(value, str)
    uri_of_server(None, None, text)
    if not text:
        raise ValueError("names no server")
    return text


def _domain(value: Any, _: str) -> str:
    text: str = read_value(value, str)
    uri = _host_as_uri(text)
    if uri is None or uri.port is not None:
        raise ValueError(f"{text!r} is not the name of a domain")
    return uri.host


def _host_as_uri(text: str) -> SipURI | None:
    try:
        uri = parse_uri(f"sip:{text}")
    except MalformedField:
        return None
    if not isinstance(uri, SipURI) or uri.user is not None:
        return None
    return None if uri.parameters or uri.headers else uri


def _everyday_domains(machine: Machine, listen: Sequence[Where]) -> Iterator[str]:
    """Give this host's name, and the addresses listened on: all of them, or these."""
    uri = _host_as_uri(machine.host_name)
    if uri is not None and uri.port is None:
        yield uri.host
    yield "localhost"
    for place in listen:
        for address in place.addresses:
            if ip_address(address).is_unspecified:
                address = "::1" if ":" in address else "127.0.0.1"
            yield sent_by(address, 0).rpartition(":")[0]
