"""
A trace as a file for Wireshark (the format of libpcap, LINKTYPE_RAW).

Each message is put into one datagram of UDP from our end to its peer's or back, whatever
it came by: what was in TLS is readable so, and a stream needs no segments.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address

import attrs

CONTENT_TYPE = "application/vnd.tcpdump.pcap"

_MAGIC, _VERSION, _LINKTYPE_RAW = 0xA1B2C3D4, (2, 4), 101

#: The most octets of a datagram that are written; a longer message is cut there, and
#: Wireshark says so.
_SNAPPED = 65_535
_UDP_HEAD, _IPV4_HEAD, _IPV6_HEAD = 8, 20, 40
_UDP, _HOPS = 17, 64

#: What stands for an address that is none, as a name.
_NOWHERE = IPv4Address("0.0.0.0")


@attrs.frozen
class Packet:
    """One message: when, on the wall clock, from where and to where."""

    at: float
    source: tuple[str, int]
    destination: tuple[str, int]
    data: bytes


def write_pcap(packets: Iterable[Packet]) -> bytes:
    """Write a file."""
    head = struct.pack("<IHHiIII", _MAGIC, *_VERSION, 0, 0, _SNAPPED, _LINKTYPE_RAW)
    return b"".join([head, *map(_record, packets)])


def _record(packet: Packet) -> bytes:
    datagram = _datagram(packet)
    snapped = datagram[:_SNAPPED]
    microseconds = round(packet.at * 1_000_000)
    seconds, rest = divmod(microseconds, 1_000_000)
    return struct.pack("<IIII", seconds, rest, len(snapped), len(datagram)) + snapped


def _datagram(packet: Packet) -> bytes:
    source, destination = _ip(packet.source[0]), _ip(packet.destination[0])
    if source.version != destination.version:
        source = destination = _NOWHERE
    ports = (packet.source[1] & 0xFFFF, packet.destination[1] & 0xFFFF)
    length = _UDP_HEAD + len(packet.data)
    # A checksum of 0 is none (RFC 768); it is not given for IPv6 either, as nothing here
    # was on a wire.
    udp = struct.pack("!HHHH", *ports, min(length, 0xFFFF), 0) + packet.data
    ends = source.packed + destination.packed
    if source.version == 6:
        head = struct.pack("!IHBB", 6 << 28, min(length, 0xFFFF), _UDP, _HOPS)
        return head + ends + udp
    total = min(_IPV4_HEAD + length, 0xFFFF)
    head = struct.pack("!BBHHHBBH", 0x45, 0, total, 0, 0, _HOPS, _UDP, 0)
    checksum = _checksum(head + ends)
    return head[:-2] + struct.pack("!H", checksum) + ends + udp


def _ip(host: str) -> IPv4Address | IPv6Address:
    try:
        return ip_address(host.partition("%")[0])
    except ValueError:
        return _NOWHERE


def _checksum(head: bytes) -> int:
    """Give the checksum of an IPv4 header (RFC 791 §3.1)."""
    total: int = sum(struct.unpack(f"!{len(head) // 2}H", head))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
