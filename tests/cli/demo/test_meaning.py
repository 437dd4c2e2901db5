from __future__ import annotations

import pytest

from presproxy.cli.demo.meaning import label_of, meaning_of
from presproxy.sip.message import build_request, build_response, parse_message
from presproxy.useragent import Presence
from presproxy.useragent.states import content_of


def request(method, *fields, body=b"", to=""):
    data = build_request(
        method,
        "sip:Luser2@contoso.com",
        [
            ("Via", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1"),
            ("From", "<sip:Luser1@contoso.com>;tag=1"),
            ("To", f"<sip:Luser2@contoso.com>{to}"),
            ("Call-ID", "1"),
            ("CSeq", f"1 {method}"),
            *fields,
        ],
        body,
    )
    return parse_message(data)


def response(method, status, *fields):
    return parse_message(build_response(request(method), status, fields))


def state(word):
    return ("Subscription-State", word)


BUSY = content_of("sip:Luser2@contoso.com", Presence("busy", "In a call"))
DND = content_of("sip:Luser2@contoso.com", Presence("dnd"))
OFFLINE = content_of("sip:Luser2@contoso.com", Presence("offline"))


@pytest.mark.parametrize(
    ("message", "label", "meaning"),
    [
        (request("SUBSCRIBE", ("Expires", "3600")), "SUBSCRIBE", "wants to watch"),
        (request("SUBSCRIBE", ("Expires", "0")), "SUBSCRIBE", "looks once"),
        (
            request("SUBSCRIBE", ("Expires", "600"), to=";tag=2"),
            "SUBSCRIBE",
            "goes on watching",
        ),
        (
            request("SUBSCRIBE", ("Expires", "0"), to=";tag=2"),
            "SUBSCRIBE",
            "watches no more",
        ),
        (request("PUBLISH", body=BUSY), "PUBLISH", "says: busy, “In a call”"),
        (request("PUBLISH", body=DND), "PUBLISH", "says: do not disturb"),
        (request("PUBLISH", ("Expires", "60")), "PUBLISH", "still the same"),
        (request("PUBLISH", ("Expires", "0")), "PUBLISH", "logs off"),
        (
            request("NOTIFY", state("active;expires=600"), body=DND),
            "NOTIFY",
            "→ Luser1: do not disturb",
        ),
        (
            request("NOTIFY", state("pending;expires=600"), body=OFFLINE),
            "NOTIFY",
            "→ Luser1: offline (pending)",
        ),
        (
            request("NOTIFY", state("terminated;reason=timeout"), body=OFFLINE),
            "NOTIFY",
            "→ Luser1: offline (the last)",
        ),
        (
            request("NOTIFY", state("terminated;reason=rejected")),
            "NOTIFY",
            "→ Luser1: nothing (the last)",
        ),
        (request("OPTIONS"), "OPTIONS", ""),
        (
            response("SUBSCRIBE", 200, ("Expires", "600")),
            "200 OK",
            "for 600 seconds",
        ),
        (
            response("PUBLISH", 200, ("Expires", "60")),
            "200 OK",
            "kept, for 60 seconds",
        ),
        (response("NOTIFY", 200), "200 OK", ""),
        (response("SUBSCRIBE", 403), "403 Forbidden", ""),
    ],
)
def test_each_message_is_said_in_a_few_words(message, label, meaning):
    assert label_of(message).plain == label
    assert meaning_of(message, "Luser1").plain == meaning


def test_a_body_nobody_can_read_means_nothing():
    notify = request("NOTIFY", state("active"), body=b"<presence")

    assert meaning_of(notify, "Luser1").plain == "→ Luser1: nothing"
