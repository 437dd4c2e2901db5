"""
The other door: health, metrics and the JSON interface, on the loopback.

Nobody is asked who he is here, so the door listens on the loopback only, and answers only
to names of the loopback: a page in somebody's browser that points its own name at
127.0.0.1 is refused, and so is a change that another origin's page could send unasked.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from klein import Klein
from twisted.internet.defer import maybeDeferred
from twisted.web.iweb import IRequest
from twisted.web.server import Request, Site

from presproxy.http.api import Api
from presproxy.http.exposition import CONTENT_TYPE, exposition
from presproxy.http.sight import Sight
from presproxy.transport.where import Where

#: Octets of a request's body; the largest there is says a handling.
_LARGEST_BODY = 65536

#: Seconds in which a request must come, and after which an idle connection ends.
_TIMEOUT = 30

#: Methods that change something.
_UNSAFE = frozenset({b"PUT", b"POST", b"DELETE", b"PATCH"})


class HttpDoor:
    """Health, metrics and the JSON interface, on one port."""

    app = Klein()

    def __init__(self, reactor: Any, sight: Sight):
        self._reactor = reactor
        self._sight = sight
        self._api = Api(sight)
        self._port: Any = None

    async def listen(self, where: Where) -> Where:
        """
        Begin to answer, and say where really.

        Raises `CannotListenError` of Twisted when the place is taken.
        """
        site = _Site(self.app.resource(), timeout=_TIMEOUT)
        site.displayTracebacks = False
        site.noisy = False
        host = where.addresses[0]
        self._port = self._reactor.listenTCP(where.port, site, interface=host)
        return Where("tcp", self._port.getHost().port, host)

    async def stop(self) -> None:
        """Answer no more."""
        port, self._port = self._port, None
        if port is not None:
            await maybeDeferred(port.stopListening)

    @app.route("/healthz", methods=["GET"])
    def healthz(self, request: IRequest) -> bytes:
        """Say that the process lives."""
        return _text(request, "alive\n")

    @app.route("/readyz", methods=["GET"])
    def readyz(self, request: IRequest) -> bytes:
        """Say whether requests are served."""
        if self._sight.is_ready():
            return _text(request, "ready\n")
        request.setResponseCode(503)
        return _text(request, "not ready\n")

    @app.route("/metrics", methods=["GET"])
    def metrics(self, request: IRequest) -> bytes:
        """Give all metrics to Prometheus."""
        request.setHeader("Content-Type", CONTENT_TYPE)
        return exposition(self._sight.metrics)

    @app.route("/api/v1/", branch=True)
    def api(self, request: IRequest) -> Any:
        """Hand on to the JSON interface."""
        return self._api.app.resource()


def _text(request: IRequest, text: str) -> bytes:
    request.setHeader("Content-Type", "text/plain; charset=utf-8")
    return text.encode()


class _Request(Request):
    """A request that is looked at before anybody serves it."""

    def gotLength(self, length: int | None) -> None:
        """Take no longer body than there can be a use for."""
        if length is not None and length > _LARGEST_BODY:
            self.channel.forceAbortClient()
            return
        super().gotLength(length)

    def process(self) -> None:
        """Refuse what does not come from this host, then serve."""
        request: Any = self
        request.setHeader("X-Content-Type-Options", "nosniff")
        request.setHeader("Cache-Control", "no-store")
        refusal = self._refusal()
        if refusal is None:
            super().process()
            return
        request.setResponseCode(403)
        request.setHeader("Content-Type", "application/json; charset=utf-8")
        request.write(b'{"error": "%b"}\n' % refusal.encode())
        request.finish()

    def _refusal(self) -> str | None:
        request: Any = self
        if not _is_of_loopback(request.getRequestHostname().decode("latin-1")):
            return "this door answers to names of the loopback only"
        if request.method in _UNSAFE and request.getHeader("origin") is not None:
            return "no page of another origin may change anything here"
        return None


class _Site(Site):
    requestFactory = _Request

    def log(self, request: object) -> None:
        """Write no line: a scraper asks every few seconds, for years."""


def _is_of_loopback(host: str) -> bool:
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
