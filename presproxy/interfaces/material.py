"""What the state of an event package is composed from."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence

import attrs

from presproxy.documents.lync.categories import Category
from presproxy.documents.lync.contacts import ContactList
from presproxy.documents.lync.containers import Container
from presproxy.documents.lync.subscribers import Subscriber
from presproxy.model.decision import Handling
from presproxy.model.publication import Publication
from presproxy.sip.uri import AddressOfRecord


class Feed(enum.Enum):
    """What a package's state is composed from."""

    PUBLICATIONS = "publications"
    #: The subscriptions to the package whose name this one extends (RFC 3857 §4.1).
    WATCHERS = "watchers"
    #: What a user keeps here of himself: categories, containers, contacts, subscribers.
    ACCOUNT = "account"
    #: Where a user is registered here.
    REGISTRATIONS = "registrations"


@attrs.frozen
class Watcher:
    """
    One watcher as watcher information tells it (RFC 3858 §3).

    ``status`` is pending, active, waiting or terminated; ``event`` what brought it
    there.  ``since`` and ``expires_at`` are moments on the wall clock.
    """

    id: str
    uri: AddressOfRecord
    status: str
    event: str
    since: float
    expires_at: float


@attrs.frozen
class Bound:
    """
    One contact that a user is registered with (RFC 3261 §10).

    ``q`` is from 0 to 1; ``call_id`` is that of the REGISTER that last touched it.
    """

    uri: str
    q: float = 1.0
    call_id: str = ""


@attrs.frozen
class Account:
    """
    What a Lync user keeps here of himself ([MS-PRES] 1.3.1.5).

    It is shown to his own endpoints and to nobody else.  ``handlings`` are what he said
    of watchers, contacts or not.
    """

    categories: Sequence[Category] = ()
    containers: Sequence[Container] = ()
    subscribers: Sequence[Subscriber] = ()
    contacts: ContactList = attrs.field(factory=ContactList)
    handlings: Mapping[AddressOfRecord, Handling] = attrs.field(factory=dict)


@attrs.frozen
class Material:
    """
    All there is of one presentity for one package.

    ``publications`` are alive and the latest modified comes first; ``categories`` are
    what Lync endpoints published.  ``account`` is there for `Feed.ACCOUNT` alone, and
    ``bindings``, the preferred first, are for `Feed.REGISTRATIONS`.
    """

    presentity: AddressOfRecord
    publications: Sequence[Publication] = ()
    watchers: Sequence[Watcher] = ()
    categories: Sequence[Category] = ()
    account: Account | None = None
    bindings: Sequence[Bound] = ()
