"""The JSON interface under ``/api/v1/``."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from itertools import islice
from typing import Any, TypeVar
from urllib.parse import unquote

from klein import Klein
from twisted.internet.defer import Deferred
from twisted.web.iweb import IRequest
from werkzeug.exceptions import HTTPException

from presproxy.errors import LimitReached, MalformedField, StorageUnavailable
from presproxy.extend.guard import PluginFailed
from presproxy.http import shapes
from presproxy.http.answers import (
    JSON,
    Wrong,
    in_json,
    not_now,
    refuse,
    routed_nowhere,
)
from presproxy.http.arguments import number, text
from presproxy.http.console.feed import Feed
from presproxy.http.openapi import description
from presproxy.http.sight import Sight
from presproxy.http.trace.views import TraceViews
from presproxy.interfaces import IContactList
from presproxy.model.decision import Handling
from presproxy.model.identity import Identity
from presproxy.sip.uri import AddressOfRecord, address_of_record

T = TypeVar("T")

#: How much of a list is shown when nobody says, and at most.
_PAGE, _LONGEST_PAGE = 100, 1000

#: The package that is meant when nobody names one.
_PRESENCE = "presence"


class Api:
    """
    The resources of ``/api/v1/``.

    What stands in a path comes here as it was sent, with its escapes.
    """

    app = Klein()

    def __init__(self, sight: Sight, trace: TraceViews, feed: Feed):
        self._sight = sight
        self._trace = trace
        self._feed = feed

    # -- Showing ---------------------------------------------------------------------

    @app.route("/openapi.json", methods=["GET"])
    def openapi(self, request: IRequest) -> bytes:
        """Describe this interface."""
        return _shown(request, description(self._sight.version))

    @app.route("/server", methods=["GET"])
    def server(self, request: IRequest) -> bytes:
        """Say who answers, and where it listens."""
        return _shown(request, shapes.server(self._sight))

    @app.route("/presentities", methods=["GET"])
    def presentities(self, request: IRequest) -> bytes:
        """List presentities, who publish or are watched, the longest known first."""
        resources = self._sight.agent.resources
        return _page(
            request,
            resources.presentities,
            lambda aor: shapes.presentity(aor, resources.of(aor)),
        )

    @app.route("/presentities/<aor>", methods=["GET"])
    def presentity(self, request: IRequest, aor: str) -> bytes:
        """Show one presentity, its publications, and as many watchers as fit a page."""
        sight, now = self._sight, self._sight.now()
        wanted = self._named(aor, "path")
        resources = sight.agent.resources.of(wanted)
        return _shown(
            request,
            {
                **shapes.presentity(wanted, resources),
                "publications": [
                    shapes.publication(each, now)
                    for resource in resources
                    for each in resource.publications
                ],
                "subscriptions": [
                    shapes.subscription(each, now)
                    for each in islice(sight.agent.of(wanted), _LONGEST_PAGE)
                ],
            },
        )

    @app.route("/subscriptions", methods=["GET"])
    def subscriptions(self, request: IRequest) -> bytes:
        """List subscriptions, all of them or to one presentity or of one watcher."""
        agent, now = self._sight.agent, self._sight.now()
        presentity = self._argument(request, "presentity")
        watcher = self._argument(request, "watcher")
        found: Sequence[Any] = (
            agent.subscriptions() if presentity is None else agent.of(presentity)
        )
        if watcher is not None:
            found = [each for each in found if each.watcher.aor == watcher]
        return _page(request, found, lambda each: shapes.subscription(each, now))

    @app.route("/registrations", methods=["GET"])
    def registrations(self, request: IRequest) -> bytes:
        """List registered users and their contacts, the longest known first."""
        now = self._sight.now()
        found = tuple(self._sight.locations)
        return _page(request, found, lambda each: shapes.registration(each, now))

    @app.route("/plugins", methods=["GET"])
    def plugins(self, request: IRequest) -> bytes:
        """List the plugins in use."""
        found = shapes.plugins(self._sight.plugins, self._sight.metrics)
        return _page(request, found, _same)

    @app.route("/upstreams", methods=["GET"])
    def upstreams(self, request: IRequest) -> bytes:
        """List the servers behind us, and whether they are there."""
        return _page(request, self._sight.behind(), shapes.upstream)

    @app.route("/behind", methods=["GET"])
    def behind(self, request: IRequest) -> bytes:
        """List what is fetched from servers behind, and what is passed there."""
        return _page(request, self._sight.kept_behind(), shapes.kept_behind)

    @app.route("/explain", methods=["GET"])
    async def explain(self, request: IRequest) -> bytes:
        """Say what a watcher may see of a presentity, and who says so."""
        watcher = self._needed(request, "watcher")
        presentity = self._needed(request, "presentity")
        package = text(request, "package") or _PRESENCE
        if package not in self._sight.packages:
            known = ", ".join(self._sight.packages)
            raise Wrong(400, "package", f"package is one of {known}")
        said = await self._sight.explain(Identity(watcher, ""), presentity, package)
        return _shown(request, shapes.explained(watcher, presentity, package, said))

    # -- The trace -------------------------------------------------------------------

    @app.route("/trace", methods=["GET"])
    async def trace(self, request: IRequest) -> bytes:
        """Show what went over the wire, or give it as a file."""
        given = await self._trace.page(request)
        return given if isinstance(given, bytes) else _shown(request, given)

    @app.route("/trace/<name>", methods=["GET"])
    async def traced(self, request: IRequest, name: str) -> bytes:
        """Show one message whole."""
        return _shown(request, await self._trace.message(name))

    # -- The stream ------------------------------------------------------------------

    @app.route("/events", methods=["GET"])
    def events(self, request: Any) -> Deferred[bytes]:
        """Tell what is new, for as long as somebody reads."""
        last = request.getHeader("last-event-id") or text(request, "last") or ""
        return self._feed.open(request, text(request, "topics") or "", last)

    @app.route("/events/<reader>/topics", methods=["POST"])
    def topics(self, request: IRequest, reader: str) -> bytes:
        """Let a reader have other topics."""
        asked = _body(request)
        names = asked.get("topics") if isinstance(asked, dict) else None
        if not isinstance(names, str):
            raise Wrong(400, "topics", "topics is a text")
        if not self._feed.change(reader, names):
            raise Wrong(404, "path", "there is no such reader")
        request.setResponseCode(204)
        return b""

    # -- Contact lists ---------------------------------------------------------------

    @app.route("/contacts/<aor>", methods=["GET"])
    async def contacts(self, request: IRequest, aor: str) -> bytes:
        """Show what a presentity has said of his watchers."""
        owner = self._named(aor, "path")
        handlings = await self._lists().contacts(owner)
        kept = self._sight.kept(owner)
        return _shown(request, shapes.contacts(owner, handlings, kept))

    @app.route("/contacts/<aor>/<watcher>", methods=["PUT"])
    async def handle(self, request: IRequest, aor: str, watcher: str) -> bytes:
        """Write what a presentity says of a watcher."""
        owner, other = self._named(aor, "path"), self._named(watcher, "path")
        handling = _handling(_body(request))
        await self._lists().handle(owner, other, handling)
        return _shown(request, {"aor": other, "handling": handling.value})

    @app.route("/contacts/<aor>/<watcher>", methods=["DELETE"])
    async def forget(self, request: IRequest, aor: str, watcher: str) -> bytes:
        """Forget what a presentity says of a watcher."""
        owner, other = self._named(aor, "path"), self._named(watcher, "path")
        await self._lists().handle(owner, other, None)
        request.setResponseCode(204)
        return b""

    def _lists(self) -> IContactList:
        lists = self._sight.lists
        if lists is None:
            raise Wrong(404, "acl", "no contact ACL in use keeps lists")
        return lists

    # -- Addresses -------------------------------------------------------------------

    def _named(self, text: str, where: str) -> AddressOfRecord:
        """Read an address with the escapes of a URL."""
        try:
            return self._address(unquote(text, errors="strict"), where)
        except UnicodeDecodeError as error:
            raise Wrong(400, where, f"{where}: {text!r} is no UTF-8") from error

    def _argument(self, request: IRequest, name: str) -> AddressOfRecord | None:
        found = text(request, name)
        return None if found is None else self._address(found, name)

    def _needed(self, request: IRequest, name: str) -> AddressOfRecord:
        found = self._argument(request, name)
        if found is None:
            raise Wrong(400, name, f"{name} is missing")
        return found

    def _address(self, text: str, where: str) -> AddressOfRecord:
        try:
            return self._sight.home(address_of_record(text))
        except MalformedField as error:
            raise Wrong(400, where, f"{where}: {error}") from error

    # -- What goes wrong -------------------------------------------------------------

    @app.handle_errors(Wrong)
    def wrong(self, request: IRequest, failure: Any) -> bytes:
        """Answer what was found wrong here."""
        return refuse(request, failure.value)

    @app.handle_errors(HTTPException)
    def nowhere(self, request: IRequest, failure: Any) -> bytes:
        """Answer what leads nowhere."""
        return refuse(request, routed_nowhere(failure.value, request))

    @app.handle_errors(LimitReached)
    def full(self, request: IRequest, failure: Any) -> bytes:
        """Answer 409 where there is no room."""
        return refuse(request, Wrong(409, "acl", str(failure.value)))

    @app.handle_errors(StorageUnavailable)
    def unavailable(self, request: IRequest, failure: Any) -> bytes:
        """Answer 503 where trying again may help."""
        return refuse(request, not_now("storage", str(failure.value)))

    @app.handle_errors(PluginFailed)
    def failed(self, request: IRequest, failure: Any) -> bytes:
        """Answer 503 when a plugin failed."""
        return refuse(request, not_now(failure.value.kind, str(failure.value)))


def _shown(request: IRequest, value: object) -> bytes:
    request.setHeader("Content-Type", JSON)
    return in_json(value)


def _page(
    request: IRequest, found: Collection[T], shape: Callable[[T], object]
) -> bytes:
    """Show one page of a list; ``next`` is where the next one begins, null at the end."""
    begin = number(request, "from", 0, 0, 2**31)
    count = number(request, "count", _PAGE, 1, _LONGEST_PAGE)
    end = begin + count
    return _shown(
        request,
        {
            "total": len(found),
            "next": end if end < len(found) else None,
            "items": [shape(each) for each in islice(found, begin, end)],
        },
    )


def _body(request: Any) -> Any:
    try:
        return json.loads(request.content.read())
    except (ValueError, RecursionError) as error:
        raise Wrong(400, "body", f"the body is no JSON: {error}") from error


def _handling(body: Any) -> Handling:
    asked = body.get("handling") if isinstance(body, dict) else None
    try:
        return Handling(asked)
    except ValueError as error:
        known = ", ".join(each.value for each in Handling)
        raise Wrong(400, "handling", f"handling is one of {known}") from error


def _same(value: T) -> T:
    return value
