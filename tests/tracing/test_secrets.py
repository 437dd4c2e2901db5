from __future__ import annotations

import pytest

from presproxy.tracing.secrets import blanked


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (
            b'Authorization: Digest username="bob", response="abc", cnonce=12',
            b'Authorization: Digest username="bob", response="xxx", cnonce=xx',
        ),
        (b"authorization: Basic Ym9iOg==", b"authorization: Basic xxxxxxxx"),
        (
            b'Proxy-Authorization: NTLM\r\n gssapi-data="TlRM", crand="12"',
            b'Proxy-Authorization: NTLM\r\n gssapi-data="xxxx", crand="12"',
        ),
        (b'WWW-Authenticate: NTLM gssapi-data="TlRM"',) * 1
        + (b'WWW-Authenticate: NTLM gssapi-data="xxxx"',),
        (
            b'Authentication-Info: rspauth="00ff"',
            b'Authentication-Info: rspauth="xxxx"',
        ),
        (b"Subject: response=abc", b"Subject: response=abc"),
        (b"Authorization:\r\n Basic Ym9iOg==", b"Authorization:\r\n Basic xxxxxxxx"),
        (b"Authorization: Basic\r\n Ym9i", b"Authorization: Basic\r\n xxxx"),
        (
            b"Proxy-Authorization: Negotiate YII=",
            b"Proxy-Authorization: Negotiate xxxx",
        ),
        (b"Authorization: YII=", b"Authorization: xxxx"),
        (
            b'Authorization: Digest response =\r\n "abc",nc=1',
            b'Authorization: Digest response =\r\n "xxx",nc=1',
        ),
        (
            b'Authorization: Digest username="x, response=\\"", response="abc"',
            b'Authorization: Digest username="x, response=\\"", response="xxx"',
        ),
        (
            b'Authorization: Digest cnonce="a\\"b", ticket=abc',
            b'Authorization: Digest cnonce="xxxx", ticket=xxx',
        ),
        (
            b'Authorization: Digest response="abc, realm="x"',
            b'Authorization: Digest xxxxxxxxxxxxx, realm="x"',
        ),
    ],
)
def test_what_proves_who_somebody_is_is_not_shown(line, shown):
    data = b"PUBLISH sip:a@b SIP/2.0\r\n%b\r\n\r\nbody"

    assert blanked(data % line) == data % shown


def test_keys_of_media_are_not_shown():
    data = b"x\r\n\r\na=crypto:1 AES_CM_128 inline:abcd==|2^20\r\nk=base64:abc\r\n"

    assert blanked(data) == (
        b"x\r\n\r\na=crypto:1 AES_CM_128 inline:xxxxxx|2^20\r\nk=base64:xxx\r\n"
    )
