"""The category ``note``: a text for whoever watches ([MS-PRES] 2.2.2.1)."""

from __future__ import annotations

from presproxy.documents import writing
from presproxy.documents.xml import STANDARD_LIMITS, Limits, parse
from presproxy.errors import MalformedDocument

NAMESPACE = "http://schemas.microsoft.com/2006/09/sip/note"

_BODY = f"{{{NAMESPACE}}}body"


def write_note(text: str) -> bytes:
    """Write a personal note."""
    return (
        f'<note xmlns="{NAMESPACE}"><body type="personal" uri="">{writing.text(text)}</body>'
        "</note>"
    ).encode()


def read_note(body: bytes, limits: Limits = STANDARD_LIMITS) -> str:
    """Give the text of a note, personal or not; nothing where there is none to read."""
    if not body:
        return ""
    try:
        root = parse(body, limits)
    except MalformedDocument:
        return ""
    return (root.findtext(_BODY) or "").strip()
