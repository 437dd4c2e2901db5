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
        plan = prepare(configuration, catalogue)
    except ConfigurationMistakes as error:
        raise ConfigurationMistakes([*mistakes, *error.mistakes]) from error
    if mistakes:
        raise ConfigurationMistakes(mistakes)
    return plan


def prepare(configuration: Configuration, catalogue: Catalogue) -> Plan:
    """
    Make all plugins of a configuration.

    Raises `ConfigurationMistakes`, with all of them.
    """
    builder = _Builder(catalogue)
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
        aggregate = configuration.aggregate
        rules = [
            each for each in configuration.route if each.action is Action.AGGREGATE
        ]
        wanted = [name for rule in rules for name in rule.package]
        if aggregate.server:
            wanted += aggregate.packages
        elif rules and not configuration.upstream:
            self.mistakes.append("route: aggregates from nobody: upstream is not given")
        for name in dict.fromkeys(wanted):
            if name not in served:
                self.mistakes.append(f"aggregate: no package {name} is served")

    def refuse_unpassable(
        self, configuration: Configuration, served: Sequence[IEventPackage]
    ) -> None:
        published = {each.name for each in served if each.accepts}
        for table in configuration.publish_upstream:
            for name in table.packages:
                if name not in published:
                    self.mistakes.append(
                        f"publish_upstream: no package {name} is published here"
                    )

    def refuse_doubles(self, kind: Kind, names: Sequence[str]) -> None:
        for name in sorted({name for name in names if names.count(name) > 1}):
            self.mistakes.append(f"{kind} {name} is used twice")
