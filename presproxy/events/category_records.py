"""Categories as the payloads of records, and back."""

from __future__ import annotations

import json

from presproxy.documents.lync.categories import Category, CategoryName, ExpireType
from presproxy.model.record import NEVER, Record

CATEGORY = "category"


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
