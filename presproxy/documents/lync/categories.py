"""
Categories: what a Lync user publishes, piece by piece ([MS-PRES] 2.2.2).

A publication is named by its category, its instance and the container it is in.  What
stands inside it is nobody's business here but that of its watchers: it is kept and handed
out as it came.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import attrs

from presproxy.documents.lync.bodies import Bodies
from presproxy.documents.moments import read_moment, write_moment
from presproxy.documents.reading import LIMITS, Node, read_root, root_of
from presproxy.documents.writing import attributes, element
from presproxy.documents.xml import Limits, parse_tree

CONTENT_TYPE = "application/msrtc-event-categories+xml"
PUBLISH_TYPE = "application/msrtc-category-publish+xml"
FAULT_TYPE = "application/msrtc-fault+xml"

NAMESPACE = "http://schemas.microsoft.com/2006/09/sip/categories"
RICH_PRESENCE = "http://schemas.microsoft.com/2006/09/sip/rich-presence"

#: In one request; chosen, as a client that publishes all it has sends some twenty.
MOST_PUBLICATIONS = 200
#: In one document: all that a user may have.
_MOST_CATEGORIES = 2000

#: What is told of a request made on versions that are no longer current.
WRONG_DELTA = "Client.BadCall.WrongDelta"


class ExpireType(enum.StrEnum):
    """How long a publication lasts ([MS-PRES] 2.2.2.1)."""

    #: Until the publishing endpoint's registration ends.
    ENDPOINT = "endpoint"
    #: Until the last endpoint of the user is gone.
    USER = "user"
    #: For some seconds.
    TIME = "time"
    #: Until it is deleted.
    STATIC = "static"


class CategoryName(NamedTuple):
    """What names one publication of a user."""

    category: str
    instance: int
    container: int


@attrs.define(unsafe_hash=True)
class Category:
    """
    One publication as it is kept and shown.

    ``body`` is the element inside it, with all its namespaces, empty if there is none.
    ``published_at`` and ``expires_at`` are moments on the wall clock, the latter infinite
    but for `ExpireType.TIME`; ``endpoint`` names the publishing endpoint by its epid.
    """

    name: CategoryName
    version: int
    expire_type: ExpireType
    body: bytes
    published_at: float
    expires_at: float = float("inf")
    endpoint: str = ""


@attrs.frozen
class Asked:
    """
    One publication as somebody asks for it.

    ``version`` is what he believes to be current, 0 if he knows of none.  ``expires`` is
    in seconds; 0 deletes.
    """

    name: CategoryName
    version: int
    expire_type: ExpireType
    expires: int | None
    body: bytes

    @property
    def is_removal(self) -> bool:
        """Whether it asks for the end of a publication."""
        return self.expires == 0


@attrs.frozen
class Publish:
    """
    The body of a SERVICE that publishes: all of ``asked`` or nothing.

    ``uri`` is as it was written.
    """

    uri: str
    asked: Sequence[Asked]


@attrs.frozen
class Stale:
    """The ``index``-th publication of a request, from 1, was made on another version."""

    index: int
    version: int
    current: int


@attrs.frozen
class Categories:
    """
    A document about what a user published, as watchers and his own endpoints get it.

    ``cleared`` are the names of categories of which nothing is left.
    """

    uri: str
    categories: Sequence[Category] = ()
    cleared: Sequence[str] = ()


# --- publishing -----------------------------------------------------------------------


def read_publish(data: bytes, limits: Limits = LIMITS) -> Publish:
    """
    Read what somebody asks to be published; raises `MalformedDocument`.

    Without ``version`` he knows of none, and without ``expireType`` it lasts as long as
    his endpoint, the shortest there is.
    """
    tree = parse_tree(data, limits)
    root = root_of(tree, "publish", RICH_PRESENCE)
    publications = root.child("publications")
    if publications is None:
        raise root.wrong("no publications")
    bodies = Bodies(tree, limits.octets)
    asked = tuple(
        _read_asked(each, bodies)
        for each in publications.each("publication", most=MOST_PUBLICATIONS)
    )
    return Publish(publications.needed("uri"), asked)


def _read_asked(node: Node, bodies: Bodies) -> Asked:
    name = CategoryName(
        node.needed("categoryName"), node.number("instance"), node.number("container")
    )
    expires = node.number("expires") if node.text("expires") else None
    expire_type = _read_expire_type(node, ExpireType.ENDPOINT)
    body = _read_body(node, bodies)
    if expires is None and expire_type is ExpireType.TIME:
        raise node.wrong("no expires, which expireType time needs")
    if not body and expires != 0:
        raise node.wrong("no element within, and it is not to be deleted")
    return Asked(
        name,
        node.number("version", 0),
        expire_type,
        expires,
        body,
    )


def _read_expire_type(node: Node, default: ExpireType) -> ExpireType:
    text = node.text("expireType", default)
    try:
        return ExpireType(text)
    except ValueError:
        raise node.wrong(f"expireType is {text[:40]!r}, which is none") from None


def _read_body(node: Node, bodies: Bodies) -> bytes:
    elements = list(node.element)
    if len(elements) > 1:
        raise node.wrong("more than one element within")
    return bodies.write(elements[0]) if elements else b""


def write_publish(publish: Publish) -> bytes:
    """Write what is asked to be published."""
    return element(
        "publish",
        [
            element(
                "publications",
                [_asked_element(each) for each in publish.asked],
                ("uri", publish.uri),
            )
        ],
        ("xmlns", RICH_PRESENCE),
    ).encode()


def _asked_element(asked: Asked) -> str:
    name = asked.name
    pairs: list[tuple[str, object]] = [
        ("categoryName", name.category),
        ("instance", name.instance),
        ("container", name.container),
        ("version", asked.version),
        ("expireType", asked.expire_type),
    ]
    if asked.expires is not None:
        pairs.append(("expires", asked.expires))
    return element("publication", [asked.body.decode()], *pairs)


# --- showing --------------------------------------------------------------------------


def write_categories(
    uri: str, categories: Iterable[Category], cleared: Iterable[str] = ()
) -> bytes:
    """Write a document about what ``uri`` published."""
    return categories_element(uri, categories, cleared).encode()


def categories_element(
    uri: str, categories: Iterable[Category], cleared: Iterable[str] = ()
) -> str:
    """Write the element ``categories``, which stands in other documents, too."""
    written = [_category_element(each) for each in categories]
    written += [f"<category{attributes(('name', each))}/>" for each in cleared]
    return element("categories", written, ("xmlns", NAMESPACE), ("uri", uri))


def _category_element(category: Category) -> str:
    name = category.name
    begin = (
        f"<category{attributes(('name', name.category))} "
        f'instance="{name.instance}" publishTime="{write_moment(category.published_at)}" '
        f'container="{name.container}" version="{category.version}" '
        f'expireType="{category.expire_type}"'
    )
    if category.expire_type is ExpireType.TIME:
        seconds = max(0, round(category.expires_at - category.published_at))
        begin += f' expires="{seconds}"'
    if not category.body:
        return f"{begin}/>"
    return f"{begin}>{category.body.decode()}</category>"


def read_categories(data: bytes, limits: Limits = LIMITS) -> Categories:
    """
    Read a document about what somebody published; raises `MalformedDocument`.

    A category with nothing in it, and without version, is one that was cleared.
    """
    tree = parse_tree(data, limits)
    root = root_of(tree, "categories", NAMESPACE)
    return categories_within(root, Bodies(tree, limits.octets))


def categories_within(root: Node, bodies: Bodies) -> Categories:
    """Read the element ``categories``."""
    found: list[Category] = []
    cleared: list[str] = []
    for each in root.each("category", most=_MOST_CATEGORIES):
        if not len(each.element) and not each.text("version"):
            cleared.append(each.needed("name"))
        else:
            found.append(_read_category(each, bodies))
    return Categories(root.needed("uri"), tuple(found), tuple(cleared))


def _read_category(node: Node, bodies: Bodies) -> Category:
    expire_type = _read_expire_type(node, ExpireType.STATIC)
    published_at = _published_at(node)
    expires_at = float("inf")
    if expire_type is ExpireType.TIME:
        expires_at = published_at + node.number("expires", 0)
    return Category(
        CategoryName(
            node.needed("name"), node.number("instance", 0), node.number("container", 0)
        ),
        node.number("version", 0),
        expire_type,
        _read_body(node, bodies),
        published_at,
        expires_at,
    )


def _published_at(node: Node) -> float:
    text = node.text("publishTime")
    try:
        return read_moment(text) if text else 0.0
    except ValueError:
        raise node.wrong(f"publishTime is {text[:40]!r}, which is no moment") from None


# --- faults ---------------------------------------------------------------------------


def write_fault(stale: Iterable[Stale] = (), code: str = WRONG_DELTA) -> bytes:
    """
    Write why a request was refused, and which of its parts were.

    With another code SIPE looks no further.
    """
    operations = [
        element(
            "operation",
            (),
            ("index", each.index),
            ("version", each.version),
            ("curVersion", each.current),
        )
        for each in stale
    ]
    return element(
        "Fault",
        [element("Faultcode", [code]), element("details", operations)],
        ("xmlns", RICH_PRESENCE),
    ).encode()


def read_fault(data: bytes, limits: Limits = LIMITS) -> tuple[Stale, ...]:
    """Read which parts of a request were made on versions that are no longer current."""
    root = read_root(data, "Fault", RICH_PRESENCE, limits)
    details = root.child("details")
    if details is None:
        return ()
    return tuple(
        Stale(each.number("index"), each.number("version"), each.number("curVersion"))
        for each in details.each("operation", most=MOST_PUBLICATIONS)
    )
