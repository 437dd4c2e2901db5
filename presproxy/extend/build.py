"""From a use to a plugin: loading its class, checking its options, making it."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

import attrs
from zope.interface import Interface
from zope.interface.exceptions import Invalid
from zope.interface.verify import verifyObject

from presproxy.errors import ConfigurationMistakes, PresproxyError
from presproxy.extend.find import Catalogue, NameTaken, UnknownPlugin
from presproxy.extend.hints import did_you_mean, reason
from presproxy.extend.maker import IPluginMaker, Kind
from presproxy.extend.options import Option, options_of
from presproxy.extend.uses import Use
from presproxy.interfaces import (
    IAggregator,
    IAuthenticator,
    IContactACL,
    IEventPackage,
    INotifier,
    IStorage,
)

#: What a plugin of each kind promises.
INTERFACES: Mapping[Kind, type[Interface]] = {
    "auth": IAuthenticator,
    "acl": IContactACL,
    "storage": IStorage,
    "notifier": INotifier,
    "package": IEventPackage,
    "aggregator": IAggregator,
}

_T_co = TypeVar("_T_co", covariant=True)


@attrs.frozen(eq=False)
class UnloadablePlugin(PresproxyError):
    """A plugin's class could not be imported, most often as a package is missing."""

    kind: Kind
    name: str
    why: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name} cannot be loaded: {self.why}"


@attrs.frozen(eq=False)
class Named(Generic[_T_co]):
    """A plugin that was made, and the name it is used by."""

    name: str
    plugin: _T_co


def load(maker: IPluginMaker) -> type:
    """
    Import a plugin's class.

    Raises `UnloadablePlugin`, which says what is missing.
    """
    module, _, name = maker.target.partition(":")
    try:
        plugin = getattr(importlib.import_module(module), name)
    except (Exception, SystemExit) as error:
        raise UnloadablePlugin(maker.kind, maker.name, reason(error)) from error
    if not isinstance(plugin, type):
        why = f"{maker.target} is not a class"
        raise UnloadablePlugin(maker.kind, maker.name, why)
    return plugin


def options_by_name(maker: IPluginMaker) -> Mapping[str, Option]:
    """Give the options of a plugin, in order.  Raises `UnloadablePlugin`."""
    plugin = load(maker)
    try:
        return {option.name: option for option in options_of(plugin)}
    except NameError as error:
        raise UnloadablePlugin(maker.kind, maker.name, reason(error)) from error


def build_named(catalogue: Catalogue, kind: Kind, use: Use) -> Named[Any]:
    """
    Find the plugin that ``use`` names, and make it.

    Raises `ConfigurationMistakes`, with all of them.
    """
    try:
        maker = catalogue.get(kind, use.name).maker
    except (UnknownPlugin, NameTaken) as error:
        raise ConfigurationMistakes([f"{use.where}: {error}"]) from error
    return Named(use.name, build(maker, use))


def build(maker: IPluginMaker, use: Use) -> Any:
    """
    Make a plugin with the options of ``use``, and verify that it keeps its promises.

    Nothing is opened: that is for the plugin's ``start``.  Raises
    `ConfigurationMistakes`, with all of them.
    """
    try:
        options = options_by_name(maker)
    except UnloadablePlugin as error:
        raise ConfigurationMistakes([f"{use.where}: {error}"]) from error
    values, mistakes = read_options(options, use.options)
    if not mistakes:
        plugin, mistakes = _make(load(maker), values)
    if not mistakes:
        mistakes = _broken_promises(INTERFACES[maker.kind], plugin)
    if mistakes:
        about = f"{use.where}: {maker.kind} {maker.name}"
        raise ConfigurationMistakes([f"{about}: {why}" for why in mistakes])
    return plugin


def read_options(
    options: Mapping[str, Option], given: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """Give the values that could be read, by name, and all that is wrong with the rest."""
    values: dict[str, Any] = {}
    mistakes: list[str] = []
    for name, value in given.items():
        if name not in options:
            mistakes.append(f"unknown option {name!r}{_which_there_are(name, options)}")
            continue
        try:
            values[name] = options[name].read(value)
        except (ValueError, TypeError) as error:
            mistakes.append(f"option {name}: {error}")
    for option in options.values():
        if option.is_required and option.name not in given:
            mistakes.append(f"option {option.name} is missing ({option.help})")
    return values, mistakes


def _which_there_are(name: str, options: Mapping[str, Option]) -> str:
    if not options:
        return "; it has none"
    return did_you_mean(name, options) or f"; there are {', '.join(options)}"


def _make(plugin: type, values: Mapping[str, Any]) -> tuple[Any, list[str]]:
    try:
        return plugin(**values), []
    except (ValueError, PresproxyError) as error:
        return None, [" ".join(str(error).split()) or reason(error)]
    except Exception as error:
        return None, [f"cannot be made: {reason(error)}"]


def _broken_promises(interface: type[Interface], plugin: object) -> list[str]:
    try:
        verifyObject(interface, plugin)
    except Invalid as error:
        each = getattr(error, "exceptions", (error,))
        return [" ".join(str(one).split()) for one in each]
    return []
