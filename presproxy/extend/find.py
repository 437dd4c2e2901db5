"""
Which plugins there are: those of entry points, and those of dropins.

Installed is not enabled.  A maker costs nothing; its class is loaded when the
configuration names it.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from importlib.metadata import EntryPoint, entry_points

import attrs
from twisted.plugin import getPlugins
from twisted.python.modules import getModule

from presproxy.errors import PresproxyError
from presproxy.extend.hints import did_you_mean, reason
from presproxy.extend.maker import IPluginMaker, Kind

#: The group of entry points, and the package whose folders hold dropins.
GROUP = DROPINS = "presproxy.plugins"


@attrs.frozen
class Found:
    """A maker, and where it was declared."""

    maker: IPluginMaker
    origin: str


@attrs.frozen
class Broken:
    """A dropin or entry point which could not be imported, and why."""

    name: str
    origin: str
    why: str

    def __str__(self) -> str:
        return f"!{self.name} ({self.why})"


@attrs.frozen(eq=False)
class UnknownPlugin(PresproxyError):
    """Nobody declares this plugin."""

    kind: Kind
    name: str
    known: tuple[str, ...]
    broken: tuple[Broken, ...] = ()

    def __str__(self) -> str:
        known = ", ".join(self.known) or "none at all"
        failed = "".join(
            f"; {broken.origin} could not be imported: {broken.why}"
            for broken in self.broken
        )
        there_is = f"there is no {self.kind} {self.name!r}, only {known}"
        return f"{there_is}{did_you_mean(self.name, self.known)}{failed}"


@attrs.frozen(eq=False)
class NameTaken(PresproxyError):
    """More than one dropin declares a plugin of this kind by this name."""

    kind: Kind
    name: str
    origins: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"{self.kind} {self.name!r} is declared by {' and by '.join(self.origins)}"
        )


@attrs.frozen
class Catalogue:
    """All makers that were found, and what could not be imported."""

    found: tuple[Found, ...] = ()
    broken: tuple[Broken, ...] = ()

    def names(self, kind: Kind) -> tuple[str, ...]:
        """Give the names of all plugins of a kind, sorted."""
        return tuple(sorted({found.maker.name for found in self._of(kind)}))

    def declarations(self, kind: Kind, name: str) -> tuple[Found, ...]:
        """Give all that was declared by this name; more than one is a mistake."""
        return tuple(found for found in self._of(kind) if found.maker.name == name)

    def get(self, kind: Kind, name: str) -> Found:
        """
        Give the one declaration of this name.

        Raises `UnknownPlugin`, which tells what there is and what could not be imported,
        or `NameTaken`, which names all who declare it: the first does not win.
        """
        declared = self.declarations(kind, name)
        if not declared:
            raise UnknownPlugin(kind, name, self.names(kind), self.broken)
        if len(declared) > 1:
            raise NameTaken(kind, name, tuple(found.origin for found in declared))
        return declared[0]

    def _of(self, kind: Kind) -> Iterator[Found]:
        return (found for found in self.found if found.maker.kind == kind)


def find_plugins() -> Catalogue:
    """Look at all entry points and dropins, once, at the start."""
    return _Search().everything()


@attrs.define(eq=False)
class _Search:
    """A maker that is met again, as by an entry point which names a dropin, counts once."""

    _found: dict[int, Found] = attrs.field(factory=dict)
    _broken: list[Broken] = attrs.field(factory=list)

    def everything(self) -> Catalogue:
        for entry_point in entry_points(group=GROUP):
            self._look_at_entry_point(entry_point)
        self._look_at_dropins()
        return Catalogue(tuple(self._found.values()), tuple(self._broken))

    def _look_at_entry_point(self, entry_point: EntryPoint) -> None:
        origin = _origin(entry_point)
        try:
            named = entry_point.load()
            makers = [named] if IPluginMaker.providedBy(named) else _makers(named)
        except (Exception, SystemExit) as error:
            self._broken.append(Broken(entry_point.name, origin, reason(error)))
            return
        if not makers:
            why = f"{entry_point.value} holds no plugin"
            self._broken.append(Broken(entry_point.name, origin, why))
        for maker in makers:
            self._add(maker, origin)

    def _look_at_dropins(self) -> None:
        # It only logs what it cannot import, so the modules are asked once more which
        # ones those were.  Those which it did import are not run again.
        makers = list(getPlugins(IPluginMaker, importlib.import_module(DROPINS)))
        origins: dict[int, str] = {}
        for name in _dropins():
            try:
                for maker in _makers(importlib.import_module(name)):
                    origins.setdefault(id(maker), name)
            except (Exception, SystemExit) as error:
                broken = Broken(name.rpartition(".")[2], name, reason(error))
                self._broken.append(broken)
        for maker in makers:
            self._add(maker, origins.get(id(maker), DROPINS))

    def _add(self, maker: IPluginMaker, origin: str) -> None:
        self._found.setdefault(id(maker), Found(maker, origin))


def _makers(module: object) -> list[IPluginMaker]:
    return [each for each in vars(module).values() if IPluginMaker.providedBy(each)]


def _dropins() -> list[str]:
    package = getModule(DROPINS)
    return sorted({module.name for module in package.iterModules()})


def _origin(entry_point: EntryPoint) -> str:
    distribution = entry_point.dist
    if distribution is None:
        return entry_point.value
    return f"{distribution.name} ({entry_point.value})"
