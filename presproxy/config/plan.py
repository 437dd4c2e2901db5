"""From a `Configuration` to a `Plan`: every plugin made, and nothing opened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from presproxy.config.read import read
from presproxy.config.values import CommandLine, Configuration, Machine
from presproxy.errors import ConfigurationMistakes
from presproxy.extend.build import Named, build_named
from presproxy.extend.find import Catalogue
from presproxy.extend.maker import Kind
from presproxy.extend.uses import Use
from presproxy.interfaces import (
    IAggregator,
    IAuthenticator,
    IContactACL,
    IEventPackage,
    INotifier,
    IStorage,
)
from presproxy.packages.aggregator import StandardAggregator
from presproxy.server.front.routes import Action


@attrs.frozen(eq=False)
class Plan:
    """
    A configuration and the plugins it names, made and not started.

    ``packages`` are by the names of the Event field.
    """

    configuration: Configuration
    auth: Sequence[Named[IAuthenticator]]
    acl: Sequence[Named[IContactACL]]
    storage: Named[IStorage]
    notifiers: Sequence[Named[INotifier]]
    packages: Mapping[str, IEventPackage]
    aggregator: Named[IAggregator] = attrs.field(
        factory=lambda: Named("standard", StandardAggregator())
    )


def make_plan(
    line: CommandLine, catalogue: Catalogue, machine: Machine | None = None
) -> Plan:
    """
    Read the whole configuration and make all plugins.

    Raises `ConfigurationMistakes`, with all there are in either.
    """
    configuration, mistakes = read(line, machine)
    try:
        file = line.config or ""
        plan = prepare(configuration, catalogue, file, is_whole=not mistakes)
    except ConfigurationMistakes as error:
        raise ConfigurationMistakes([*mistakes, *error.mistakes]) from error
    if mistakes:
        raise ConfigurationMistakes(mistakes)
    return plan


def prepare(
    configuration: Configuration,
    catalogue: Catalogue,
    file: str = "",
    *,
    is_whole: bool = True,
) -> Plan:
    """
    Make all plugins of a configuration, which was read from ``file``.

    ``is_whole`` is false if some of its tables could not be read, and are not in it.
    Raises `ConfigurationMistakes`, with all of them.
    """
    builder = _Builder(catalogue, file, is_whole)
    auth = builder.each("auth", configuration.auth)
    acl = builder.each("acl", configuration.acl)
    storage = builder.each("storage", [configuration.storage])
    notifiers = builder.each("notifier", configuration.notifier)
    builder.refuse_doubles("notifier", [use.name for use in configuration.notifier])
    packages = builder.each("package", configuration.package)
    builder.refuse_doubles("package", [named.plugin.name for named in packages])
    builder.refuse_unserved(configuration, [named.plugin.name for named in packages])
    builder.refuse_unpassable(configuration, [named.plugin for named in packages])
    aggregator = builder.each("aggregator", [configuration.aggregator])
    if builder.mistakes:
        raise ConfigurationMistakes(builder.mistakes)
    return Plan(
        configuration=configuration,
        auth=auth,
        acl=acl,
        storage=storage[0],
        notifiers=notifiers,
        packages={named.plugin.name: named.plugin for named in packages},
        aggregator=aggregator[0],
    )


@attrs.define(eq=False)
class _Builder:
    catalogue: Catalogue
    file: str
    is_whole: bool
    mistakes: list[str] = attrs.field(factory=list)

    def each(self, kind: Kind, uses: Sequence[Use]) -> list[Named[Any]]:
        built = []
        for use in uses:
            try:
                built.append(build_named(self.catalogue, kind, use))
            except ConfigurationMistakes as error:
                self.mistakes.extend(error.mistakes)
        return built

    def refuse_unserved(
        self, configuration: Configuration, served: Sequence[str]
    ) -> None:
        """Refuse to fetch from nobody, and what nobody can watch here."""
        aggregate, rules = configuration.aggregate, configuration.route
        for number, rule in enumerate(rules, 1):
            if rule.action is not Action.AGGREGATE:
                continue
            where = self._place("route", number, len(rules))
            if not (aggregate.server or configuration.upstream):
                self._tell(where, "aggregates from nobody: upstream is not given")
            self._refuse(where, rule.package, served, "served")
        if aggregate.server:
            where = self._place("aggregate")
            self._refuse(where, aggregate.packages, served, "served")

    def refuse_unpassable(
        self, configuration: Configuration, served: Sequence[IEventPackage]
    ) -> None:
        """Refuse to pass behind what nobody publishes here."""
        published = [each.name for each in served if each.accepts]
        tables = configuration.publish_upstream
        for number, table in enumerate(tables, 1):
            where = self._place("publish_upstream", number, len(tables))
            self._refuse(where, table.packages, published, "published here")
            for domain in table.domains:
                if domain not in configuration.domains:
                    self._tell(where, f"{domain} is none of our domains")

    def _refuse(
        self, where: str, packages: Sequence[str], known: Sequence[str], what: str
    ) -> None:
        for name in dict.fromkeys(packages):
            if name not in known:
                self._tell(where, f"no package {name} is {what}")

    def _place(self, key: str, number: int = 1, count: int = 1) -> str:
        """Name a table as the reader does; by its number only if none before it is left out."""
        place = f"{self.file}: {key}" if self.file else key
        return f"{place} {number}" if count > 1 and self.is_whole else place

    def _tell(self, where: str, why: str) -> None:
        self.mistakes.append(f"{where}: {why}")

    def refuse_doubles(self, kind: Kind, names: Sequence[str]) -> None:
        for name in sorted({name for name in names if names.count(name) > 1}):
            self.mistakes.append(f"{kind} {name} is used twice")
