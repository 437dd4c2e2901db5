"""The description of the JSON interface (OpenAPI 3.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from presproxy.model.decision import Handling

JSON = Mapping[str, Any]


def description(version: str) -> JSON:
    """Describe every path of ``/api/v1/``."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "presproxy",
            "version": version,
            "summary": "What a presence server knows, and its contact lists.",
        },
        "servers": [{"url": "/api/v1"}],
        "paths": _PATHS,
        "components": {"schemas": _SCHEMAS},
    }


def _object(required: Sequence[str], **properties: JSON) -> JSON:
    return {"type": "object", "required": list(required), "properties": properties}


def _array(items: JSON) -> JSON:
    return {"type": "array", "items": items}


def _ref(name: str) -> JSON:
    return {"$ref": f"#/components/schemas/{name}"}


def _or_null(type: str) -> JSON:
    return {"type": [type, "null"]}


_TEXT: JSON = {"type": "string"}
_NUMBER: JSON = {"type": "integer", "minimum": 0}
_COUNT: JSON = {"type": "integer", "minimum": 1, "default": 100}
_MOMENT: JSON = {"type": "string", "format": "date-time"}
_HANDLING: JSON = {"enum": [each.value for each in Handling]}
_STATE: JSON = {"enum": ["pending", "active", "terminated"]}


def _query(name: str, what: str, required: bool = False, schema: JSON = _TEXT) -> JSON:
    return {
        "name": name,
        "in": "query",
        "required": required,
        "description": what,
        "schema": schema,
    }


def _path(name: str, what: str) -> JSON:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": what,
        "schema": _TEXT,
    }


_PAGE = (
    _query("from", "The first item, counted from 0.", schema=_NUMBER),
    _query("count", "The most items; 100 if not given.", schema=_COUNT),
)
_AOR = _path("aor", "An address of record, with or without ``sip:``.")
_WATCHER = _path("watcher", "The address of record of the watcher.")


def _answer(status: str, what: str, schema: JSON | None = None) -> dict[str, JSON]:
    content = (
        {} if schema is None else {"content": {"application/json": {"schema": schema}}}
    )
    return {status: {"description": what, **content}}


_WRONG = {
    **_answer("400", "Something cannot be read.", _ref("Error")),
    **_answer("default", "It went wrong in another way.", _ref("Error")),
}
_AGAIN = _answer("503", "Try again later.", _ref("Error"))


def _get(summary: str, name: str, parameters: Sequence[JSON] = ()) -> JSON:
    return {
        "get": {
            "summary": summary,
            "parameters": list(parameters),
            "responses": {**_answer("200", summary, _ref(name)), **_WRONG},
        }
    }


_PATHS: JSON = {
    "/openapi.json": {
        "get": {
            "summary": "This description.",
            "responses": _answer("200", "This description.", {"type": "object"}),
        }
    },
    "/server": _get("Who answers, and where it listens.", "Server"),
    "/presentities": _get("Who publishes or is watched.", "Presentities", _PAGE),
    "/presentities/{aor}": _get(
        "One presentity, its publications and watchers.", "PresentityInFull", (_AOR,)
    ),
    "/subscriptions": _get(
        "Who watches whom.",
        "Subscriptions",
        (
            *_PAGE,
            _query("presentity", "Only subscriptions to this one."),
            _query("watcher", "Only subscriptions of this one."),
        ),
    ),
    "/registrations": _get("Where users can be reached.", "Registrations", _PAGE),
    "/plugins": _get("The plugins in use.", "Plugins", _PAGE),
    "/upstreams": _get("The servers behind.", "Upstreams", _PAGE),
    "/explain": _get(
        "What a watcher may see, which plugin says so and by which rule.",
        "Explained",
        (
            _query("watcher", "Who watches.", required=True),
            _query("presentity", "Who is watched.", required=True),
            _query("package", "The event package; ``presence`` if not given."),
        ),
    ),
    "/contacts/{aor}": _get(
        "What a presentity has said of his watchers.", "Contacts", (_AOR,)
    ),
    "/contacts/{aor}/{watcher}": {
        "parameters": [_AOR, _WATCHER],
        "put": {
            "summary": "Say how a watcher is handled.",
            "requestBody": {
                "required": True,
                "content": {
                    "application/json": {
                        "schema": _object(["handling"], handling=_HANDLING)
                    }
                },
            },
            "responses": {
                **_answer("200", "It is kept, and obeyed.", _ref("Contact")),
                **_WRONG,
                **_answer("409", "The list is full.", _ref("Error")),
                **_AGAIN,
            },
        },
        "delete": {
            "summary": "Forget what was said of a watcher.",
            "responses": {**_answer("204", "It is forgotten."), **_WRONG, **_AGAIN},
        },
    },
}


def _list(name: str) -> JSON:
    return _object(
        ["total", "next", "items"],
        total=_NUMBER,
        next=_or_null("integer"),
        items=_array(_ref(name)),
    )


_PACKAGES = _array(
    _object(
        ["package", "publications", "categories", "watchers"],
        package=_TEXT,
        publications=_NUMBER,
        categories=_NUMBER,
        watchers=_object(["active", "pending"], active=_NUMBER, pending=_NUMBER),
    )
)

_SCHEMAS: JSON = {
    "Error": _object(["error", "where"], error=_TEXT, where=_TEXT),
    "Server": _object(
        ["version", "now", "domains", "listeners", "is_ready"],
        version=_TEXT,
        now=_MOMENT,
        domains=_array(_TEXT),
        listeners=_array(_TEXT),
        is_ready={"type": "boolean"},
    ),
    "Presentity": _object(["aor", "packages"], aor=_TEXT, packages=_PACKAGES),
    "PresentityInFull": _object(
        ["aor", "packages", "publications", "subscriptions"],
        aor=_TEXT,
        packages=_PACKAGES,
        publications=_array(_ref("Publication")),
        subscriptions=_array(_ref("Subscription")),
    ),
    "Publication": _object(
        [
            "id",
            "package",
            "etag",
            "type",
            "published",
            "expires_at",
            "expires_in",
            "body",
        ],
        id=_TEXT,
        package=_TEXT,
        etag=_TEXT,
        type=_TEXT,
        published=_MOMENT,
        expires_at=_MOMENT,
        expires_in=_NUMBER,
        source=_or_null("string"),
        body=_TEXT,
    ),
    "Subscription": _object(
        [
            "id",
            "watcher",
            "presentity",
            "package",
            "state",
            "rule",
            "via",
            "expires_in",
        ],
        id=_TEXT,
        watcher=_TEXT,
        proof=_TEXT,
        presentity=_TEXT,
        package=_TEXT,
        state=_STATE,
        view=_TEXT,
        rule=_TEXT,
        via=_TEXT,
        since=_MOMENT,
        expires_in=_NUMBER,
    ),
    "Registration": _object(
        ["aor", "contacts"],
        aor=_TEXT,
        contacts=_array(
            _object(
                ["uri", "q", "expires_in"],
                uri=_TEXT,
                q={"type": "number", "minimum": 0, "maximum": 1},
                expires_in=_NUMBER,
                flow=_TEXT,
                user_agent=_or_null("string"),
            )
        ),
    ),
    "Plugin": _object(
        ["kind", "name", "spec", "calls", "failures", "seconds"],
        kind=_TEXT,
        name=_TEXT,
        spec=_TEXT,
        calls=_NUMBER,
        failures=_NUMBER,
        seconds={"type": "number", "minimum": 0},
    ),
    "Upstream": _object(
        ["uri", "hosts", "answering", "is_away", "why"],
        uri=_TEXT,
        hosts=_array(_TEXT),
        answering=_array(_TEXT),
        is_away={"type": "boolean"},
        why=_or_null("string"),
    ),
    "Explained": _object(
        ["watcher", "presentity", "package", "decision"],
        watcher=_TEXT,
        presentity=_TEXT,
        package=_TEXT,
        decision=_object(
            ["handling", "view", "plugin", "rule"],
            handling=_HANDLING,
            view=_TEXT,
            plugin=_or_null("string"),
            rule=_TEXT,
        ),
    ),
    "Contact": _object(
        ["aor", "handling"],
        aor=_TEXT,
        handling=_HANDLING,
        name=_TEXT,
        groups=_array(_TEXT),
    ),
    "Contacts": _object(
        ["owner", "contacts"], owner=_TEXT, contacts=_array(_ref("Contact"))
    ),
    "Presentities": _list("Presentity"),
    "Subscriptions": _list("Subscription"),
    "Registrations": _list("Registration"),
    "Plugins": _list("Plugin"),
    "Upstreams": _list("Upstream"),
}
