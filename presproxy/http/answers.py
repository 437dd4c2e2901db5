"""What is answered when something goes wrong: always JSON, saying what and where."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from twisted.web.iweb import IRequest
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound

JSON = "application/json; charset=utf-8"

#: Seconds after which what cannot be done now may be asked for again.
RETRY_AFTER = "5"


class Wrong(Exception):
    """
    A request that cannot be served: why, and what of it is to blame.

    ``where`` is the name of an argument, ``path``, ``method``, ``body``, or the name of
    what failed here.
    """

    def __init__(
        self,
        status: int,
        where: str,
        why: str,
        fields: Mapping[str, str] | None = None,
    ):
        super().__init__(why)
        self.status = status
        self.where = where
        self.why = why
        self.fields = fields or {}


def in_json(value: object) -> bytes:
    """Write a value."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace") + b"\n"


def not_now(where: str, why: str) -> Wrong:
    """Refuse what may be asked for again in a while."""
    return Wrong(503, where, why, {"Retry-After": RETRY_AFTER})


def refuse(request: IRequest, wrong: Wrong) -> bytes:
    """Put what went wrong into the answer's head, and give its body."""
    request.setResponseCode(wrong.status)
    request.setHeader("Content-Type", JSON)
    for name, value in wrong.fields.items():
        request.setHeader(name, value)
    return in_json({"error": wrong.why, "where": wrong.where})


def routed_nowhere(error: HTTPException, request: Any) -> Wrong:
    """Say what is wrong with a path or a method that leads nowhere."""
    path = request.path.decode("ascii", "replace")
    if isinstance(error, MethodNotAllowed):
        allowed = ", ".join(sorted(error.valid_methods or ()))
        method = request.method.decode("ascii", "replace")
        why = f"{method} is not served at {path}, but {allowed}"
        return Wrong(405, "method", why, {"Allow": allowed})
    if isinstance(error, NotFound):
        return Wrong(404, "path", f"there is nothing at {path}")
    return Wrong(error.code or 500, "path", f"{path}: {error.name}")
