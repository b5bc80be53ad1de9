# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a capture of SYNs: when did the first packets of A and of B towards each target pass?"""

import struct
from typing import NamedTuple

_MAGICS = {  # of classic pcap: byte order, nanoseconds a unit
    b"\xd4\xc3\xb2\xa1": ("<", 1000),
    b"\xa1\xb2\xc3\xd4": (">", 1000),
    b"\x4d\x3c\xb2\xa1": ("<", 1),
    b"\xa1\xb2\x3c\x4d": (">", 1),
}
_ETHERNET, _IPV4, _TCP = 1, 0x0800, 6
_SYN, _ACK, _ECE, _CWR = 0x02, 0x10, 0x40, 0x80


class Syn(NamedTuple):
    ns: int
    target: bytes
    port: int
    is_ecn: bool


def packets(path):
    """(nanoseconds, bytes) of each packet of an Ethernet capture."""
    with open(path, "rb") as file:
        head = file.read(24)
        if len(head) < 24 or head[:4] not in _MAGICS:
            raise ValueError(f"{path} is no pcap file")
        order, unit = _MAGICS[head[:4]]
        if struct.unpack(order + "I", head[20:])[0] & 0xFFFF != _ETHERNET:
            raise ValueError(f"{path} is no capture of Ethernet")
        record = struct.Struct(order + "IIII")
        while len(head := file.read(16)) == 16:
            seconds, fraction, captured, _ = record.unpack(head)
            yield seconds * 1_000_000_000 + fraction * unit, file.read(captured)


def syn(ns, frame):
    """A Syn, or None: only first SYNs over IPv4 without VLAN, which is what the lab sends."""
    if len(frame) < 54 or struct.unpack_from(">H", frame, 12)[0] != _IPV4:
        return None
    start = 14 + (frame[14] & 15) * 4
    if frame[23] != _TCP or len(frame) < start + 20:
        return None
    flags = frame[start + 13]
    if flags & (_SYN | _ACK) != _SYN:
        return None
    port = struct.unpack_from(">H", frame, start)[0]
    return Syn(ns, frame[30:34], port, flags & (_ECE | _CWR) == _ECE | _CWR)


def distances(path):
    """(sorted distances in ns between the first plain and the first ECN SYN of each target that has
    both, number of SYNs, number of targets, how often the plain one went first)."""
    first, count, plain_first = {}, 0, 0
    for ns, frame in packets(path):
        found = syn(ns, frame)
        if found is None:
            continue
        count += 1
        first.setdefault(found.target, {}).setdefault(found.is_ecn, ns)
    result = []
    for arms in first.values():
        if len(arms) == 2:
            result.append(abs(arms[True] - arms[False]))
            plain_first += arms[False] < arms[True]
    return sorted(result), count, len(first), plain_first


def quantile(ordered, share):
    """The smallest value that at least `share` percent (a whole number) of them do not exceed."""
    return ordered[max(0, -(-len(ordered) * share // 100) - 1)]
