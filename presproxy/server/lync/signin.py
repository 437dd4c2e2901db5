"""
The sign-in of Lync clients: what their REGISTER has beyond others' ([MS-SIPREGE] 3.1).

Each of the fields answered stands on a line of its own and without spaces after its
commas where there are any: SIPE compares them letter by letter.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from uuid import UUID

import attrs

from presproxy.events.endpoints import Ending, Endpoint, Endpoints, gruu
from presproxy.events.locations import Binding
from presproxy.server.answer import Fields, Refusal
from presproxy.server.diagnostics import GRUU_MISSING, NO_EPID, WRONG_EVENT
from presproxy.server.exchange import Exchange
from presproxy.sip.diagnostics import diagnosis, host_of
from presproxy.sip.fields import WILDCARD, Contact
from presproxy.sip.uri import AddressOfRecord

#: Seconds granted to a client that names none.
GRANTED = 7200

#: Seconds after which a client that is quiet sends an empty line.  Less than a connection
#: may be idle.
_KEEP_ALIVE = 300

#: Clients' are twelve letters.
_epid = re.compile(r"[A-Za-z0-9._-]{1,64}").fullmatch
_instance = re.compile(
    r'"?<?(?:urn:uuid:)?([0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})>?"?'
).fullmatch

#: What is confirmed to clients that say they understand it.
_CONFIRMED = ("adhoclist", "msrtc-event-categories")


@attrs.frozen
class SignIn:
    """
    What a REGISTER says of its endpoint; ``contact`` is None if all of them go.

    ``instance`` is None only if it goes, too.
    """

    epid: str
    instance: UUID | None
    contact: Contact | None


def read_sign_in(exchange: Exchange, contacts: Sequence[Contact]) -> SignIn:
    """
    Read what names the endpoint.

    Refuses what [MS-SIPREGE] 3.1.2.5.1 wants refused, with the numbers it gives.
    """
    request = exchange.request
    if request.event is not None and request.event.package != "registration":
        raise _refused(exchange, 489, WRONG_EVENT, "The event is not registration")
    supported = request.supported
    if "msrtc-event-categories" in supported and "gruu-10" not in supported:
        why = "Who supports msrtc-event-categories supports gruu-10"
        refusal = _refused(exchange, 421, GRUU_MISSING, why)
        refusal.answer.fields += (("Require", "gruu-10"),)
        raise refusal
    epid = epid_of(exchange)
    if not epid:
        raise _refused(exchange, 400, NO_EPID, "From has no epid")
    if contacts[0] == WILDCARD:
        return SignIn(epid, None, None)
    if len(contacts) > 1:
        raise _refused(exchange, 400, NO_EPID, "An endpoint has one Contact")
    instance = instance_of(contacts[0].parameter("+sip.instance"))
    if instance is None:
        raise _refused(exchange, 400, NO_EPID, "Contact has no UUID as +sip.instance")
    return SignIn(epid, instance, contacts[0])


def epid_of(exchange: Exchange) -> str:
    """Give the epid of the endpoint that sent a request, empty if it names none."""
    epid = exchange.request.from_.parameter("epid")
    return epid if epid and _epid(epid) else ""


def instance_of(text: str | None) -> UUID | None:
    """Read the UUID of an endpoint; None if there is none."""
    found = None if text is None else _instance(text)
    return None if found is None else UUID(found[1])


@attrs.frozen(eq=False)
class SigningIn:
    """Keeps `Endpoints` up to what REGISTERs say.  ``now`` is the wall clock."""

    endpoints: Endpoints
    now: Callable[[], float]

    def check(self, user: AddressOfRecord, sign_in: SignIn, expires: int) -> None:
        """Raise `LimitReached` where an endpoint would be one too many."""
        if expires:
            self.endpoints.check(user, sign_in.epid)

    def done(
        self, exchange: Exchange, user: AddressOfRecord, sign_in: SignIn, expires: int
    ) -> tuple[Fields, Callable[[], None] | None]:
        """
        A REGISTER was accepted: give what its answer has beyond others', and what follows.

        An endpoint that goes is told so before anybody else is told of it.
        """
        if not expires:
            return (), partial(self._sign_off, user, sign_in)
        is_new = self._sign_in(exchange, user, sign_in, expires)
        action = "added" if is_new else "refreshed"
        fields = [
            ("Supported", each)
            for each in _CONFIRMED
            if each in exchange.request.supported
        ]
        if exchange.request.has("ms-keep-alive"):
            kept = f"UAS; tcp=no; hop-hop=yes; end-end=no; timeout={_KEEP_ALIVE}"
            fields.append(("ms-keep-alive", kept))
        fields.append(("presence-state", f'register-action="{action}"'))
        return tuple(fields), None

    def _sign_in(
        self, exchange: Exchange, user: AddressOfRecord, sign_in: SignIn, expires: int
    ) -> bool:
        if sign_in.instance is None or sign_in.contact is None:
            raise RuntimeError("nothing was registered")
        return self.endpoints.sign_in(
            Endpoint(
                user=user,
                epid=sign_in.epid,
                instance=sign_in.instance,
                flow=exchange.flow,
                contact=sign_in.contact.uri,
                expires_at=self.now() + expires,
            )
        )

    def _sign_off(self, user: AddressOfRecord, sign_in: SignIn) -> None:
        if sign_in.contact is None:
            ending = self.endpoints.of(user)
        else:
            known = self.endpoints.find(user, sign_in.epid)
            ending = () if known is None else (known,)
        for endpoint in ending:
            self.endpoints.end(endpoint, Ending.SIGNED_OFF)


def replaced_by(
    contact: Contact, instance: UUID, bindings: Sequence[Binding]
) -> list[Binding]:
    """Give the bindings of the same endpoint by other connections, as ones that end."""
    return [
        attrs.evolve(binding, expires_at=0.0)
        for binding in bindings
        if binding.uri != contact.uri and binding_instance(binding) == instance
    ]


def binding_instance(binding: Binding) -> UUID | None:
    """Give the UUID of the endpoint that a binding is of."""
    found = re.search(r";\+sip\.instance=([^;]+)", binding.parameters, re.IGNORECASE)
    return None if found is None else instance_of(found[1])


def gruu_parameter(user: AddressOfRecord, binding: Binding) -> str:
    """Give the parameter of Contact that says how this endpoint alone is reached."""
    instance = binding_instance(binding)
    return "" if instance is None else f';gruu="{gruu(user, instance)}"'


def _refused(exchange: Exchange, status: int, number: int, why: str) -> Refusal:
    return Refusal(status, (diagnosis(number, why, host_of(exchange.flow)),), why)
