"""The server under ``twistd``."""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
import signal
from collections.abc import Callable
from typing import Any

from twisted.application.service import IService, Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ReactorNotRunning
from twisted.logger import Logger

from presproxy.config import Plan
from presproxy.errors import PresproxyError
from presproxy.service.background import run, within
from presproxy.service.build import build
from presproxy.service.server import PresenceServer

_log = Logger()

#: Seconds for a stop as a whole; past them the process ends all the same.
_LONGEST_STOP = 30.0

#: Objects made before the garbage collector looks at the youngest, and so on.  Measured
#: while 48,000 subscriptions began: with Python's own 700, 10, 10 requests took a tenth
#: more and the longest pause was eight times as long.
_THRESHOLDS = (50_000, 20, 100)


def make_service(plan: Plan) -> IService:
    """Make the service that ``twistd`` starts and stops."""
    service: IService = _PresproxyService(plan)
    return service


class _PresproxyService(Service):
    """
    The server as ``twistd`` sees it.

    A start that fails is one line in the log, and the process ends with 1.  SIGINT and
    SIGTERM end it with 0, once what was taken is finished.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._reactor: Any = None
        self._server: PresenceServer | None = None
        self._starting: Deferred[None] | None = None

    def startService(self) -> None:
        """Build and start, once the reactor runs."""
        from twisted.internet import reactor

        super().startService()
        self._reactor = reactor
        self._reactor.callWhenRunning(self._begin)

    def stopService(self) -> Deferred[None]:
        """Stop, or give up starting; the reactor waits for it."""
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    def _begin(self) -> None:
        _end_with_zero(self._reactor)
        _hear_hang_up(self._reactor, self._renew)
        run(self._start())

    async def _start(self) -> None:
        try:
            self._server = server = build(self._plan, self._reactor)
            server.loaded = _freeze
            _collect_no_more()
            self._starting = Deferred.fromCoroutine(server.start())
            await self._starting
        except CancelledError:
            return
        except (PresproxyError, OSError) as error:
            _log.critical("presproxy cannot start: {error}", error=error)
        except Exception:
            _log.failure("presproxy cannot start")
        else:
            _say_ready(server)
            return
        _end_with_one(self._reactor)

    async def _stop(self) -> None:
        server, starting = self._server, self._starting
        if server is None or starting is None:
            return
        was_ready = server.is_ready
        if was_ready:
            _log.info("presproxy stops")
        starting.cancel()
        await within(_LONGEST_STOP, self._reactor, server.stop(), "stopping")
        if was_ready:
            _log.info("presproxy has stopped")

    def _renew(self) -> None:
        """Read again what can be while we run: the certificates."""
        if self._server is None or not self._server.renew():
            _log.warn(
                "SIGHUP changes nothing: the configuration is read at the start, and "
                "there is no certificate. A restart loses no subscription"
            )


def _collect_no_more() -> None:
    """
    Let what is read back into memory come without a look at it every now and then.

    All of it stays: with 100,000 subscriptions and as many publications, collections that
    found nothing were 3.3 of the 7.4 s that a start took.
    """
    gc.collect()
    gc.disable()


def _freeze() -> None:
    """What was kept is in memory now: no collection need ever look at it."""
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
    gc.enable()


def _say_ready(server: PresenceServer) -> None:
    for where in server.bound:
        _log.info("listening on {where}", where=where)
    _log.info("HTTP on http://{where}", where=str(server.http_bound).partition(":")[2])
    if not server.plan.auth:
        _log.info("nobody is asked who he is; only this host can reach presproxy")
    _log.info("presproxy is ready")


def _end_with_zero(reactor: Any) -> None:
    """
    Make SIGINT and SIGTERM a stop that was asked for.

    Twisted's own handlers end the process by the same signal once it has stopped, which
    a supervisor takes for a failure.
    """

    def stop(number: int, frame: object) -> None:
        reactor.callFromThread(_stop_reactor, reactor)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)


def _hear_hang_up(reactor: Any, renew: Callable[[], None]) -> None:
    """
    Make SIGHUP no sudden death.

    A terminal that is closed ends what runs in it, as SIGTERM does.  Whoever sends it to
    a server without a terminal wants what can be renewed to be so.
    """

    def hang_up(number: int, frame: object) -> None:
        if os.isatty(0):
            reactor.callFromThread(_stop_reactor, reactor)
            return
        reactor.callFromThread(renew)

    signal.signal(signal.SIGHUP, hang_up)


def _stop_reactor(reactor: Any) -> None:
    """Stop, unless that is under way: a second signal changes nothing."""
    with contextlib.suppress(ReactorNotRunning):
        reactor.stop()


def _end_with_one(reactor: Any) -> None:
    """Stop, and tell whoever started the process that it did not work."""
    atexit.register(os._exit, 1)
    _stop_reactor(reactor)
