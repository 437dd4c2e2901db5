"""What the house knows of its users, as plugins may ask for it."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Protocol

from presproxy.documents.lync.contacts import ContactList
from presproxy.documents.lync.containers import Container, Member
from presproxy.model.decision import Handling
from presproxy.sip.uri import AddressOfRecord


class ContactBook(Protocol):
    """
    The contact lists of the house: one of each user, whoever writes to it.

    An entry is of one watcher, or of a whole domain: ``sip:*@example.org``.
    """

    def open(self, limit: int | None = None) -> Awaitable[None]:
        """
        Read all lists, unless they are there already.

        ``limit`` is the most entries in one from now on.  Raises ValueError for a record
        that cannot be read: it might have blocked somebody.
        """

    def find(
        self, presentity: AddressOfRecord, watcher: AddressOfRecord
    ) -> tuple[AddressOfRecord, Handling] | None:
        """Give the entry that holds for a watcher, its own or its domain's, by name."""

    def of(self, presentity: AddressOfRecord) -> Mapping[AddressOfRecord, Handling]:
        """Give all that a presentity has said."""

    def shown(self, presentity: AddressOfRecord) -> ContactList:
        """Give the list as its owner's clients see it, with groups and names."""

    def handle(
        self,
        presentity: AddressOfRecord,
        watcher: AddressOfRecord,
        handling: Handling | None,
    ) -> Awaitable[None]:
        """Do what `IContactList.handle` does."""


class ContainerBook(Protocol):
    """The containers of Lync's users: who sees which of their publications."""

    def open(self) -> Awaitable[None]:
        """
        Read all, unless they are there already.

        Raises ValueError for a record that cannot be read: it might have blocked
        somebody.
        """

    def has_any(self, user: AddressOfRecord) -> bool:
        """Whether a user ever changed one of his containers."""

    def seat(
        self, user: AddressOfRecord, watcher: AddressOfRecord
    ) -> tuple[Container, Member] | None:
        """
        Say which container of a user's a watcher is in, and as whom.

        None is the container of all others.  A container of version 0 is one everybody
        begins with.
        """
