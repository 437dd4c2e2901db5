from __future__ import annotations

import pytest
import pytest_twisted

from presproxy.transport.where import Where

LOOPBACKS = pytest.mark.parametrize("loopback", ["127.0.0.1", "::1"])


@LOOPBACKS
@pytest_twisted.ensureDeferred
async def test_a_message_comes_with_the_way_back(
    loopback, house, open_house, call, options
):
    [where] = await open_house().listen(Where("tcp", 0, loopback))
    peer = await call(where)

    peer.send(options)
    data, flow = await house.received.get()
    flow.send(b"an answer")

    assert data == options
    assert await peer.read(9) == b"an answer"
    assert (flow.peer, flow.local) == (peer.address, (loopback, where.port))
    assert (flow.transport, flow.reliable, flow.is_open) == ("TCP", True, True)
    assert flow.towards(("192.0.2.1", 5060)) is flow


@pytest_twisted.ensureDeferred
async def test_a_double_crlf_is_answered_by_one(house, open_house, call):
    [where] = await open_house().listen(Where("tcp", 0, "127.0.0.1"))
    peer = await call(where)

    peer.send(b"\r\n\r\n")

    assert await peer.read(2) == b"\r\n"
