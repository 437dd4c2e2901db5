from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from presproxy.errors import MalformedField
from presproxy.sip.authfields import _quickly, _thoroughly

names = st.sampled_from(["realm", "nonce", "Nonce", "qop", "nc", "", "username*"])
values = st.sampled_from(
    ['""', '"a, b=c"', r'"a\"b"', "auth", "", "a=b==", '"open', "a b"]
)
gaps = st.sampled_from([",", ", ", " , ", ",,", " ", ""])


@given(st.lists(st.tuples(names, values, gaps), max_size=5), st.integers(0, 3))
def test_the_quick_way_finds_what_the_thorough_one_does(params, position):
    text = "x" * position + "".join(
        f"{name}={value}{gap}" for name, value, gap in params
    )
    try:
        thorough = _thoroughly("Authorization", text, position)
    except MalformedField:
        thorough = None

    assert _quickly(text, position) in (None, thorough)


def test_the_quick_way_is_enough_for_the_usual_case():
    text = 'username="alice", realm="example.test", nonce="n", nc=00000001,qop=auth'

    assert _quickly(text, 0) == {
        "username": "alice",
        "realm": "example.test",
        "nonce": "n",
        "nc": "00000001",
        "qop": "auth",
    }
