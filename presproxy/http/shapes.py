"""Nouns as JSON: what the API shows of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from presproxy.documents.lync.contacts import DEFAULT_GROUP, ContactList
from presproxy.events.categories import PRESENCE
from presproxy.events.locations import Registration
from presproxy.events.resource import Resource
from presproxy.extend.guard import PluginFailed
from presproxy.http.sight import Behind, KeptBehind, Sight, Used
from presproxy.metrics import Counter, Histogram, Metrics
from presproxy.model.decision import FULL, Explained, Handling
from presproxy.model.publication import Publication
from presproxy.model.subscription import State, Subscription
from presproxy.sip.uri import AddressOfRecord
from presproxy.tracing.lamps import LAMPS, PIDF, Lamp, lamp_of

JSON = Mapping[str, Any]

#: The state of whom nothing was heard of.
UNKNOWN = LAMPS[-1]

#: The groups of a contact that was put into none: the one for all such.
_IN_NONE = (DEFAULT_GROUP.id,)


def moment(seconds: float) -> str:
    """Write a moment on the wall clock as RFC 3339 has it."""
    at = datetime.fromtimestamp(seconds, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def server(sight: Sight) -> JSON:
    """Show who answers, and where it listens."""
    return {
        "version": sight.version,
        "now": moment(sight.now()),
        "domains": sorted(sight.domains),
        "listeners": list(sight.listeners()),
        "is_ready": sight.is_ready(),
    }


def presentity(aor: AddressOfRecord, resources: Sequence[Resource]) -> JSON:
    """
    Show one presentity: how much is published and who watches, by package.

    Lync clients publish categories, and all others publications.
    """
    packages = []
    for resource in resources:
        states = [each.state for each in resource.living()]
        packages.append(
            {
                "package": resource.package.name,
                "publications": len(resource.publications),
                "categories": len(resource.categories),
                "watchers": {
                    "active": states.count(State.ACTIVE),
                    "pending": states.count(State.PENDING),
                },
            }
        )
    lamp = _lamp(resources)
    return {
        "aor": aor,
        "packages": packages,
        "state": {
            "token": UNKNOWN if lamp is None else lamp.token,
            "activity": None if lamp is None else lamp.activity or None,
            "availability": None if lamp is None else lamp.availability,
        },
        "note": None if lamp is None else lamp.note or None,
    }


def _lamp(resources: Sequence[Resource]) -> Lamp | None:
    """Give the state of presence that the whole view shows; None if nothing was heard."""
    for resource in resources:
        if resource.package.name != PRESENCE:
            continue
        if not (resource.publications or resource.categories):
            return None
        try:
            body = resource.body(FULL, PIDF)
        except PluginFailed:
            # Counted and logged by its guard.
            return None
        return lamp_of(PIDF, body.numbered(0))
    return None


def publication(each: Publication, now: float) -> JSON:
    """Show one publication; its body is what was published."""
    return {
        "id": each.key,
        "package": each.package,
        "etag": each.entity_tag,
        "type": each.content_type,
        "published": moment(each.modified_at),
        "expires_at": moment(each.expires_at),
        "expires_in": max(0, round(each.expires_at - now)),
        "source": each.source or None,
        "body": each.body.decode("utf-8", "replace"),
    }


def subscription(each: Subscription, now: float) -> JSON:
    """Show one subscription and the rule that let it in."""
    return {
        "id": each.key,
        "watcher": each.watcher.aor,
        "proof": each.watcher.proof,
        "presentity": each.presentity,
        "package": each.package,
        "state": each.state.value,
        "view": each.view.name,
        "rule": each.rule,
        "via": each.notifier,
        "since": moment(each.since),
        "expires_in": max(0, round(each.expires_at - now)),
    }


def registration(each: Registration, now: float) -> JSON:
    """Show where one user can be reached."""
    return {
        "aor": each.aor,
        "contacts": [
            {
                "uri": binding.uri,
                "q": binding.q,
                "expires_in": max(0, round(binding.expires_at - now)),
                "flow": binding.flow,
                "user_agent": binding.user_agent or None,
            }
            for binding in each.bindings
            if binding.expires_at > now
        ],
    }


def explained(
    watcher: AddressOfRecord, aor: AddressOfRecord, package: str, said: Explained
) -> JSON:
    """Show a decision, and which plugin made it by which rule."""
    decision = said.decision
    return {
        "watcher": watcher,
        "presentity": aor,
        "package": package,
        "decision": {
            "handling": decision.handling.value,
            "view": decision.view.name
            if decision.handling is Handling.ALLOW
            else "neutral",
            "plugin": said.plugin or None,
            "rule": decision.rule,
        },
    }


def contacts(
    aor: AddressOfRecord,
    handlings: Mapping[AddressOfRecord, Handling],
    kept: ContactList,
) -> JSON:
    """
    Show what a presentity has said of his watchers.

    ``kept`` is the list as his clients show it: whom they gave a name or a group is shown
    with them.
    """
    groups = {group.id: group.name for group in kept.groups}
    names = {
        contact.uri: {
            "name": contact.name,
            "groups": [groups[number] for number in contact.groups],
        }
        for contact in kept.contacts
        if contact.name or contact.groups != _IN_NONE
    }
    return {
        "owner": aor,
        "contacts": [
            {"aor": watcher, "handling": handling.value, **names.get(watcher, {})}
            for watcher, handling in sorted(handlings.items())
        ],
    }


def plugins(used: Iterable[Used], metrics: Metrics) -> list[JSON]:
    """Show the plugins in use, how often each was asked and how often it failed."""
    counted = _counted(metrics)
    shown: list[JSON] = []
    for each in used:
        labels = (("kind", each.kind), ("plugin", each.name))
        calls = counted.get(("plugin_calls", labels), 0)
        failures = counted.get(("plugin_failures", labels), 0)
        shown.append(
            {
                "kind": each.kind,
                "name": each.name,
                "spec": each.spec,
                "calls": calls,
                "failures": failures,
                "seconds": round(counted.get(("plugin_seconds", labels), 0.0), 6),
            }
        )
    return shown


def upstream(behind: Behind) -> JSON:
    """Show a server behind us."""
    return {
        "uri": behind.uri,
        "hosts": list(behind.hosts),
        "answering": list(behind.answering),
        "is_away": behind.is_away,
        "why": behind.why or None,
    }


def kept_behind(each: KeptBehind) -> JSON:
    """Show one presentity's state at a server behind."""
    return {
        "aor": each.presentity,
        "package": each.package,
        "server": each.server,
        "direction": each.direction,
        "is_there": each.is_there,
        "expires_in": None if each.expires_in is None else max(0, int(each.expires_in)),
        "tries": each.tries,
        "why": each.why or None,
        "type": each.content_type or None,
        "body": each.body.decode("utf-8", "replace") if each.content_type else None,
    }


def _counted(metrics: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    counted: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}
    for sample in metrics:
        source = sample.source
        if isinstance(source, Counter):
            counted[sample.name, sample.labels] = source.value
        elif isinstance(source, Histogram):
            counted[sample.name, sample.labels] = source.total
    return counted
