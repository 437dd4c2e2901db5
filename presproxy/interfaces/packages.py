"""Event packages: what each event means (RFC 6665 §5)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import attrs
from zope.interface import Attribute, Interface

from presproxy.errors import IntervalTooBrief
from presproxy.interfaces.material import Feed, Material
from presproxy.model.decision import View
from presproxy.model.notice import Body, NumberedBody
from presproxy.sip.uri import AddressOfRecord


@attrs.frozen
class Bounds:
    """
    The intervals granted to publications, subscriptions or registrations, in seconds.

    ``default`` is used when the peer names none.
    """

    shortest: int
    default: int
    longest: int

    def grant(self, asked: int | None) -> int:
        """
        Say how long the state asked for will last, in seconds.

        Zero is always granted, as it ends the state (RFC 3903 §4.5).  Raises
        `IntervalTooBrief` below ``shortest``, but never for an hour or more, however
        long ``shortest`` is (RFC 6665 §4.2.1.1).
        """
        if asked is None:
            return max(self.default, self.shortest)
        if 0 < asked < min(self.shortest, 3600):
            raise IntervalTooBrief(self.shortest)
        return min(asked, self.longest)


class IEventPackage(Interface):
    """
    An event package: everything that differs from one to the next (RFC 6665 §5).

    Pure: no waiting, no clock, no memory of earlier calls.
    """

    name: str = Attribute("As in the Event header field.")
    produces: Sequence[str] = Attribute(
        "Content types of NOTIFY bodies, preferred first."
    )
    accepts: Collection[str] = Attribute(
        "Content types of PUBLISH bodies; empty: no PUBLISH."
    )
    bounds: Bounds = Attribute(
        "The intervals granted to subscriptions and publications."
    )
    pause: float = Attribute(
        "The least seconds between two changes of one presentity that are told."
    )
    feeds: Feed = Attribute("What its state is composed from.")

    def parse(content_type: str, data: bytes) -> Any:
        """
        Read a published body into the package's own form of it.

        ``content_type`` is one of ``accepts``.  Raises `MalformedDocument`.
        """

    def supersedes(document: Any, earlier: Any) -> bool:
        """
        Say whether a new publication takes the place of an earlier one by the same flow.

        Both are what ``parse`` made.  It is how a user agent that never names an
        entity-tag is kept from filling the table with its own past.
        """

    def compose(material: Material) -> Any:
        """Make one state of all there is.  A value: equal states are told once."""

    def narrow(state: Any, view: View) -> Any:
        """Leave what the view lets through."""

    def neutral(presentity: AddressOfRecord) -> Any:
        """
        What a politely blocked watcher sees; it must look like nobody at home.

        It is always the same, so that he is told of no change.
        """

    def render(state: Any, content_type: str) -> Body | NumberedBody:
        """
        Write the body.  Called once per distinct state, view and content type.

        A `NumberedBody` leaves a gap for a version counted per subscription.
        """


class IDeltaPackage(Interface):
    """
    An event package that can say what is new, too.

    Provided by an `IEventPackage` beside it; asked for once at the start.
    """

    def render_change(state: Any, former: Any, content_type: str) -> bytes | None:
        """
        Write what ``state`` has and ``former`` had not; None to say all again.

        It goes to watchers who were told ``former`` last, and nobody else.
        """


class IPartialPackage(Interface):
    """
    An event package of which a watcher may ask for a part, in the body of his SUBSCRIBE.

    Provided by an `IEventPackage` beside it.
    """

    def part(content_type: str, body: bytes) -> str:
        """
        Give the content type ``render`` is asked for, with a parameter that names the part.

        ``content_type`` is one of ``produces``; the body that ``render`` gives has it
        without the parameter.  Raises `MalformedDocument`.
        """


class IFollowingPackage(Interface):
    """
    An event package whose published bodies may say only what changed.

    Provided by an `IEventPackage` beside it.
    """

    def follow(document: Any, former: Any) -> Any:
        """
        Give what is so now: ``document`` came after ``former``, from the same publisher.

        Both are what ``parse`` or this made.
        """

    def has_missed(document: Any, former: Any | None) -> bool:
        """
        Say whether something that came between them is not known.

        ``former`` is None where nothing was known before.
        """

    def write(document: Any) -> bytes:
        """Write a document as a body that ``parse`` reads as the same."""


class ITailoredPackage(Interface):
    """
    An event package that writes otherwise for user agents known to break on what it writes.

    Provided by an `IEventPackage` beside it.
    """

    def tailored(content_type: str, user_agent: str) -> str:
        """
        Give the content type ``render`` is asked for, with parameters that name the shape.

        ``content_type`` is one of ``produces``, ``user_agent`` as the watcher names it, or
        empty; the body that ``render`` gives has the type without these.
        """


class IPrivatePackage(Interface):
    """
    An event package whose state is its owner's, and nobody else's.

    Provided by an `IEventPackage` beside it.
    """

    is_private: bool = Attribute("Whether none but the presentity may watch.")


class IPassedPackage(Interface):
    """
    An event package whose state is known again when it comes back from a server behind.

    Provided by an `IEventPackage` beside it.  What is passed there carries a mark in all
    its ids: what has it is ours.
    """

    def passed(state: Any, mark: str) -> Body | NumberedBody | None:
        """
        Write what ``compose`` made for a server behind; None where nobody is there.

        What has the mark already is left out: it has been there before.
        """

    def others(document: Any, mark: str) -> Any | None:
        """
        Give what a document from there says besides what was passed; None if nothing.

        The document is what ``parse`` made.
        """
