"""
Contact lists changed by their owner's clients: SOAP in SERVICE ([MS-SIP] 2.2.4.2).

The answer comes first; then all of the owner's clients are told of the change, the one
which asked for it among them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, ClassVar

import attrs

from presproxy.documents.lync import soap
from presproxy.documents.lync.contacts import DEFAULT_GROUP, Contact, Group
from presproxy.errors import (
    LimitReached,
    MalformedDocument,
    MalformedField,
    PresproxyError,
)
from presproxy.events.contact_edits import (
    FixedGroup,
    UnknownGroup,
    add_group,
    delete_contact,
    delete_group,
    group_named,
    modify_group,
    set_contact,
)
from presproxy.events.contacts import everybody_of
from presproxy.model.decision import Handling
from presproxy.server.answer import Answer
from presproxy.server.contacts import Contacts
from presproxy.server.domains import Domains
from presproxy.server.exchange import Exchange
from presproxy.server.lync.service import own_resource
from presproxy.server.lync.subscribers import SubscriberBook
from presproxy.sip.uri import AddressOfRecord, address_of_record

#: What the first letter of somebody's rights makes of him ([MS-SIP] 2.2.3).
_HANDLINGS = {
    "A": Handling.ALLOW,
    "P": Handling.CONFIRM,
    "B": Handling.POLITE_BLOCK,
    "D": Handling.BLOCK,
}

#: What a call that cannot be done is answered with, in an envelope of its own.
_STATUS: Mapping[type[PresproxyError], int] = MappingProxyType(
    {UnknownGroup: 404, FixedGroup: 403, LimitReached: 403, MalformedField: 400}
)

#: Serves a call that changes no list.
Served = Callable[[Exchange, Any], Awaitable[Answer]]


@attrs.define(eq=False)
class ContactCalls:
    """
    Serves what a client asks to be done with its user's contacts.

    A call is done whatever number of the list it was made on: clients send several before
    they hear of the first, and none of them looks at an error.  ``others`` serve the calls
    that are about something else, by their class.
    """

    content_type: ClassVar[str] = "application/soap+xml"

    domains: Domains
    contacts: Contacts
    subscribers: SubscriberBook
    others: Mapping[type, Served] = attrs.field(factory=dict)

    async def serve(self, exchange: Exchange) -> Answer:
        """Do what one body asks for; only the owner of a list changes it."""
        try:
            call = soap.read_soap(exchange.request.body)
        except MalformedDocument as error:
            return _fault(400, str(error))
        if isinstance(call, soap.DirectorySearch):
            # There is no directory, and nobody is found in it.
            return _enveloped(200, soap.write_directory_rows(()))
        user = own_resource(exchange, self.domains)
        try:
            return await self._serve(exchange, user, call)
        except tuple(_STATUS) as error:
            return _fault(_STATUS[type(error)], str(error))

    async def _serve(
        self, exchange: Exchange, user: AddressOfRecord, call: soap.Call
    ) -> Answer:
        match call:
            case soap.SetContact():
                await self._change(user, set_contact, self._contact(call))
            case soap.DeleteContact():
                await self._change(user, delete_contact, self._address(call.uri))
            case soap.AddGroup():
                return await self._add_group(user, call)
            case soap.ModifyGroup():
                group = Group(call.id, call.name, call.external_uri)
                await self._change(user, modify_group, group)
            case soap.DeleteGroup():
                await self._change(user, delete_group, call.id)
            case soap.SetAce():
                return await self._set_rights(user, call)
            case _:
                return await self._serve_other(exchange, call)
        return Answer(200)

    async def _serve_other(self, exchange: Exchange, call: soap.Call) -> Answer:
        served = self.others.get(type(call))
        if served is None:
            return _fault(501, "This call is not served")
        return await served(exchange, call)

    async def _change(
        self, user: AddressOfRecord, edit: Callable[..., Any], *given: object
    ) -> None:
        await self.contacts.change(
            user, partial(edit, self.contacts.lists, user, *given)
        )

    async def _add_group(self, user: AddressOfRecord, call: soap.AddGroup) -> Answer:
        await self._change(user, add_group, call.name, call.external_uri)
        group = group_named(self.contacts.lists, user, call.name) or DEFAULT_GROUP
        return _enveloped(200, soap.write_group_added(group.id))

    async def _set_rights(self, user: AddressOfRecord, call: soap.SetAce) -> Answer:
        """Write who may see the user, as clients of 2005 say it."""
        if call.type == "ALL":
            return _fault(403, "What holds for all is said by the house")
        handling = _HANDLINGS[call.rights[0]]
        if call.type == "DOMAIN":
            domain = call.mask.lower().removeprefix("sip:")
            watcher = self._address(everybody_of(domain))
            await self.contacts.handle(user, watcher, handling)
            return Answer(200)
        watcher = self._address(call.mask)
        await self.contacts.handle(user, watcher, handling)
        # Whoever says what somebody may do knows of him.
        await self.subscribers.acknowledge(user, [(watcher, True)])
        return Answer(200)

    def _contact(self, call: soap.SetContact) -> Contact:
        return Contact(
            self._address(call.uri),
            call.name,
            call.groups,
            call.is_subscribed,
            call.external_uri,
        )

    def _address(self, uri: str) -> AddressOfRecord:
        return self.domains.home(address_of_record(uri))


def _fault(status: int, why: str) -> Answer:
    code = "Client" if status < 500 else "Server"
    answer = _enveloped(status, soap.write_soap_fault(code, why))
    answer.reason = why
    return answer


def _enveloped(status: int, body: bytes) -> Answer:
    return Answer(status, body=body, content_type=soap.CONTENT_TYPE)
