"""
Publications and subscriptions as the payloads of records, and back.

A payload is a few lines of text, the first of which names the form, then a line feed and
bytes which mean something to one plugin only: the published body, the notifier's route.
Reading raises ValueError for what was not written by `write_publication` and its like.
Words that thousands of records share are in memory once (``intern``).
"""

from __future__ import annotations

from sys import intern

from presproxy.model.decision import view_named
from presproxy.model.identity import Identity
from presproxy.model.publication import EntityTag, Publication
from presproxy.model.record import Record
from presproxy.model.subscription import State, Subscription
from presproxy.sip.uri import AddressOfRecord

PUBLICATION = "publication"
SUBSCRIPTION = "subscription"

_PUBLICATION = "publication/1"
_SUBSCRIPTION = "subscription/1"

#: Written in place of ``Subscription.was_approved``.
_APPROVED, _NOT_APPROVED = "approved", ""


def write_publication(publication: Publication) -> bytes:
    """Write all of a publication that is not in its record's own columns."""
    return _written(
        (
            _PUBLICATION,
            publication.package,
            publication.entity_tag,
            publication.content_type,
            repr(publication.modified_at),
            publication.source,
        ),
        publication.body,
    )


def read_publication(record: Record) -> Publication:
    """Read a publication back; its ``document`` is None until its package parsed it."""
    lines, body = _read(record, _PUBLICATION, 5)
    package, entity_tag, content_type, modified_at, source = lines
    return Publication(
        key=record.key,
        presentity=AddressOfRecord(record.owner),
        package=intern(package),
        entity_tag=EntityTag(entity_tag),
        content_type=intern(content_type),
        body=body,
        document=None,
        expires_at=record.expires_at,
        modified_at=float(modified_at),
        source=source,
        version=record.version,
    )


def write_subscription(subscription: Subscription, route: bytes) -> bytes:
    """Write all of a subscription that is not in its record's own columns."""
    return _written(
        (
            _SUBSCRIPTION,
            subscription.package,
            subscription.notifier,
            subscription.watcher.aor,
            subscription.watcher.proof,
            subscription.content_type,
            subscription.state,
            _APPROVED if subscription.was_approved else _NOT_APPROVED,
            subscription.view.name,
            repr(subscription.since),
            subscription.rule,
        ),
        route,
    )


def read_subscription(record: Record) -> tuple[Subscription, bytes]:
    """Read a subscription back, and its route as the notifier wrote it."""
    lines, route = _read(record, _SUBSCRIPTION, 10)
    package, notifier, aor, proof, content_type, state, approved, view, since, rule = (
        lines
    )
    subscription = Subscription(
        key=record.key,
        watcher=Identity(AddressOfRecord(aor), intern(proof)),
        presentity=AddressOfRecord(record.owner),
        package=intern(package),
        content_type=intern(content_type),
        expires_at=record.expires_at,
        notifier=intern(notifier),
        route=None,
        state=State(state),
        view=view_named(view),
        rule=rule,
        was_approved=approved == _APPROVED,
        version=record.version,
        since=float(since),
    )
    return subscription, route


def _written(lines: tuple[str, ...], rest: bytes) -> bytes:
    text = "\n".join(lines)
    if text.count("\n") >= len(lines) or "%" in text:
        # Somebody's words, a plugin's or a watcher's, have a line feed of their own.
        text = "\n".join(map(_escaped, lines))
    return b"%b\n%b" % (text.encode("utf-8", "surrogateescape"), rest)


def _read(record: Record, form: str, lines: int) -> tuple[list[str], bytes]:
    """Cut a payload of this form into its lines and what follows them."""
    first, *others = record.payload.split(b"\n", lines + 1)
    if first != form.encode() or len(others) != lines + 1:
        raise ValueError(f"{record.kind} {record.key}: not written as {form}")
    *texts, rest = others
    return [_unescaped(text.decode("utf-8", "surrogateescape")) for text in texts], rest


def _escaped(line: str) -> str:
    return line.replace("%", "%25").replace("\n", "%0A")


def _unescaped(line: str) -> str:
    return line.replace("%0A", "\n").replace("%25", "%") if "%" in line else line
