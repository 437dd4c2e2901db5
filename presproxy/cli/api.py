"""The JSON interface of a running server, as a client."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import attrs
from hyperlink import URL
from treq.client import HTTPClient
from twisted.internet.defer import TimeoutError as DeferredTimedOut
from twisted.internet.error import ConnectError, ConnectionClosed, DNSLookupError
from twisted.web.client import Agent, ResponseNeverReceived

from presproxy.errors import PresproxyError
from presproxy.sip.uri import AddressOfRecord

#: Seconds an answer is waited for.
_LIMIT = 10.0
#: As many items as the server gives at once.
_PAGE = 1000


@attrs.frozen(eq=False)
class ApiUnavailable(PresproxyError):
    """Nobody answered, or not as presproxy does."""

    url: str
    why: str

    def __str__(self) -> str:
        return f"no answer from {self.url}: {self.why}"


@attrs.frozen(eq=False)
class ApiRefused(PresproxyError):
    """The server answered that it will not."""

    status: int
    why: str

    def __str__(self) -> str:
        return f"{self.why} ({self.status})"


@attrs.define(eq=False)
class ApiClient:
    """Asks the server whose HTTP is at ``url``."""

    url: str
    reactor: Any
    _http: HTTPClient = attrs.field()

    @_http.default
    def _make_http(self) -> HTTPClient:
        return HTTPClient(Agent(self.reactor, connectTimeout=_LIMIT))

    async def every(self, what: str) -> list[Any]:
        """Give all items of a list, page by page."""
        items: list[Any] = []
        begin: int | None = 0
        while begin is not None:
            page = await self.get(what, {"from": str(begin), "count": str(_PAGE)})
            items += page["items"]
            begin = page["next"]
        return items

    async def explain(
        self, watcher: AddressOfRecord, presentity: AddressOfRecord, package: str
    ) -> Any:
        """Say what a watcher may see, and who says so."""
        query = {"watcher": watcher, "presentity": presentity, "package": package}
        return await self.get("explain", query)

    async def contacts(self, owner: AddressOfRecord) -> Any:
        """Give what a presentity has said of each watcher."""
        return await self.get(f"contacts/{_quoted(owner)}")

    async def handle(
        self, owner: AddressOfRecord, watcher: AddressOfRecord, handling: str
    ) -> None:
        """Write what a presentity says of a watcher."""
        path = f"contacts/{_quoted(owner)}/{_quoted(watcher)}"
        await self._ask("PUT", path, body={"handling": handling})

    async def forget(self, owner: AddressOfRecord, watcher: AddressOfRecord) -> None:
        """Forget what a presentity says of a watcher."""
        await self._ask("DELETE", f"contacts/{_quoted(owner)}/{_quoted(watcher)}")

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> Any:
        """
        Give what stands at ``path``.

        Raises `ApiUnavailable` or `ApiRefused`, as all others do.
        """
        return await self._ask("GET", path, query=query)

    async def _ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Any = None,
    ) -> Any:
        try:
            response = await self._http.request(
                method,
                _url(f"{self.url.rstrip('/')}/api/v1/{path}"),
                params=dict(query or {}),
                json=body,
                timeout=_LIMIT,
            )
            text = await response.text("utf-8").addTimeout(_LIMIT, self.reactor)
        except (
            ConnectError,
            ConnectionClosed,
            DeferredTimedOut,
            DNSLookupError,
            ResponseNeverReceived,
        ) as error:
            raise ApiUnavailable(self.url, _why(error)) from error
        if response.code == 204:
            return None
        value = self._read(text, response.code)
        if response.code >= 400:
            raise ApiRefused(response.code, value["error"])
        return value

    def _read(self, text: str, status: int) -> Any:
        try:
            value = json.loads(text)
        except ValueError as error:
            why = f"{status} and something that is no JSON; is it presproxy?"
            raise ApiUnavailable(self.url, why) from error
        if status >= 400 and not (isinstance(value, dict) and "error" in value):
            raise ApiUnavailable(self.url, f"{status}; is it presproxy?")
        return value


class _Literal(URL):
    """A URL with an IPv6 address, which hyperlink would encode as if it were a name."""

    def to_uri(self) -> URL:
        return self


def _url(text: str) -> URL:
    kind = _Literal if "://[" in text else URL
    return kind.from_text(text)


def _quoted(aor: AddressOfRecord) -> str:
    return quote(aor, safe="")


def _why(error: Exception) -> str:
    if isinstance(error, DeferredTimedOut):
        return f"waited {_LIMIT:g} seconds"
    if isinstance(error, DNSLookupError):
        return "no such host"
    if isinstance(error, ConnectError):
        return error.args[0] if error.args and error.args[0] else "connection refused"
    return "the connection broke"
