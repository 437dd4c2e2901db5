from __future__ import annotations

import pytest
import pytest_twisted
from hypothesis import given
from hypothesis import strategies as st

from presproxy.transport.stun import binding_response
from presproxy.transport.where import Where

#: The transaction of the test vectors of RFC 5769, without their other attributes.
TRANSACTION = bytes.fromhex("2112a442 b7e7a701bc34d686fa87dfae")
REQUEST = bytes.fromhex("0001 0000") + TRANSACTION
CLASSIC = bytes.fromhex("0001 0000 00112233445566778899aabbccddeeff")


@pytest.mark.parametrize(
    ("request_", "peer", "attribute"),
    [
        # RFC 5769 §2.2 and §2.3.
        (REQUEST, ("192.0.2.1", 32853), "0020 0008 0001 a147 e112a643"),
        (
            REQUEST,
            ("2001:db8:1234:5678:11:2233:4455:6677", 32853),
            "0020 0014 0002 a147 0113a9faa5d3f179bc25f4b5bed2b9d9",
        ),
        (CLASSIC, ("192.0.2.1", 5060), "0001 0008 0001 13c4 c0000201"),
    ],
    ids=["IPv4", "IPv6", "as of RFC 3489"],
)
def test_a_peer_is_told_its_address(request_, peer, attribute):
    value = bytes.fromhex(attribute)

    response = binding_response(request_, peer)

    assert response[:2] == b"\x01\x01"
    assert int.from_bytes(response[2:4], "big") == len(value)
    assert response[4:] == request_[4:] + value


@pytest.mark.parametrize(
    "data",
    [
        bytes.fromhex("0101 0000") + TRANSACTION,
        bytes.fromhex("0001 0004") + TRANSACTION,
        REQUEST[:19],
        b"\r\n\r\n",
        bytes.fromhex("0001 0003") + TRANSACTION + b"abc",
    ],
    ids=[
        "a response",
        "a body cut off",
        "a head cut off",
        "a keep-alive",
        "no multiple of four",
    ],
)
def test_what_is_no_request_is_not_answered(data):
    assert binding_response(data, ("192.0.2.1", 5060)) is None


BODIES = st.integers(0, 40).flatmap(
    lambda words: st.binary(min_size=4 * words, max_size=4 * words)
)
ASKED = st.builds(
    lambda rest, body: b"\x00\x01" + len(body).to_bytes(2, "big") + rest + body,
    st.binary(min_size=16, max_size=16),
    BODIES,
)


@given(
    st.one_of(ASKED, st.binary(max_size=80)),
    st.one_of(st.ip_addresses().map(str), st.just("fe80::1%lo")),
    st.integers(0, 65535),
)
def test_whatever_asks_is_answered_or_not(data, host, port):
    response = binding_response(data, (host, port))

    if response is not None:
        assert response[4:20] == data[4:20]
        assert int.from_bytes(response[2:4], "big") == len(response) - 20


@pytest_twisted.ensureDeferred
async def test_stun_is_answered_only_if_told_to(house, open_house, datagram_peer):
    [quiet] = await open_house().listen(Where("udp", 0, "127.0.0.1"))
    [asked] = await open_house(stun=True).listen(Where("udp", 0, "127.0.0.1"))
    peer = datagram_peer("127.0.0.1")

    peer.send(REQUEST, quiet)
    peer.send(REQUEST, asked)
    response, source = await peer.received.get()

    assert response == binding_response(REQUEST, peer.address)
    assert source == (asked.interface, asked.port)
    assert house.messages == []
    assert house.count("datagrams_ignored") == 2
