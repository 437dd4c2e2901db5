"""Categories as the payloads of records, and back."""

from __future__ import annotations

import json

import attrs

from presproxy.documents.lync.categories import Category, CategoryName, ExpireType
from presproxy.model.record import NEVER, Delete, Put, Record
from presproxy.sip.uri import AddressOfRecord

CATEGORY = "category"


@attrs.define(eq=False)
class Kept:
    """
    A publication that is kept; ``key`` names its record.

    The version of the record is that of the publication.
    """

    category: Category
    key: str
    user: AddressOfRecord
    #: When it ends by itself, on the wall clock.
    expires_at: float = attrs.field(init=False)
    bucket: int = 0

    @expires_at.default
    def _of_category(self) -> float:
        return self.category.expires_at


def write_category(category: Category) -> bytes:
    """Write all of a publication that is not in its record's own columns."""
    name = category.name
    head = [
        name.category,
        name.instance,
        name.container,
        category.expire_type.value,
        category.published_at,
        category.endpoint,
    ]
    return json.dumps(head).encode() + b"\n" + category.body


def read_category(record: Record) -> Category:
    """Read a publication back; raises ValueError for what was not written so."""
    head, _, body = record.payload.partition(b"\n")
    try:
        category, instance, container, expire_type, published_at, endpoint = json.loads(
            head
        )
        return Category(
            name=CategoryName(str(category), int(instance), int(container)),
            version=record.version,
            expire_type=ExpireType(expire_type),
            body=body,
            published_at=float(published_at),
            expires_at=(
                float("inf") if record.expires_at >= NEVER else record.expires_at
            ),
            endpoint=str(endpoint),
        )
    except (TypeError, ValueError, RecursionError, OverflowError) as error:
        raise ValueError(f"category {record.key}: not readable") from error


def age_of(kept: Kept) -> tuple[float, int]:
    """Give what a later publication has more of."""
    return (kept.category.published_at, kept.category.version)


def put_of(kept: Kept) -> Put:
    """Give what keeps a publication."""
    return Put(
        CATEGORY,
        kept.key,
        kept.user,
        kept.category.version - 1,
        min(kept.category.expires_at, NEVER),
        write_category(kept.category),
    )


def deletion_of(kept: Kept) -> Delete:
    """Give what keeps it no more."""
    return Delete(CATEGORY, kept.key, kept.user, kept.category.version)
