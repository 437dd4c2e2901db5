"""Notifiers: how watchers are told."""

from __future__ import annotations

from typing import Any

from zope.interface import Interface

from presproxy.interfaces.house import IPluggable
from presproxy.model.notice import Notice


class INotifier(IPluggable):
    """Brings notifications to watchers by one kind of road."""

    def notify(notice: Notice) -> None:
        """
        Take a notice for all the subscriptions in it and return at once.

        Called once per change, view and content type, however many subscriptions there
        are.  The body is shared: it must not be changed.  It is empty where the package
        could give none.  Notices for one subscription arrive in order; one not yet sent
        may be replaced by a later.

        What fails later is told by `IHouse.ended`, or retried here.  Raising is a bug:
        it is counted, and the others are told all the same.
        """


class IRouteKeeper(Interface):
    """
    A notifier whose subscriptions outlive the process.

    Provided by an `INotifier` beside it; asked for once at the start.  Without it the
    notifier's subscriptions live in memory only.
    """

    def write(route: Any) -> bytes:
        """Write a route, as it is to be found after a start."""

    def kept(route: Any, payload: bytes) -> None:
        """What ``write`` gave is lasting now."""

    def read(payload: bytes) -> Any:
        """Read a route back.  Raises ValueError for what it cannot read."""
