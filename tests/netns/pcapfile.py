# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads captures: classic pcap, Ethernet, Linux cooked or raw IP, TCP segments and ICMP errors in them. Shares
nothing with src/, so that it can bear witness about it."""

import ipaddress
import struct
from typing import NamedTuple

FIN, SYN, RST, PSH, ACK, URG, ECE, CWR, AE = (1 << bit for bit in range(9))
_ETHERNET, _RAW, _COOKED = 1, 101, 113


class Segment(NamedTuple):
    time: float
    eth_dst: str  # None on other links
    family: int
    src: str
    dst: str
    ttl: int
    dscp: int
    ecn: int
    flow_label: int  # None in IPv4
    ip_id: int  # None in IPv6
    ip_flags: int  # None in IPv6; flags and fragment offset
    proto: int
    sport: int
    dport: int
    seq: int
    ack: int
    flags: int  # nine bits, AE the highest
    reserved: int
    window: int
    urgent: int
    options: tuple  # (kind, bytes) in their order
    payload: bytes

    @property
    def tuple(self):
        return self.src, self.sport, self.dst, self.dport


def packets(path):
    """(time, link type, bytes) of each packet; an unfinished last one is left out."""
    with open(path, "rb") as file:
        data = file.read()
    order = {b"\xd4\xc3\xb2\xa1": ("<", 1e6), b"\xa1\xb2\xc3\xd4": (">", 1e6)}
    order |= {b"\x4d\x3c\xb2\xa1": ("<", 1e9), b"\xa1\xb2\x3c\x4d": (">", 1e9)}
    endian, fraction = order[data[:4]]
    link = struct.unpack(endian + "I", data[20:24])[0] & 0xFFFF
    at = 24
    while at + 16 <= len(data):
        seconds, part, kept, _ = struct.unpack(endian + "4I", data[at : at + 16])
        at += 16
        if at + kept <= len(data):
            yield seconds + part / fraction, link, data[at : at + kept]
        at += kept


def _options(data):
    found, at = [], 0
    while at < len(data):
        kind = data[at]
        if kind in (0, 1):
            found.append((kind, b""))
            at += 1
            if kind == 0:
                break
            continue
        length = data[at + 1]
        assert length >= 2, "an option shorter than its head"
        found.append((kind, data[at + 2 : at + length]))
        at += length
    return tuple(found)


def _ip(data):
    """Header fields and where the payload starts, or None."""
    if data and data[0] >> 4 == 4:
        head = (data[0] & 15) * 4
        total = struct.unpack("!H", data[2:4])[0] or len(data)
        ip_id, flags = struct.unpack("!HH", data[4:8])
        return (4, data[12:16], data[16:20], data[8], data[1], None, ip_id, flags, data[9], head,
                total)  # fmt: skip
    if data and data[0] >> 4 == 6:
        first = struct.unpack("!I", data[:4])[0]
        total = 40 + struct.unpack("!H", data[4:6])[0]
        return (6, data[8:24], data[24:40], data[7], first >> 20 & 255, first & 0xFFFFF, None, None,
                data[6], 40, total)  # fmt: skip
    return None


def tcp_segments(path):
    """Every TCP segment of a capture file, in its order."""
    for time, link, data in packets(path):
        eth_dst = data[:6].hex(":") if link == _ETHERNET else None
        data = data[{_ETHERNET: 14, _RAW: 0, _COOKED: 16}[link] :]
        parts = _ip(data)
        if parts is None or parts[8] != 6:
            continue
        family, src, dst, ttl, tos, label, ip_id, ip_flags, proto, head, total = parts
        tcp = data[head:total]
        ports_seq = struct.unpack("!HHIIHHHH", tcp[:20])
        sport, dport, seq, ack, bits, window, _, urgent = ports_seq
        end = (bits >> 12) * 4
        yield Segment(
            time, eth_dst, family, str(ipaddress.ip_address(src)), str(ipaddress.ip_address(dst)),
            ttl, tos >> 2, tos & 3, label, ip_id, ip_flags, proto, sport, dport, seq, ack,
            bits & 0x1FF, bits >> 9 & 7, window, urgent, _options(tcp[20:end]), tcp[end:],
        )  # fmt: skip


def first_syns(segments):
    """The first SYN of each connection that a capture saw begin, by 4-tuple."""
    found = {}
    for segment in segments:
        if segment.flags & (SYN | ACK) == SYN:
            found.setdefault(segment.tuple, segment)
    return found
