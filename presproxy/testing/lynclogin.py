"""
A user agent's half of NTLM, and of the signatures that follow.

The messages of NTLM are made by pyspnego, and what is signed is read from the text of a
message by the tests' own reader, so that no mistake of the server's is shared.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import b64decode, b64encode
from collections.abc import Mapping

import attrs
import spnego

from presproxy.auth.ntlmkeys import rc4
from presproxy.testing.wire import Message

_parameter = re.compile(r'([A-Za-z\-]+)=(?:"([^"]*)"|([^,\s"]*))').findall
_address = re.compile(r"<([^>]*)>").search
_tag = re.compile(r";tag=([^;>\s]+)").search

_CLIENT = b"session key to client-to-server "
_SERVER = b"session key to server-to-client "
_SEQUENCE = b"\x64\0\0\0"


def parameters(value: str) -> Mapping[str, str]:
    """Give the parameters of a challenge or of credentials."""
    return {name: quoted or bare for name, quoted, bare in _parameter(value)}


@attrs.define(eq=False)
class NtlmLogin:
    """
    One user agent that signs in.

    `answer` is given each challenge; then `sign` signs messages, `is_signed` knows those
    of the server.  ``login`` is the user as NTLM has it, with ``DOMAIN\\`` before it or
    not.
    """

    login: str = "alice@example.test"
    password: str = "secret"
    terms: Mapping[str, str] = attrs.field(init=False, factory=dict)
    session_key: bytes = attrs.field(init=False, default=b"")
    count: int = attrs.field(init=False, default=0)

    @property
    def version(self) -> int:
        """What was offered."""
        return int(self.terms.get("version", "2"))

    def answer(self, challenge: str, data: bytes = b"") -> str:
        """
        Give the credentials for a challenge.

        They are signed from version 4 on, if ``data`` is the request they are for.
        """
        scheme, _, rest = challenge.partition(" ")
        assert scheme == "NTLM"
        self.terms = parameters(rest)
        token = self.terms.get("gssapi-data")
        if token is None:
            return self._credentials("", {})
        client = spnego.client(
            self.login,
            self.password,
            protocol="ntlm",
            options=spnego.NegotiateOptions.use_ntlm,
        )
        client.step()
        proof = client.step(b64decode(token))
        assert proof is not None
        self.session_key, self.count = client.session_key, 0
        signature = self.signature(data) if data and self.version > 3 else {}
        return self._credentials(b64encode(proof).decode(), signature)

    def _credentials(self, token: str, more: Mapping[str, str]) -> str:
        written = {
            "qop": "auth",
            **{
                name: self.terms[name]
                for name in ("opaque", "realm", "targetname")
                if name in self.terms
            },
            "gssapi-data": token,
            **more,
        }
        version = f", version={self.version}" if self.version > 2 else ""
        listed = ", ".join(f'{name}="{value}"' for name, value in written.items())
        return f"NTLM {listed}{version}"

    def signature(self, data: bytes) -> Mapping[str, str]:
        """Give the parameters that sign a message of ours."""
        self.count += 1
        salt = f"{0xE2479571 + self.count:08x}"
        text = self._text(Message.read(data), salt, str(self.count))
        return {
            "crand": salt,
            "cnum": str(self.count),
            "response": _sign(self.session_key, _CLIENT, text),
        }

    def sign(self, data: bytes) -> bytes:
        """Put our signature into a message."""
        terms = {
            "qop": "auth",
            "opaque": self.terms["opaque"],
            "realm": self.terms["realm"],
            "targetname": self.terms["targetname"],
            **self.signature(data),
        }
        listed = ", ".join(f'{name}="{value}"' for name, value in terms.items())
        return with_field(data, "Authorization", f"NTLM {listed}")

    def is_signed(self, data: bytes) -> bool:
        """Whether a message of the server's has one signature, and the right one."""
        message = Message.read(data)
        values = message.all("authentication-info")
        if len(values) != 1:
            return False
        given = parameters(values[0])
        text = self._text(message, given["srand"], given["snum"])
        return given["rspauth"].upper() == _sign(self.session_key, _SERVER, text)

    def _text(self, message: Message, salt: str, number: str) -> bytes:
        terms = self.terms
        count, method = message.need("cseq").split()
        from_, to = message.need("from"), message.need("to")
        values = ["NTLM", salt, number, terms["realm"], terms["targetname"]]
        values += [message.call_id, count, method, _found(_address(from_))]
        values += [_found(_tag(from_))]
        is_long = self.version > 2
        values += [_found(_address(to))] if is_long else []
        values += [_found(_tag(to))]
        values += ["", ""] if is_long else []
        values += [message.get("expires") or ""]
        values += [str(message.status)] if message.is_response else []
        return "".join(f"<{value}>" for value in values).encode()


def with_field(data: bytes, name: str, value: str) -> bytes:
    """Put one more field at the end of a message's header."""
    head, _, body = data.partition(b"\r\n\r\n")
    return head + f"\r\n{name}: {value}\r\n\r\n".encode() + body


def _found(match: re.Match[str] | None) -> str:
    return "" if match is None else match[1]


def _sign(session_key: bytes, way: bytes, text: bytes) -> str:
    def key(use: bytes) -> bytes:
        words = way + use + b" key magic constant\0"
        return hashlib.md5(session_key + words).digest()

    summed = hmac.digest(key(b"signing"), _SEQUENCE + text, "md5")[:8]
    hidden = rc4(hashlib.md5(key(b"sealing") + _SEQUENCE).digest(), summed)
    return (b"\x01\0\0\0" + hidden + _SEQUENCE).hex().upper()
