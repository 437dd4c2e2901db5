"""Requests outside dialogs which belong together (RFC 3261 §8.1.1, §10.2)."""

from __future__ import annotations

import attrs

from presproxy.sip.tokens import Tokens
from presproxy.sip.uri import AddressOfRecord


@attrs.define(eq=False)
class Series:
    """
    One Call-ID and one tag, and a CSeq that rises with each request.

    ``parameters`` are those of From but for the tag, each after a semicolon.
    """

    sender: AddressOfRecord
    to: AddressOfRecord
    call_id: str
    tag: str
    parameters: str = ""
    cseq: int = 0

    @classmethod
    def begin(
        cls,
        sender: AddressOfRecord,
        to: AddressOfRecord,
        tokens: Tokens,
        parameters: str = "",
    ) -> Series:
        """Begin a new one."""
        return cls(sender, to, tokens.call_id(), tokens.tag(), parameters)

    def fields(self, method: str) -> list[tuple[str, str]]:
        """Give From, To, Call-ID and CSeq of the next request."""
        self.cseq += 1
        return [
            ("From", f"<{self.sender}>;tag={self.tag}{self.parameters}"),
            ("To", f"<{self.to}>"),
            ("Call-ID", self.call_id),
            ("CSeq", f"{self.cseq} {method}"),
        ]
