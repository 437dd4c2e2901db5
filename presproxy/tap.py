"""``twistd presproxy``: its options, and the service they make."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from twisted.application.service import IService
from twisted.python import usage

from presproxy import __version__
from presproxy.config import CommandLine, make_plan
from presproxy.errors import ConfigurationMistakes, PresproxyError
from presproxy.extend.describe import describe_kind, describe_plugin
from presproxy.extend.find import find_plugins
from presproxy.extend.hints import did_you_mean
from presproxy.extend.maker import KINDS, Kind
from presproxy.service import make_service


class Options(usage.Options):
    """The command line of ``twistd presproxy``."""

    synopsis = "[options]"
    longdesc = (
        "SPEC is the name of a plugin and its options: sqlite:path=x:timeout=2.  A colon "
        r"and a backslash in a value are written \: and \\.  Nobody but this host can "
        "reach presproxy unless --listen says so, and then --auth has to be given."
    )

    optParameters = [  # noqa: RUF012  # where Twisted looks for it
        ["config", "c", None, "presproxy.toml; what is given here wins over it"],
        [
            "storage",
            None,
            None,
            "Where state is kept [default: sqlite:path=presproxy.db]",
        ],
        [
            "aggregator",
            None,
            None,
            "What makes one state of many [default: standard]",
        ],
        [
            "http",
            None,
            None,
            "Where HTTP is spoken [default: tcp:8080 on the loopback]",
        ],
        [
            "upstream",
            None,
            None,
            "The server behind, as sip:192.0.2.1:5070 [default: none]",
        ],
        [
            "min-expires",
            None,
            None,
            "The shortest interval granted, in seconds [default: 60]",
        ],
    ]

    def command_line(self) -> CommandLine:
        """Give what was given."""
        return CommandLine(
            config=self["config"],
            listen=self.get("listen", ()),
            domain=self.get("domain", ()),
            auth=self.get("auth", ()),
            acl=self.get("acl", ()),
            storage=self["storage"],
            notifier=self.get("notifier", ()),
            aggregator=self["aggregator"],
            http=self["http"],
            min_expires=self["min-expires"],
            upstream=self["upstream"],
        )

    def opt_listen(self, where: str) -> None:
        """udp:5060, tcp:5060:interface=127.0.0.1; again for more [default: loopback]"""
        self._one_more("listen", where)

    opt_l = opt_listen

    def opt_domain(self, name: str) -> None:
        """A domain served here; again for more [default: this host's names]"""
        self._one_more("domain", name)

    opt_d = opt_domain

    def opt_auth(self, spec: str) -> None:
        """Who you are; again for more [default: none on the loopback]"""
        self._one_more("auth", spec)

    def opt_acl(self, spec: str) -> None:
        """Who may see whom; again for more [default: contacts]"""
        self._one_more("acl", spec)

    def opt_notifier(self, spec: str) -> None:
        """A further road to watchers beside SIP; again for more"""
        self._one_more("notifier", spec)

    def opt_help_auth(self) -> NoReturn:
        """List the plugins that say who you are"""
        _print(lambda: describe_kind(find_plugins(), "auth"))

    def opt_help_acl(self) -> NoReturn:
        """List the plugins that say who may see whom"""
        _print(lambda: describe_kind(find_plugins(), "acl"))

    def opt_help_storage(self) -> NoReturn:
        """List the plugins that keep state"""
        _print(lambda: describe_kind(find_plugins(), "storage"))

    def opt_help_notifier(self) -> NoReturn:
        """List the plugins that tell watchers"""
        _print(lambda: describe_kind(find_plugins(), "notifier"))

    def opt_help_package(self) -> NoReturn:
        """List the event packages"""
        _print(lambda: describe_kind(find_plugins(), "package"))

    def opt_help_aggregator(self) -> NoReturn:
        """List the plugins that make one state of many"""
        _print(lambda: describe_kind(find_plugins(), "aggregator"))

    def opt_help_plugin(self, plugin: str) -> NoReturn:
        """Tell every option of one plugin, as in storage:sqlite"""
        kind, _, name = plugin.partition(":")
        if kind not in KINDS:
            raise usage.UsageError(
                f"{kind!r} is no kind of plugin: write KIND:NAME, and KIND is one of "
                f"{', '.join(KINDS)}{did_you_mean(kind, KINDS)}"
            )
        _print(lambda: describe_plugin(find_plugins(), _kind(kind), name))

    def opt_version(self) -> NoReturn:
        """Print the version and exit"""
        _print(lambda: f"presproxy {__version__}")

    def _one_more(self, name: str, value: str) -> None:
        self.setdefault(name, []).append(value)


def makeService(options: Options) -> IService:
    """
    Make the service that was asked for.

    All that is wrong with the configuration is printed at once, and the process exits 1.
    """
    try:
        plan = make_plan(options.command_line(), find_plugins())
    except ConfigurationMistakes as error:
        raise SystemExit(str(error)) from error
    return make_service(plan)


def _kind(text: str) -> Kind:
    return next(kind for kind in KINDS if kind == text)


def _print(write: Callable[[], str]) -> NoReturn:
    try:
        print(write())
    except PresproxyError as error:
        raise usage.UsageError(str(error)) from error
    raise SystemExit(0)
