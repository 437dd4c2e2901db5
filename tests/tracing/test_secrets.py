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
