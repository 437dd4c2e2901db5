"""The pieces that the description of the JSON interface is put together from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

JSON = Mapping[str, Any]

TEXT: JSON = {"type": "string"}
NUMBER: JSON = {"type": "integer", "minimum": 0}
MOMENT: JSON = {"type": "string", "format": "date-time"}


def an_object(required: Sequence[str], **properties: JSON) -> JSON:
    """Describe an object; ``required`` names what is always in it."""
    return {"type": "object", "required": list(required), "properties": properties}


def array_of(items: JSON) -> JSON:
    """Describe an array."""
    return {"type": "array", "items": items}


def ref(name: str) -> JSON:
    """Name a schema."""
    return {"$ref": f"#/components/schemas/{name}"}


def or_null(type: str) -> JSON:
    """Describe what may be null."""
    return {"type": [type, "null"]}


def in_query(name: str, what: str, required: bool = False, schema: JSON = TEXT) -> JSON:
    """Describe an argument."""
    return {
        "name": name,
        "in": "query",
        "required": required,
        "description": what,
        "schema": schema,
    }


def in_path(name: str, what: str) -> JSON:
    """Describe a part of the path."""
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": what,
        "schema": TEXT,
    }


def answer(status: str, what: str, schema: JSON | None = None) -> dict[str, JSON]:
    """Describe an answer; without ``schema`` it has no body."""
    content = (
        {} if schema is None else {"content": {"application/json": {"schema": schema}}}
    )
    return {status: {"description": what, **content}}


WRONG = {
    **answer("400", "Something cannot be read.", ref("Error")),
    **answer("default", "It went wrong in another way.", ref("Error")),
}
AGAIN = answer("503", "Try again later.", ref("Error"))


def getting(summary: str, name: str, parameters: Sequence[JSON] = ()) -> JSON:
    return {
        "get": {
            "summary": summary,
            "parameters": list(parameters),
            "responses": {**answer("200", summary, ref(name)), **WRONG},
        }
    }
