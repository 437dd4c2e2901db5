"""
Which flow a REGISTER is about: the instance that sent it, and its reg-id (RFC 5626 §6).

A user agent behind a translator of addresses is reached by the flow it registered by, and
by no other.  It may have several, told apart by their reg-ids; a new flow of one reg-id
takes the place of the one before.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import attrs

from presproxy.server.answer import Fields, Refusal
from presproxy.server.exchange import Exchange
from presproxy.sip.fields import WILDCARD, Contact, parse_name_address
from presproxy.sip.flow import Flow
from presproxy.sip.message import Request
from presproxy.sip.uri import SipURI, parse_uri

#: The option tag.
OUTBOUND = "outbound"

#: A user agent has one or two flows; the grammar ends at this (RFC 5626 §4.2).
_LAST = 2**31 - 1

#: Seconds beyond what was promised before a flow counts as dead.  Chosen: what a mobile
#: network may hold a segment back.
_GRACE = 30.0

#: Those that there are, UUIDs and numbers of devices, have some fifty characters.
_urn = re.compile(r'"?<?(urn:[A-Za-z0-9][^\s<>"]{1,200})>?"?', re.IGNORECASE).fullmatch
_uuid = re.compile(r"urn:uuid:", re.IGNORECASE).match


def instance_of(contact: Contact) -> str:
    """
    Give the URN of the instance that a contact is of, empty if it has none.

    Two spellings of one UUID give the same.
    """
    return instance_named(contact.parameter("+sip.instance") or "")


def instance_named(text: str) -> str:
    """Read the URN of an instance, in brackets and quotes or not; empty for what is none."""
    found = _urn(text)
    if found is None:
        return ""
    return found[1].lower() if _uuid(found[1]) else found[1]


@attrs.frozen
class Outbound:
    """
    How flows are treated.

    User agents that use them are told to say something every ``timer`` seconds by a
    connection; 0 tells them nothing.  With ``stun`` they can keep a flow of datagrams
    alive, and without it they cannot.
    """

    timer: int
    stun: bool

    def reg_id(self, exchange: Exchange, contacts: Sequence[Contact]) -> int:
        """
        Give the reg-id of the one contact that is to be bound to its flow; 0 if none is.

        Refuses with 400 what may not be, and with 439 who asks for it by a first hop
        that has no part in it.
        """
        request = exchange.request
        if OUTBOUND not in request.supported:
            # A reg-id means nothing then.
            return 0
        asking = [each for each in contacts if _is_asking(each)]
        if not asking:
            return 0
        if len(contacts) > 1:
            raise Refusal(400, reason="A contact with reg-id stands alone")
        reg_id = _reg_id_of(asking[0])
        if request.has_one_via:
            return reg_id if self.can_last(exchange.flow) else 0
        if not _first_hop_takes_part(request):
            raise Refusal(439)
        return reg_id

    def can_last(self, flow: Flow) -> bool:
        """Whether a user agent can keep a flow alive (RFC 5626 §4.4)."""
        return flow.reliable or self.stun

    def is_asked(self, request: Request, flow: Flow) -> bool:
        """Whether a REGISTER that comes from its user agent is to be bound to its flow."""
        return (
            request.has_one_via
            and OUTBOUND in request.supported
            and self.can_last(flow)
            and any(map(_is_asking, request.contacts))
        )

    def fields(self, flow: Flow, *, is_first_hop: bool) -> Fields:
        """Give the fields of the 200 which say that it was done (§6, §5.4)."""
        fields: Fields = (("Require", OUTBOUND),)
        return (*fields, *self.timing(flow)) if is_first_hop else fields

    def timing(self, flow: Flow) -> Fields:
        """Give what says how often to send a keep-alive, and count on it from now on."""
        if not self.timer or not flow.reliable:
            # By datagrams the translators know better: every 24 to 29 seconds.
            return ()
        flow.expect(self.timer + _GRACE)
        return (("Flow-Timer", str(self.timer)),)


def _is_asking(contact: Contact) -> bool:
    if contact == WILDCARD or not instance_of(contact):
        return False
    return contact.parameter("reg-id") is not None


def _reg_id_of(contact: Contact) -> int:
    text = contact.parameter("reg-id") or ""
    if not text.isascii() or not text.isdecimal() or len(text) > len(str(_LAST)):
        raise Refusal(400, reason="reg-id is no number")
    if not 0 < int(text) <= _LAST:
        raise Refusal(400, reason="reg-id is out of range")
    return int(text)


def _first_hop_takes_part(request: Request) -> bool:
    """Whether the proxy next to the user agent has put ``ob`` into its Path."""
    paths = request.values("path")
    if not paths:
        return False
    uri = parse_uri(parse_name_address("Path", paths[-1]).uri)
    return isinstance(uri, SipURI) and uri.has("ob")
