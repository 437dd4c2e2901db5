"""What one publisher said of a presentity (RFC 3903)."""

from __future__ import annotations

from typing import NewType

import attrs

from presproxy.sip.uri import AddressOfRecord

EntityTag = NewType("EntityTag", str)


@attrs.define(eq=False, weakref_slot=False)
class Publication:
    """
    One publisher's soft state, alive until ``expires_at`` on the wall clock.

    ``key`` names its record and never changes; the entity-tag is new each time.
    ``document`` is what the package's ``parse`` made of ``body``.  ``source`` names the
    flow it came by, empty where others may share that flow.
    """

    key: str
    presentity: AddressOfRecord
    package: str
    entity_tag: EntityTag
    content_type: str
    body: bytes
    document: object
    expires_at: float
    #: When it was last modified; later ones come first where two disagree.
    modified_at: float
    source: str = ""
    version: int = 0
    #: The second under which its expiry is kept; 0 while it is not.
    bucket: int = 0
