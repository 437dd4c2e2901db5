"""What ``--help-storage`` and ``--help-plugin storage:sqlite`` print."""

from __future__ import annotations

from textwrap import fill, wrap
from typing import Any

import attrs

from presproxy.extend.build import UnloadablePlugin, load, options_by_name
from presproxy.extend.find import Catalogue, NameTaken
from presproxy.extend.maker import Kind
from presproxy.extend.options import Option, value_in_words

_WIDTH = 78


def describe_kind(catalogue: Catalogue, kind: Kind) -> str:
    """
    List the plugins of a kind: name, summary and where each was declared.

    One that cannot be loaded shows as ``!name (why)``; so does each dropin that could
    not be imported, of whatever kind its plugins may have been.
    """
    names = catalogue.names(kind)
    entries = [_entry(catalogue, kind, name) for name in names]
    entries += [f"{broken} [{broken.origin}]" for broken in catalogue.broken]
    return "\n".join(_hanging(entry) for entry in entries) or f"There is no {kind}."


def describe_plugin(catalogue: Catalogue, kind: Kind, name: str) -> str:
    """
    Tell every option of a plugin with its type, default and help.

    Raises `UnknownPlugin`, `NameTaken` or `UnloadablePlugin`.
    """
    found = catalogue.get(kind, name)
    options = options_by_name(found.maker)
    head = f"{kind} {name}: {found.maker.summary}\nDeclared by {found.origin}."
    if not options:
        return f"{head}\n\nIt has no options."
    return "\n\n".join([head, *map(_option, options.values())])


def _entry(catalogue: Catalogue, kind: Kind, name: str) -> str:
    try:
        found = catalogue.get(kind, name)
        load(found.maker)
    except NameTaken as error:
        return f"!{name} (declared by {' and by '.join(error.origins)})"
    except UnloadablePlugin as error:
        return f"!{name} ({error.why}) [{found.origin}]"
    return f"{name}: {found.maker.summary} [{found.origin}]"


def _option(option: Option) -> str:
    name = f"  {option.name} ({option.type_in_words}; {_default(option)})"
    return "\n".join([name, *wrap(option.help, _WIDTH, **_indented(6, 6))])


def _default(option: Option) -> str:
    if option.is_required:
        return "must be given"
    if isinstance(option.default, attrs.Factory):  # type: ignore[arg-type]  # a class
        return "has a default"
    return f"default: {value_in_words(option.default)}"


def _hanging(entry: str) -> str:
    return fill(entry, _WIDTH, **_indented(2, 6))


def _indented(first: int, others: int) -> dict[str, Any]:
    return {
        "initial_indent": " " * first,
        "subsequent_indent": " " * others,
        "break_long_words": False,
        "break_on_hyphens": False,
    }
