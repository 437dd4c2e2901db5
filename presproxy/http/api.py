"""The JSON interface under ``/api/v1/``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar
from urllib.parse import unquote

from klein import Klein
from twisted.web.iweb import IRequest

from presproxy.errors import LimitReached, MalformedField, StorageUnavailable
from presproxy.extend.guard import PluginFailed
from presproxy.http import shapes
from presproxy.http.openapi import description
from presproxy.http.sight import Sight
from presproxy.model.decision import Handling
from presproxy.model.identity import Identity
from presproxy.sip.uri import AddressOfRecord, address_of_record

T = TypeVar("T")

#: How much of a list is shown when nobody says, and at most.
_PAGE, _LONGEST_PAGE = 100, 1000

#: The package that is meant when nobody names one.
_PRESENCE = "presence"


class Wrong(Exception):
    """A request that cannot be served, and why."""

    def __init__(self, status: int, why: str):
        super().__init__(why)
        self.status = status
        self.why = why


class Api:
    """The resources of ``/api/v1/``."""

    app = Klein()

    def __init__(self, sight: Sight):
        self._sight = sight

    # -- Showing ---------------------------------------------------------------------

    @app.route("/openapi.json", methods=["GET"])
    def openapi(self, request: IRequest) -> bytes:
        """Describe this interface."""
        return _json(request, description(self._sight.version))

    @app.route("/server", methods=["GET"])
    def server(self, request: IRequest) -> bytes:
        """Say who answers, and where it listens."""
        sight = self._sight
        return _json(
            request,
            {
                "version": sight.version,
                "now": shapes.moment(sight.now()),
                "domains": sorted(sight.domains),
                "listeners": list(sight.listeners()),
                "is_ready": sight.is_ready(),
            },
        )

    @app.route("/presentities", methods=["GET"])
    def presentities(self, request: IRequest) -> bytes:
        """List presentities: who publishes, or is watched."""
        sight = self._sight
        aors = {resource.presentity for resource in sight.agent.resources}
        return _page(
            request,
            sorted(aors),
            lambda aor: shapes.presentity(aor, sight.agent.resources.of(aor)),
        )

    @app.route("/presentities/<path:aor>", methods=["GET"])
    def presentity(self, request: IRequest, aor: str) -> bytes:
        """Show one presentity, its publications and its watchers."""
        sight, now = self._sight, self._sight.now()
        wanted = _aor(aor)
        resources = sight.agent.resources.of(wanted)
        return _json(
            request,
            {
                **shapes.presentity(wanted, resources),
                "publications": [
                    shapes.publication(each, now)
                    for resource in resources
                    for each in resource.publications
                ],
                "subscriptions": [
                    shapes.subscription(each, now) for each in sight.agent.of(wanted)
                ],
            },
        )

    @app.route("/subscriptions", methods=["GET"])
    def subscriptions(self, request: IRequest) -> bytes:
        """List subscriptions, all of them or to one presentity or of one watcher."""
        agent, now = self._sight.agent, self._sight.now()
        presentity, watcher = (
            _argument(request, "presentity"),
            _argument(request, "watcher"),
        )
        found = (
            agent.subscriptions() if presentity is None else agent.of(_aor(presentity))
        )
        if watcher is not None:
            wanted = _aor(watcher)
            found = [each for each in found if each.watcher.aor == wanted]
        return _page(request, found, lambda each: shapes.subscription(each, now))

    @app.route("/registrations", methods=["GET"])
    def registrations(self, request: IRequest) -> bytes:
        """List registered users and their contacts."""
        now = self._sight.now()
        found = sorted(self._sight.locations, key=lambda each: each.aor)
        return _page(request, found, lambda each: shapes.registration(each, now))

    @app.route("/plugins", methods=["GET"])
    def plugins(self, request: IRequest) -> bytes:
        """List the plugins in use."""
        return _page(
            request, shapes.plugins(self._sight.plugins, self._sight.metrics), _same
        )

    @app.route("/explain", methods=["GET"])
    async def explain(self, request: IRequest) -> bytes:
        """Say what a watcher may see of a presentity, and who says so."""
        watcher = _aor(_needed(request, "watcher"))
        presentity = _aor(_needed(request, "presentity"))
        package = _argument(request, "package") or _PRESENCE
        said = await self._sight.explain(Identity(watcher, ""), presentity, package)
        return _json(request, shapes.explained(watcher, presentity, package, said))

    # -- Contact lists ---------------------------------------------------------------

    @app.route("/contacts/<aor>", methods=["GET"])
    async def contacts(self, request: IRequest, aor: str) -> bytes:
        """Show what a presentity has said of his watchers."""
        owner = _aor(aor)
        handlings = await self._lists().contacts(owner)
        return _json(request, shapes.contacts(owner, handlings))

    @app.route("/contacts/<aor>/<watcher>", methods=["PUT"])
    async def handle(self, request: IRequest, aor: str, watcher: str) -> bytes:
        """Write what a presentity says of a watcher."""
        handling = _handling(_body(request))
        await self._write(_aor(aor), _aor(watcher), handling)
        return _json(request, {"aor": _aor(watcher), "handling": handling.value})

    @app.route("/contacts/<aor>/<watcher>", methods=["DELETE"])
    async def forget(self, request: IRequest, aor: str, watcher: str) -> bytes:
        """Forget what a presentity says of a watcher."""
        await self._write(_aor(aor), _aor(watcher), None)
        request.setResponseCode(204)
        return b""

    def _lists(self) -> Any:
        lists = self._sight.lists
        if lists is None:
            raise Wrong(404, "no contact ACL in use keeps lists")
        return lists

    async def _write(
        self,
        owner: AddressOfRecord,
        watcher: AddressOfRecord,
        handling: Handling | None,
    ) -> None:
        await self._lists().handle(owner, watcher, handling)

    # -- What goes wrong -------------------------------------------------------------

    @app.handle_errors(Wrong)
    def wrong(self, request: IRequest, failure: Any) -> bytes:
        """Answer what was found wrong here."""
        return _error(request, failure.value.status, failure.value.why)

    @app.handle_errors(MalformedField)
    def malformed(self, request: IRequest, failure: Any) -> bytes:
        """Answer 400 to what cannot be read."""
        return _error(request, 400, str(failure.value))

    @app.handle_errors(LimitReached)
    def full(self, request: IRequest, failure: Any) -> bytes:
        """Answer 409 where there is no room."""
        return _error(request, 409, str(failure.value))

    @app.handle_errors(StorageUnavailable, PluginFailed)
    def unavailable(self, request: IRequest, failure: Any) -> bytes:
        """Answer 503 where trying again may help."""
        request.setHeader("Retry-After", "5")
        return _error(request, 503, str(failure.value))


def _json(request: IRequest, value: object) -> bytes:
    request.setHeader("Content-Type", "application/json; charset=utf-8")
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace") + b"\n"


def _error(request: IRequest, status: int, why: str) -> bytes:
    request.setResponseCode(status)
    return _json(request, {"error": why})


def _page(request: IRequest, found: Sequence[T], shape: Callable[[T], object]) -> bytes:
    """Show one page of a list; ``next`` is where the next one begins, null at the end."""
    begin = _number(request, "from", 0, 2**31)
    count = _number(request, "count", _PAGE, _LONGEST_PAGE)
    end = begin + count
    return _json(
        request,
        {
            "total": len(found),
            "next": end if end < len(found) else None,
            "items": [shape(each) for each in found[begin:end]],
        },
    )


def _number(request: IRequest, name: str, default: int, most: int) -> int:
    text = _argument(request, name)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 10 or int(text) > most:
        raise Wrong(400, f"{name}: a number from 0 to {most}")
    return int(text)


def _argument(request: Any, name: str) -> str | None:
    values: Iterable[bytes] = request.args.get(name.encode(), ())
    for value in values:
        return value.decode("utf-8", "replace")
    return None


def _needed(request: IRequest, name: str) -> str:
    value = _argument(request, name)
    if not value:
        raise Wrong(400, f"{name}: missing")
    return value


def _aor(text: str) -> AddressOfRecord:
    return address_of_record(unquote(text))


def _body(request: Any) -> Any:
    try:
        return json.loads(request.content.read())
    except (ValueError, RecursionError) as error:
        raise Wrong(400, f"the body is no JSON: {error}") from error


def _handling(body: Any) -> Handling:
    known = ", ".join(each.value for each in Handling)
    asked = body.get("handling") if isinstance(body, dict) else None
    try:
        return Handling(asked)
    except ValueError as error:
        raise Wrong(400, f"handling: one of {known}") from error


def _same(value: T) -> T:
    return value
