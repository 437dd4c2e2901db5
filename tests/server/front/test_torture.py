"""The torture messages of RFC 4475 and RFC 5118, in front of a server: each its answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from presproxy.testing.wire import Message
from presproxy.transport.hop import Hop

MESSAGES = Path(__file__).parents[2] / "torture"

FIRST = Hop("udp", "192.0.2.10", 5070)

#: Passed on to the server behind; or neither that nor answered.
PASSED, NOTHING = "passed on", "nothing"

FATES: dict[str, int | str] = {
    "4475-badaspec": PASSED,
    "4475-badbranch": PASSED,
    "4475-baddate": PASSED,
    "4475-cparam01": PASSED,
    "4475-cparam02": PASSED,
    "4475-dblreq": PASSED,
    "4475-esc01": PASSED,
    "4475-esc02": PASSED,
    "4475-escnull": PASSED,
    # Headers in a Request-URI are for whoever asked for them to be put there.
    "4475-escruri": PASSED,
    "4475-intmeth": PASSED,
    "4475-inv2543": PASSED,
    "4475-invut": PASSED,
    "4475-lwsdisp": PASSED,
    "4475-mpart01": PASSED,
    "4475-regaut01": PASSED,
    # A Contact is the registrar's to read.
    "4475-regbadct": PASSED,
    "4475-regescrt": PASSED,
    "4475-semiuri": PASSED,
    "4475-transports": PASSED,
    "4475-unksm2": PASSED,
    "5118-ipv4-mapped-ipv6": PASSED,
    "5118-ipv6-bug-abnf-3-colons": PASSED,
    "5118-ipv6-correct-abnf-2-colons": PASSED,
    "5118-ipv6-good": PASSED,
    "5118-mult-ip-in-header": PASSED,
    "5118-port-ambiguous": PASSED,
    "5118-port-unambiguous": PASSED,
    "5118-via-received-param-no-delim": PASSED,
    "5118-via-received-param-with-delim": PASSED,
    "4475-longreq": 200,
    "4475-baddn": 400,
    "4475-clerr": 400,
    "4475-ltgtruri": 400,
    "4475-lwsruri": 400,
    "4475-lwsstart": 400,
    "4475-mcl01": 400,
    "4475-mismatch01": 400,
    "4475-mismatch02": 400,
    "4475-multi01": 400,
    "4475-ncl": 400,
    "4475-quotbal": 400,
    "4475-scalar02": 400,
    "4475-trws": 400,
    "5118-ipv6-bad": 400,
    # Its Route leads past the server behind.
    "4475-wsinv": 403,
    # It accepts no presence document.
    "4475-sdp01": 406,
    "4475-novelsc": 416,
    "4475-unkscm": 416,
    # Proxy-Require is a proxy's to know.
    "4475-bext01": 420,
    "4475-zeromf": 483,
    "4475-badvers": 505,
    # Its Via cannot be read, so no answer finds its way.
    "4475-badinv01": NOTHING,
    "4475-bcast": NOTHING,
    "4475-bigcode": NOTHING,
    "4475-insuf": NOTHING,
    "4475-intmeth-nul": NOTHING,
    "4475-noreason": NOTHING,
    "4475-scalarlg": NOTHING,
    "4475-unreason": NOTHING,
}


def fate(desk, behind, kind, phone_of, name):
    phone = phone_of(desk, "alice", kind)
    phone.send_data((MESSAGES / f"{name}.sip").read_bytes())
    desk.clock.advance(0)
    went = [
        Message.read(data) for peer, data in desk.flow.sent if peer == FIRST.address
    ]
    said = [data for peer, data in desk.flow.sent if peer != FIRST.address]
    said += [] if kind == "datagram" else [data for _, data in phone.flow.sent]
    finals = [each.status for each in map(Message.read, said) if each.status >= 200]
    assert desk.defects == 0
    if went:
        assert finals == []
        return PASSED
    return finals[0] if finals else NOTHING


def test_every_message_has_its_row():
    assert sorted(FATES) == sorted(path.stem for path in MESSAGES.glob("*.sip"))


@pytest.mark.parametrize("kind", ["datagram", "stream"])
@pytest.mark.parametrize("name", FATES)
def test_each_has_its_answer(desk, behind, phone_of, kind, name):
    assert fate(desk, behind, kind, phone_of, name) == FATES[name]
