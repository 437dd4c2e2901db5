"""
The answer 503 to a request that nobody has the time to read.

A server that is late must refuse for a small part of what it costs to serve.  So the
response is cut out of the octets of the request where that is written as most are.  Of
all others nothing is said here, and they are read in full.
"""

from __future__ import annotations

import re
from zlib import crc32

from presproxy.sip.diagnostics import SIP_STACK, diagnosis, host_of
from presproxy.sip.flow import Flow
from presproxy.sip.head import LARGEST_HEAD
from presproxy.sip.status import reason
from presproxy.sip.tokens import MAGIC_COOKIE
from presproxy.transaction.matching import DEFAULT_PORT

#: Seconds after which who was refused may come again, and over how many they are spread,
#: so that not all come at once.  Chosen: a burst is worked off in five, and half a minute
#: is shorter than any expiry.
_SOONEST, _SPREAD = 5, 26

_TOKEN = r"[A-Za-z0-9.!%*_+`'~-]+"
_NAME = r'(?:"[^"\\\0-\x1f]*"\ )?<[^<>\0-\x20]+>'
_PARAMETERS = rf"(?:;(?!branch=|rport|received)[a-z]+(?:={_TOKEN})?)*"


def _others(name: str) -> str:
    """Match lines before ``name``: none is folded, or could be another Via."""
    return rf"(?:(?!{name})[^Vv\ \t\r\n][^\r\n]*\r\n)*"


#: The first Via stands first and alone in its line; then From, To, and the other two.
#: Every line is matched in one way only, so that no message takes long.
_usual = re.compile(
    rf"""
    (?!ACK\ )(?P<method>[A-Z]+)\ [^\s]+\ SIP/2\.0\r\n
    Via:\ (?P<via>SIP/2\.0/[A-Za-z]+\ (?P<host>[a-z0-9][a-z0-9.-]*)(?::(?P<port>[0-9]+))?
        {_PARAMETERS}(?P<before>;rport)?{_PARAMETERS}
        ;branch=(?P<branch>{MAGIC_COOKIE}{_TOKEN})
        {_PARAMETERS}(?P<behind>;rport)?{_PARAMETERS})\r\n
    {_others("From:")}
    From:\ (?P<from>{_NAME}(?:;tag={_TOKEN})?(?P<epid>;epid={_TOKEN})?)\r\n
    {_others("To:")}
    To:\ (?P<to>{_NAME})(?P<tag>;tag={_TOKEN})?\r\n
    {_others("(?:Call-ID|CSeq):")}
    (?:CSeq:\ (?P<early>[0-9]{{1,9}})\ (?P=method)\r\n{_others("Call-ID:")})?
    Call-ID:\ (?P<call_id>[^\s\0]+)\r\n
    (?(early)|{_others("CSeq:")}CSeq:\ (?P<number>[0-9]{{1,9}})\ (?P=method)\r\n)
    {_others("$")}
    \r\n
    """.encode(),
    re.VERBOSE,
).match


def retry_after(checksum: int) -> int:
    """Give the seconds to wait: always the same for one request, and others for others."""
    return _SOONEST + checksum % _SPREAD


class Usual:
    """A request which is written as most are, known as far as it takes to refuse it."""

    __slots__ = ("_asks_port", "_data", "_found", "_host", "_port", "key")

    def __init__(self, data: bytes, found: re.Match[bytes]) -> None:
        method, host, port, branch, early, number, before, behind = found.group(
            "method", "host", "port", "branch", "early", "number", "before", "behind"
        )
        self._data = data
        self._found = found
        self._host = host.decode()
        self._port = None if port is None else int(port)
        self._asks_port = before is not None or behind is not None
        #: That of `presproxy.transaction.matching.key_of`.
        self.key = (
            f"{branch.decode()} {self._host}:{self._port} {method.decode()} "
            f"{int(early or number)}"
        )

    def refusal(self, flow: Flow) -> bytes:
        """Write the response, as if the request had been read in full."""
        method, via, from_, to, tag, call_id, early, number = self._found.group(
            "method", "via", "from", "to", "tag", "call_id", "early", "number"
        )
        checksum = crc32(self._data)
        return (
            b"SIP/2.0 503 Service Unavailable\r\n"
            b"Via: %b\r\nFrom: %b\r\nTo: %b%b\r\nCall-ID: %b\r\nCSeq: %b %b\r\n"
            b"Retry-After: %d\r\n%bContent-Length: 0\r\n\r\n"
        ) % (
            self._stamped(via, *flow.peer),
            from_,
            to,
            # The same request gets the same tag each time (RFC 3261 §8.2.7).
            b";tag=%08x" % checksum if tag is None else tag,
            call_id,
            early or number,
            method,
            retry_after(checksum),
            b"" if self._found["epid"] is None else _diagnosis(flow),
        )

    def way_back(self, flow: Flow, *, to_source: bool) -> Flow:
        """Give the flow for it, as `presproxy.transaction.matching.way_back` does."""
        host, port = flow.peer
        wanted = self._port or DEFAULT_PORT
        if wanted == port or self._asks_port or to_source or flow.reliable:
            return flow
        return flow.towards((host, wanted))

    def _stamped(self, via: bytes, host: str, port: int) -> bytes:
        if self._asks_port:
            via = via.replace(b";rport", b";rport=%d" % port, 1)
        elif self._host == host:
            return via
        return b"%b;received=%b" % (via, host.partition("%")[0].encode())


def _diagnosis(flow: Flow) -> bytes:
    """Write why, in a line for a Lync client."""
    field, value = diagnosis(SIP_STACK, reason(503), host_of(flow))
    return f"{field}: {value}\r\n".encode()


def read_usual(data: bytes) -> Usual | None:
    """Read a request no further than is needed; None if it is written in another way."""
    found = _usual(data, 0, LARGEST_HEAD)
    if found is None or int(found["port"] or 0) > 65535:
        return None
    return Usual(data, found)
