"""What serves a SUBSCRIBE for many contacts at once, built."""

from __future__ import annotations

from collections.abc import Callable

from presproxy.config.values import Limits
from presproxy.events.agent import PresenceAgent
from presproxy.notify.lists import ListNotifier
from presproxy.server.decide import Decider
from presproxy.server.domains import Domains
from presproxy.server.events import EventPackages
from presproxy.server.lync.batches import Batches
from presproxy.server.lync.lists import ListDialogs
from presproxy.server.lync.members import Members
from presproxy.server.room import Room
from presproxy.sip.tokens import Tokens
from presproxy.sip.uri import AddressOfRecord


def build_batches(
    packages: EventPackages,
    domains: Domains,
    agent: PresenceAgent,
    decider: Decider,
    room: Room,
    tokens: Tokens,
    dialogs: ListDialogs,
    notifier: ListNotifier,
    introduced: Callable[[AddressOfRecord, AddressOfRecord], None],
    limits: Limits,
    now: Callable[[], float],
) -> Batches:
    """Build it; ``introduced`` is told of each whose contact is watched for the first time."""
    members = Members(
        agent,
        decider,
        domains,
        room,
        tokens,
        limits.batch,
        limits.watchers_of_one,
        now,
        introduced,
    )
    return Batches(
        packages,
        domains,
        dialogs,
        members,
        notifier,
        tokens,
        limits.batch,
        limits.body,
        now,
    )
