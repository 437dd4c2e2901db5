"""The options of plugins and of the tables of the file, as the code declares them."""

from __future__ import annotations

from collections.abc import Iterable

from sphinx.application import Sphinx

from fromcode.writing import definition, written_by
from presproxy.config import Limits, LyncOptions, ProxyOptions, TransportOptions
from presproxy.config.aggregate import AggregateOptions
from presproxy.config.upward import PublishOptions
from presproxy.extend.build import options_by_name
from presproxy.extend.find import find_plugins
from presproxy.extend.maker import KINDS
from presproxy.extend.options import Option, options_of, value_in_words
from presproxy.server.front.options import FrontOptions
from presproxy.server.front.routes import Rule


def plugin(argument: str) -> str:
    """Write what a plugin does and all its options; it is named as ``KIND:NAME``."""
    wanted, _, name = argument.partition(":")
    kind = next(each for each in KINDS if each == wanted)
    maker = find_plugins().get(kind, name).maker
    options = options_by_name(maker).values()
    return f"{maker.summary}\n\n{_listed(options) or 'It has no options.'}\n"


def limits() -> str:
    """Write all limits."""
    return _listed(options_of(Limits))


def lync() -> str:
    """Write all options of how Lync clients are served."""
    return _listed(options_of(LyncOptions))


def proxy() -> str:
    """Write all options of how calls and texts are passed on."""
    return _listed(options_of(ProxyOptions))


def transport() -> str:
    """Write all options of how messages are sent and answered."""
    return _listed(options_of(TransportOptions))


def aggregate() -> str:
    """Write all options of what is fetched from a server behind."""
    return _listed(options_of(AggregateOptions))


def publish_upstream() -> str:
    """Write all options of what is passed to a server behind."""
    return _listed(options_of(PublishOptions))


def front() -> str:
    """Write all options of how the server behind is treated."""
    return _listed(options_of(FrontOptions))


def route() -> str:
    """Write all that a rule may name."""
    return _listed(options_of(Rule))


def _listed(options: Iterable[Option]) -> str:
    return "\n".join(definition(_term(option), option.help) for option in options)


def _term(option: Option) -> str:
    if option.is_required:
        default = "must be given"
    elif words := value_in_words(option.default):
        default = f"``{words}`` by default"
    else:
        default = "empty by default"
    return f"``{option.name}`` – {option.type_in_words}; {default}"


def setup(app: Sphinx) -> None:
    """Make the directives known."""
    app.add_directive("plugin", written_by(plugin))
    app.add_directive("limits", written_by(limits))
    app.add_directive("lync", written_by(lync))
    app.add_directive("proxy", written_by(proxy))
    app.add_directive("transport", written_by(transport))
    app.add_directive("aggregate", written_by(aggregate))
    app.add_directive("publish-upstream", written_by(publish_upstream))
    app.add_directive("front", written_by(front))
    app.add_directive("route", written_by(route))
