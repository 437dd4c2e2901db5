"""
Publications and subscriptions as the payloads of records, and back.

A payload is a few lines of text, the first of which names the form, then a line feed and
bytes which mean something to one plugin only: the published body, the notifier's route.
Reading raises ValueError for what was not written by `write_publication` and its like.
"""

from __future__ import annotations

from presproxy.model.decision import View
from presproxy.model.identity import Identity
from presproxy.model.publication import EntityTag, Publication
from presproxy.model.record import Record
from presproxy.model.subscription import State, Subscription
from presproxy.sip.uri import AddressOfRecord

PUBLICATION = "publication"
SUBSCRIPTION = "subscription"

#: A rule is a plugin's own words.
_ONE_LINE = {ord("\n"): " ", ord("\r"): " "}

_PUBLICATION = "publication/1"
_SUBSCRIPTION = "subscription/1"


def write_publication(publication: Publication) -> bytes:
    """Write all of a publication that is not in its record's own columns."""
    lines = (
        f"{_PUBLICATION}\n{publication.package}\n{publication.entity_tag}\n"
        f"{publication.content_type}\n{publication.modified_at!r}\n{publication.source}\n"
    )
    return lines.encode() + publication.body


def read_publication(record: Record) -> Publication:
    """Read a publication back; its ``document`` is None until its package parsed it."""
    lines, body = _parts(record, _PUBLICATION, 5)
    package, entity_tag, content_type, modified_at, source = lines
    return Publication(
        key=record.key,
        presentity=AddressOfRecord(record.owner),
        package=package,
        entity_tag=EntityTag(entity_tag),
        content_type=content_type,
        body=body,
        document=None,
        expires_at=record.expires_at,
        modified_at=float(modified_at),
        source=source,
        version=record.version,
    )


def write_subscription(subscription: Subscription, route: bytes) -> bytes:
    """Write all of a subscription that is not in its record's own columns."""
    lines = (
        f"{_SUBSCRIPTION}\n{subscription.package}\n{subscription.notifier}\n"
        f"{subscription.watcher.aor}\n{subscription.watcher.proof}\n"
        f"{subscription.content_type}\n{subscription.state.value}\n"
        f"{subscription.view.name}\n{subscription.since!r}\n"
        f"{subscription.rule.translate(_ONE_LINE)}\n"
    )
    return lines.encode() + route


def read_subscription(record: Record) -> tuple[Subscription, bytes]:
    """Read a subscription back, and its route as the notifier wrote it."""
    lines, route = _parts(record, _SUBSCRIPTION, 9)
    package, notifier, watcher, proof, content_type, state, view, since, rule = lines
    subscription = Subscription(
        key=record.key,
        watcher=Identity(AddressOfRecord(watcher), proof),
        presentity=AddressOfRecord(record.owner),
        package=package,
        content_type=content_type,
        expires_at=record.expires_at,
        notifier=notifier,
        route=None,
        state=State(state),
        view=View(view),
        rule=rule,
        version=record.version,
        since=float(since),
    )
    return subscription, route


def _parts(record: Record, form: str, lines: int) -> tuple[list[str], bytes]:
    """Cut a payload of this form into its lines and what follows them."""
    first, *others = record.payload.split(b"\n", lines + 1)
    if first != form.encode() or len(others) != lines + 1:
        raise ValueError(f"{record.kind} {record.key}: not written as {form}")
    return [line.decode() for line in others[:-1]], others[-1]
