"""The description of the JSON interface (OpenAPI 3.1)."""

from __future__ import annotations

from presproxy.http.describing import (
    AGAIN,
    JSON,
    MOMENT,
    NUMBER,
    TEXT,
    WRONG,
    an_object,
    answer,
    array_of,
    getting,
    in_path,
    in_query,
    or_null,
    ref,
)
from presproxy.http.trace.description import PATHS as TRACE_PATHS
from presproxy.http.trace.description import SCHEMAS as TRACE_SCHEMAS
from presproxy.model.decision import Handling
from presproxy.tracing.lamps import LAMPS


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


_COUNT: JSON = {"type": "integer", "minimum": 1, "default": 100}
_HANDLING: JSON = {"enum": [each.value for each in Handling]}
_STATE: JSON = {"enum": ["pending", "active", "terminated"]}


_PAGE = (
    in_query("from", "The first item, counted from 0.", schema=NUMBER),
    in_query("count", "The most items; 100 if not given.", schema=_COUNT),
)
_AOR = in_path("aor", "An address of record, with or without ``sip:``.")
_WATCHER = in_path("watcher", "The address of record of the watcher.")


_PATHS: JSON = {
    "/openapi.json": {
        "get": {
            "summary": "This description.",
            "responses": answer("200", "This description.", {"type": "object"}),
        }
    },
    "/server": getting("Who answers, and where it listens.", "Server"),
    "/presentities": getting("Who publishes or is watched.", "Presentities", _PAGE),
    "/presentities/{aor}": getting(
        "One presentity, its publications and watchers.", "PresentityInFull", (_AOR,)
    ),
    "/subscriptions": getting(
        "Who watches whom.",
        "Subscriptions",
        (
            *_PAGE,
            in_query("presentity", "Only subscriptions to this one."),
            in_query("watcher", "Only subscriptions of this one."),
        ),
    ),
    "/registrations": getting("Where users can be reached.", "Registrations", _PAGE),
    "/plugins": getting("The plugins in use.", "Plugins", _PAGE),
    "/upstreams": getting("The servers behind.", "Upstreams", _PAGE),
    "/behind": getting(
        "What is fetched from servers behind, and what is passed there.",
        "AllBehind",
        _PAGE,
    ),
    "/explain": getting(
        "What a watcher may see, which plugin says so and by which rule.",
        "Explained",
        (
            in_query("watcher", "Who watches.", required=True),
            in_query("presentity", "Who is watched.", required=True),
            in_query("package", "The event package; ``presence`` if not given."),
        ),
    ),
    **TRACE_PATHS,
    "/contacts/{aor}": getting(
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
                        "schema": an_object(["handling"], handling=_HANDLING)
                    }
                },
            },
            "responses": {
                **answer("200", "It is kept, and obeyed.", ref("Contact")),
                **WRONG,
                **answer("409", "The list is full.", ref("Error")),
                **AGAIN,
            },
        },
        "delete": {
            "summary": "Forget what was said of a watcher.",
            "responses": {**answer("204", "It is forgotten."), **WRONG, **AGAIN},
        },
    },
}


def _list(name: str) -> JSON:
    return an_object(
        ["total", "next", "items"],
        total=NUMBER,
        next=or_null("integer"),
        items=array_of(ref(name)),
    )


_PACKAGES = array_of(
    an_object(
        ["package", "publications", "categories", "watchers"],
        package=TEXT,
        publications=NUMBER,
        categories=NUMBER,
        watchers=an_object(["active", "pending"], active=NUMBER, pending=NUMBER),
    )
)

_SCHEMAS: JSON = {
    "Error": an_object(["error", "where"], error=TEXT, where=TEXT),
    "Server": an_object(
        ["version", "now", "domains", "listeners", "is_ready"],
        version=TEXT,
        now=MOMENT,
        domains=array_of(TEXT),
        listeners=array_of(TEXT),
        is_ready={"type": "boolean"},
    ),
    "Presentity": an_object(
        ["aor", "packages", "state", "note"],
        aor=TEXT,
        packages=_PACKAGES,
        state=ref("State"),
        note=or_null("string"),
    ),
    "State": an_object(
        ["token", "activity", "availability"],
        token={"enum": list(LAMPS)},
        activity=or_null("string"),
        availability=or_null("integer"),
    ),
    "PresentityInFull": an_object(
        ["aor", "packages", "state", "note", "publications", "subscriptions"],
        aor=TEXT,
        packages=_PACKAGES,
        state=ref("State"),
        note=or_null("string"),
        publications=array_of(ref("Publication")),
        subscriptions=array_of(ref("Subscription")),
    ),
    "Publication": an_object(
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
        id=TEXT,
        package=TEXT,
        etag=TEXT,
        type=TEXT,
        published=MOMENT,
        expires_at=MOMENT,
        expires_in=NUMBER,
        source=or_null("string"),
        body=TEXT,
    ),
    "Subscription": an_object(
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
        id=TEXT,
        watcher=TEXT,
        proof=TEXT,
        presentity=TEXT,
        package=TEXT,
        state=_STATE,
        view=TEXT,
        rule=TEXT,
        via=TEXT,
        since=MOMENT,
        expires_in=NUMBER,
    ),
    "Registration": an_object(
        ["aor", "contacts"],
        aor=TEXT,
        contacts=array_of(
            an_object(
                ["uri", "q", "expires_in"],
                uri=TEXT,
                q={"type": "number", "minimum": 0, "maximum": 1},
                expires_in=NUMBER,
                flow=TEXT,
                user_agent=or_null("string"),
            )
        ),
    ),
    "Plugin": an_object(
        ["kind", "name", "spec", "calls", "failures", "seconds"],
        kind=TEXT,
        name=TEXT,
        spec=TEXT,
        calls=NUMBER,
        failures=NUMBER,
        seconds={"type": "number", "minimum": 0},
    ),
    "Upstream": an_object(
        ["uri", "hosts", "answering", "is_away", "why"],
        uri=TEXT,
        hosts=array_of(TEXT),
        answering=array_of(TEXT),
        is_away={"type": "boolean"},
        why=or_null("string"),
    ),
    "Behind": an_object(
        [
            *("aor", "package", "server", "direction", "is_there", "expires_in"),
            *("tries", "why", "type", "body"),
        ],
        aor=TEXT,
        package=TEXT,
        server=TEXT,
        direction={"enum": ["fetched", "passed"]},
        is_there={"type": "boolean"},
        expires_in=or_null("integer"),
        tries=NUMBER,
        why=or_null("string"),
        type=or_null("string"),
        body=or_null("string"),
    ),
    "Explained": an_object(
        ["watcher", "presentity", "package", "decision"],
        watcher=TEXT,
        presentity=TEXT,
        package=TEXT,
        decision=an_object(
            ["handling", "view", "plugin", "rule"],
            handling=_HANDLING,
            view=TEXT,
            plugin=or_null("string"),
            rule=TEXT,
        ),
    ),
    "Contact": an_object(
        ["aor", "handling"],
        aor=TEXT,
        handling=_HANDLING,
        name=TEXT,
        groups=array_of(TEXT),
    ),
    "Contacts": an_object(
        ["owner", "contacts"], owner=TEXT, contacts=array_of(ref("Contact"))
    ),
    "Presentities": _list("Presentity"),
    "Subscriptions": _list("Subscription"),
    "Registrations": _list("Registration"),
    "Plugins": _list("Plugin"),
    "Upstreams": _list("Upstream"),
    "AllBehind": _list("Behind"),
    **TRACE_SCHEMAS,
}
