"""Contact lists as Lync clients keep them ([MS-SIP] 2.2.1, 3.4)."""

from __future__ import annotations

from collections.abc import Sequence

import attrs


@attrs.frozen
class Group:
    """A group of contacts; number 1 is ``~``, for all who are in no other."""

    id: int
    name: str
    external_uri: str = ""


@attrs.frozen
class Contact:
    """
    One contact; ``groups`` are the numbers of those it is in.

    ``uri`` is an address of record, with its scheme.
    An empty ``name`` means that of the contact's own card.
    """

    uri: str
    name: str = ""
    groups: tuple[int, ...] = (1,)
    is_subscribed: bool = True
    external_uri: str = ""


DEFAULT_GROUP = Group(1, "~")


@attrs.frozen
class ContactList:
    """All contacts and groups of a user; ``delta`` counts its changes, from 1."""

    delta: int = 1
    groups: Sequence[Group] = (DEFAULT_GROUP,)
    contacts: Sequence[Contact] = ()
