"""
Twisted's web server with bounds: on the size and the time of a request, on how many
connections there are, and on who may ask.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel
from twisted.web.resource import IResource
from twisted.web.server import Request, Site

from presproxy.http.answers import JSON, Wrong, in_json, refuse
from presproxy.metrics import has_doubled

_log = Logger()

#: Octets of a request's body; the largest there is says a handling.
LARGEST_BODY = 65536

#: Seconds in which a request must be there, and after which an idle connection ends.
TIMEOUT = 30

#: Connections at once: a scraper, a few browsers and the command line need a dozen.
CONNECTIONS = 200

#: Methods that change nothing; a page of another origin may send what it likes of these,
#: as it cannot read the answers.
_SAFE = frozenset({b"GET", b"HEAD", b"OPTIONS"})

#: What a browser says of who sends a request: it is no browser, a user, a page of ours.
_OUR_PAGES = frozenset({None, b"none", b"same-origin"})

#: Where what is asked for may be much.
_API = b"/api/"


class BoundedSite(Site):
    """Serves a resource to this host, within bounds."""

    noisy = False

    def __init__(
        self,
        resource: IResource,
        reactor: Any,
        *,
        timeout: float = TIMEOUT,
        connections: int = CONNECTIONS,
    ) -> None:
        super().__init__(resource, _Request, timeout=timeout, reactor=reactor)
        self.protocol: Any = _Channel  # Without the choice of HTTP/2.
        self.displayTracebacks = False
        self.connections = connections
        self.open: set[_Channel] = set()
        self.defects = 0

    def buildProtocol(self, addr: object) -> Any:
        """Take a connection while there is room; else it is closed."""
        if len(self.open) >= self.connections:
            return None
        return super().buildProtocol(addr)

    def getResourceFor(self, request: Any) -> Any:
        """Route by the path as it was sent: a name may have an escaped slash in it."""
        request.postpath = request.path.lstrip(b"/").split(b"/")
        return super().getResourceFor(request)

    def log(self, request: object) -> None:
        """Write no line: a scraper asks every few seconds, for years."""

    def close(self) -> None:
        """End all connections."""
        for channel in tuple(self.open):
            channel.transport.loseConnection()


class _Channel(HTTPChannel):
    """
    One connection.

    Twisted's time limit begins anew with each octet; here a request has to be there in
    that time as a whole.
    """

    site: Any
    transport: Any  # Twisted's TCP connection; no interface has all it can do
    callLater: Any
    _deadline: Any = None

    def connectionMade(self) -> None:
        self.site.open.add(self)
        super().connectionMade()
        self._begin()

    def dataReceived(self, data: bytes) -> None:
        if self._deadline is None and not self._handlingRequest:
            self._begin()
        super().dataReceived(data)

    def allContentReceived(self) -> None:
        self._end()
        super().allContentReceived()

    def timeoutConnection(self) -> None:
        # Without the line that Twisted logs: most are scrapers who keep a connection.
        self.transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._end()
        self.site.open.discard(self)
        super().connectionLost(reason)

    def _begin(self) -> None:
        self._deadline = self.callLater(self.timeOut, self.timeoutConnection)

    def _end(self) -> None:
        deadline, self._deadline = self._deadline, None
        if deadline is not None and deadline.active():
            deadline.cancel()


class _Request(Request):
    """A request that is looked at before anybody serves it."""

    content: Any
    _is_too_long = False

    def gotLength(self, length: int | None) -> None:
        """Begin to take a body, unless it is longer than there can be a use for."""
        super().gotLength(0)
        if length is not None and length > LARGEST_BODY:
            self._refuse_body()

    def handleContentChunk(self, data: bytes) -> None:
        """Take a part of the body."""
        if self._is_too_long:
            return
        super().handleContentChunk(data)
        if self.content.tell() > LARGEST_BODY:
            self._refuse_body()

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """All is there: serve it, or end a connection whose request was refused."""
        if self._is_too_long:
            self.channel.loseConnection()
        else:
            super().requestReceived(command, path, version)

    def process(self) -> None:
        """Refuse what does not come from this host, then serve."""
        request: Any = self
        request.setHeader("X-Content-Type-Options", "nosniff")
        request.setHeader("Cache-Control", "no-store")
        refusal = self._refusal()
        if refusal is None:
            super().process()
            return
        request.write(refuse(request, refusal))
        request.finish()

    def processingFailed(self, reason: Failure) -> Failure:
        """A defect of ours: counted, logged when their number doubles, answered 500."""
        request: Any = self
        site = request.site
        site.defects += 1
        if has_doubled(site.defects):
            _log.failure(
                "{method} {path} failed (defect {count})",
                failure=reason,
                method=request.method.decode("ascii", "replace"),
                path=request.path.decode("ascii", "replace"),
                count=site.defects,
            )
        wrong = Wrong(500, "server", "something went wrong here; the log says what")
        if not request.startedWriting:
            request.write(refuse(request, wrong))
        request.finish()
        return reason

    def _refuse_body(self) -> None:
        """
        Answer 413 at once, and take the rest of the body without keeping it.

        Whoever is still sending would not see an answer on a connection that is closed.
        """
        request: Any = self
        self._is_too_long = True
        # Nothing more is to be asked for.
        request.requestHeaders.removeHeader(b"expect")
        why = f"a body may have {LARGEST_BODY} octets"
        body = in_json({"error": why, "where": "body"})
        request.channel.transport.write(
            b"HTTP/1.1 413 Content Too Large\r\n"
            b"Content-Type: %b\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b"
            % (JSON.encode(), len(body), body)
        )

    def _refusal(self) -> Wrong | None:
        request: Any = self
        host = request.getRequestHostname().decode("latin-1")
        if not _is_of_loopback(host):
            why = "this door answers to names of the loopback only"
            return Wrong(403, "Host", why)
        origin = request.getHeader(b"origin")
        if (
            request.method not in _SAFE
            and origin is not None
            and origin != b"http://%b" % (request.getHeader(b"host") or b"")
        ):
            why = "no page of another origin may change anything here"
            return Wrong(403, "Origin", why)
        if self._is_of_another_page():
            why = "no page of another origin may make anything be done here"
            return Wrong(403, "Sec-Fetch-Site", why)
        return None

    def _is_of_another_page(self) -> bool:
        """
        Whether a browser says that a page of another origin sends this.

        It could not read the answer, but make us gather the trace, or take the place of
        who reads.  Following its link to a page of ours is another thing.
        """
        request: Any = self
        if request.getHeader(b"sec-fetch-site") in _OUR_PAGES:
            return False
        is_followed = request.getHeader(b"sec-fetch-mode") == b"navigate"
        return not is_followed or request.path.startswith(_API)


def _is_of_loopback(host: str) -> bool:
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
