"""The server under ``twistd``."""

from __future__ import annotations

import os
import signal
from typing import Any

from twisted.application.service import IService, Service
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.logger import Logger

from presproxy.config import Plan
from presproxy.errors import PresproxyError
from presproxy.service.background import run
from presproxy.service.build import build
from presproxy.service.server import PresenceServer

_log = Logger()

#: Seconds for a stop to finish what was taken; past them the process ends all the same.
_LONGEST_STOP = 30.0


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
        self._server: PresenceServer | None = None

    def startService(self) -> None:
        """Build and start, once the reactor runs."""
        from twisted.internet import reactor

        super().startService()
        typed: Any = reactor
        typed.callWhenRunning(self._begin, typed)

    def stopService(self) -> Deferred[None]:
        """Stop; the reactor waits for it."""
        super().stopService()
        server, self._server = self._server, None
        return Deferred.fromCoroutine(_stop(server))

    def _begin(self, reactor: Any) -> None:
        _end_with_zero(reactor)
        self._server = build(self._plan, reactor)
        run(self._start(self._server, reactor))

    async def _start(self, server: PresenceServer, reactor: Any) -> None:
        try:
            await server.start()
        except (PresproxyError, CannotListenError, OSError) as error:
            _log.critical("presproxy cannot start: {error}", error=error)
            _end_with_one(reactor)
        except Exception:
            _log.failure("presproxy cannot start")
            _end_with_one(reactor)
        else:
            _say_ready(server)


async def _stop(server: PresenceServer | None) -> None:
    if server is not None:
        await server.stop()
        _log.info("presproxy has stopped")


def _say_ready(server: PresenceServer) -> None:
    for where in server.bound:
        _log.info("listening on {where}", where=where)
    if server.http_bound is not None:
        _log.info(
            "HTTP on http://{where}", where=str(server.http_bound).partition(":")[2]
        )
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


def _stop_reactor(reactor: Any) -> None:
    if reactor.running and not getattr(reactor, "_stopped", False):
        reactor.stop()


def _end_with_one(reactor: Any) -> None:
    """Stop, and tell whoever started the process that it did not work."""
    reactor.addSystemEventTrigger("after", "shutdown", os._exit, 1)
    _stop_reactor(reactor)
