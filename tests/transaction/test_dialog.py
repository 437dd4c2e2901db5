from __future__ import annotations

import json

import pytest

from presproxy.errors import LimitReached, MalformedField
from presproxy.sip.message import build_response, parse_message
from presproxy.testing.flows import RecordingFlow, RecordingStream
from presproxy.transaction.dialog import (
    CSeqTooLow,
    Dialog,
    dialog_id_of_request,
)

SUBSCRIBE = """\
SUBSCRIBE sip:alice@example.test SIP/2.0\r
Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKs1\r
Max-Forwards: 70\r
From: "Bob" <sip:bob@example.test>;tag=theirs;epid=12\r
To: <sip:alice@example.test>\r
Call-ID: c1@192.0.2.1\r
CSeq: 7 SUBSCRIBE\r
Contact: <sip:bob%40home@192.0.2.1:5070;line=3>\r
Event: presence\r
Content-Length: 0\r
\r
"""
WITHIN = SUBSCRIBE.replace(
    "To: <sip:alice@example.test>", "To: <sip:alice@example.test>;tag=ours"
)

LOOSE = (
    "Record-Route: <sip:p1.example.test;lr;ftag=theirs>, <sip:p2.example.test;lr=on>\r\n"
    'record-route: "Third" <sip:192.0.2.3:5061;transport=tcp;lr>;x=y\r\n'
)
STRICT = (
    "Record-Route: <sip:p1.example.test;method=INVITE?x=y>, <sip:p2.example.test>\r\n"
)


def read(text, *changes):
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    return parse_message(text.encode())


def routed(records):
    return read(SUBSCRIBE, ("Event:", records + "Event:"))


@pytest.fixture
def dialog():
    return Dialog.of_request(read(SUBSCRIBE), "ours")


class TestOfARequest:
    def test_it_holds_both_ends(self, dialog):
        assert dialog.id == ("c1@192.0.2.1", "ours", "theirs")
        assert dialog.local == "<sip:alice@example.test>;tag=ours"
        assert dialog.remote == '"Bob" <sip:bob@example.test>;tag=theirs;epid=12'
        assert dialog.target == "sip:bob%40home@192.0.2.1:5070;line=3"
        assert dialog.routes == ()
        assert (dialog.local_cseq, dialog.remote_cseq) == (0, 7)

    def test_routes_are_in_the_order_of_the_request(self):
        dialog = Dialog.of_request(routed(LOOSE), "ours")

        assert dialog.routes == (
            "<sip:p1.example.test;lr;ftag=theirs>",
            "<sip:p2.example.test;lr=on>",
            '"Third" <sip:192.0.2.3:5061;transport=tcp;lr>;x=y',
        )

    def test_it_is_found_again_by_a_request_within_it(self, dialog):
        assert dialog_id_of_request(read(WITHIN)) == dialog.id

    def test_a_tag_that_is_there_already_is_kept(self):
        dialog = Dialog.of_request(read(WITHIN), "another", local_cseq=3)

        assert dialog.local_tag == "ours"
        assert dialog.local == "<sip:alice@example.test>;tag=ours"
        assert dialog.local_cseq == 3

    def test_a_peer_of_rfc_2543_may_have_no_tag(self):
        request = read(SUBSCRIBE, (";tag=theirs;epid=12", ""))
        dialog = Dialog.of_request(request, "ours")
        within = read(WITHIN, (";tag=theirs;epid=12", ""))

        assert dialog.id == ("c1@192.0.2.1", "ours", "")
        assert dialog_id_of_request(within) == dialog.id
        assert dialog.remote == '"Bob" <sip:bob@example.test>'

    def test_an_address_without_brackets_gets_its_tag(self):
        request = read(
            SUBSCRIBE, ("To: <sip:alice@example.test>", "t: sip:alice@example.test")
        )

        assert Dialog.of_request(request, "ours").local == (
            "sip:alice@example.test;tag=ours"
        )

    @pytest.mark.parametrize(
        "contact",
        [
            "",
            "Contact: *\r\n",
            "Contact: ,<<\r\n",
            "Contact: <sip:bob@192.0.2.1 x>\r\n",
            "Contact: <mailto:bob@example.test>\r\n",
            "Contact: <sip:bob@192.0.2.1>, <sip:bob@192.0.2.2>\r\n",
            "Contact: <sip:bob@192.0.2.1>\r\nm: <sip:bob@192.0.2.2>\r\n",
        ],
        ids=["none", "all", "no URI", "a space", "mailto", "two", "two lines"],
    )
    def test_there_must_be_one_contact_to_send_to(self, contact):
        request = read(
            SUBSCRIBE, ("Contact: <sip:bob%40home@192.0.2.1:5070;line=3>\r\n", contact)
        )

        with pytest.raises(MalformedField):
            Dialog.of_request(request, "ours")

    def test_what_may_not_be_in_a_request_uri_is_left_out_of_the_target(self):
        request = read(SUBSCRIBE, (";line=3>", ";method=NOTIFY;line=3?Subject=x>"))

        assert Dialog.of_request(request, "ours").target == (
            "sip:bob%40home@192.0.2.1:5070;line=3"
        )

    def test_a_record_route_that_cannot_be_read_is_refused(self):
        with pytest.raises(MalformedField):
            Dialog.of_request(
                routed("Record-Route: <mailto:x@example.test>\r\n"), "ours"
            )


class TestOfAResponse:
    @pytest.fixture
    def dialog(self):
        response = build_response(
            routed(LOOSE),
            200,
            [
                ("Contact", "<sip:alice@192.0.2.9>"),
                ("Record-Route", "<sip:p1.example.test;lr>, <sip:p2.example.test;lr>"),
                ("Record-Route", "<sip:p3.example.test;lr>"),
            ],
            to_tag="theirs2",
        )
        return Dialog.of_response(parse_message(response))

    def test_it_holds_both_ends(self, dialog):
        assert dialog.id == ("c1@192.0.2.1", "theirs", "theirs2")
        assert dialog.local == '"Bob" <sip:bob@example.test>;tag=theirs;epid=12'
        assert dialog.remote == "<sip:alice@example.test>;tag=theirs2"
        assert dialog.target == "sip:alice@192.0.2.9"
        assert (dialog.local_cseq, dialog.remote_cseq) == (7, None)

    def test_routes_are_in_the_reverse_order(self, dialog):
        assert dialog.routes == (
            "<sip:p3.example.test;lr>",
            "<sip:p2.example.test;lr>",
            "<sip:p1.example.test;lr>",
        )

    def test_the_first_request_of_the_peer_may_have_any_number(self, dialog):
        dialog.accept(read(WITHIN, ("CSeq: 7", "CSeq: 0")))

        assert dialog.remote_cseq == 0


class TestNumbers:
    def test_ours_rise_by_one(self, dialog):
        assert [dialog.next_cseq() for _ in range(3)] == [1, 2, 3]

    def test_ours_end_below_2_to_the_31(self, dialog):
        dialog.local_cseq = 2**31 - 2

        assert dialog.next_cseq() == 2**31 - 1
        with pytest.raises(LimitReached):
            dialog.next_cseq()

    @pytest.mark.parametrize("number", [7, 8, 9000, 2**31 - 1])
    def test_theirs_may_leave_gaps_and_be_repeated(self, dialog, number):
        dialog.accept(read(WITHIN, ("CSeq: 7", f"CSeq: {number}")))

        assert dialog.remote_cseq == number

    @pytest.mark.parametrize("number", [0, 1, 6])
    def test_theirs_may_not_fall(self, dialog, number):
        request = read(
            WITHIN, ("CSeq: 7", f"CSeq: {number}"), ("192.0.2.1:5070", "192.0.2.2")
        )

        with pytest.raises(CSeqTooLow, match=f"CSeq {number} comes after 7"):
            dialog.accept(request)
        assert dialog.remote_cseq == 7
        assert dialog.target == "sip:bob%40home@192.0.2.1:5070;line=3"


class TestTargetRefresh:
    def test_a_contact_is_the_new_target(self, dialog):
        flow = RecordingFlow()
        dialog.accept(read(WITHIN, ("192.0.2.1:5070", "192.0.2.2")))

        assert dialog.target == "sip:bob%40home@192.0.2.2;line=3"
        assert dialog.request("NOTIFY", flow, "z9hG4bKn1", 1, b"").startswith(
            b"NOTIFY sip:bob%40home@192.0.2.2;line=3 SIP/2.0\r\n"
        )

    def test_without_a_contact_it_stays(self, dialog):
        dialog.accept(
            read(WITHIN, ("Contact: <sip:bob%40home@192.0.2.1:5070;line=3>\r\n", ""))
        )

        assert dialog.target == "sip:bob%40home@192.0.2.1:5070;line=3"

    def test_a_contact_that_cannot_be_read_changes_nothing(self, dialog):
        request = read(
            WITHIN,
            ("CSeq: 7", "CSeq: 8"),
            ("Contact: <sip:bob%40home@192.0.2.1:5070;line=3>", "Contact: *"),
        )

        with pytest.raises(MalformedField):
            dialog.accept(request)
        assert dialog.remote_cseq == 7

    def test_the_routes_stay(self):
        dialog = Dialog.of_request(routed(LOOSE), "ours")
        before = dialog.routes
        dialog.accept(read(WITHIN, ("Event:", STRICT + "Event:")))

        assert dialog.routes == before


class TestRequestsWithin:
    def test_one_is_written_in_full(self, dialog):
        flow = RecordingFlow()
        data = dialog.request(
            "NOTIFY",
            flow,
            "z9hG4bKn1",
            dialog.next_cseq(),
            b"Event: presence\r\nContent-Length: 0\r\n\r\n",
        )

        assert data.decode() == (
            "NOTIFY sip:bob%40home@192.0.2.1:5070;line=3 SIP/2.0\r\n"
            "Via: SIP/2.0/UDP 192.0.2.100:5060;rport;branch=z9hG4bKn1\r\n"
            "Max-Forwards: 70\r\n"
            "From: <sip:alice@example.test>;tag=ours\r\n"
            'To: "Bob" <sip:bob@example.test>;tag=theirs;epid=12\r\n'
            "Call-ID: c1@192.0.2.1\r\n"
            "CSeq: 1 NOTIFY\r\n"
            "Contact: <sip:192.0.2.100:5060>\r\n"
            "Event: presence\r\n"
            "Content-Length: 0\r\n"
            "\r\n"
        )

    def test_on_a_stream_the_contact_says_so(self, dialog):
        stream = RecordingStream(sent_by="[2001:db8::1]:5060")
        request = sent(dialog, stream)

        assert str(request.via) == ("SIP/2.0/TCP [2001:db8::1]:5060;branch=z9hG4bKn1")
        assert request.get("contact") == "<sip:[2001:db8::1]:5060;transport=tcp>"

    def test_loose_routers_are_listed_and_the_target_is_asked(self):
        dialog = Dialog.of_request(routed(LOOSE), "ours")
        request = sent(dialog, RecordingFlow())

        assert request.uri == "sip:bob%40home@192.0.2.1:5070;line=3"
        assert request.get_all("route") == list(dialog.routes)
        assert dialog.next_hop == "sip:p1.example.test;lr;ftag=theirs"

    def test_a_strict_router_is_asked_and_the_target_is_listed_last(self):
        dialog = Dialog.of_request(routed(STRICT), "ours")
        request = sent(dialog, RecordingFlow())

        assert request.uri == "sip:p1.example.test"
        assert request.get_all("route") == [
            "<sip:p2.example.test>",
            "<sip:bob%40home@192.0.2.1:5070;line=3>",
        ]
        assert dialog.next_hop == "sip:p1.example.test;method=INVITE?x=y"

    def test_without_routers_the_target_is_the_next_hop(self, dialog):
        assert dialog.next_hop == dialog.target

    def test_bytes_beyond_ascii_come_back_as_they_were(self):
        data = SUBSCRIBE.replace("Bob", "Böb").encode("latin-1")
        dialog = Dialog.of_request(parse_message(data), "ours")
        data = dialog.request("NOTIFY", RecordingFlow(), "z9hG4bKn1", 1, b"")

        assert b'To: "B\xf6b" <sip:bob' in data

    def test_a_percent_sign_is_no_gap(self):
        data = SUBSCRIBE.replace("Bob", "100%d %b %(a)s %")
        dialog = Dialog.of_request(parse_message(data.encode()), "ours")
        data = dialog.request("NOTIFY", RecordingFlow(), "z9", 1, b"%d")

        assert b'To: "100%d %b %(a)s %" <sip:bob' in data

    def test_one_may_be_had_as_fields(self):
        dialog = Dialog.of_request(routed(STRICT), "ours")

        assert dialog.next_request("BYE") == (
            "sip:p1.example.test",
            [
                ("Route", "<sip:p2.example.test>"),
                ("Route", "<sip:bob%40home@192.0.2.1:5070;line=3>"),
                ("From", "<sip:alice@example.test>;tag=ours"),
                ("To", '"Bob" <sip:bob@example.test>;tag=theirs;epid=12'),
                ("Call-ID", "c1@192.0.2.1"),
                ("CSeq", "1 BYE"),
            ],
        )


def sent(dialog, flow):
    rest = b"Content-Length: 0\r\n\r\n"
    return parse_message(
        dialog.request("NOTIFY", flow, "z9hG4bKn1", dialog.next_cseq(), rest)
    )


@pytest.mark.parametrize(
    "records", ["", LOOSE, STRICT], ids=["direct", "loose", "strict"]
)
def test_what_is_kept_reads_back_the_same(records):
    dialog = Dialog.of_request(routed(records), "ours")
    dialog.next_cseq()
    payload = json.loads(json.dumps(dialog.to_payload()))
    read_back = Dialog.from_payload(payload)

    assert read_back.to_payload() == payload
    assert read_back.id == dialog.id
    assert sent(read_back, RecordingFlow()).uri == sent(dialog, RecordingFlow()).uri


def test_numbers_can_be_reserved_for_after_a_restart(dialog):
    dialog.next_cseq()
    read_back = Dialog.from_payload(dialog.to_payload(reserved=1000))

    assert read_back.next_cseq() == 1002
    assert dialog.next_cseq() == 2
