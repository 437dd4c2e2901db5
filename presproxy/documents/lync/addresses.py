"""
Addresses in Lync's documents, which have their ``sip:`` in some and not in others.

Which way each goes is not a matter of taste: clients take the other one for somebody else.
"""

from __future__ import annotations


def with_scheme(address: str) -> str:
    """Give an address as it stands in some of these documents its ``sip:``."""
    scheme = address.partition(":")[0].lower()
    return address if scheme in ("sip", "sips", "tel") else f"sip:{address}"


def without_scheme(address: str) -> str:
    """Take the ``sip:`` off an address."""
    return address[4:] if address[:4].lower() == "sip:" else address
