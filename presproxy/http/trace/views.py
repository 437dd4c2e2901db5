"""``/api/v1/trace``: a page of figures, one message, and the files."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs
from twisted.web.iweb import IRequest

from presproxy.errors import MalformedField
from presproxy.http.answers import JSON as JSON_TYPE
from presproxy.http.answers import Wrong
from presproxy.http.arguments import flag, number, text
from presproxy.http.trace.looking import Looking
from presproxy.http.trace.shapes import Writer, in_full, moment
from presproxy.tracing.filters import Filter, parse_filter
from presproxy.tracing.gathering import BAR, STRIP, Gathering, Shown
from presproxy.tracing.message import Traced
from presproxy.tracing.pcap import CONTENT_TYPE as PCAP
from presproxy.tracing.pcap import Packet, write_pcap
from presproxy.tracing.secrets import blanked
from presproxy.tracing.text import Line, write_text
from presproxy.tracing.words import say

#: Messages of a page when nobody says, and at most; what is exported has no pages.
_PAGE, _LONGEST_PAGE = 200, 1000

_TEXT = "text/plain; charset=utf-8"
_NUMBER = 2**31


@attrs.frozen(eq=False)
class TraceViews:
    """
    Shows the trace to whoever asks.

    ``ours`` gives our own lane, ``version`` is of this program, ``node`` its name.
    """

    looking: Looking
    ours: Callable[[], Mapping[str, Any]]
    version: str
    node: str

    async def page(self, request: Any) -> bytes | Mapping[str, Any]:
        """Give a page of figures with their messages, or all of them as a file."""
        wanted = self.wanted(request)
        before = number(request, "before", 0, 0, _NUMBER) or None
        after = number(request, "after", 0, 0, _NUMBER)
        limit = number(request, "limit", _PAGE, 1, _LONGEST_PAGE)
        is_folded = text(request, "folded") is None or flag(request, "folded")
        write = self._file(request)
        gathering = await self.looking.look()
        if write is not None:
            page = gathering.page(wanted, before, _NUMBER, is_folded=is_folded)
            return write(gathering, page.shown)
        if after:
            shown = gathering.changed_since(wanted, after, limit)
            return self.written(gathering, shown, None)
        page = gathering.page(wanted, before, limit, is_folded=is_folded)
        return self.written(gathering, page.shown, page.next)

    def wanted(self, request: IRequest) -> Filter:
        """Read the filter of a request."""
        return self.filter(text(request, "q") or "", flag(request, "errors"))

    def filter(self, words: str, errors: bool) -> Filter:
        """Read a filter; raises `Wrong`."""
        try:
            return parse_filter(words, errors=errors, node=self.node)
        except MalformedField as error:
            raise Wrong(400, "q", str(error)) from error

    def written(
        self,
        gathering: Gathering,
        shown: Sequence[Shown],
        following: int | None,
        *,
        is_brief: bool = False,
    ) -> Mapping[str, Any]:
        """Write figures and all that belongs to them, in brief without the messages."""
        writer = self._writer(gathering)
        return {
            "lanes": writer.lanes(shown),
            "figures": writer.figures(shown),
            "messages": [] if is_brief else writer.messages(shown),
            "capture": self.capture(gathering),
            "density": self.density(gathering),
            "latest": gathering.latest,
            "next": following,
        }

    def capture(self, gathering: Gathering) -> Mapping[str, Any]:
        """Say how much is held."""
        ring = self.looking.ring
        oldest = ring.get(ring.first)
        return {
            "held": len(ring),
            "seen": ring.next - 1,
            "per_second": round(gathering.rate(self.looking.ticks()), 1),
            "oldest": None if oldest is None else moment(self.looking.wall(oldest[0])),
            "dropped": ring.first - 1,
        }

    def density(self, gathering: Gathering) -> Mapping[str, Any]:
        """Write the strip above the ladder."""
        begin = self.looking.now() - STRIP
        bars = gathering.density(self.looking.ticks())
        return {"from": moment(begin), "step_s": BAR, "buckets": bars}

    async def message(self, name: str) -> Mapping[str, Any]:
        """Give one message whole.  Raises `Wrong`."""
        if not (name.isascii() and name.isdigit() and len(name) < 16):
            raise Wrong(400, "path", "a message has a number")
        gathering = await self.looking.look()
        traced = gathering.message(int(name))
        if traced is None:
            raise Wrong(404, "path", self._gone(int(name)))
        return in_full(traced, _answers(gathering, traced))

    def _gone(self, wanted: int) -> str:
        ring = self.looking.ring
        if wanted >= ring.next:
            return f"message {wanted} was not seen yet"
        oldest = ring.get(ring.first)
        since = "now" if oldest is None else moment(self.looking.wall(oldest[0]))
        return f"message {wanted} is held no more; those since {since} are"

    def _writer(self, gathering: Gathering) -> Writer:
        return Writer(gathering, self.looking.wall, self.ours())

    # -- Files -----------------------------------------------------------------------

    def _file(
        self, request: Any
    ) -> Callable[[Gathering, Sequence[Shown]], bytes] | None:
        """Choose the format of a file, if one is asked for, and say so in the answer."""
        asked = text(request, "as") or _FORMATS.get(request.getHeader("accept") or "")
        if asked is None:
            return None
        formats = {
            "text": (_TEXT, "txt", self._text),
            "pcap": (PCAP, "pcap", self._pcap),
            "log": (JSON_TYPE, "json", self._log),
        }
        if asked not in formats:
            raise Wrong(400, "as", f"as is one of {', '.join(formats)}")
        kind, extension, write = formats[asked]
        request.setHeader("Content-Type", kind)
        name = f'attachment; filename="presproxy-trace.{extension}"'
        request.setHeader("Content-Disposition", name)
        return write

    def _text(self, gathering: Gathering, shown: Sequence[Shown]) -> bytes:
        titles = {
            each.figure.id: say(each.figure, gathering.figures).title for each in shown
        }
        return write_text(
            Line(
                self.looking.wall(traced.at),
                _place(traced.local),
                _place(traced.peer),
                traced.is_out,
                traced.transport,
                titles[figure],
                blanked(traced.data),
            )
            for traced, figure in _in_order(shown)
        )

    def _pcap(self, gathering: Gathering, shown: Sequence[Shown]) -> bytes:
        packets = []
        for traced, _ in _in_order(shown):
            ends = (traced.local, traced.peer)
            source, destination = ends if traced.is_out else ends[::-1]
            data = blanked(traced.data)
            for at in (traced.at, *traced.repeats):
                packets.append(Packet(self.looking.wall(at), source, destination, data))
        packets.sort(key=lambda packet: packet.at)
        return write_pcap(packets)

    def _log(self, gathering: Gathering, shown: Sequence[Shown]) -> bytes:
        writer = self._writer(gathering)
        entries = [
            {
                **writer.message(traced, figure),
                "raw": base64.b64encode(blanked(traced.data)).decode(),
            }
            for traced, figure in _in_order(shown)
        ]
        log = {
            "version": "1",
            "creator": {"name": "presproxy", "version": self.version},
            "figures": writer.figures(shown),
            "lanes": writer.lanes(shown),
            "entries": entries,
        }
        return json.dumps({"log": log}, ensure_ascii=False).encode("utf-8", "replace")


#: What may be asked for by Accept alone.
_FORMATS = {"text/plain": "text", PCAP: "pcap"}


def _in_order(shown: Sequence[Shown]) -> list[tuple[Traced, str]]:
    found = [
        (traced, each.figure.id) for each in shown for traced in each.figure.messages
    ]
    return sorted(found, key=lambda each: each[0].number)


def _answers(gathering: Gathering, traced: Traced) -> list[Traced]:
    figure = gathering.figures.of(traced.number)
    if figure is None or not traced.is_request:
        return []
    return [
        each
        for each in figure.messages
        if each.status is not None
        and (each.branch, each.method) == (traced.branch, traced.method)
    ]


def _place(address: tuple[str, int]) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
