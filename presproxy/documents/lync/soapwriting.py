"""Writing calls in SOAP, as clients do."""

from __future__ import annotations

from itertools import chain

from presproxy.documents.lync.soap import (
    AddGroup,
    Call,
    DeleteContact,
    DeleteGroup,
    DirectorySearch,
    GetPresence,
    ModifyGroup,
    SetAce,
    SetContact,
    SetPresence,
    call_element,
    envelope,
)
from presproxy.documents.writing import element, flag


def write_soap(call: Call) -> bytes:
    """Write a call."""
    match call:
        case SetContact():
            return _listed(
                "setContact",
                call.delta,
                ("displayName", call.name),
                ("groups", " ".join(map(str, call.groups))),
                ("subscribed", flag(call.is_subscribed)),
                ("URI", call.uri),
                ("externalURI", call.external_uri),
            )
        case DeleteContact():
            return _listed("deleteContact", call.delta, ("URI", call.uri))
        case AddGroup():
            return _listed(
                "addGroup",
                call.delta,
                ("name", call.name),
                ("externalURI", call.external_uri),
            )
        case ModifyGroup():
            return _listed(
                "modifyGroup",
                call.delta,
                ("groupID", str(call.id)),
                ("name", call.name),
                ("externalURI", call.external_uri),
            )
        case DeleteGroup():
            return _listed("deleteGroup", call.delta, ("groupID", str(call.id)))
        case SetAce():
            return _listed(
                "setACE",
                call.delta,
                ("type", call.type),
                ("mask", call.mask),
                ("rights", call.rights),
            )
        case DirectorySearch():
            return _search(call)
        case SetPresence():
            return _presence(call)
        case GetPresence():
            return envelope(
                element(
                    "m:getPresence", [element("m:presentity", (), ("m:uri", call.uri))]
                )
            )


def _listed(name: str, delta: int | None, *fields: tuple[str, str]) -> bytes:
    """Write a call that changes a list of which the client knows a version."""
    known = () if delta is None else (("deltaNum", str(delta)),)
    return envelope(call_element(name, chain(fields, known)))


def _search(call: DirectorySearch) -> bytes:
    rows = [
        element("m:row", (), ("m:attrib", name), ("m:value", value))
        for name, value in call.attributes
    ]
    return envelope(
        element(
            "m:directorySearch",
            [
                element("m:filter", (), ("m:href", "#searchArray")),
                element("m:maxResults", [str(call.most)]),
            ],
        ),
        element("m:Array", rows, ("m:id", "searchArray")),
    )


def _presence(call: SetPresence) -> bytes:
    within = [
        element("m:availability", (), ("m:aggregate", call.availability)),
        element(
            "m:activity", (), ("m:aggregate", call.activity), ("m:note", call.note)
        ),
        element("m:deviceName", (), ("m:name", call.device_name)),
    ]
    presentity = element("m:presentity", within, ("m:uri", call.uri))
    return envelope(element("m:setPresence", [presentity]))
