"""What serves SUBSCRIBE, for one and for many contacts at once, built."""

from __future__ import annotations

from collections.abc import Callable

from presproxy.config.values import Limits
from presproxy.events.agent import PresenceAgent
from presproxy.notify.lists import ListNotifier
from presproxy.server.decide import Decider
from presproxy.server.domains import Domains
from presproxy.server.events import EventPackages
from presproxy.server.following import Following
from presproxy.server.keeping import Keeper
from presproxy.server.lync.batches import Batches
from presproxy.server.lync.connected import Connected
from presproxy.server.lync.lists import ListDialogs
from presproxy.server.lync.members import Members
from presproxy.server.lync.piggyback import Piggyback
from presproxy.server.room import Room
from presproxy.server.subscribe import SubscribeStep
from presproxy.sip.tokens import Tokens
from presproxy.sip.uri import AddressOfRecord


def build_subscribing(
    packages: EventPackages,
    domains: Domains,
    agent: PresenceAgent,
    decider: Decider,
    keeper: Keeper,
    room: Room,
    tokens: Tokens,
    limits: Limits,
    connected: Connected,
    dialogs: ListDialogs,
    notifier: ListNotifier,
    introduced: Callable[[AddressOfRecord, AddressOfRecord], None],
    following: Following,
    now: Callable[[], float],
) -> SubscribeStep:
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
    batches = Batches(
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
    return SubscribeStep(
        packages,
        domains,
        agent,
        decider,
        keeper,
        room,
        tokens,
        limits.body,
        now,
        Piggyback(agent, connected, now),
        batches,
        following,
    )
