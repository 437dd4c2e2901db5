"""The description of the trace's part of the JSON interface."""

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
from presproxy.tracing.figures import Kind
from presproxy.tracing.filters import NAMES
from presproxy.tracing.pcap import CONTENT_TYPE as PCAP

_FLAG: JSON = {"enum": ["0", "1"]}
_NUMBERED: JSON = {"type": "integer", "minimum": 0}
_FILTER = "Words that a message must fit: free text, " + ", ".join(
    f"``{name}:``" for name in NAMES
)

_ARGUMENTS = (
    in_query("q", f"{_FILTER}; ``-`` before one that must not fit."),
    in_query("errors", "1: only what was refused or cannot be read.", schema=_FLAG),
    in_query("folded", "0: show each of what means the same.", schema=_FLAG),
    in_query("before", "Only figures that begin before this message.", schema=NUMBER),
    in_query("after", "Only figures with messages after this one.", schema=NUMBER),
    in_query("limit", "The most messages; 200 if not given.", schema=_NUMBERED),
    in_query(
        "as",
        "As a file: text, pcap, or log, which is JSON with the messages in base64.",
        schema={"enum": ["text", "pcap", "log"]},
    ),
)

_WHOLE: JSON = answer("200", "Figures, the oldest first.", ref("Trace"))["200"]

PATHS: JSON = {
    "/trace": {
        "get": {
            "summary": "What went over the wire.",
            "parameters": list(_ARGUMENTS),
            "responses": {
                "200": {
                    **_WHOLE,
                    "content": {
                        **_WHOLE["content"],
                        "text/plain": {"schema": TEXT},
                        PCAP: {"schema": {"type": "string", "format": "binary"}},
                    },
                },
                **WRONG,
            },
        }
    },
    "/events": {
        "get": {
            "summary": "What is new, as server-sent events.",
            "parameters": [
                in_query(
                    "topics",
                    "What to be told of, separated by ``|``: ``server``, or ``trace:`` and "
                    "a filter, with ``!`` before it for errors only.",
                ),
                in_query("last", "The id of the last event, where no header says it."),
            ],
            "responses": {
                "200": {
                    "description": "Events, until somebody ends it.",
                    "content": {"text/event-stream": {"schema": TEXT}},
                },
                **WRONG,
                **AGAIN,
            },
        }
    },
    "/events/{reader}/topics": {
        "parameters": [in_path("reader", "The id that ``hello`` told.")],
        "post": {
            "summary": "Be told of something else.",
            "requestBody": {
                "required": True,
                "content": {
                    "application/json": {"schema": an_object(["topics"], topics=TEXT)}
                },
            },
            "responses": {**answer("204", "So it is."), **WRONG},
        },
    },
    "/trace/{name}": getting(
        "One message in full.",
        "Message",
        (in_path("name", "The number of a message."),),
    ),
}

_TEXT_OR_NULL = or_null("string")

SCHEMAS: JSON = {
    "Trace": an_object(
        ["lanes", "figures", "messages", "capture", "density"],
        lanes=array_of(ref("Lane")),
        figures=array_of(ref("Figure")),
        messages=array_of(ref("TracedMessage")),
        capture=ref("Capture"),
        density=an_object(
            ["from", "step_s", "buckets"],
            **{"from": MOMENT},
            step_s=NUMBER,
            buckets=array_of(array_of(NUMBER)),
        ),
        latest=NUMBER,
        next=or_null("integer"),
    ),
    "Lane": an_object(
        ["id", "role", "identity", "label", "agent", "address", "transport"],
        id=TEXT,
        role={"enum": ["watcher", "server", "publisher", "upstream", "other"]},
        identity=_TEXT_OR_NULL,
        label=TEXT,
        agent=_TEXT_OR_NULL,
        address=_TEXT_OR_NULL,
        transport=_TEXT_OR_NULL,
    ),
    "Figure": an_object(
        ["id", "kind", "title", "outcome", "ms"],
        id=TEXT,
        kind={"enum": [each.value for each in Kind]},
        title=TEXT,
        outcome=TEXT,
        at=MOMENT,
        ms={"type": "number", "minimum": 0},
        state={
            "type": ["array", "null"],
            "items": _TEXT_OR_NULL,
            "minItems": 2,
            "maxItems": 2,
        },
        told=or_null("integer"),
        repeats=NUMBER,
        dialog=_TEXT_OR_NULL,
        error={"type": "boolean"},
    ),
    "TracedMessage": an_object(
        [
            *("id", "at", "from", "to", "figure", "method", "status", "call_id"),
            *("cseq", "transport", "size", "detail", "mark", "retransmissions", "body"),
        ],
        id=TEXT,
        at=MOMENT,
        **{"from": TEXT},
        to=TEXT,
        figure=TEXT,
        method=TEXT,
        status=or_null("integer"),
        reason=_TEXT_OR_NULL,
        target=_TEXT_OR_NULL,
        call_id=TEXT,
        cseq=TEXT,
        transport=TEXT,
        size=NUMBER,
        detail=TEXT,
        mark=_TEXT_OR_NULL,
        retransmissions=array_of(MOMENT),
        body=_TEXT_OR_NULL,
    ),
    "Capture": an_object(
        ["held", "seen", "per_second", "oldest", "dropped"],
        held=NUMBER,
        seen=NUMBER,
        per_second={"type": "number", "minimum": 0},
        oldest=_TEXT_OR_NULL,
        dropped=NUMBER,
    ),
    "Message": an_object(
        ["id", "start", "headers", "body", "links", "delivery"],
        id=TEXT,
        start=TEXT,
        headers=array_of({**array_of(TEXT), "minItems": 2, "maxItems": 2}),
        body={
            **an_object(["type", "text"], type=TEXT, text=TEXT),
            "type": ["object", "null"],
        },
        links=an_object(
            ["subscription", "presentity", "watcher"],
            subscription=_TEXT_OR_NULL,
            presentity=_TEXT_OR_NULL,
            watcher=_TEXT_OR_NULL,
        ),
        delivery=array_of(an_object(["at", "what"], at=TEXT, what=TEXT)),
        raw=TEXT,
        why=_TEXT_OR_NULL,
    ),
}
