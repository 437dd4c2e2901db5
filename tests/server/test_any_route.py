"""Any legal Route set within a dialog leads to its other end, through the whole server."""

from __future__ import annotations

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st

from presproxy.testing.desk import Desk
from presproxy.testing.flows import RecordingStream
from presproxy.testing.phones import Phone
from presproxy.testing.wire import Message

BOB = "sip:bob@example.test"

#: Routers of others, between either end and us.
OTHERS = st.lists(
    st.sampled_from(
        [
            "<sip:p1.test;lr>",
            "<sip:p%20x@p2.test:5070;lr;transport=tcp>",
            "<sip:[2001:db8::7];lr=on>",
            "<sip:p4.test;lr;x-any;y=%3Clr%3E>;z=1",
            '"A, <b>" <sip:p5.test;lr;x=sips:>',
            "<sip:strict.test;x=y>",
            "<sip:t@strict2.test:5080>",
        ]
    ),
    max_size=3,
    unique=True,
)


@attrs.define
class Call:
    """A call from alice to bob, with routers of others on either side of us."""

    desk: Desk
    alice: Phone
    bob: Phone
    invite: Message
    answer: Message


def call(near_alice, near_bob, kinds):
    desk = Desk()

    async def towards(peer):
        return desk.flow.towards(peer)

    desk.server.core.proxy.targets.ways.datagrams_to = towards
    alice, bob = (
        Phone(
            desk,
            user,
            RecordingStream(("192.0.2.50", port))
            if kind == "stream"
            else desk.flow.towards(("192.0.2.50", port)),
        )
        for port, user, kind in zip(
            (40001, 40002), ("alice", "bob"), kinds, strict=True
        )
    )
    bob.register()
    alice.send("INVITE", BOB, {"Record-Route": near_alice})
    (invite,) = bob.read()
    # Those on bob's side wrote themselves into the copy, as its last ones did first.
    fields = [*[("record-route", each) for each in near_bob], *invite.fields]
    bob.respond(attrs.evolve(invite, fields=fields))
    *_, answer = alice.read()
    return Call(desk, alice, bob, invite, answer)


def addressed(target, routes):
    """Give Request-URI and Route as a router sends it on (RFC 3261 §16.6 step 6)."""
    if not routes or ";lr" in routes[0]:
        return target, routes
    first, *rest = routes
    return first.partition("<")[2].partition(">")[0], [*rest, f"<{target}>"]


def from_strict(record, target, routes):
    """Give them as they come from a strict router before us, ``record`` being ours."""
    return record.strip("<>"), [*routes, f"<{target}>"]


KINDS = st.tuples(*[st.sampled_from(["stream", "datagram"])] * 2)


@settings(max_examples=60)
@given(OTHERS, OTHERS, KINDS, st.booleans(), st.booleans())
def test_a_request_within_a_dialog_leaves_by_the_right_way(
    near_alice, near_bob, kinds, is_by_caller, is_strict_before
):
    made = call(near_alice, near_bob, kinds)
    records = made.answer.all("record-route")
    ours = [each for each in records if "@192.0.2.100" in each]
    whole = list(reversed(records)) if is_by_caller else records
    here = whole.index(ours[-1] if is_by_caller else ours[0])
    left = whole[here + len(ours) :]
    sender, other = made.alice, made.bob
    ends = [made.invite.need("from"), made.answer.need("to")]
    if not is_by_caller:
        sender, other = other, sender
        ends.reverse()
    first, *rest = whole[here:]
    if is_strict_before:
        uri, routes = from_strict(first, other.contact, rest)
    else:
        uri, routes = other.contact, [first, *rest]
    sender.send(
        "INFO",
        uri,
        {
            "From": ends[0],
            "To": ends[1],
            "Call-ID": made.invite.call_id,
            "CSeq": "2 INFO",
            "Route": routes,
        },
    )
    (request,) = other.read()
    goes, goes_routes = addressed(other.contact, left)

    assert request.first_line == f"INFO {goes} SIP/2.0"
    assert request.all("route") == goes_routes
    assert sender.read() == []
    assert made.desk.defects == 0


@settings(max_examples=40)
@given(
    st.lists(
        st.sampled_from(
            [
                "<sip:example.test;lr>",
                "<sip:EXAMPLE.test:5060;lr;x=y>",
                "<sip:192.0.2.100:5060;lr;transport=tcp>",
                "<sip:[2001:DB8:0::1];lr>",
                '"us" <sip:u%20s@example.test;lr=on>',
                "<sip:192.0.2.100>",
            ]
        ),
        max_size=4,
    ),
    st.sampled_from(["MESSAGE", "INVITE", "INFO", "REFER"]),
)
def test_a_preloaded_route_of_us_alone_leads_to_the_user(routes, method):
    desk = Desk()
    alice, bob = (
        Phone(desk, user, RecordingStream(("192.0.2.50", port)))
        for port, user in enumerate(("alice", "bob"), 40001)
    )
    bob.register()
    alice.send(method, BOB, {"Route": routes})
    (request,) = bob.read()

    assert request.first_line == f"{method} {bob.contact} SIP/2.0"
    assert request.get("route") is None
