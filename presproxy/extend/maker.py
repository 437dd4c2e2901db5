"""
How a plugin is declared: a `PluginMaker` names it, and its options are its attrs fields.

A module of makers imports nothing but this one: the class itself is named by a path and
loaded when the configuration uses it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Literal, TypeVar, get_args, overload

import attrs
from twisted.plugin import IPlugin
from zope.interface import Attribute, Interface, implementer

Kind = Literal["auth", "acl", "storage", "notifier", "package", "aggregator"]

KINDS: tuple[Kind, ...] = get_args(Kind)

#: Where an option keeps its help in the metadata of its field.
HELP = "presproxy.help"

#: What may stand before the first colon of ``name:option=value`` unescaped.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_TARGET = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")

_T = TypeVar("_T")


class IPluginMaker(Interface):
    """What a dropin lists: the name of a plugin, and where its class is."""

    kind: Kind = Attribute("One of `KINDS`.")
    name: str = Attribute("As it is used; no other of its kind has it.")
    target: str = Attribute("Its class, as ``module:Class``.")
    summary: str = Attribute("What it does, in one sentence.")


def _is_well_named(maker: PluginMaker, field: attrs.Attribute[str], value: str) -> None:
    if not _NAME.fullmatch(value):
        raise ValueError(f"{value!r} cannot be the name of a plugin")


def _is_a_path(maker: PluginMaker, field: attrs.Attribute[str], value: str) -> None:
    if not _TARGET.fullmatch(value):
        raise ValueError(f"{value!r} does not name a class as module:Class")


@implementer(IPluginMaker, IPlugin)
@attrs.frozen
class PluginMaker:
    """
    Declares one plugin.  ``target`` is its class, as ``module:Class``.

    Two plugins of one ``kind`` never share a ``name``.
    """

    kind: Kind = attrs.field(validator=attrs.validators.in_(KINDS))
    name: str = attrs.field(validator=_is_well_named)
    target: str = attrs.field(validator=_is_a_path)
    summary: str


@overload
def option(
    help: str,
    *,
    converter: Callable[[Any], Any] | None = ...,
    validator: Callable[[Any, attrs.Attribute[Any], Any], object] | None = ...,
) -> Any: ...


@overload
def option(
    help: str,
    *,
    default: _T,
    converter: Callable[[Any], Any] | None = ...,
    validator: Callable[[Any, attrs.Attribute[Any], Any], object] | None = ...,
) -> _T: ...


def option(
    help: str,
    *,
    default: Any = attrs.NOTHING,
    converter: Callable[[Any], Any] | None = None,
    validator: Callable[[Any, attrs.Attribute[Any], Any], object] | None = None,
) -> Any:
    """
    Declare a field of a plugin's class which its user may set.

    ``help`` is a sentence.  An option without ``default`` must be given.  The field's
    type says what text is made into before ``converter`` sees it; a ``validator`` that
    raises ValueError is told to the user as a mistake of his.  The default is shown to
    users as it is written, so it is a value that says something to them.
    """
    return attrs.field(
        default=default,
        converter=converter,
        validator=validator,
        metadata={HELP: help},
    )
