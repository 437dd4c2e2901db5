"""
The other door: health, metrics and the JSON interface, on the loopback.

Nobody is asked who he is here, so the door listens on the loopback only, and answers only
to names of the loopback: a page in somebody's browser that points its own name at
127.0.0.1 is refused, and so is a change that another origin's page could send unasked.
"""

from __future__ import annotations

from collections.abc import Mapping
from secrets import token_hex
from socket import gethostname
from typing import Any

from klein import Klein
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import LoopingCall, deferLater
from twisted.web.iweb import IRequest
from werkzeug.exceptions import HTTPException

from presproxy.http.answers import Wrong, not_now, refuse, routed_nowhere
from presproxy.http.api import Api
from presproxy.http.channel import CONNECTIONS, TIMEOUT, BoundedSite
from presproxy.http.console.feed import Feed
from presproxy.http.console.site import read_static
from presproxy.http.console.topics import ServerTopic, opener_of_trace
from presproxy.http.exposition import CONTENT_TYPE, exposition
from presproxy.http.shapes import server
from presproxy.http.sight import Sight
from presproxy.http.trace.looking import KEPT, Looking
from presproxy.http.trace.shapes import SERVER
from presproxy.http.trace.views import TraceViews
from presproxy.transport.sockets import address_of, bind
from presproxy.transport.where import Where

#: What can be said of a server that is not ready.
_ALWAYS = (b"/api/v1/server", b"/api/v1/openapi.json")


class HttpDoor:
    """Health, metrics and the JSON interface, on one port."""

    app = Klein()

    def __init__(
        self,
        reactor: Any,
        sight: Sight,
        *,
        timeout: float = TIMEOUT,
        connections: int = CONNECTIONS,
    ):
        self._reactor = reactor
        self._sight = sight
        self._looking = Looking(sight.ring, sight.now, sight.ticks, self._breath)
        trace = TraceViews(self._looking, self._our_lane, sight.version, gethostname())
        self._feed = Feed(
            reactor,
            {
                "trace": opener_of_trace(trace),
                "server": lambda rest, number: ServerTopic(lambda: server(sight)),
            },
            lambda: sight.ring.next - 1,
            token_hex(4),
        )
        self._api = Api(sight, trace, self._feed)
        self.site = BoundedSite(
            self.app.resource(), reactor, timeout=timeout, connections=connections
        )
        self._static = read_static()
        self._ports: list[Any] = []
        self._sweeping = LoopingCall(self._looking.sweep)
        self._sweeping.clock = reactor
        sight.metrics.gauge(
            "http_connections", "HTTP connections open.", lambda: len(self.site.open)
        )
        sight.metrics.gauge(
            "http_readers", "Pages that are kept up to date.", lambda: len(self._feed)
        )
        sight.metrics.gauge(
            "http_defects",
            "HTTP requests that ended in an error nobody expected.",
            lambda: self.site.defects,
        )

    def _breath(self) -> Deferred[None]:
        """Wait until the reactor has done what else there is to do now."""
        return deferLater(self._reactor, 0)

    def _our_lane(self) -> Mapping[str, Any]:
        """Show ourselves beside those who speak with us."""
        address = next(iter(self._sight.listeners()), "")
        return {
            "id": SERVER,
            "role": "server",
            "identity": None,
            "label": "presproxy",
            "agent": gethostname(),
            "address": address.partition(":")[2] or None,
            "transport": None,
        }

    def listen(self, where: Where) -> Where:
        """
        Begin to answer, and say where really; the first address if there are two.

        Raises `CannotListen` when the place is taken.
        """
        places = []
        for bound in bind(where):
            host, port = address_of(bound)
            places.append(Where("tcp", port, host))
            self._ports.append(
                self._reactor.adoptStreamPort(bound.fileno(), bound.family, self.site)
            )
            # The reactor has a descriptor of its own now.
            bound.close()
        self._sweeping.start(KEPT, now=False)
        return places[0]

    async def stop(self) -> None:
        """Answer no more."""
        if self._sweeping.running:
            self._sweeping.stop()
        self._feed.stop()
        ports, self._ports = self._ports, []
        for port in ports:
            await maybeDeferred(port.stopListening)
        self.site.close()

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

    @app.route("/", methods=["GET"])
    @app.route("/people", methods=["GET"])
    @app.route("/trace", methods=["GET"])
    def page(self, request: IRequest) -> bytes:
        """Give the console's page; what it shows is for its address to say."""
        return self._static.page(request)

    @app.route("/static/<hash>/<path:path>", methods=["GET"])
    def static(self, request: IRequest, hash: str, path: str) -> bytes:
        """Give one of the page's files."""
        return self._static.file(request, hash, path)

    @app.route("/api/v1/", branch=True)
    def api(self, request: Any) -> Any:
        """Hand on to the JSON interface, once there is something to be seen by it."""
        if not self._sight.is_ready() and request.path not in _ALWAYS:
            raise not_now("server", "the server starts, or stops")
        return self._api.app.resource()

    @app.handle_errors(Wrong)
    def wrong(self, request: IRequest, failure: Any) -> bytes:
        """Answer what was found wrong here."""
        return refuse(request, failure.value)

    @app.handle_errors(HTTPException)
    def nowhere(self, request: IRequest, failure: Any) -> bytes:
        """Answer what leads nowhere."""
        return refuse(request, routed_nowhere(failure.value, request))


def _text(request: IRequest, text: str) -> bytes:
    request.setHeader("Content-Type", "text/plain; charset=utf-8")
    return text.encode()
